"""Which articles an edition carries: decided by rows, so that odd dates and missed runs do no harm."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from content.article import Article, State, Summary
from content.regions import resolve
from newsletter.digest import History, choose
from newsletter.settings import DigestSettings

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)
LATER = History({"tag:x,2026:old": date(2026, 11, 22)}, YESTERDAY)


def article(name: str, days_ago: float = 0.5, **facts: object) -> Article:
    moment = NOW - timedelta(days=days_ago)
    regions = tuple(resolve(facts.pop("regions", []))[0])  # type: ignore[arg-type]
    return Article(f"tag:x,2026:{name}", name, f"https://x.test/{name}", name, Summary("s", True), "<p>b</p>", moment, moment,
                   regions=regions, **facts)  # type: ignore[arg-type]  # fmt: skip


def chosen(articles: list[Article], history: History = LATER, **settings: object) -> list[str]:
    digest = DigestSettings(name="daily", title="Daily", **settings)  # type: ignore[arg-type]
    return [choice.article.title for choice in choose(articles, digest, history, NOW) if choice.included]


def test_the_first_edition_takes_the_newest_whatever_their_age() -> None:
    ages = {"a": 900, "b": 400, "c": 700}
    assert chosen([article(name, age) for name, age in ages.items()], History({}, None), limit=2) == ["b", "c"]


def test_what_was_carried_is_never_carried_again_even_when_corrected() -> None:
    assert chosen([article("old"), article("new")]) == ["new"]


def test_a_late_story_goes_in_and_one_dated_far_back_does_not() -> None:
    assert chosen([article("late", 3), article("ancient", 300)]) == ["late"]


def test_an_embargoed_story_waits_and_a_draft_too() -> None:
    waiting = [article("embargoed", -1), article("draft", state=State.DRAFT), article("gone", state=State.WITHDRAWN)]
    assert chosen(waiting) == []


def test_a_missed_run_loses_nothing() -> None:
    three_weeks = History({}, NOW - timedelta(days=21))
    assert chosen([article("during", 15), article("before", 40)], three_weeks, freshness_days=7) == ["during"]


def test_weight_goes_first_unless_the_digest_wants_the_newest() -> None:
    both = [article("heavy", 3, weight=5), article("new", 1)]
    assert chosen(both) == ["heavy", "new"]
    assert chosen(both, order="newest") == ["new", "heavy"]


def test_what_did_not_fit_may_be_carried_next_time() -> None:
    first = chosen([article("a", 1), article("b", 2)], limit=1)
    assert first == ["a"]
    assert chosen([article("a", 1), article("b", 2)], History({"tag:x,2026:a": date(2026, 11, 23)}, NOW), limit=1) == ["b"]


def test_sections_and_regions_limit_a_digest() -> None:
    articles = [article("a", section="Networks", regions=["CN-BJ"]), article("b", section="Business", regions=["IN"])]
    assert chosen(articles, sections=["networks"]) == ["a"]
    assert chosen(articles, regions=["China"]) == ["a"]


def test_each_article_gets_a_reason() -> None:
    everything = [article("old"), article("new"), article("ancient", 300), article("draft", state=State.DRAFT)]
    choices = choose(everything, DigestSettings(name="daily", title="D"), LATER, NOW)
    assert len(choices) == 4
    reasons = {choice.article.title: choice.reason for choice in choices}
    assert "2026-11-22" in reasons["old"] and "draft" in reasons["draft"] and "freshness" in reasons["ancient"]
