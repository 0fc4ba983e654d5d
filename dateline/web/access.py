"""The access log: what was asked and how it was answered, without who asked and without anybody's token."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote

from dateline.web.headers import Application, Receive, Scope, Send

# Something, a dot, and a signature; or an address. Nothing that is published is named like that.
_SECRET = re.compile(r"[^/]*(?:\.[\w-]{20,}|@)[^/]*")
_LONGEST = 200

_log = logging.getLogger("dateline.access")


def shown_path(path: str) -> str:
    """A path as it may be kept: tokens and addresses are left out, and so is whatever else is no plain name."""
    return quote(_SECRET.sub("...", path)[:_LONGEST], safe="/._-~")


def logged(application: Application) -> Application:
    """The application with a line in the log for each request: method, path, status, bytes, milliseconds."""

    async def noted(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        started = time.perf_counter()
        status, size = 0, 0

        async def count(message: MutableMapping[str, Any]) -> None:
            nonlocal status, size
            status = message.get("status", status)
            size += len(message.get("body", b""))
            await send(message)

        try:
            await application(scope, receive, count)
        finally:
            passed = (time.perf_counter() - started) * 1000
            method = scope["method"] if scope["method"].isalpha() else "-"
            _log.info("%s %s %d %d %.0f ms", method[:10], shown_path(scope["path"]), status, size, passed)

    return noted
