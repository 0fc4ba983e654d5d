"""Sending through a mail provider's batch API: many messages a request, all of a batch recorded before it goes out."""

from __future__ import annotations

from newsletter.providers.postmark import BatchInDoubtError, PostmarkApi
from newsletter.syncing import sync
from newsletter.transport import Delivery, Message, Queue, Reply, TransportError, pause, take_several


class ProviderTransport:
    """A :class:`newsletter.transport.Transport` through a provider's API. A batch has at most ``together`` messages.

    After a crash as many may be in doubt: the provider answers for a batch as a whole.
    """

    def __init__(self, api: PostmarkApi, together: int) -> None:
        self._api = api
        self._together = together

    def run(self, queue: Queue) -> None:
        while True:
            pause(queue, self._api.wait_seconds)
            batch = take_several(queue, self._together)
            if batch:
                self._send(queue, batch)
                continue
            wait = queue.wait()
            if wait is None:
                return
            pause(queue, wait)

    def close(self) -> None:
        self._api.close()

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
