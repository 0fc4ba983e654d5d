"""What a request's headers ask for: which coding, whether it has the file already, which part of it (RFC 9110 12 to 14)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache

PREFERENCE = ("br", "gzip", "identity")
"""Content codings, the smallest result first."""


@lru_cache(maxsize=512)
def chosen_coding(accepted: bytes, offered: tuple[str, ...]) -> str:
    """The best of the codings ``offered`` that ``Accept-Encoding`` takes (RFC 9110 12.5.3); ``identity`` when it takes none."""
    weights: dict[str, float] = {}
    for part in accepted.decode("latin-1").lower().split(","):
        name, _, parameters = part.partition(";")
        weight = re.fullmatch(r"\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*", parameters)
        weights[name.strip()] = float(weight[1]) if weight else 1.0 if not parameters.strip() else 0.0
    rest = weights.get("*", 0.0)
    # Nothing said of it, identity is taken when nothing better is.
    scored = {
        name: weights.get(name, rest if name != "identity" else max(rest, 0.001)) for name in PREFERENCE if name in offered
    }
    return max(scored, key=lambda name: (scored[name], -PREFERENCE.index(name))) if any(scored.values()) else "identity"


def is_fresh(asked: Mapping[bytes, bytes], tag: bytes, modified: float) -> bool:
    """Whether the client has this representation already (RFC 9110 13.1.2, 13.1.3): tags win over dates."""
    if b"if-none-match" in asked:
        return _matches(asked[b"if-none-match"], tag)
    if b"if-modified-since" in asked:
        since = _date(asked[b"if-modified-since"])
        return since is not None and int(modified) <= since
    return False


def wanted_range(asked: Mapping[bytes, bytes], size: int, tag: bytes, modified: float) -> tuple[int, int] | None:
    """The part that is asked for, from its first byte to behind its last (RFC 9110 14.2).

    ``None`` means all of it: the header says nothing that can be understood, or ``If-Range`` does not hold. ``(0, 0)`` means
    that there is no such part.
    """
    condition = asked.get(b"if-range")
    if condition is not None and condition.strip() != tag and _date(condition) != int(modified):
        return None
    found = re.fullmatch(rb"bytes=\s*(\d{0,18})-(\d{0,18})\s*", asked[b"range"])
    if not found or not (found[1] or found[2]):
        return None
    if not found[1]:
        length = min(int(found[2]), size)
        return (size - length, size) if length else (0, 0)
    start, end = int(found[1]), min(int(found[2]) + 1, size) if found[2] else size
    if found[2] and int(found[2]) < start:
        return None
    return (start, end) if start < size else (0, 0)


def _matches(header: bytes, tag: bytes) -> bool:
    if header == tag or header.strip() == b"*":
        return True
    return any(one.strip().removeprefix(b"W/") == tag for one in header.split(b","))


def _date(header: bytes) -> int | None:
    try:
        return int(parsedate_to_datetime(header.decode("latin-1")).timestamp())
    except (TypeError, ValueError, OverflowError):
        return None
