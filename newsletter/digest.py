"""Which articles make an edition, and why each of the others does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from content.article import Article, State
from content.regions import Region
from newsletter.settings import DigestSettings


@dataclass(frozen=True, slots=True)
class History:
    """What earlier editions of a digest say: which article was carried when, and when the last one was made.

    ``last`` is ``None`` before the first edition.
    """

    carried: Mapping[str, date]
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Choice:
    """One article's part in the next edition, with the reason in words."""

    article: Article
    included: bool
    reason: str


def freshness(digest: DigestSettings, history: History, now: datetime) -> datetime:
    """From when on an article is fresh. It does not hold for a digest's first edition."""
    return min(now, history.last or now) - timedelta(days=digest.freshness_days)


def choose(articles: Sequence[Article], digest: DigestSettings, history: History, now: datetime) -> list[Choice]:
    """Decides of each article whether the edition made at ``now`` carries it; those it carries come first, in order.

    What no earlier edition carried and what is fresh goes in. Fresh is what was published within the window before
    ``now``, stretched by the time since the last edition, so that a missed run loses nothing. The first edition
    takes the newest whatever their age.
    """
    places, sections = digest.places, {section.casefold() for section in digest.sections}
    first = history.last is None
    fresh_from = freshness(digest, history, now)
    eligible: list[Article] = []
    out: list[Choice] = []
    for article in sorted(articles, key=lambda one: one.published, reverse=True):
        if reason := _obstacle(article, now):
            out.append(Choice(article, False, reason))
        elif carried_on := history.carried.get(article.id):
            out.append(Choice(article, False, f"the edition of {carried_on} carried it"))
        elif sections and article.section.casefold() not in sections:
            wanted = ", ".join(digest.sections)
            out.append(Choice(article, False, f"its section is {article.section or 'none'}; the digest takes {wanted}"))
        elif places and not lies_in(article, places):
            wanted = ", ".join(place.name for place in places)
            out.append(Choice(article, False, f"it is not about {wanted}"))
        elif not first and article.published < fresh_from:
            out.append(Choice(article, False, f"it was published before {fresh_from:%Y-%m-%d %H:%M} UTC, where freshness ends"))
        else:
            eligible.append(article)
    if digest.order == "weight":
        eligible.sort(key=lambda one: one.weight, reverse=True)
    taken, over = eligible[: digest.limit], eligible[digest.limit :]
    why = "the first edition takes the newest" if first else f"new, and fresh since {fresh_from:%Y-%m-%d %H:%M} UTC"
    chosen = [
        Choice(one, True, f"weight {one.weight}; {why}" if one.weight and digest.order == "weight" else why) for one in taken
    ]
    full = f"the edition is full ({digest.limit})"
    out += [Choice(one, False, f"{full}; the next one may carry it while it is fresh") for one in over]
    return chosen + sorted(out, key=lambda choice: choice.article.published, reverse=True)


def _obstacle(article: Article, now: datetime) -> str:
    match article.state:
        case State.DRAFT:
            return "it is a draft"
        case State.WITHDRAWN:
            return "it was withdrawn"
    if article.published > now:
        return f"it comes out on {article.published:%Y-%m-%d %H:%M} UTC"
    return ""


def lies_in(article: Article, places: Sequence[Region]) -> bool:
    """Whether the article is about one of the places, or about something within one."""
    return any(place.contains(about) for place in places for about in article.regions)
