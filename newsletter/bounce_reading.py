"""What is this message that came to the bounce address: a failure, a complaint, somebody leaving, or nothing of the kind?

Reads bytes from anybody, so it believes none of them: whom a report is about, and whether it can be believed, is
decided elsewhere. Delivery reports (RFC 3464), complaints (RFC 5965), read receipts (RFC 8098), automatic replies (RFC
3834), and the many forms that bounces had before there was a standard (flufl.bounce, the detectors of Mailman).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import Message
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Any

from newsletter.diagnosis import Diagnosis, diagnose

LONGEST = 20_000_000
"""Bytes of a message that is looked into; no report is that long."""
LONGEST_FIELD = 5_000
"""Characters of a header field that are read."""
_OLD_FORM = 200_000
"""Bytes in which an old bounce has said what it has to say; the detectors take half a minute for megabytes of blank lines."""
_SEARCHED = 1_000_000
"""Characters in which traces of our own message are looked for."""


class Kind(StrEnum):
    FAILURE = "bounce"
    COMPLAINT = "complaint"
    LEAVING = "asks to leave"
    HARMLESS = "nothing to act on"
    """Delayed, out of office, read, not spam after all: known, and no reason to do anything."""
    STRANGE = "not recognised"


@dataclass(frozen=True, slots=True)
class Failure:
    """One recipient's failure: the addresses that the report gives, and why."""

    addresses: tuple[str, ...]
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Report:
    """A message understood. ``text`` is all that may hold traces of our own message: headers first, parts decoded."""

    kind: Kind
    words: str
    failures: tuple[Failure, ...] = ()
    subject: str = ""
    sent_at: datetime | None = None
    text: str = ""
    excerpt: str = ""


def read(content: bytes) -> Report:
    """Reads a message. Never raises: what cannot be read is not recognised."""
    if len(content) > LONGEST:
        return Report(Kind.STRANGE, f"longer than {LONGEST // 1_000_000} MB")
    try:
        message = message_from_bytes(content, policy=policy.compat32)
        kind, words, failures = _understood(message) or _old_bounce(content[:_OLD_FORM])
        texts = list(_texts(message))
        raw = content[:_SEARCHED].decode("utf-8", "replace")
        searched = "\n".join([raw, *texts])[: 2 * _SEARCHED].replace("\r\n", "\n")
        excerpt = _storable(texts[0][:LONGEST_FIELD] if texts else "")[:1000]
        return Report(kind, words, failures, _header(message, "Subject"), _date(message), searched, excerpt)
    except Exception as error:  # Python's email package raises whatever a strange message leads it to.
        return Report(Kind.STRANGE, f"cannot be read ({type(error).__name__})")


Understood = tuple[Kind, str, tuple[Failure, ...]]


def _understood(message: Message) -> Understood | None:
    feedback = _part(message, "message/feedback-report")
    if feedback is not None:
        return _feedback(feedback)
    if _part(message, "message/disposition-notification") is not None or _report_type(message) == "disposition-notification":
        return Kind.HARMLESS, "read receipt", ()
    status = _part(message, "message/delivery-status", "message/global-delivery-status")
    if status is not None:
        return _delivery_status(status)
    if re.fullmatch(r"(?:re:\s*)?[0-9a-f]{24}", _header(message, "Subject"), re.IGNORECASE):
        return Kind.LEAVING, "asks by mail to leave", ()
    if _is_automatic(message) and not _is_from_a_mailer(message):
        return Kind.HARMLESS, "automatic reply", ()
    return None


def _feedback(part: Message) -> Understood:
    """RFC 5965 3.1; RFC 6591 for reports about signatures, which are no complaints."""
    fields = next(_blocks(part), Message())
    kind = _header(fields, "Feedback-Type").lower()
    if kind in ("abuse", "fraud", "other", "virus", "opt-out", "opt-out-list", "miscategorized", "complaint"):
        return Kind.COMPLAINT, f"complaint ({kind})", ()
    if kind in ("not-spam", "auth-failure", "dmarc"):
        return Kind.HARMLESS, f"feedback ({kind})", ()
    return Kind.STRANGE, f"feedback of an unknown kind ({kind[:40] or 'none'})", ()


def _delivery_status(part: Message) -> Understood:
    """RFC 3464 2.3: a block about the message, then one a recipient. Only what failed for good is a failure."""
    failures, actions = [], []
    for block in _blocks(part):
        # Some write a comment behind the action, or "error" for it.
        action = _header(block, "Action").lower().split("(")[0].split(";")[0].strip()
        if not action:
            continue
        actions.append(action)
        if action.startswith(("fail", "error")):
            failures.append(_failure(block))
    if failures:
        return Kind.FAILURE, "delivery report", tuple(failures)
    if actions:
        return Kind.HARMLESS, f"delivery report ({actions[0][:40]})", ()
    return Kind.STRANGE, "delivery report that names no recipient", ()


def _failure(block: Message) -> Failure:
    diagnostic = _header(block, "Diagnostic-Code")
    # "smtp; 550 5.1.1 ...": the type says only whose words they are (2.3.6).
    words = re.sub(r"^\s*[\w.-]+\s*;\s*", "", diagnostic)
    names = ("Original-Recipient", "X-Actual-Recipient", "Final-Recipient")
    given = [_header(block, name).rpartition(";")[2].strip().strip("<>") for name in names]
    return Failure(tuple(address.lower() for address in given if "@" in address), diagnose(words, _header(block, "Status")))


def _old_bounce(content: bytes) -> Understood:
    """Forms older than the standard, which flufl.bounce knows. What it calls permanent may be no such thing."""
    import logging

    from flufl.bounce import all_failures

    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)
    message = message_from_bytes(content, policy=policy.compat32)
    passing, lasting = all_failures(message)  # type: ignore[no-untyped-call, unused-ignore]
    if not lasting:
        return (Kind.HARMLESS, "warning of a delay", ()) if passing else (Kind.STRANGE, "not recognised", ())
    # What was returned stands behind the server's own words, and could itself speak of full mailboxes.
    words = _storable(_RETURNED.split(next(_texts(message), "")[:LONGEST_FIELD])[0])[:1000]
    diagnosis = diagnose(words)
    return (
        Kind.FAILURE,
        "bounce",
        tuple(Failure((address.decode("ascii", "replace").lower(),), diagnosis) for address in sorted(lasting)),
    )


_RETURNED = re.compile(
    r"^[ >-]*(?:-+ ?(?:this is a copy of|original message|below this line|returned message|unsent message|the header of|"
    r"message header)|received: |return-path: )",
    re.IGNORECASE | re.MULTILINE,
)

_AUTOMATIC_SUBJECTS = re.compile(
    r"^\s*(?:(?:re|aw|antwort)\s*:\s*)?\W?(?:out of (?:the )?office|auto(?:matic)?[- ]?(?:reply|response)|away from"
    r"|(?:on )?vacation|abwesenheit|automatische antwort|r[ée]ponse automatique|absen(?:ce|t)|respuesta autom[áa]tica"
    r"|fuera de la oficina|risposta automatica|automatisch antwoord|resposta autom[áa]tica|автоответ|自动回复|自動返信)",
    re.IGNORECASE,
)


def _is_automatic(message: Message) -> bool:
    """RFC 3834 5, and what was written before it."""
    said = _header(message, "Auto-Submitted").lower().split(";")[0].strip()
    precedence = _header(message, "Precedence").lower()
    marks = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Vacation", "X-AutoReply-From")
    # Somebody's monitoring or statistics come by themselves too; an answer says to what.
    answers = message.get("In-Reply-To") is not None or message.get("References") is not None
    return (
        said in ("auto-replied", "auto-notified")
        or (said not in ("", "no") and answers)
        or precedence in ("auto_reply", "auto-reply")
        or any(message.get(mark) is not None for mark in marks)
        or bool(_AUTOMATIC_SUBJECTS.match(_header(message, "Subject")))
    )


def _is_from_a_mailer(message: Message) -> bool:
    """Bounces call themselves automatic too; they come from no person."""
    names = ("mailer-daemon", "postmaster", "mail-daemon", "mail delivery", "mailerdaemon")
    return message.get("X-Failed-Recipients") is not None or any(name in _header(message, "From").lower() for name in names)


def _part(message: Message, *types: str) -> Message | None:
    return next((part for part in message.walk() if part.get_content_type() in types), None)


def _report_type(message: Message) -> str:
    return str(message.get_param("report-type") or "").lower()


def _blocks(part: Message) -> Iterator[Message]:
    """The groups of fields in a report's part. Python reads those of a delivery-status as messages, others as one."""
    payload: Any = part.get_payload()
    inner = [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []
    if inner and (len(inner) > 1 or inner[0].keys()):
        yield from inner
        return
    decoded = inner[0].get_payload(decode=True) if inner else part.get_payload(decode=True)
    text = decoded if isinstance(decoded, bytes) else b""
    for block in re.split(rb"\r?\n(?:[ \t]*\r?\n)+", text):
        if block.strip():
            yield message_from_bytes(block.strip() + b"\n\n", policy=policy.compat32)


def _texts(message: Message) -> Iterator[str]:
    """The text parts of a message, decoded; those of what it returns too."""
    for part in message.walk():
        if part.get_content_maintype() == "text" and isinstance(payload := part.get_payload(decode=True), bytes):
            try:
                yield payload.decode(part.get_content_charset("utf-8"), "replace")
            except LookupError:
                yield payload.decode("latin-1")


def _header(message: Message, name: str) -> str:
    """A field in one line, encoded words read, and nothing in it that a database could not keep."""
    from email.header import decode_header, make_header

    value = str(message.get(name, ""))[:LONGEST_FIELD]
    with suppress(LookupError, ValueError):
        value = str(make_header(decode_header(value)))
    return _storable(value)


def _storable(text: str) -> str:
    """A text in one line, without what no database keeps: NUL, and halves of letters (some charsets decode to them)."""
    return " ".join(text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ").split())


def _date(message: Message) -> datetime | None:
    try:
        date = parsedate_to_datetime(_header(message, "Date"))
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
