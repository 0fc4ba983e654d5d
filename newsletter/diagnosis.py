"""Why a message could not be delivered: the address, something passing, or we ourselves?

Answers for a server's words (RFC 5321 replies) with their enhanced status code (RFC 3463, registry of RFC 5248).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """What a failure says of the address."""

    GONE = "address gone"
    """There is no such mailbox, or it was closed: never to be mailed again."""
    PASSING = "not now"
    """Full, away or not reachable: may be over tomorrow."""
    OURS = "refused by policy"
    """Our reputation, our message or our server is refused: nothing against the address."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A cause with what it was read from: a status code such as ``5.1.1`` (or ``550``, or nothing) and words."""

    cause: Cause
    code: str
    words: str


_LONGEST = 2000
"""Characters of a server's words that are looked at."""
_AFTER_REPLY = re.compile(r"\b[45]\d\d[ #-]{1,3}([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_ENHANCED = re.compile(r"(?<![\w.])([45]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_REPLY = re.compile(r"(?<![\w.])([45][0-7]\d)(?=[ -])")
_NOT_WORDS = re.compile(r"\S+@\S+|<[^<>\s]*>|https?://\S+")

_VAGUE = re.compile(r"[45]\d\d|5\.[01235]\.0|5\.4\.[01]|5\.5\.1|")
"""Codes behind which servers hide anything; their words must tell. The empty one is no code at all."""
_GONE = re.compile(r"5\.1\.(?:[12346]|10)|5\.2\.1")
_OURS = re.compile(r"5\.1\.[789]|5\.2\.3|5\.3\.4|5\.5\.\d+|[45]\.6\.\d+|[45]\.7\.\d+")

_SAYS_FULL = re.compile(
    r"quota|mailbox (?:is )?(?:too )?full|full mailbox|inbox (?:is )?full|(?:out of|insufficient|exceeded?) (?:system )?storage"
    r"|storage (?:limit|exceeded)|mailbox size|not enough (?:disk )?space|too many messages in"
    r"|at a rate that|too quickly|receiving mail too",
    re.IGNORECASE,
)
_SAYS_POLICY = re.compile(
    r"\bspam\b|spamhaus|black ?list|block ?list|\bblocked\b|\brbl\b|\bdnsbl\b|reputation|\bspf\b|\bdkim\b|\bdmarc\b|\bpolicy\b"
    r"|unsolicited|gr[ea]y ?list|rate.?limit|too many (?:messages|connections|errors)|\bvirus|\bcontent\b|not authori[sz]ed"
    r"|authentication (?:is )?required|too (?:large|big)|size limit|message size|sender (?:address )?(?:rejected|denied|verify)"
    r"|relay(?:ing)? (?:access )?(?:denied|not permitted)|reverse dns|\bptr\b|bulk mail",
    re.IGNORECASE,
)
_SAYS_GONE = re.compile(
    r"(?:user|recipient|mailbox|address|account|local.?part) (?:is |was )?(?:unknown|not found|not known|inactive)"
    r"|(?:unknown|invalid|no such|non-?existent) (?:\w+ )?(?:user|recipient|mailbox|address|account|person|local.?part)"
    r"|(?:does ?n.t|does not|do not|not) exist|no mailbox|mailbox (?:unavailable|disabled|closed)"
    r"|recipient address rejected: access denied|recip(?:ient)?notfound|(?:could ?n.t|could not|was ?n.t|was not) (?:be )?found"
    r"|account (?:that you tried to reach )?(?:has been |is |was )?(?:disabled|suspended|closed|terminated|deleted|deactivated)"
    r"|does ?n.t have an? \S+ account|no longer (?:valid|available|in use|active|exists|accepts)|unrouteable address"
    r"|not (?:our|a known|a valid) (?:customer|user|mailbox|recipient)",
    re.IGNORECASE,
)


def diagnose(words: str, status: str = "") -> Diagnosis:
    """Reads a server's words, with the ``Status`` field that a report gives besides.

    The code within the words is the remote server's own and wins over a status that says less. Where words and code
    disagree, the milder reading is taken: who is wrongly kept bounces again, who is wrongly dropped never knows.
    """
    said = " ".join(words[:_LONGEST].split())
    code = _code(said, status)
    return Diagnosis(_cause(code, _NOT_WORDS.sub(" ", said)), code, said)


def _code(said: str, status: str) -> str:
    given = _ENHANCED.search(status)
    own = _AFTER_REPLY.search(said) or _ENHANCED.search(said)
    codes = [found[1] for found in (own, given) if found]
    telling = [code for code in codes if not code.endswith(".0.0")]
    if telling or codes:
        return (telling or codes)[0]
    reply = _REPLY.search(said)
    return reply[1] if reply else ""


def _cause(code: str, said: str) -> Cause:
    if _OURS.fullmatch(code) and not _VAGUE.fullmatch(code):
        return Cause.OURS
    if _SAYS_FULL.search(said):
        return Cause.PASSING
    if _SAYS_POLICY.search(said):
        return Cause.OURS
    if code.startswith("4"):
        return Cause.PASSING
    if _GONE.fullmatch(code) or (_VAGUE.fullmatch(code) and _SAYS_GONE.search(said)):
        return Cause.GONE
    return Cause.PASSING
