"""Does ``dateline serve`` hold out while many read and many join? 200 requests a second by the clock, whatever it answers.

Usage: ``python benchmarks/web.py [SECONDS [A_SECOND]]``. Of ten requests seven are for an article's page, one for the form, one
sends the small form of a page and one signs somebody up, each from a connection of their own; the mails go into a folder
meanwhile. A time counts from the moment at which its request was due, so that a queue shows. Prints latencies in
milliseconds, errors, and how many sign-ups are in the database.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

PROGRAM = Path(sys.executable).parent / "dateline"
READING_SECONDS = 3.5
"""A form that is sent sooner is shown again."""
KINDS = ("page", "page", "form", "page", "page", "start", "page", "page", "join", "page")


@dataclass(slots=True)
class Tally:
    """What became of the requests: seconds by kind, and what went wrong how often."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    errors: dict[str, int] = field(default_factory=dict)

    def note(self, kind: str, seconds: float, wrong: str) -> None:
        self.seconds[kind].append(seconds)
        if wrong:
            self.errors[wrong] = self.errors.get(wrong, 0) + 1


async def ask(port: int, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, str]:
    body = urlencode(fields).encode() if fields else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n"
    head += "Content-Type: application/x-www-form-urlencoded\r\nAccept-Language: de-DE,de\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head.encode() + body)
        content = await reader.read()
    finally:
        writer.close()
    status = re.match(rb"HTTP/1\.1 (\d+)", content)
    return (int(status[1]) if status else 0), content.decode("utf-8", "replace")


async def visit(port: int, kind: str, number: int, due: float, article: str, mark: str, tally: Tally) -> None:
    email = {"email": f"reader{number}@example{number % 50}.com", "page": "http://127.0.0.1/articles/x/"}
    chosen = {"form": mark, "digest": "daily", "region": "CN", "frequency": "weekly"}
    wrong = ""
    try:
        async with asyncio.timeout(30):
            match kind:
                case "page":
                    status, _ = await ask(port, "GET", article)
                case "form":
                    status, _ = await ask(port, "GET", "/newsletter/join")
                case "start":
                    status, _ = await ask(port, "POST", "/newsletter/join/start", email)
                case _:
                    status, text = await ask(port, "POST", "/newsletter/join", email | chosen)
                    wrong = "" if "Look into your mailbox" in text else f"{kind}: another answer"
        wrong = wrong if status == 200 else f"{kind}: {status}"
    except (OSError, TimeoutError) as error:
        wrong = f"{kind}: {type(error).__name__}"
    tally.note(kind, time.perf_counter() - due, wrong)


async def load(port: int, seconds: float, rate: float, article: str) -> Tally:
    _, form = await ask(port, "GET", "/newsletter/join")
    mark = re.search(r'name="form" value="([^"]+)"', form)
    assert mark, form
    await asyncio.sleep(READING_SECONDS)
    tally, visits, began = Tally(), set(), time.perf_counter()
    for number in range(int(seconds * rate)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        one = asyncio.create_task(visit(port, KINDS[number % len(KINDS)], number, due, article, mark[1], tally))
        visits.add(one)
        one.add_done_callback(visits.discard)
    await asyncio.gather(*visits)
    return tally


def print_tally(tally: Tally, seconds: float, rate: float, kept: int) -> None:
    print(f"{rate:.0f} requests a second for {seconds:.0f} s; milliseconds")
    print(f"{'':8}{'requests':>9}{'median':>9}{'95 %':>9}{'99 %':>9}{'longest':>9}")
    for kind, found in tally.seconds.items():
        ordered = sorted(found)
        parts = [ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000 for share in (0.5, 0.95, 0.99, 1)]
        print(f"{kind:8}{len(found):>9}" + "".join(f"{part:>9.1f}" for part in parts))
    print(f"errors: {tally.errors or 'none'}; sign-ups asked {len(tally.seconds['join'])}, in the database {kept}")


def main() -> None:
    seconds, rate = (float(word) for word in (*sys.argv[1:], *("60", "200")[len(sys.argv) - 1 :]))
    given = {"JOINS_PER_NETWORK": "1000000", "JOINS_PER_HOUR": "1000000", "TRANSPORT": "maildir:outbox"}
    environment = os.environ | {f"DATELINE_NEWSLETTER__{name}": value for name, value in given.items()}
    with tempfile.TemporaryDirectory() as name, socket.create_server(("127.0.0.1", 0)) as probe:
        port, site = probe.getsockname()[1], Path(name) / "site"
        probe.close()
        for words in (["init", site], ["--site", site, "publish"]):
            subprocess.run([PROGRAM, *words], check=True, capture_output=True, env=environment)
        article = f"/articles/{next((site / 'public' / 'articles').iterdir()).name}/"
        server = subprocess.Popen(
            [PROGRAM, "--site", site, "serve", "--port", str(port)], stdout=subprocess.PIPE, env=environment
        )
        try:
            assert server.stdout
            server.stdout.readline()
            tally = asyncio.run(load(port, seconds, rate, article))
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(60)
        with sqlite3.connect(site / "dateline.db") as database:
            query = "SELECT (SELECT count(*) FROM pending_mails WHERE kind = 'ask') + (SELECT count(*) FROM subscribers)"
            kept = database.execute(query).fetchone()[0]
        print_tally(tally, seconds, rate, kept)


if __name__ == "__main__":
    main()
