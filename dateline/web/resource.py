"""What is at an address of the program: who asks how, what was sent in, and what goes wrong on the way.

A GET, HEAD or OPTIONS never changes anything, whatever it carries; there is no other way to call a method than by its name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import anyio.to_thread
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.requests import Request
from starlette.responses import Response

from content.errors import DatelineError
from dateline import clock
from dateline.web import headers
from dateline.web.forms import Form, FormProblem, read_form
from dateline.web.headers import Receive, Scope, Send
from dateline.web.pages import Pages

RETRY_SECONDS = 5
_THREADS = 8
"""Pages that are made at once; feeds and files need none of these threads."""

_log = logging.getLogger("dateline.web")


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: the parts of its path, its form, when it came, and from which address (behind trusted proxies: theirs)."""

    params: Mapping[str, str]
    now: datetime
    client: str = ""
    form: Form = field(default_factory=Form)
    tag: str = ""
    """The entity tags that the client has (If-None-Match)."""
    languages: str = ""
    """What the browser says of its reader's languages (Accept-Language)."""


Handler = Callable[[Asked], Response]
"""Answers a request, in a thread of its own; it may use the database."""


class Resource:
    """The ASGI application at one address. ``post`` gets forms that are not from another site.

    With ``anybody`` a POST is taken from wherever it comes and with whatever body of the allowed size: a mail program's click.
    """

    def __init__(self, pages: Pages, get: Handler | None = None, post: Handler | None = None, *, anybody: bool = False) -> None:
        self._pages = pages
        self.get = get
        self.post = post
        self._anybody = anybody
        self._limiters: dict[str, anyio.CapacityLimiter] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._answer(request)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            return await self._handled(request)
        except FormProblem as problem:
            return self._pages.notice(problem.status, "This was not taken", str(problem))
        except (OperationalError, PoolTimeout) as error:
            _log.warning("the database cannot be reached just now (%s)", getattr(error, "orig", error))
            words = "This site is busy at the moment, and nothing was changed. Try again in a few seconds."
            response = self._pages.notice(503, "Just a moment", words)
            response.headers["retry-after"] = str(RETRY_SECONDS)
            return response
        except DatelineError as error:
            # Ours to mend, a template or a key: readers learn no more than that.
            _log.error("%s", error)
            return Response("Something is wrong here. It has been noted.\n", 500, headers.private(), "text/plain")

    async def _handled(self, request: Request) -> Response:
        form, handler = Form(), self.get
        match request.method:
            case "GET" | "HEAD" if self.get:
                pass
            case "POST" if self.post:
                form, handler = await self._form(request), self.post
            case "OPTIONS":
                return Response(status_code=204, headers=headers.private() | {"allow": self._allowed})
            case _:
                words = "This address takes no such request."
                return Response(f"{words}\n", 405, headers.private() | {"allow": self._allowed}, "text/plain")
        assert handler is not None
        client = request.client.host if request.client else ""
        given = request.headers
        asked = Asked(
            request.path_params, clock.now(), client, form, given.get("if-none-match", ""), given.get("accept-language", "")
        )
        # Made within the loop that it belongs to. Who only looks does not wait for those who write, who wait for the database.
        limiter = self._limiters.setdefault(request.method, anyio.CapacityLimiter(_THREADS))
        return await anyio.to_thread.run_sync(partial(handler, asked), limiter=limiter)

    async def _form(self, request: Request) -> Form:
        if self._anybody:
            try:
                return await read_form(request)
            except FormProblem as problem:
                if problem.status in (408, 413):
                    raise
                # The link alone says who leaves.
                return Form()
        if request.headers.get("sec-fetch-site", "") == "cross-site":
            raise FormProblem(403, "This form was sent from another site. Open the page here and send it from there.")
        return await read_form(request)

    @property
    def _allowed(self) -> str:
        return ", ".join(["GET, HEAD"] * bool(self.get) + ["POST"] * bool(self.post) + ["OPTIONS"])
