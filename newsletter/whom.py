"""Whom is a report about, and does it prove that?

Anybody can send a bounce that names an address. Only what our own message carried is believed: its signed return path,
its signed link for leaving, or its Message-ID, which all only its recipient's side has seen.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from sqlalchemy import Connection, select

from newsletter.message import recipient_mark
from newsletter.return_path import ReturnPaths
from newsletter.tables import deliveries, editions, subscribers
from newsletter.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Person:
    """The subscriber that a report is about, and the edition if that is known."""

    public_id: str
    email: str
    edition_id: int | None


@dataclass(frozen=True, slots=True)
class Marks:
    """What our messages carry: signed return paths, links that begin and end like this, Message-IDs at this host."""

    return_paths: ReturnPaths
    tokens: Tokens
    link_before: str
    link_after: str
    host: str

    def find(self, text: str, connection: Connection) -> Person | None:
        """The person whose mark stands in a text (headers and parts of a report), if any genuine one does."""
        if returned := self.return_paths.find(text):
            return _person(connection, returned.public_id, returned.edition_id)
        unfolded = re.sub(r"\n[ \t]+", "", text)
        link = re.escape(self.link_before) + r"([\w.-]{20,200}?)" + re.escape(self.link_after) + r"(?![\w.-])"
        for token in dict.fromkeys(re.findall(link, unfolded)):
            if public_id := self.tokens.read_unsubscribe(token):
                return _person(connection, public_id, None)
        return self._by_message_id(text, connection)

    def _by_message_id(self, text: str, connection: Connection) -> Person | None:
        """Nothing in a Message-ID leads back to its recipient, so those of its edition are tried one after the other."""
        named = re.findall(rf"<([a-z0-9_-]+)\.(\d{{4}}-\d\d-\d\d)\.([0-9a-f]{{30}})@{re.escape(self.host)}>", text)
        for digest, day, mark in dict.fromkeys(named):
            try:
                of_that_day = (editions.c.digest == digest, editions.c.local_date == date.fromisoformat(day))
            except ValueError:
                continue
            query = (
                select(subscribers.c.public_id, subscribers.c.email, editions.c.id)
                .join_from(deliveries, editions)
                .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
                .where(*of_that_day)
            )
            for public_id, email, edition_id in connection.execution_options(yield_per=1000).execute(query):
                if recipient_mark(f"{digest}.{day}", public_id) == mark:
                    return Person(public_id, email, edition_id)
        return None


def _person(connection: Connection, public_id: str, edition_id: int | None) -> Person | None:
    email = connection.execute(select(subscribers.c.email).where(subscribers.c.public_id == public_id)).scalar()
    return None if email is None else Person(public_id, email, edition_id)


def by_subject(subject: str, connection: Connection) -> Person | None:
    """Who asks by mail to leave: the subject is the public id that stands in their List-Unsubscribe field."""
    return _person(connection, subject.lower().removeprefix("re:").strip(), None)
