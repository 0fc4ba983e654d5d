"""The way of most scripts: an EmailMessage for each recipient, sent by smtplib over one connection.

``plain.py PORT MESSAGES FOLDER``: FOLDER holds part.html and part.txt. Prints the seconds that the sending took.
"""

from __future__ import annotations

import json
import smtplib
import sys
import time
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path


def run() -> None:
    port, messages, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    html, text = (folder / "part.html").read_text(), (folder / "part.txt").read_text()
    start = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as server:
        for number in range(messages):
            message = EmailMessage()
            message["From"], message["To"] = "news@news.test", f"m{number}@example.com"
            message["Subject"], message["Date"] = "News number 0 of the day", formatdate()
            message["Message-ID"] = f"<{number}.bench@news.test>"
            message["List-Unsubscribe"] = f"<https://news.test/unsubscribe/{number}>"
            message.set_content(text)
            message.add_alternative(html, subtype="html")
            server.send_message(message)
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    run()
