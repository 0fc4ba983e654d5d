"""What did somebody send in a form: read up to a size, and only believed when the form was ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from content.errors import DatelineError
from newsletter.tokens import Purpose, Tokens

LARGEST = 65_536
"""Bytes that a form may have."""
MOST_FIELDS = 2_000
PATIENCE_SECONDS = 20.0
"""How long somebody may take to send one."""
HOLDS = timedelta(hours=12)
"""How long a form may lie open before it is sent."""
FIELD = "form"
"""The hidden field that proves that a form was ours."""


class FormProblem(DatelineError):  # noqa: N818 (not an error of ours)
    """A form that is not taken. ``status`` is what HTTP calls that."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a form, in order; a name may have several values."""

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def one(self, name: str) -> str:
        """A field's first value; empty when there is none."""
        return self.fields.get(name, ("",))[0]

    def all(self, name: str) -> tuple[str, ...]:
        return self.fields.get(name, ())


async def read_form(request: Request, largest: int = LARGEST) -> Form:
    """The form in a request's body, urlencoded or multipart; without a body, an empty one.

    Raises ``FormProblem`` for one that is too large (413), too slow (408), or no form (400, 415). Files are not taken.
    """
    body = await _body(request, largest)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not body:
        return Form()
    if kind in ("application/x-www-form-urlencoded", ""):
        return _gathered(_urlencoded(body))
    if kind == "multipart/form-data":
        return _gathered(await _multipart(request.headers, body))
    raise FormProblem(415, "This is not a form. Send it as the page does.")


def form_token(tokens: Tokens, action: str, subject: str, now: datetime) -> str:
    """What stands in the hidden field of a form for one ``action`` and one ``subject`` (who it is about, or nothing)."""
    return tokens.passing(Purpose.FORM, f"{action}~{subject}", now)


def check_form(
    tokens: Tokens, action: str, subject: str, form: Form, now: datetime, *, least: timedelta = timedelta(0)
) -> None:
    """Raises ``FormProblem`` (403) for a form that this site did not make for this action and subject.

    So does one that lay open for half a day, or for less than ``least``.
    """
    age = tokens.age(Purpose.FORM, f"{action}~{subject}", form.one(FIELD), now)
    if age is None or not least <= age <= HOLDS:
        raise FormProblem(
            403, "This form lay open for too long, or is not one of ours. Open the page again and send it from there."
        )


async def _body(request: Request, largest: int) -> bytes:
    told = request.headers.get("content-length", "")
    too_large = FormProblem(413, f"A form may have {largest // 1024} kB at the most.")
    if told.isascii() and told.isdigit() and int(told[:20]) > largest:
        raise too_large
    found = bytearray()
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            async for chunk in request.stream():
                found += chunk
                if len(found) > largest:
                    raise too_large
    except TimeoutError:
        raise FormProblem(408, "The form took too long to arrive. Send it again.") from None
    except ClientDisconnect:
        raise FormProblem(400, "The connection broke.") from None
    return bytes(found)


def _urlencoded(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace")
    except ValueError:
        raise FormProblem(400, "The form cannot be read. Open the page again and send it from there.") from None


async def _multipart(headers: Headers, body: bytes) -> list[tuple[str, str]]:
    async def stream() -> AsyncIterator[bytes]:
        yield body

    try:
        parsed = await MultiPartParser(headers, stream(), max_files=0, max_fields=MOST_FIELDS).parse()  # type: ignore[arg-type]
    except (MultiPartException, ValueError, LookupError):
        # Parsers of headers, charsets and bodies each have errors of their own, all of which are one of these.
        raise FormProblem(400, "The form cannot be read. Open the page again and send it from there.") from None
    return [(name, value) for name, value in parsed.multi_items() if isinstance(value, str)]


def _gathered(pairs: list[tuple[str, str]]) -> Form:
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        fields[name] = (*fields.get(name, ()), value)
    return Form(fields)
