"""How long does a server want to be left alone (RFC 9110 10.2.3)."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime


def retry_after(header: str) -> float:
    """Seconds that a Retry-After header asks for, at most a day; 0 when it says nothing of use."""
    try:
        seconds = float(header) if header.isdecimal() else parsedate_to_datetime(header).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0
    return min(max(seconds, 0), 86_400)
