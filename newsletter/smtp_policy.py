"""When servers refuse us, not a recipient (RFC 3463 x.7.x): is that one domain's way, or must the sending stop?"""

from __future__ import annotations

import logging
from collections import deque

_IN_A_ROW = 3
"""Refusals without an acceptance between them that stop the sending, where they are of several domains."""
_RECENT = 20
"""So many refusals without an acceptance between them stop it in any case."""

log = logging.getLogger("dateline.sending")


class Policy:
    """Refusals of us, as they come."""

    def __init__(self) -> None:
        self._row: deque[str] = deque(maxlen=_RECENT)
        self._told: set[str] = set()

    def accepted(self) -> None:
        """A message was taken."""
        self._row.clear()

    def refused(self, domain: str, *, ever_sent: bool) -> bool:
        """We were refused by a receiving domain, or as a sender (``""``). Says whether the sending must stop.

        One domain that takes nothing from us stops nobody, as long as others were served (``ever_sent``); it is told once.
        """
        self._row.append(domain)
        if domain and domain not in self._told:
            self._told.add(domain)
            log.error("%s refuses us, not its recipients; they are tried again later", domain)
        if len(self._row) < _IN_A_ROW:
            return False
        return not ever_sent or len(set(self._row)) > 1 or set(self._row) == {""} or len(self._row) == _RECENT
