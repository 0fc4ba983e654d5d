"""All that is served, put together: what is answered by the program comes first, everything else is a published file."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, Router

from dateline.web.files import PublicFiles


def application(files: PublicFiles) -> Router:
    """The ASGI application."""
    return Router(routes=[Route("/healthz", _healthz)], default=files)


async def _healthz(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})
