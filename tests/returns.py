"""A site whose edition went to two members, and the mail that comes back to it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, insert, select, update

from content.database import reading, writing
from newsletter.bounces import Bounces, Taken
from newsletter.message import recipient_mark
from newsletter.return_path import ReturnPaths
from newsletter.settings import BounceSettings
from newsletter.subscribers import Standing, Subscribers
from newsletter.suppression import Suppression, Suppressions
from newsletter.tables import bounces, deliveries, editions, subscribers, variants
from newsletter.tokens import Tokens
from newsletter.whom import Marks

KEY = "0123456789abcdef0123"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SAMPLES = Path(__file__).parent / "bounces"
BOB, CAROL = "Bob@member.test", "carol@elsewhere.test"


class Returns:
    """Where mail comes back to. ``now`` is the time on its clock."""

    def __init__(self, engine: Engine, **rules: float) -> None:
        self.engine = engine
        self.now = NOW
        self.tokens = Tokens(KEY)
        self.return_paths = ReturnPaths(KEY, "bounces@news.test")
        self.marks = Marks(self.return_paths, self.tokens, "https://news.test/unsubscribe/", "", "news.test")
        self.bounces = Bounces(engine, KEY, BounceSettings(**rules), self.marks)
        with writing(engine) as connection:
            for email in (BOB, CAROL):
                Subscribers(connection).join(email, origin="test", now=NOW, confirmed=True)
            connection.execute(update(subscribers).where(subscribers.c.email == BOB).values(public_id="b0b" * 8))
            moment = {"created_at": NOW}
            connection.execute(
                insert(editions).values(
                    id=31,
                    digest="daily",
                    local_date=date(2026, 11, 23),
                    state="sent",
                    subject="s",
                    slot="x",
                    recipients=2,
                    **moment,
                )
            )
            connection.execute(insert(variants).values(id=1, edition_id=31, preferences="", subject="s", html="h", text="t"))
            rows = connection.execute(select(subscribers.c.id, subscribers.c.email)).all()
            sent = {"edition_id": 31, "variant_id": 1, "state": "sent", "changed_at": NOW}
            connection.execute(insert(deliveries), [{"subscriber_id": id, "email": email, **sent} for id, email in rows])

    def sample(self, name: str, **other: str) -> bytes:
        """A message as it came for Bob's copy; ``other`` replaces parts of it."""
        text = (SAMPLES / f"{name}.eml").read_text("utf-8")
        public_id = "b0b" * 8
        genuine = self.return_paths.address(public_id, 31)
        token = genuine.partition("+")[2].partition("@")[0]
        parts = {
            "@RETURN_PATH@": genuine,
            "@FORGED@": token[:-1] + ("a" if token[-1] != "a" else "b"),
            "@ADDRESS@": BOB,
            "@LINK@": f"https://news.test/unsubscribe/{self.tokens.unsubscribe(public_id)}",
            "@MESSAGE_ID@": f"<daily.2026-11-23.{recipient_mark('daily.2026-11-23', public_id)}@news.test>",
            "@PUBLIC_ID@": public_id,
        } | other
        for mark, value in parts.items():
            text = text.replace(mark, value)
        return text.encode("utf-8")

    def take(self, name: str, **other: str) -> Taken:
        return self.bounces.take(self.sample(name, **other), self.now)

    def arrive(self, name: str, at: datetime) -> Taken:
        """A sample that comes at another time."""
        self.now = at
        content = self.sample(name).replace(b"Date: Mon, 23 Nov 2026 07", f"Date: {at:%a, %d %b %Y %H}".encode())
        return self.bounces.take(content.replace(b"4Xyz12", f"{at:%H%M%S%f}".encode()), at)

    def standing(self, email: str = BOB) -> Standing:
        with reading(self.engine) as connection:
            return Standing(connection.execute(select(subscribers.c.state).where(subscribers.c.email == email)).scalar_one())

    def suppressions(self, *, lifted: bool = False) -> list[Suppression]:
        with reading(self.engine) as connection:
            return list(Suppressions(connection, KEY).all(lifted=lifted))

    def lift(self, email: str = BOB) -> int:
        with writing(self.engine) as connection:
            return Suppressions(connection, KEY).lift(email, "wrote to us", self.now)

    def counted(self) -> int:
        with reading(self.engine) as connection:
            return len(connection.execute(select(bounces.c.id).where(bounces.c.counts_on.is_not(None))).all())

    def later(self, **amount: float) -> datetime:
        self.now += timedelta(**amount)
        return self.now
