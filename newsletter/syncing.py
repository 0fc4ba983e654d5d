"""Waiting for the disk beside everything else: one wait serves all who asked before it began.

It is done by a small process of its own. A thread would take turns with the sending at every wait, which costs a third of the
speed; and this way the sending goes on whatever the disk does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from newsletter.transport import TransportError

# Reads bytes, waits for the disk, and answers as many. It ends with its parent, whatever ended that, and by nothing else: a
# service manager's SIGTERM is for the parent to answer.
_PROGRAM = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
log = os.open(sys.argv[1], os.O_RDONLY)
while asked := os.read(0, 4096):
    getattr(os, "fdatasync", os.fsync)(log)
    os.write(1, asked)
"""


def sync(log: Path | None) -> None:
    """Waits until all that was written to a file is on the disk; without a file there is nothing to wait for.

    Raises ``TransportError`` when the disk cannot be written.
    """
    if log is None:
        return
    try:
        handle = os.open(log, os.O_RDONLY)
        try:
            # Where there is no fdatasync (macOS), fsync does.
            getattr(os, "fdatasync", os.fsync)(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise TransportError(f"{log}: cannot be brought to the disk ({error.strerror}); nothing more is sent") from None


class Syncer:
    """Waits for the disk for whoever asks. ``log`` is the file that must be on it; without one there is nothing to wait for.

    ``answers`` is a descriptor that becomes readable when :attr:`done` may be greater after :meth:`hear`; -1 if none does. It
    stays open until :meth:`close`.
    """

    def __init__(self, log: Path | None) -> None:
        self._log = log
        self._asked = self.done = 0
        self.is_alive = False
        self._process = self._start(log) if log else None
        self.answers = self._process.stdout.fileno() if self._process and self._process.stdout else -1

    def ask(self) -> int:
        """Asks for a sync; it is over when :attr:`done` has reached the number that is returned."""
        self._asked += 1
        if self.is_alive and self._process and self._process.stdin:
            try:
                os.write(self._process.stdin.fileno(), b".")
            except OSError:
                self.is_alive = False
        if not self.is_alive:
            self._sync_here()
        return self._asked

    def hear(self) -> None:
        """Takes the answers that have come."""
        try:
            answered = len(os.read(self.answers, 65_536))
        except BlockingIOError:
            return
        except OSError:
            answered = 0
        if answered and self.is_alive:
            self.done += answered
        elif not answered:
            # Without the process, whoever asks waits.
            self.is_alive = False
            self._sync_here()

    def close(self) -> None:
        """Ends the process after what was asked for."""
        process, self._process, self.answers, self.is_alive = self._process, None, -1, False
        if process:
            for pipe in (process.stdin, process.stdout):
                if pipe:
                    with suppress(OSError):
                        pipe.close()
            process.wait()

    def _start(self, log: Path) -> subprocess.Popen[bytes] | None:
        try:
            # Not of our group: Ctrl-C is for us to answer.
            process = subprocess.Popen(  # noqa: S603 (our own program)
                [sys.executable, "-I", "-S", "-c", _PROGRAM, str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, bufsize=0, start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError):
            return None
        assert process.stdout
        os.set_blocking(process.stdout.fileno(), False)
        self.is_alive = True
        return process

    def _sync_here(self) -> None:
        sync(self._log)
        self.done = self._asked
