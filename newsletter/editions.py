"""One edition from beginning to end: chosen, rendered, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine

from content.archive import Archive
from content.article import Article
from content.database import raw, reading, writing
from content.errors import ConfigError, DatelineError
from content.regions import region
from content.settings import SiteSettings
from newsletter.digest import Choice, History, choose, freshness, lies_in
from newsletter.identity import sender_of, signing_keys_of
from newsletter.ledger import Edition, EditionState, Ledger
from newsletter.message import Letter, Recipient, Sender
from newsletter.preferences import EVERYTHING, Frequency, Preference
from newsletter.rendering import Renderer, Rendering
from newsletter.return_path import ReturnPaths
from newsletter.settings import BounceSettings, DigestSettings, NewsletterSettings
from newsletter.subscribers import Subscribers
from newsletter.tokens import Purpose, Tokens

if TYPE_CHECKING:
    from newsletter.bounces import Bounces
    from newsletter.dkim import SigningKey


_NEWEST = 2000
"""Articles among which a digest's first edition chooses."""
VIEW_PATH = "newsletter/view/{token}"
"""Where variants are shown, below the site's address."""
WITHOUT_ADDRESS = 100
"""To how many a newsletter may go that does not say where its publisher lives."""


@dataclass(frozen=True, slots=True)
class Press:
    """All that one digest needs to make its editions and to sign its letters."""

    root: Path
    engine: Engine
    site: SiteSettings
    newsletter: NewsletterSettings
    digest: DigestSettings
    tokens: Tokens
    bounce_rules: BounceSettings = field(default_factory=BounceSettings)

    @property
    def bounces(self) -> Bounces:
        """Takes in refusals."""
        from newsletter.bounces import open_bounces

        return open_bounces(self.engine, self.site, self.newsletter, self.bounce_rules, self.tokens)

    @property
    def return_paths(self) -> ReturnPaths | None:
        """What failures are to be reported to, if they are to come to an address of their own."""
        return ReturnPaths(self.tokens.key, self.newsletter.bounce_email) if self.newsletter.bounce_email else None

    @property
    def zone(self) -> ZoneInfo:
        """The time zone that the digest's dates are in."""
        return ZoneInfo(self.digest.timezone) if self.digest.timezone else self.site.zone

    @property
    def renderer(self) -> Renderer:
        return Renderer(self.root, self.site, self.newsletter, self.digest, self.zone)

    @property
    def sender(self) -> Sender:
        return sender_of(self.site, self.newsletter)

    def unsubscribe_url(self, public_id: str) -> str:
        """A subscriber's own link for leaving."""
        path = self.newsletter.unsubscribe_path.replace("{token}", self.tokens.unsubscribe(public_id))
        return self.site.absolute(path)

    def preferences_url(self, public_id: str) -> str:
        """A subscriber's own link for choosing."""
        token = self.tokens.lasting(Purpose.PREFERENCES, public_id)
        return self.site.absolute(self.newsletter.preferences_path.replace("{token}", token))

    def view_url(self, variant_id: int) -> str:
        """Where a variant is shown in a browser: nobody can guess it, and it tells nothing of who got it."""
        return self.site.absolute(VIEW_PATH.replace("{token}", self.tokens.lasting(Purpose.VIEW, str(variant_id))))

    def recipient(self, public_id: str, email: str, variant_id: int = 0, return_path: str = "") -> Recipient:
        """A subscriber with all his links. Without a variant there is nothing yet to be viewed, and that link leads nowhere."""
        leave, choose = self.unsubscribe_url(public_id), self.preferences_url(public_id)
        return Recipient(public_id, email, leave, return_path, choose, self.view_url(variant_id))

    def signing_keys(self) -> list[SigningKey]:
        """The keys that messages are signed with. Raises ``ConfigError`` for one that cannot be used."""
        return signing_keys_of(self.root, self.sender, self.newsletter)

    def letter(self, rendering: Rendering, day: date) -> Letter:
        """A rendering of the edition of ``day``, ready to be addressed."""
        return Letter(self.sender, self.digest.name, self.digest.title, day, rendering, self.signing_keys())

    def local_date(self, moment: datetime) -> date:
        """The date that ``moment`` falls on where the digest is at home."""
        return moment.astimezone(self.zone).date()


@dataclass(frozen=True, slots=True)
class Draft:
    """A variant that the next edition would have: what it carries, and how many members would get it."""

    articles: tuple[Article, ...]
    rendering: Rendering
    members: int


@dataclass(frozen=True, slots=True)
class Made:
    """What came of making an edition: the edition, or the reason why there is none."""

    edition: Edition | None
    reason: str = ""


def explain(press: Press, now: datetime) -> list[Choice]:
    """Of each article of the archive, whether the next edition carries it and why."""
    with reading(press.engine) as connection:
        archive = Archive(raw(connection))
        everything = archive.articles(archive.numbers())
        return choose(everything, press.digest, Ledger(connection).history(press.digest.name), now)


def empty_since(press: Press, now: datetime) -> date | None:
    """Where nothing is new for the next edition: the date of the last one. ``preview`` and ``drafts`` show the first then."""
    with reading(press.engine) as connection:
        history = Ledger(connection).history(press.digest.name)
        if history.last is None or _chosen(connection, press, history, now):
            return None
    return press.local_date(history.last)


def preview(press: Press, now: datetime) -> tuple[list[Article], Rendering]:
    """What the next edition would look like to a member of all regions; when nothing is new, what the first would."""
    with reading(press.engine) as connection:
        articles = _next(connection, press, now)[Frequency.EVERY]
    day = press.local_date(now)
    return articles, press.renderer.render(articles, day, press.tokens.slot(f"{press.digest.name}.{day}"))


def drafts(press: Press, now: datetime) -> list[Draft]:
    """Every variant that the next edition (or, as in ``preview``, the first) would have; the one of all regions leads.

    Members whose regions are not in the news get none, and are in no draft.
    """
    with reading(press.engine) as connection:
        selected = _next(connection, press, now)
        day, weekly = press.local_date(now), Frequency.WEEKLY in selected
        members = dict(Subscribers(connection).preferences(press.digest.name, day, weekly=weekly))
    found: dict[Rendering, Draft] = {}
    for key, rendering in _renderings(press, selected, [EVERYTHING, *members], day).items():
        number = members.get(key, 0) + (found[rendering].members if rendering in found else 0)
        found[rendering] = Draft(tuple(_wanted(selected, key)), rendering, number)
    return list(found.values())


def make(press: Press, day: date, now: datetime, *, scheduled: bool) -> Made:
    """Makes the edition of a local date, unless there is one, nothing to say, or nobody to say it to.

    A scheduled run leaves a note that the date had no news, so that a later start of the scheduler does not take
    the date up again; a run by hand may.
    """
    name = press.digest.name
    # Whose suppression is over is a recipient again.
    press.bounces.expire(now)
    with reading(press.engine) as connection:
        if reason := _taken(Ledger(connection), name, day, scheduled=scheduled):
            return Made(None, reason)
        weekly = Ledger(connection).opens_week(name, day)
        preferences = Subscribers(connection).preferences(name, day, weekly=weekly)
        _require_postal_address(press, sum(number for _, number in preferences))
        if not preferences:
            return Made(None, f"{name}: there is no confirmed subscriber who is due; no edition was made")
        selected = _selected(connection, press, now, day, weekly=weekly)
    articles = selected[Frequency.EVERY]
    if not articles:
        if scheduled:
            with writing(press.engine) as connection:
                Ledger(connection).skip(name, day, now)
        return Made(None, f"{name}: no article is new since the last edition; the edition of {day} is skipped")
    due = [key for key, _ in preferences]
    # That of everything leads, wanted or not: the archive of editions shows it.
    renderings = _renderings(press, selected, [EVERYTHING, *due], day)
    if not renderings.keys() & set(due):
        return Made(None, f"{name}: no subscriber's regions are in the news; no edition was made")
    # What no letter of this edition could carry is found out before anything is recorded.
    sample = press.recipient("0" * 24, press.sender.email)
    press.letter(next(iter(renderings.values())), day).address(sample, now)
    with writing(press.engine) as connection:
        edition = Ledger(connection).make(name, day, articles, renderings, now)
    if edition is None:
        return Made(None, f"{name}: another process made the edition of {day}")
    return Made(edition)


def _require_postal_address(press: Press, members: int) -> None:
    if members > WITHOUT_ADDRESS and not press.newsletter.postal_address:
        raise ConfigError(
            f"{press.digest.name}: newsletter.postal_address is empty, and {members:,} members are due this digest: the law of "
            f"many countries wants the sender's postal address in a newsletter, and without one at most {WITHOUT_ADDRESS} are "
            "mailed; set it in config.toml. No edition was made"
        )


def _taken(ledger: Ledger, name: str, day: date, *, scheduled: bool) -> str:
    there = ledger.edition(name, day)
    if there is None or (there.state is EditionState.SKIPPED and not scheduled):
        return ""
    was = {
        EditionState.SENT: f"was sent to {there.recipients} already; nothing was sent again",
        EditionState.SENDING: "is being sent",
        EditionState.PAUSED: f"is paused ({there.note}): `dateline digest resume {name}` lets it go on",
        EditionState.CANCELLED: "was cancelled",
        EditionState.SKIPPED: "was skipped: there was no news",
    }
    return f"{name}: the edition of {day} {was[there.state]}"


Selected = dict[Frequency, list[Article]]
"""What an edition carries for those who get each one and, when it is their turn, for those who get one a week."""


def _next(connection: Connection, press: Press, now: datetime) -> Selected:
    weekly = Ledger(connection).opens_week(press.digest.name, press.local_date(now))
    selected = _selected(connection, press, now, press.local_date(now), weekly=weekly)
    if not selected[Frequency.EVERY]:
        selected = {Frequency.EVERY: _chosen(connection, press, History({}, None), now)}
    if not selected[Frequency.EVERY]:
        raise DatelineError(f"{press.digest.name}: there is no published article that it could carry; publish some first")
    return selected


def _selected(connection: Connection, press: Press, now: datetime, day: date, *, weekly: bool) -> Selected:
    ledger, name = Ledger(connection), press.digest.name
    selected = {Frequency.EVERY: _chosen(connection, press, ledger.history(name), now)}
    if weekly:
        # Earlier editions of the week were not theirs, so what those carried is new to them.
        selected[Frequency.WEEKLY] = _chosen(connection, press, ledger.history_of_weeks(name, day), now)
    return selected


def _chosen(connection: Connection, press: Press, history: History, now: datetime) -> list[Article]:
    archive = Archive(raw(connection))
    ours, most = press.digest, _NEWEST if history.last is None else None
    there = archive.public_versions(now, regions=ours.places, sections=ours.sections, limit=most)
    fresh_from = freshness(press.digest, history, now)
    # An archive of many years is not read for the news of a day.
    numbers = [one.number for one in there if history.last is None or one.published >= fresh_from]
    choices = choose(archive.articles(numbers), press.digest, history, now)
    return [choice.article for choice in choices if choice.included]


def _wanted(selected: Selected, key: str) -> list[Article]:
    """The articles for members of this preference."""
    preference = Preference.read(key)
    places = [region(code) for code in preference.regions]
    return [one for one in selected.get(preference.frequency, []) if not places or lies_in(one, places)]


def _renderings(press: Press, selected: Selected, preferences: list[str], day: date) -> dict[str, Rendering]:
    """A rendering for every preference that has news; equal article lists share one."""
    slot, renderer = press.tokens.slot(f"{press.digest.name}.{day}"), press.renderer
    shared: dict[tuple[str, ...], Rendering] = {}
    renderings: dict[str, Rendering] = {}
    for key in dict.fromkeys(preferences):
        wanted = _wanted(selected, key)
        ids = tuple(article.id for article in wanted)
        if wanted:
            shared[ids] = shared.get(ids) or renderer.render(wanted, day, slot)
            renderings[key] = shared[ids]
    return renderings
