"""Sending through Postmark's batch API: many messages in one HTTPS request, and what became of each.

Its rules: https://postmarkapp.com/developer/user-guide/send-email-with-api/batch-emails
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from content.waiting import retry_after
from newsletter.providers.postmark_message import fields_of
from newsletter.providers.postmark_replies import Doubt, Verdict, is_about_one, read_results, whole_request
from newsletter.transport import LostReplyError, Message, Outcome, Reply, TransportError

if TYPE_CHECKING:
    import requests
    from requests.adapters import HTTPAdapter

HOST = "https://api.postmarkapp.com"
TOGETHER = 500
"""Messages that a request may hold."""
LARGEST = 50_000_000
"""Bytes that a request may have."""
IDLE = 5.0
"""Seconds after which a connection is not trusted to be open still: a server that closes it would leave us in doubt."""
REPLY_LIMIT = 4_000_000
"""Bytes of an answer that are read; results of 500 messages have a fortieth of it."""


class BatchInDoubtError(LostReplyError):
    """No answer, or none that can be read, for some of a batch. ``replies`` has ``None`` in the place of each of those."""

    def __init__(self, words: str, replies: Sequence[Reply | None]) -> None:
        super().__init__(words)
        self.replies = tuple(replies)


def _nobody(messages: Sequence[Message]) -> None:
    """For those who need not know when a request ends."""


class PostmarkApi:
    """Postmark's API, by a server's token, over one connection kept open. One a thread.

    ``stream`` is the message stream; ``timeout`` is how long the server may keep silent, in seconds. ``base_url`` must be
    https unless it is this machine; ``ca_file`` holds certificates to trust besides the system's.
    """

    def __init__(
        self, token: str, *, base_url: str = HOST, stream: str = "broadcast", timeout: float = 60, ca_file: Path | None = None
    ) -> None:
        parts = urlsplit(base_url)
        near = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme != "https" and not near:
            raise TransportError(f"{base_url}: the token and the messages would go over the wire in clear: use https")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise TransportError("newsletter.api_token is missing or no token; set DATELINE_NEWSLETTER__API_TOKEN")
        self.base_url = base_url.rstrip("/")
        self._token = token
        self._stream = stream
        self._timeout = timeout
        self._ca_file = ca_file
        self._session: requests.Session | None = None
        self._not_before = 0.0
        self._used = 0.0

    def __str__(self) -> str:
        return self.base_url

    @property
    def wait_seconds(self) -> float:
        """How much longer the server wants to be left alone."""
        return max(0.0, self._not_before - time.monotonic())

    def send(self, messages: Sequence[Message], before_the_end: Callable[[Sequence[Message]], None] = _nobody) -> list[Reply]:
        """Sends messages, in as many requests as it takes, and says in their order what became of them.

        ``before_the_end`` is called with the messages of a request when all but its last bytes are written; until then
        none of them is sent. Raises ``TransportError`` when surely none was sent, ``BatchInDoubtError`` (a
        ``LostReplyError``) when that is unsure of some. A server that asked to be left alone is not asked before.
        """
        verdicts: list[Verdict] = []
        for batch in _cut(_Packed(message, self._stream) for message in messages):
            try:
                verdicts += self._deliver(batch, before_the_end)
            except TransportError as error:
                if not verdicts:
                    raise
                # What is known of the others must not be lost; the next call meets the error again.
                verdicts += [Reply(Outcome.DEFERRED, str(error))] * len(batch)
        replies = [verdict if isinstance(verdict, Reply) else None for verdict in verdicts]
        for verdict in verdicts:
            if isinstance(verdict, Doubt):
                raise BatchInDoubtError(verdict.words, replies)
        return [reply for reply in replies if reply]

    def close(self) -> None:
        """Closes the connection. Never raises."""
        if self._session:
            self._session.close()
        self._session = None

    def _deliver(self, batch: list[_Packed], before_the_end: Callable[[Sequence[Message]], None]) -> list[Verdict]:
        """One request, or several when the server wants smaller ones."""
        if (wait := self.wait_seconds) > 0:
            return [Reply(Outcome.DEFERRED, f"{self} wants to be left alone for {wait:.0f} s more")] * len(batch)
        messages = [one.message for one in batch]
        body = _Body(b"[" + b",".join(one.json for one in batch) + b"]", lambda: before_the_end(messages))
        answer = self._post(body)
        if isinstance(answer, Doubt):
            return [answer] * len(batch)
        if answer.wait:
            self._not_before = time.monotonic() + answer.wait
        if answer.status == 200 or (answer.status == 422 and answer.content.lstrip().startswith(b"[")):
            return read_results(str(self), answer.content, messages)
        if len(batch) > 1 and (answer.status == 413 or is_about_one(answer.status, answer.content)):
            # Nothing of it was sent: it is too large, or one message is in the way of the others.
            half = len(batch) // 2
            return self._both(batch[:half], batch[half:], before_the_end)
        return whole_request(str(self), answer.status, answer.content, len(batch))

    def _both(
        self, first: list[_Packed], second: list[_Packed], before_the_end: Callable[[Sequence[Message]], None]
    ) -> list[Verdict]:
        verdicts = self._deliver(first, before_the_end)
        try:
            return verdicts + self._deliver(second, before_the_end)
        except TransportError as error:
            return verdicts + [Reply(Outcome.DEFERRED, str(error))] * len(second)

    def _post(self, body: _Body) -> _Answer | Doubt:
        """The server's answer. Raises ``TransportError`` when it cannot have taken the request."""
        import requests

        try:
            with self._opened().post(
                f"{self.base_url}/email/batch", data=body, timeout=self._timeout, allow_redirects=False, stream=True
            ) as reply:
                content = _content(reply, time.monotonic() + self._timeout)
                wait = retry_after(reply.headers.get("Retry-After", "")) if reply.status_code in (429, 503) else 0
        except requests.RequestException as error:
            self.close()
            if body.failure:
                raise body.failure from None
            words = f"{self}: {_explained(error, begun=body.is_begun)}"
            if body.is_written:
                return Doubt(f"{words} after the messages were written")
            raise TransportError(f"{words}; nothing was sent") from None
        except BaseException:
            self.close()
            raise
        self._used = time.monotonic()
        if content is None:
            self.close()
            return Doubt(f"{self}: the answer ({reply.status_code}) breaks off, or is too long or too slow to be read")
        return _Answer(reply.status_code, content, wait)

    def _opened(self) -> requests.Session:
        import requests

        if time.monotonic() - self._used > IDLE:
            self.close()
        if self._session is None:
            self._session = requests.Session()
            # No password from ~/.netrc and no other certificates by way of the environment.
            self._session.trust_env = False
            self._session.mount("https://", _adapter(self._ca_file))
            self._session.headers.update({
                "Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": "application/json",
                "X-Postmark-Server-Token": self._token, "User-Agent": f"dateline/{version('dateline')}",
            })  # fmt: skip
        return self._session


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the server said; ``wait`` is in seconds."""

    status: int
    content: bytes
    wait: float


class _Packed:
    """A message, and as Postmark takes it."""

    def __init__(self, message: Message, stream: str) -> None:
        import orjson

        self.message = message
        self.json = orjson.dumps(fields_of(message, stream))


def _cut(packed: Iterable[_Packed]) -> Iterator[list[_Packed]]:
    """Cuts what is to be sent into requests that Postmark takes."""
    batch: list[_Packed] = []
    size = 2
    for one in packed:
        if batch and (len(batch) == TOGETHER or size + len(one.json) + 1 > LARGEST):
            yield batch
            batch, size = [], 2
        batch.append(one)
        size += len(one.json) + 1
    if batch:
        yield batch


class _Body:
    """A request's body, which knows whether its end was given away, and tells beforehand."""

    def __init__(self, content: bytes, before_the_end: Callable[[], None]) -> None:
        self._content = memoryview(content)
        self._at = 0
        self._before_the_end = before_the_end
        self.is_begun = self.is_written = False
        self.failure: Exception | None = None

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        # What makes requests send it piece by piece.
        while piece := self.read(16384):
            yield piece

    def read(self, size: int = -1) -> bytes:
        self.is_begun = True
        end = len(self._content) if size < 0 else min(self._at + size, len(self._content))
        if end == len(self._content) and not self.is_written:
            try:
                self._before_the_end()
            except Exception as error:
                self.failure = error
                raise
            self.is_written = True
        piece = bytes(self._content[self._at : end])
        self._at = end
        return piece


def _adapter(ca_file: Path | None) -> HTTPAdapter:
    """Makes connections that trust the system's certificates, as those of SMTP do, and those of a file."""
    from requests.adapters import HTTPAdapter

    class Verified(HTTPAdapter):
        def init_poolmanager(self, *words: Any, **options: Any) -> None:
            context = ssl.create_default_context()
            if ca_file:
                context.load_verify_locations(ca_file)
            super().init_poolmanager(*words, ssl_context=context, **options)

    return Verified()


def _content(reply: requests.Response, deadline: float) -> bytes | None:
    """The body of an answer; ``None`` when it is too long, trickles, or breaks off."""
    from urllib3.exceptions import HTTPError

    pieces, size = [], 0
    try:
        # As it comes: a server that sends a byte now and then would otherwise hold us for as long as it likes.
        while piece := reply.raw.read1(65536):
            pieces.append(piece)
            size += len(piece)
            if size > REPLY_LIMIT or time.monotonic() > deadline:
                return None
    except HTTPError:
        return None
    return b"".join(pieces)


def _explained(error: requests.RequestException, *, begun: bool) -> str:
    import requests

    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be trusted"
    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    return "the connection broke" if begun else "it cannot be reached"
