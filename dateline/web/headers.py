"""Which headers protect a page: against scripts, frames, caches, referrers and search engines."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""For our own pages: no script, nothing inline, nothing from elsewhere."""

MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' https: http: data:; form-action 'none'; base-uri 'none';"
    " frame-ancestors 'none'; sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""For a message shown as a page: it brings its own styles and pictures, and may do nothing besides being read."""

_SAFE = {"x-content-type-options": "nosniff", "x-frame-options": "DENY", "cross-origin-opener-policy": "same-origin"}
_YEAR = 31_536_000


def private(policy: str = POLICY) -> dict[str, str]:
    """For a page that a personal link leads to: it is nobody else's business and is kept nowhere."""
    return _SAFE | {
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        "x-robots-tag": "noindex, nofollow",
        "cross-origin-resource-policy": "same-origin",
    }


def public(max_age: int, policy: str = POLICY) -> dict[str, str]:
    """For a page that anybody may read, keep for ``max_age`` seconds, and find."""
    return _SAFE | {
        "content-security-policy": policy,
        "referrer-policy": "strict-origin-when-cross-origin",
        "cache-control": f"public, max-age={max_age}",
    }


def only_https(application: Application) -> Application:
    """The application with the word to browsers that this site is to be asked by ``https`` alone (RFC 6797)."""
    field = (b"strict-transport-security", f"max-age={_YEAR}".encode())

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), field]}
            await send(message)

        await application(scope, receive, tell)

    return guarded
