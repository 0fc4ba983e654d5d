"""Senders by the hundred: ``dateline digest send`` in processes that start in a hundredth of a second.

Run as a program, this imports what the sending needs, once, and forks a process for each sender that is asked for. A
sender is a process of its own, with its own connections and its own database handles, and dies like any other.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self


class Sender:
    """A running ``dateline``; ``said`` is what it printed so far."""

    def __init__(self, stable: Stable, pid: int, out: Path) -> None:
        self._stable, self._pid, self._out = stable, pid, out
        self._code: int | None = None

    @property
    def said(self) -> str:
        return self._out.read_text()

    def kill(self, number: int = signal.SIGKILL) -> None:
        if self._code is None:
            os.kill(self._pid, number)

    def has_ended(self) -> bool:
        if self._code is None:
            self._code = self._stable.ask("poll", self._pid)
        return self._code is not None

    def wait(self, seconds: float = 60) -> int:
        """Its exit code; minus the number of the signal that killed it. ``TimeoutError`` when it goes on."""
        end = time.monotonic() + seconds
        while not self.has_ended():
            if time.monotonic() > end:
                raise TimeoutError(f"process {self._pid} goes on after {seconds} s: {self.said[-2000:]}")
            time.sleep(0.005)
        assert self._code is not None
        return self._code


class Stable:
    """The program that forks senders. ``folder`` takes what they print."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._started: list[Sender] = []
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for sender in self._started:
            if not sender.has_ended():
                sender.kill()
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(20)

    def ask(self, verb: str, *words: object) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([verb, *words]) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, *words: object) -> Sender:
        """Starts ``dateline`` with these words."""
        out = self._folder / f"said-{len(self._started)}.txt"
        pid = self.ask("start", str(out), *map(str, words))
        sender = Sender(self, pid, out)
        self._started.append(sender)
        return sender


def _import_everything() -> None:
    import importlib
    import pkgutil

    import newsletter

    for module in pkgutil.iter_modules(newsletter.__path__):
        importlib.import_module(f"newsletter.{module.name}")
    for name in ("dateline.cli", "dateline.cli.digests", "dateline.site", "dateline.store", "sqlalchemy.dialects.sqlite"):
        importlib.import_module(name)


def _become(out: str, words: list[str]) -> None:
    """The child: ``dateline`` with these words, as if started from a shell."""
    from dateline.cli import main

    code: object = 1
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        for number in (1, 2):
            os.dup2(handle, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["dateline", *words]
        try:
            main()
            code = 0
        except SystemExit as leaving:
            code = leaving.code or 0
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code if isinstance(code, int) else 1)


def _serve() -> None:
    _import_everything()
    for line in sys.stdin:
        verb, *words = json.loads(line)
        if verb == "start":
            pid = os.fork()
            if pid == 0:
                _become(words[0], words[1:])
            answer: int | None = pid
        else:
            pid, status = os.waitpid(words[0], os.WNOHANG)
            answer = os.waitstatus_to_exitcode(status) if pid else None
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve()
