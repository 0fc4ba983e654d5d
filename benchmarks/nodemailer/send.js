// Sends the same message many times with nodemailer's pool, composed anew each time or given raw.
//   node send.js PORT MESSAGES CONNECTIONS composed|raw FOLDER
// FOLDER holds message.eml, part.html and part.txt. Prints the seconds that the sending took.
"use strict";
const fs = require("fs");
const path = require("path");
const nodemailer = require("nodemailer");

const [port, messages, connections] = process.argv.slice(2, 5).map(Number);
const [kind, folder] = process.argv.slice(5);
const read = (name) => fs.readFileSync(path.join(folder, name));
const eml = read("message.eml").toString("latin1");
const html = read("part.html").toString();
const text = read("part.txt").toString();
const from = "news@news.test";

function message(number) {
  const to = `m${number}@example.com`;
  if (kind === "raw") {
    const own = eml.replace("reader@example.com", to);
    return { envelope: { from, to }, raw: Buffer.from(own, "latin1") };
  }
  return {
    from, to, subject: "News number 0 of the day", html, text, messageId: `<${number}.bench@news.test>`,
    list: { unsubscribe: { url: `https://news.test/unsubscribe/${number}`, comment: "Unsubscribe" } },
  };
}

async function main() {
  const transport = nodemailer.createTransport({
    host: "127.0.0.1", port, pool: true, maxConnections: connections, maxMessages: Infinity, ignoreTLS: true,
  });
  const start = process.hrtime.bigint();
  let next = 0;
  // As many at once as the pool has connections, and some more so that none is ever idle.
  const worker = async () => {
    while (next < messages) await transport.sendMail(message(next++));
  };
  await Promise.all(Array.from({ length: connections * 2 }, worker));
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  transport.close();
  console.log(JSON.stringify({ seconds }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
