"""Sending through a mail provider's batch API: many messages a request, all of a batch recorded before it goes out."""

from __future__ import annotations

import time
from collections.abc import Iterator

from newsletter.headers import HeaderError
from newsletter.providers.postmark import BatchInDoubtError, PostmarkApi
from newsletter.syncing import sync
from newsletter.transport import Delivery, Message, Outcome, Queue, Reply, TransportError

_LOOKS_SECONDS = 0.2
"""How often a request to stop is looked for while the provider wants to be left alone."""


class ProviderTransport:
    """A :class:`newsletter.transport.Transport` through a provider's API. A batch has at most ``together`` messages.

    After a crash as many may be in doubt: the provider answers for a batch as a whole.
    """

    def __init__(self, api: PostmarkApi, together: int) -> None:
        self._api = api
        self._together = together

    def run(self, queue: Queue) -> None:
        while True:
            self._pause(queue, self._api.wait_seconds)
            batch = list(self._taken(queue))
            if batch:
                self._send(queue, batch)
                continue
            wait = queue.wait()
            if wait is None:
                return
            self._pause(queue, wait)

    def close(self) -> None:
        self._api.close()

    def _pause(self, queue: Queue, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not queue.is_stopped():
            time.sleep(min(left, _LOOKS_SECONDS))

    def _taken(self, queue: Queue) -> Iterator[tuple[Delivery, Message]]:
        for _ in range(self._together):
            if (delivery := queue.take()) is None:
                return
            try:
                yield delivery, queue.message(delivery)
            except HeaderError as error:
                queue.settle(delivery, Reply(Outcome.REFUSED, str(error)))

    def _send(self, queue: Queue, batch: list[tuple[Delivery, Message]]) -> None:
        allowed = queue.begin([delivery for delivery, _ in batch])
        sync(queue.log)
        batch = [both for both in batch if both[0].id in allowed]
        if not batch:
            return
        replies: list[Reply | None]
        words = ""
        try:
            replies = list(self._api.send([message for _, message in batch]))
        except BatchInDoubtError as error:
            replies, words = list(error.replies), str(error)
        except TransportError:
            for delivery, _ in batch:
                queue.give_back(delivery)
            raise
        replies += [None] * (len(batch) - len(replies))
        for (delivery, _), reply in zip(batch, replies, strict=True):
            if reply:
                queue.settle(delivery, reply)
            else:
                queue.lose(delivery, words or "the provider said nothing about it")
