"""What does Postmark's answer mean for each message: taken, later, never, or our own fault.

Its codes: https://postmarkapp.com/developer/api/overview#error-codes
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from newsletter.transport import Message, Outcome, Reply, TransportError

INVALID, INACTIVE, RATE = 300, 406, 429
MAINTENANCE = 100

_OURS = "see newsletter.api_token, newsletter.from_email and the account at Postmark"


@dataclass(frozen=True, slots=True)
class Doubt:
    """What keeps us from knowing whether a message was taken."""

    words: str


Verdict = Reply | Doubt


def read_results(server: str, content: bytes, messages: Sequence[Message]) -> list[Verdict]:
    """The results of a batch, which stand in the order of its messages.

    Raises ``TransportError`` when not one was taken and the fault is ours, so that no recipient is blamed.
    """
    results = _parsed(content)
    if not isinstance(results, list) or len(results) != len(messages):
        return [Doubt(f"{server}: the answer is not that of a batch of {len(messages)}")] * len(messages)
    if any(_is_anothers(result, message) for result, message in zip(results, messages, strict=True)):
        return [Doubt(f"{server}: the answer is about other recipients")] * len(messages)
    verdicts = [_verdict(server, result) for result in results]
    ours = [verdict for verdict in verdicts if isinstance(verdict, _Fault)]
    if ours and not any(
        isinstance(one, Doubt) or (isinstance(one, Reply) and one.outcome is Outcome.ACCEPTED) for one in verdicts
    ):
        raise TransportError(f"{server} refuses us, not the recipients: {ours[0].words}; {_OURS}")
    return [Reply(Outcome.DEFERRED, one.words) if isinstance(one, _Fault) else one for one in verdicts]


def is_about_one(status: int, content: bytes) -> bool:
    """Whether the whole request was refused for the sake of one message in it, which it does not name."""
    parsed = _parsed(content)
    return status == 422 and isinstance(parsed, dict) and parsed.get("ErrorCode") in (INVALID, INACTIVE)


def whole_request(server: str, status: int, content: bytes, number: int) -> list[Verdict]:
    """What an answer other than 200 means for all ``number`` messages of a request. Raises ``TransportError``."""
    parsed = _parsed(content)
    code = parsed.get("ErrorCode") if isinstance(parsed, dict) else None
    said = f"{status} {_words(parsed)}".strip()
    if status == 413:
        return [Reply(Outcome.REFUSED, f"{said}: the message is larger than the server takes")] * number
    if status == 422 and isinstance(code, int):
        verdict = _verdict(server, parsed)
        if isinstance(verdict, Reply):
            return [verdict] * number
    if status in (502, 504):
        # Said by something in between, which does not know what the server did.
        return [Doubt(f"{server}: {said}: no answer came from behind the gateway")] * number
    if status == RATE or status >= 500:
        return [Reply(Outcome.DEFERRED, f"{said}: the server wants it later")] * number
    if status in (401, 403):
        raise TransportError(f"{server} does not let us in ({said}); nothing was sent: check newsletter.api_token")
    if 300 <= status < 400:
        raise TransportError(f"{server} answers {status}, a redirect, which is not followed; nothing was sent")
    if 200 <= status < 300:
        return [Doubt(f"{server}: {said} is not an answer to a batch")] * number
    raise TransportError(f"{server} does not take the request ({said}); nothing was sent; {_OURS}")


@dataclass(frozen=True, slots=True)
class _Fault:
    """A refusal for a reason that is not the recipient's."""

    words: str


def _verdict(server: str, result: Any) -> Verdict | _Fault:
    code = result.get("ErrorCode") if isinstance(result, dict) else None
    if not isinstance(code, int) or isinstance(code, bool):
        return Doubt(f"{server}: the answer does not say what became of the message")
    said = f"{code} {_words(result)}".strip()
    if code == 0:
        return Reply(Outcome.ACCEPTED, f"{said} {result.get('MessageID') or ''}".strip())
    if code == INACTIVE or (code == INVALID and "'From'" not in said):
        return Reply(Outcome.REFUSED, said)
    if code in (RATE, MAINTENANCE):
        return Reply(Outcome.DEFERRED, said)
    return _Fault(said)


def _is_anothers(result: Any, message: Message) -> bool:
    to = result.get("To") if isinstance(result, dict) else None
    return isinstance(to, str) and bool(to) and message.recipient.lower() not in to.lower()


def _words(parsed: Any) -> str:
    """What the server says, on one line and short."""
    words = parsed.get("Message") if isinstance(parsed, dict) else None
    return " ".join(str(words).split())[:300] if words else ""


def _parsed(content: bytes) -> Any:
    import orjson

    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
