"""A site with members and news, and a real SMTP server that misbehaves on request."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from content.article import Article, Summary
from content.database import raw, writing
from content.keeping import Keeper, Origin
from content.regions import resolve
from content.settings import SiteSettings
from dateline.store import open_store
from newsletter.editions import Made, Press, make
from newsletter.ledger import Edition
from newsletter.sending import Account, Sending, open_transport
from newsletter.settings import DigestSettings, NewsletterSettings
from newsletter.subscribers import Subscribers
from newsletter.tokens import Tokens

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


class Server:
    """An SMTP server's handler. ``plan`` gives the reply to DATA for a recipient, attempt by attempt."""

    def __init__(self) -> None:
        self.address = ""
        self.taken: list[str] = []
        self.ids: list[str] = []
        self.messages: dict[str, bytes] = {}
        self.senders: list[str] = []
        self.plan: dict[str, list[str]] = {}
        self.rcpt: dict[str, list[str]] = {}
        self.before: Callable[[str], None] = lambda recipient: None

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        self.before(address)
        if planned := self.rcpt.get(address):
            return planned.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        to = envelope.rcpt_tos[0]
        reply = self.plan[to].pop(0) if self.plan.get(to) else "250 ok"
        if reply == "drop":
            server.transport.abort()
        if reply.startswith(("250", "drop")):
            self.taken.append(to)
            self.messages[to] = envelope.content
            self.senders.append(envelope.mail_from)
            self.ids.append(next(line for line in envelope.content.decode().splitlines() if line.startswith("Message-ID")))
        return reply


class Desk:
    """One digest with its members, and a clock that is moved by hand."""

    def __init__(self, folder: Path, server: Server, **settings: object) -> None:
        self.now = NOW
        transport = {"transport": server.address, "postal_address": "1 Test Street"} | settings
        self.press = Press(
            ROOT, open_store(folder / "dateline.db"), SiteSettings(title="Test", url="https://news.test"),
            NewsletterSettings(**transport), DigestSettings(name="daily", title="Daily"), Tokens("0123456789abcdef0123"),
        )  # fmt: skip

    def join(self, *addresses: str, regions: tuple[str, ...] = ()) -> None:
        with writing(self.press.engine) as connection:
            for address in addresses:
                Subscribers(connection).join(
                    address, origin="test", now=self.now, confirmed=True, regions=resolve(regions)[0]
                )  # fmt: skip

    def leave(self, address: str) -> None:
        with writing(self.press.engine) as connection:
            Subscribers(connection).leave(address, self.now)

    def report(self, name: str, *regions: str) -> None:
        moment = self.now - timedelta(hours=1)
        article = Article(f"tag:news.test,2026:{name}", name, f"https://news.test/{name}", name, Summary("s", True), "<p>b</p>",
                          moment, moment, regions=tuple(resolve(regions)[0]))  # fmt: skip
        with writing(self.press.engine) as connection:
            Keeper(raw(connection)).add(article, Origin(name, name, "f"))

    def make(self, *, scheduled: bool = False) -> Made:
        return make(self.press, self.press.local_date(self.now), self.now, scheduled=scheduled)

    def edition(self) -> Edition:
        made = self.make()
        assert made.edition, made.reason
        return made.edition

    def send(self, edition: Edition) -> Account:
        transport = open_transport(ROOT, self.press.site, self.press.newsletter)
        return Sending(self.press, transport, lambda: self.now).run(edition)
