"""Sends an edition: the ledger's deliveries through the transport that the settings name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from content.database import reading, writing
from content.errors import ConfigError, DatelineError
from content.settings import SiteSettings
from newsletter import balance, holder
from newsletter.balance import Balance, Line
from newsletter.editions import Press
from newsletter.ledger import DeliveryState, Edition, EditionState, Ledger
from newsletter.maildir import MaildirTransport
from newsletter.queue import Clock, LedgerQueue
from newsletter.settings import NewsletterSettings
from newsletter.smtp import SmtpTransport
from newsletter.smtp_opening import SmtpServer
from newsletter.transport import RefusedError, Transport
from newsletter.transport_address import TransportAddress

log = logging.getLogger("dateline.sending")


@dataclass(frozen=True, slots=True)
class Account:
    """What a sending did, and where its edition stands now.

    ``doubtful`` counts the messages that a dead sender left on the wire and that were settled in this run.
    """

    sheet: Balance
    sent_now: int
    doubtful: int
    finished: bool
    troubles: list[Line]

    @property
    def edition(self) -> Edition:
        return self.sheet.edition

    @property
    def balance(self) -> dict[DeliveryState, int]:
        """How many deliveries are in each state; their sum is the recipients."""
        return self.sheet.counts

    @property
    def next_attempt(self) -> datetime | None:
        """When the first deferred delivery is to be tried again."""
        return self.sheet.next_attempt

    def count(self, state: DeliveryState) -> int:
        return self.sheet.count(state)

    def count_unserved(self) -> int:
        """Recipients that the edition did not reach, as far as is known."""
        return self.count(DeliveryState.FAILED) + self.count(DeliveryState.IN_DOUBT)


def open_transport(root: Path, site: SiteSettings, settings: NewsletterSettings) -> Transport:
    """The transport that the settings name. Nothing is connected yet. Raises ``ConfigError`` for a file that is not there."""
    ca_file = root / settings.ca_file if settings.ca_file else None
    if ca_file and not ca_file.is_file():
        raise ConfigError(f"newsletter.ca_file: there is no file {ca_file}")
    address = TransportAddress.parse(settings.transport)
    if not settings.server and address.scheme == "maildir":
        return MaildirTransport(root / address.folder)
    if not settings.server and not address.is_smtp:
        return _provider(settings, address, ca_file)
    return SmtpTransport(smtp_servers(settings), hello=site.host, timeout=settings.timeout_seconds, ca_file=ca_file)


def smtp_servers(settings: NewsletterSettings) -> list[SmtpServer]:
    """The servers that are sent through, with their logins; for settings whose transport is SMTP."""
    if settings.server:
        return _servers(settings)
    address = TransportAddress.parse(settings.transport)
    user, password = settings.smtp_user or address.user, _password(settings) or address.password
    return [
        SmtpServer(
            address, user, password, 1.0, settings.connections, settings.messages_per_connection, settings.rate_per_second
        )
    ]


def _provider(settings: NewsletterSettings, address: TransportAddress, ca_file: Path | None) -> Transport:
    from newsletter.providers.postmark import PostmarkApi
    from newsletter.providers.transport import ProviderTransport

    if settings.api_token is None:
        raise ConfigError("newsletter.transport is postmark:, and there is no token: set DATELINE_NEWSLETTER__API_TOKEN")
    token = settings.api_token.get_secret_value()
    api = PostmarkApi(
        token, base_url=address.api_url, stream=settings.message_stream, timeout=settings.timeout_seconds, ca_file=ca_file
    )
    return ProviderTransport(api, settings.batch_size)


def _servers(settings: NewsletterSettings) -> list[SmtpServer]:
    """The servers of ``[[newsletter.server]]``. Connections that are not given to one are dealt out by weight."""
    weights = sum(one.weight for one in settings.server)
    return [
        SmtpServer(
            at,
            # One that names its user is not shown the password of another.
            at.user or settings.smtp_user or "",
            at.password if at.user else _password(settings),
            one.weight,
            one.connections or max(1, round(settings.connections * len(settings.server) * one.weight / weights)),
            one.messages_per_connection or settings.messages_per_connection,
            settings.rate_per_second if one.rate_per_second is None else one.rate_per_second,
        )
        for one in settings.server
        for at in [TransportAddress.parse(one.url)]
    ]


def _password(settings: NewsletterSettings) -> str:
    return settings.smtp_password.get_secret_value() if settings.smtp_password else ""


class Sending:
    """The sending of one edition by this process.

    ``stop`` may be set from a signal handler: the messages on the wire are finished and the rest given back. ``say`` hears what
    keeps the sending waiting.
    """

    def __init__(
        self,
        press: Press,
        transport: Transport,
        clock: Clock,
        stop: threading.Event | None = None,
        say: Callable[[str], None] = log.warning,
    ) -> None:
        self.press = press
        self.transport = transport
        self.clock = clock
        self.stop = stop or threading.Event()
        self.say = say

    def run(self, edition: Edition, progress: Callable[[int], None] = lambda number: None) -> Account:
        """Sends all that is due of an edition. ``progress`` hears of each message sent.

        Raises ``TransportError`` when the server is away or cannot be trusted, and ``LedgerError`` when the ledger cannot be
        written; what was not sent stays in the ledger. Where the server refuses us, the edition is paused besides.
        """
        queue = LedgerQueue(self.press, edition, self.clock, self.stop, self.say, progress)
        with holder.at_work(queue.claims.name):
            queue.enter()
            try:
                self.transport.run(queue)
            except BaseException as error:
                # Where this fails as well, the next sending finds what this one holds, and that it is at work no more.
                with suppress(DatelineError):
                    queue.leave()
                if isinstance(error, RefusedError):
                    self._pause(edition, str(error))
                raise
            finally:
                self.transport.close()
            finished = queue.leave()
        return self._account(edition, queue, finished)

    def _pause(self, edition: Edition, words: str) -> None:
        with writing(self.press.engine) as connection:
            Ledger(connection).change(edition, EditionState.PAUSED, words, only=[EditionState.SENDING])
        name = f"{edition.digest} of {edition.local_date}"
        log.critical("%s is paused: %s. Mend that, then `dateline digest resume %s`", name, words, edition.digest)

    def _account(self, edition: Edition, queue: LedgerQueue, finished: bool) -> Account:
        with reading(self.press.engine) as connection:
            now = Ledger(connection).edition(edition.digest, edition.local_date) or edition
            sheet = balance.balance(connection, now, self.clock())
            return Account(sheet, queue.sent, queue.doubtful, finished, balance.troubles(connection, now))
