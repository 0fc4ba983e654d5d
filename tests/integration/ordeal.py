"""What tests with the rogue server share: a desk that sends to it, and how its record is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from mailroom import Desk
from rogue import Rogue

from content.database import reading
from newsletter.balance import balance
from newsletter.ledger import DeliveryState, Edition
from newsletter.sending import Account
from newsletter.settings import NewsletterSettings
from newsletter.transport import TransportError

MEMBERS = [f"m{number}@example.com" for number in range(12)]
NOISE = b"\x00\xff\x1b[2J not at all what RFC 5321 asks for\r\n"


def seat(folder: Path, server: Rogue, **settings: object) -> Desk:
    """A desk with news and members, and four connections to the server."""
    wanted = {"connections": 4} | settings
    known = {key: value for key, value in wanted.items() if key in NewsletterSettings.model_fields}
    desk = Desk(folder, server, **known)  # type: ignore[arg-type]
    desk.report("first")
    desk.join(*MEMBERS)
    return desk


def deliver(desk: Desk, edition: Edition, tries: int = 8) -> Account:
    """Sends as the service does: again whenever something is due, until the edition is finished."""
    for _ in range(tries):
        try:
            account = desk.send(edition)
        except TransportError:
            continue
        finally:
            desk.now += timedelta(hours=13)
        if account.finished:
            return account
    raise TransportError(f"the edition is not finished after {tries} tries")


def copies_of(members: Sequence[str], **others: int) -> Counter[str]:
    """One copy for each of these members, and a number of its own for some."""
    return Counter({member: number for member, number in (dict.fromkeys(members, 1) | others).items() if number})


def states(desk: Desk, edition: Edition) -> set[DeliveryState]:
    with reading(desk.press.engine) as connection:
        return set(balance(connection, edition, desk.now).counts)


def balances(account: Account) -> bool:
    return sum(account.balance.values()) == account.edition.recipients == len(MEMBERS)
