"""A site that takes in members, with a clock that is moved by hand and a mailbox that keeps what is sent."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

from newsroom import NOW
from sqlalchemy import Connection, Engine, Table, func, select

from content.database import metadata, open_sqlite, reading, writing
from content.settings import SiteSettings
from newsletter.consent import Consent, Consents
from newsletter.join_request import JoinRequest
from newsletter.joining import Answer, Confirmation, Joining
from newsletter.outbox import Outbox
from newsletter.postman import send_due
from newsletter.reception import Reception
from newsletter.settings import NewsletterSettings
from newsletter.subscribers import Subscriber, Subscribers, address_key
from newsletter.suppression import Suppressions
from newsletter.tables import subscribers
from newsletter.tokens import Tokens

ROOT = Path(__file__).parents[1]
SITE = "https://news.test"
KEY = "0123456789abcdef0123"
CLIENT = "203.0.113.77"
PAGE = f"{SITE}/articles/cables/"


class ReceptionDesk:
    """What visitors do, and what comes of it."""

    def __init__(self, root: Path, **settings: object) -> None:
        self.root = root
        self.now = NOW
        given = {"templates": str(ROOT / "templates"), "postal_address": "1 Test Street"} | settings
        self.reception = Reception(
            root, _open(root / "dateline.db"), SiteSettings(title="The Daily Test", url=SITE),
            NewsletterSettings.model_validate(given), Tokens(KEY), ("daily", "weekly"),
        )  # fmt: skip
        self.forget_settings()

    def forget_settings(self, **changes: object) -> None:
        """Goes on with other settings, as after a restart."""
        ours = self.reception.newsletter
        ours = type(ours).model_validate(ours.model_dump(exclude_unset=True) | changes)
        self.reception = replace(self.reception, newsletter=ours)
        self.joining = Joining(self.reception)

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)

    def request(self, email: str, **fields: object) -> JoinRequest:
        """A request from a form that was opened ten seconds ago."""
        token = self.joining.form_token(self.now - timedelta(seconds=10))
        given: dict[str, object] = {"email": email, "form_token": token, "page": PAGE, "client": CLIENT}
        return JoinRequest(**(given | fields))  # type: ignore[arg-type]

    def ask(self, email: str, **fields: object) -> Answer:
        return self.joining.ask(self.request(email, **fields), self.now)

    def confirm(self, token: str, client: str = "198.51.100.9") -> Confirmation:
        return self.joining.confirm(token, self.now, client)

    def send(self) -> int:
        return send_due(self.reception, lambda: self.now)

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.reception, lambda: self.now)

    def mails(self) -> list[EmailMessage]:
        """What lies in the folder that stands for the world, the oldest first."""
        files = sorted((self.root / "outbox" / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        read = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in files]
        return [one for one in read if isinstance(one, EmailMessage)]

    def mail(self) -> EmailMessage:
        (only,) = self.mails()
        return only

    def join(self, email: str, **fields: object) -> str:
        """Asks, reads the mail and confirms; returns the token."""
        self.ask(email, **fields)
        self.send()
        token = token_in(self.mails()[-1])
        self.confirm(token)
        return token

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        with writing(self.reception.engine) as connection:
            yield connection

    @contextmanager
    def members(self) -> Iterator[Subscribers]:
        with self.writing() as connection:
            yield Subscribers(connection, Suppressions(connection, KEY))

    def member(self, email: str) -> Subscriber | None:
        with self.members() as members:
            return next((one for one in members.all() if address_key(one.email) == address_key(email)), None)

    def standing(self, email: str) -> str:
        member = self.member(email)
        return member.standing.value if member else "unknown"

    def evidence(self, email: str) -> list[Consent]:
        with reading(self.reception.engine) as connection:
            number = connection.execute(select(subscribers.c.id).where(subscribers.c.email_key == address_key(email))).scalar()
            return list(Consents(connection).of(number)) if number else []

    def count(self, table: Table) -> int:
        with reading(self.reception.engine) as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar_one()


def _open(path: Path) -> Engine:
    """A database as the migrations make it, without the time that they take."""
    engine = open_sqlite(path)
    with writing(engine) as connection:
        metadata.create_all(connection)
    return engine


def token_in(mail: EmailMessage) -> str:
    """The token for confirming in a mail."""
    body = mail.get_body(["plain"])
    assert body
    found = re.search(r"/join/confirm/(\S+)", body.get_content())
    assert found, body.get_content()
    return found[1]
