"""A digest that is in order, for tests to spoil one thing at a time."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from newsroom import NOW

from content.article import Article, Author, Image, Summary
from content.database import raw, writing
from content.keeping import Keeper, Origin
from content.regions import resolve
from content.settings import SiteSettings
from dateline.store import open_store
from newsletter.checking import Checked, check
from newsletter.checks.finding import Finding
from newsletter.editions import Press
from newsletter.settings import DigestSettings, NewsletterSettings
from newsletter.subscribers import Subscribers
from newsletter.tokens import Tokens

ROOT = Path(__file__).parents[3]
SITE = "https://news.test"
MJML, TXT = "digest.mjml", "digest.txt"
PICTURE = Image("https://news.test/media/p.png", "A cable ship", "image/png", 1200, 630)


class Desk:
    """A site that is in order, until a test spoils something."""

    def __init__(self, root: Path) -> None:
        self.root = root
        shutil.copytree(ROOT / "templates", root / "templates")
        self.press = Press(
            root, open_store(root / "dateline.db"), SiteSettings(title="Test", url=SITE, language="en-GB"),
            NewsletterSettings(postal_address="1 Test Street"), DigestSettings(name="daily", title="Daily"),
            Tokens("0123456789abcdef0123"),
        )  # fmt: skip
        self.public: Path | None = None

    def report(self, name: str = "cables", **changes: object) -> Article:
        moment = NOW - timedelta(hours=1)
        article = Article(
            f"tag:news.test,2026:{name}", name, f"{SITE}/articles/{name}/", f"News of {name}", Summary("What happened.", True),
            "<p>b</p>", moment, moment, authors=(Author("Mei Tanaka"),), section="Networks",
        )  # fmt: skip
        article = replace(article, **changes)  # type: ignore[arg-type]
        with writing(self.press.engine) as connection:
            Keeper(raw(connection)).add(article, Origin(name, name, "f"))
        return article

    def join(self, number: int, *regions: str) -> None:
        with writing(self.press.engine) as connection:
            for count in range(number):
                address = f"m{count}{''.join(regions).lower()}@example.com"
                Subscribers(connection).join(
                    address, origin="test", now=NOW, confirmed=True, regions=resolve(regions)[0]
                )  # fmt: skip

    def edit(self, name: str, before: str, after: str) -> int:
        """Replaces a piece of a template; returns the line that it was on."""
        path = self.root / "templates" / name
        text = path.read_text("utf-8")
        assert before in text, f"{before!r} is not in {name}"
        path.write_text(text.replace(before, after), "utf-8")
        return text[: text.index(before)].count("\n") + 1

    def set(self, **changes: object) -> None:
        ours = {name: getattr(self.press, name) for name in ("site", "newsletter", "digest")}
        for name, value in changes.items():
            room, _, key = name.partition("__")
            ours[room] = type(ours[room]).model_validate(ours[room].model_dump() | {key: value})
        self.press = replace(self.press, **ours)

    def check(self) -> Checked:
        return check(self.press, NOW, self.public)

    def found(self, rule: str) -> list[Finding]:
        return [finding for finding in self.check().findings if finding.rule == rule]

    def only(self, rule: str) -> Finding:
        """The one finding that there is, which is of this rule."""
        (finding,) = self.check().findings
        assert finding.rule == rule, finding
        assert finding.advice and finding.where
        return finding
