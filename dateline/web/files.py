"""Serves the public folder: what CDNs and feed readers need of HTTP (RFC 9110, 9111), and nothing that writes.

A pure ASGI application. Files up to a few megabytes are held in memory under their size and time of change, so that most
requests cost one look at the file's status.
"""

from __future__ import annotations

import asyncio
import hashlib
import html
import mimetypes
import os
import stat
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from dateline.web.addresses import Addresses
from dateline.web.negotiation import chosen_coding, is_fresh, wanted_range
from dateline.web.settings import ServeSettings
from feeds.shelf import CODINGS, TEXTUAL

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = list[tuple[bytes, bytes]]

IN_MEMORY = 8_000_000
"""Bytes up to which a file is held in memory; a larger one is read as it is sent."""
CACHE = 256_000_000
"""Bytes that are held in memory altogether."""
CHUNK = 262_144

_FEEDS = {
    "atom.xml": "application/atom+xml; charset=utf-8",
    "rss.xml": "application/rss+xml; charset=utf-8",
    "feed.json": "application/feed+json; charset=utf-8",
}
_TYPES = {".opml": "text/x-opml; charset=utf-8", ".webp": "image/webp", ".avif": "image/avif", ".m4a": "audio/mp4"}
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' https: http: data:; media-src 'self' https:; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(slots=True)
class Held:
    """One file in memory: its status when it was read, its representations by content coding, and its headers."""

    signature: tuple[int, int]
    path: str
    size: int
    body: bytes | None
    modified: float
    headers: Headers
    tags: dict[str, bytes]
    packed: dict[str, bytes] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        return len(self.body or b"") + sum(map(len, self.packed.values())) + 1000


class PublicFiles:
    """The ASGI application over ``folder``, for the site at ``url``; ``hubs`` are named in the headers of feeds."""

    def __init__(self, folder: Path, url: str, title: str, settings: ServeSettings, hubs: list[str]) -> None:
        self.folder = folder.resolve()
        self.base = urlsplit(url).path.rstrip("/")
        self.origin = url.removesuffix(self.base)
        self.title = title
        self.settings = settings
        self.hubs = hubs
        self.addresses = Addresses(self.folder, self.base)
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._weight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        method, path = scope["method"], scope["path"]
        if method not in ("GET", "HEAD"):
            await self._refuse_method(method, path, send)
            return
        asked = dict(scope["headers"])
        held = await self._find(path)
        if held is None:
            await self._answer_missing(method, path, scope.get("query_string", b""), send)
        else:
            await self._send_file(method, held, asked, send)

    # Finding

    async def _find(self, path: str) -> Held | None:
        file = self._file(path)
        if file is None:
            return None
        try:
            # Asked at every request: a publish shows at once.
            found = os.stat(file)  # noqa: PTH116
        except (OSError, ValueError):
            return None
        if not stat.S_ISREG(found.st_mode):
            return None
        signature = (found.st_size, found.st_mtime_ns)
        held = self._held.get(file)
        if held is not None and held.signature == signature:
            self._held.move_to_end(file)
            return held
        return await asyncio.to_thread(self._load, file, found, path)

    def _file(self, path: str) -> str | None:
        """The file that a path means; ``None`` for one that leads out of the folder or to what is hidden."""
        if not path.startswith(f"{self.base}/") or "\\" in path or "\0" in path:
            return None
        below = path[len(self.base) :]
        if "/." in below and not below.startswith("/.well-known/"):
            return None
        if "//" in below or "/../" in f"{below}/":
            return None
        return f"{self.folder}{below}index.html" if below.endswith("/") else f"{self.folder}{below}"

    def _load(self, file: str, found: os.stat_result, path: str) -> Held | None:
        if not Path(os.path.realpath(file)).is_relative_to(self.folder):
            return None
        try:
            body = Path(file).read_bytes() if found.st_size <= IN_MEMORY else None
            tag = hashlib.blake2b(body, digest_size=16).hexdigest() if body is not None else ""
        except OSError:
            return None
        # What is too large to be hashed at every change is told apart by its size and time.
        tag = tag or f"{found.st_size:x}-{found.st_mtime_ns:x}"
        codings = ["identity", *(CODINGS if body is not None and file.endswith(TEXTUAL) else ())]
        tags = {coding: f'"{tag}{"" if coding == "identity" else "-" + coding}"'.encode() for coding in codings}
        held = Held(
            (found.st_size, found.st_mtime_ns),
            file,
            found.st_size,
            body,
            found.st_mtime,
            self._headers(file, found, path),
            tags,
        )
        for coding in codings[1:]:
            end, _ = CODINGS[coding]
            with suppress(OSError):
                held.packed[coding] = Path(file + end).read_bytes()
        self._keep(file, held)
        return held

    def _keep(self, file: str, held: Held) -> None:
        if (old := self._held.pop(file, None)) is not None:
            self._weight -= old.weight
        self._held[file] = held
        self._weight += held.weight
        while self._weight > CACHE and len(self._held) > 1:
            _, dropped = self._held.popitem(last=False)
            self._weight -= dropped.weight

    def _headers(self, file: str, found: os.stat_result, path: str) -> Headers:
        name = file.rpartition("/")[2]
        feed = _FEEDS.get(name)
        kind = feed or _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        if kind.startswith("text/") or kind in ("application/json", "application/xml", "image/svg+xml"):
            kind = kind if "charset" in kind else f"{kind}; charset=utf-8"
        listed = feed is not None or name.endswith(".opml")
        headers = {
            "content-type": kind,
            "last-modified": formatdate(found.st_mtime, usegmt=True),
            "cache-control": self._cache_control(path, listed=listed),
            "x-content-type-options": "nosniff",
        }
        if name.endswith(TEXTUAL):
            headers["vary"] = "Accept-Encoding"
        else:
            headers["accept-ranges"] = "bytes"
        if listed:
            headers |= {"access-control-allow-origin": "*", "access-control-expose-headers": "ETag, Link"}
        if feed:
            links = [f'<{self.origin}{quote(path)}>; rel="self"', *(f'<{hub}>; rel="hub"' for hub in self.hubs)]
            headers["link"] = ", ".join(links)
        if kind.startswith(("text/html", "image/svg")):
            headers["content-security-policy"] = _POLICY
        if kind.startswith("text/html"):
            headers["referrer-policy"] = "strict-origin-when-cross-origin"
        return [(key.encode(), value.encode("latin-1", "replace")) for key, value in headers.items()]

    def _cache_control(self, path: str, *, listed: bool) -> str:
        if path.startswith(f"{self.base}/media/"):
            # Their names change with their content.
            return f"public, max-age={self.settings.media_max_age}, immutable"
        return f"public, max-age={self.settings.feed_max_age if listed else self.settings.page_max_age}"

    # Answering

    async def _send_file(self, method: str, held: Held, asked: dict[bytes, bytes], send: Send) -> None:
        coding = "identity"
        if len(held.tags) > 1 and b"accept-encoding" in asked and b"range" not in asked:
            coding = chosen_coding(asked[b"accept-encoding"], tuple(held.tags))
        tag = held.tags[coding]
        headers = [*held.headers, (b"etag", tag)]
        if is_fresh(asked, tag, held.modified):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        if coding != "identity":
            headers.append((b"content-encoding", coding.encode()))
            await _answer(send, method, 200, headers, await self._packed(held, coding))
            return
        start, end, status = 0, held.size, 200
        if b"range" in asked and method == "GET":
            part = wanted_range(asked, held.size, tag, held.modified)
            if part == (0, 0):
                await _answer(send, method, 416, [*headers, (b"content-range", f"bytes */{held.size}".encode())], b"")
                return
            if part is not None:
                start, end, status = part[0], part[1], 206
                headers.append((b"content-range", f"bytes {start}-{end - 1}/{held.size}".encode()))
        if held.body is not None:
            await _answer(send, method, status, headers, held.body[start:end] if status == 206 else held.body)
        else:
            await self._stream(send, method, status, headers, held.path, start, end)

    async def _packed(self, held: Held, coding: str) -> bytes:
        """A compressed representation: the one that the publisher made, or one made now and kept."""
        if coding not in held.packed:
            assert held.body is not None
            held.packed[coding] = await asyncio.to_thread(CODINGS[coding][1], held.body)
        return held.packed[coding]

    async def _stream(self, send: Send, method: str, status: int, headers: Headers, file: str, start: int, end: int) -> None:
        headers = [*headers, (b"content-length", str(end - start).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if method == "GET":
            with Path(file).open("rb") as opened:
                opened.seek(start)
                while start < end and (chunk := await asyncio.to_thread(opened.read, min(CHUNK, end - start))):
                    start += len(chunk)
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _answer_missing(self, method: str, path: str, query: bytes, send: Send) -> None:
        gone, target = self.addresses.answer(path)
        home = f"{self.base}/"
        headers = [_HTML, (b"x-content-type-options", b"nosniff"), (b"content-security-policy", _POLICY.encode())]
        headers.append((b"cache-control", f"public, max-age={self.settings.page_max_age}".encode()))
        if target is None and self._is_folder(path):
            # The last part alone, so that it cannot lead to another site.
            target = f"./{quote(path.rpartition('/')[2])}/"
        if target is not None:
            search = f"?{query.decode('latin-1')}" if query and query.isascii() else ""
            headers.append((b"location", f"{target}{search}".encode("latin-1", "replace")))
            await _answer(send, method, 301, headers, self._page("This page has moved", "Follow the new address", target))
        elif gone:
            await _answer(
                send, method, 410, headers, self._page("This article was withdrawn", "Read what is new", f"{self.base}/")
            )
        else:
            await _answer(send, method, 404, headers, self._page("There is no such page", "Read what is new", home))

    def _is_folder(self, path: str) -> bool:
        """Whether a folder lies where a path without a slash at its end leads."""
        file = str(self.folder) if path and path == self.base else self._file(path)
        # pathlib raises for a name that is too long for the file system, which anybody may ask for.
        return file is not None and not path.endswith("/") and os.path.isdir(file)  # noqa: PTH112

    def _page(self, said: str, link: str, target: str) -> bytes:
        title = html.escape(self.title)
        return (
            f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n'
            f'<meta name="robots" content="noindex">\n<title>{said} | {title}</title>\n'
            f'<link rel="stylesheet" href="{self.base}/style.css">\n<body class="article-page">\n<header class="masthead">'
            f'<p class="name"><a href="{self.base}/">{title}</a></p></header>\n<main><article class="article">'
            f'<h1>{said}</h1>\n<p class="standfirst"><a href="{html.escape(target)}">{link}</a></p></article></main>\n</html>\n'
        ).encode()

    async def _refuse_method(self, method: str, path: str, send: Send) -> None:
        allowed = (b"allow", b"GET, HEAD, OPTIONS")
        if method != "OPTIONS":
            await _answer(send, method, 405, [allowed, _TEXT], b"Only GET and HEAD are answered here.\n")
            return
        headers = [allowed]
        if path.rpartition("/")[2] in _FEEDS or path.endswith(".opml"):
            headers += [
                (b"access-control-allow-origin", b"*"),
                (b"access-control-allow-methods", b"GET, HEAD, OPTIONS"),
                (b"access-control-allow-headers", b"If-None-Match, If-Modified-Since, Cache-Control"),
                (b"access-control-max-age", b"86400"),
            ]
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_HTML = (b"content-type", b"text/html; charset=utf-8")


async def _answer(send: Send, method: str, status: int, headers: Headers, body: bytes) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})
