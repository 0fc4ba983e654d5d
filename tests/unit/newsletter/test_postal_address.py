"""A newsletter to many says where its publisher lives, or does not go out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from content.article import Article, Summary
from content.database import raw, reading, writing
from content.errors import ConfigError
from content.keeping import Keeper, Origin
from content.settings import SiteSettings
from dateline.store import open_store
from newsletter.editions import Made, Press, make
from newsletter.ledger import Ledger
from newsletter.settings import DigestSettings, NewsletterSettings
from newsletter.subscribers import Subscribers
from newsletter.tables import variants
from newsletter.tokens import Tokens

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


def edition_for(folder: Path, members: int, **settings: str) -> tuple[Press, Made]:
    press = Press(
        ROOT, open_store(folder / "dateline.db"), SiteSettings(title="Test", url="https://news.test"),
        NewsletterSettings(**settings), DigestSettings(name="daily", title="Daily"), Tokens("0123456789abcdef0123"),
    )  # fmt: skip
    with writing(press.engine) as connection:
        for number in range(members):
            Subscribers(connection).join(f"member{number}@example.com", origin="test", now=NOW, confirmed=True)
        moment = NOW - timedelta(hours=1)
        article = Article(
            "tag:news.test,2026:a", "a", "https://news.test/a", "A", Summary("s", True), "<p>b</p>", moment, moment
        )
        Keeper(raw(connection)).add(article, Origin("a.md", "a", "f"))
    return press, make(press, date(2026, 11, 23), NOW, scheduled=True)


def test_a_hundred_may_be_mailed_without_an_address(tmp_path: Path) -> None:
    assert edition_for(tmp_path, 100)[1].edition is not None


def test_more_than_a_hundred_may_not_and_no_edition_is_made(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"postal_address is empty, and 101 members") as refused:
        edition_for(tmp_path, 101)
    assert "set it in config.toml" in str(refused.value)
    with reading(open_store(tmp_path / "dateline.db")) as connection:
        assert Ledger(connection).edition("daily", date(2026, 11, 23)) is None


def test_more_than_a_hundred_are_mailed_with_one(tmp_path: Path) -> None:
    press, made = edition_for(tmp_path, 101, postal_address="1 Test Street, Testville")
    assert made.edition is not None and made.edition.recipients == 101
    with reading(press.engine) as connection:
        kept = connection.execute(select(variants.c.html, variants.c.text)).all()
    assert kept and all("1 Test Street, Testville" in part for parts in kept for part in parts)
