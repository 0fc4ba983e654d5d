"""Connections that are being opened, each in a thread of its own, so that nobody waits for a server that is slow to answer."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from newsletter.smtp_lines import Line
from newsletter.smtp_opening import AwayError, Opened, open_connection
from newsletter.transport import TransportError


@dataclass(eq=False, slots=True)
class _Opening:
    line: Line
    begun_at: float
    result: Opened | TransportError | None = None
    is_abandoned: bool = False


class Openings:
    """Opens connections. ``tell`` is called, from any thread, when there is news; ``timeout`` seconds are what one may take."""

    def __init__(self, hello: str, timeout: float, ca_file: Path | None, tell: Callable[[], None]) -> None:
        self._hello, self._timeout, self._ca_file, self._tell = hello, timeout, ca_file, tell
        self._under_way: set[_Opening] = set()
        self._news: deque[_Opening] = deque()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._under_way)

    def begin(self, line: Line) -> None:
        """Opens another connection to a server."""
        line.open += 1
        opening = _Opening(line, time.monotonic())
        self._under_way.add(opening)
        # A thread that is forgotten, should its server never let go of it, must not keep the program from ending.
        threading.Thread(target=self._open, args=(opening,), name="smtp-opening", daemon=True).start()

    def ended(self, now: float) -> Iterator[tuple[Line, Opened | TransportError]]:
        """What has been opened, or could not be, or takes too long."""
        while self._news:
            opening = self._news.popleft()
            if opening in self._under_way and opening.result:
                self._under_way.discard(opening)
                yield opening.line, opening.result
        for opening in [one for one in self._under_way if now - one.begun_at > self._timeout]:
            self._abandon(opening)
            yield (
                opening.line,
                AwayError(f"{opening.line.server.address}: it took longer than {self._timeout:g} s to let us in"),
            )

    def abandon(self) -> None:
        """Forgets what is still being opened."""
        for opening in list(self._under_way):
            self._abandon(opening)
            opening.line.open -= 1

    def _abandon(self, opening: _Opening) -> None:
        self._under_way.discard(opening)
        with self._lock:
            opening.is_abandoned = True
            if isinstance(opening.result, Opened):
                opening.result.socket.close()

    def _open(self, opening: _Opening) -> None:
        result: Opened | TransportError
        try:
            result = open_connection(opening.line.server, self._hello, self._timeout, self._ca_file)
        except TransportError as error:
            result = error
        except Exception as error:
            result = AwayError(f"{opening.line.server.address}: cannot connect ({error})")
        with self._lock:
            opening.result = result
            if opening.is_abandoned:
                if isinstance(result, Opened):
                    result.socket.close()
                return
        self._news.append(opening)
        self._tell()
