"""Waiting for the disk beside everything else: one wait serves all who asked before it began."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Syncer:
    """Calls ``sync`` in a thread of its own for whoever asks, and ``tell`` after each time.

    ``error`` is what a call raised; nothing is done after that.
    """

    def __init__(self, sync: Callable[[], None], tell: Callable[[], None]) -> None:
        self._sync, self._tell = sync, tell
        self._asked = self.done = 0
        self.error: Exception | None = None
        self._is_closing = False
        self._change = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="syncing", daemon=True)
        self._thread.start()

    def ask(self) -> int:
        """Asks for a sync; it is over when :attr:`done` has reached the number that is returned."""
        with self._change:
            self._asked += 1
            self._change.notify()
            return self._asked

    def close(self) -> None:
        """Ends the thread after what was asked for."""
        with self._change:
            self._is_closing = True
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._change:
                self._change.wait_for(lambda: self._asked > self.done or self._is_closing)
                asked = self._asked
            if asked <= self.done:
                return
            try:
                self._sync()
            except Exception as error:
                self.error = error
                self._tell()
                return
            self.done = asked
            self._tell()
