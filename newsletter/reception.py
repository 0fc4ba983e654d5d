"""All that taking in members needs, put together from a site's settings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sqlalchemy import Engine

from content.settings import SiteSettings
from newsletter.consent import Wording
from newsletter.guard import Guard, Limits, load_domains
from newsletter.identity import sender_of
from newsletter.message import Sender
from newsletter.settings import NewsletterSettings
from newsletter.tokens import Purpose, Tokens


@dataclass(frozen=True)
class Reception:
    """What joining and its mails share. ``digests`` are the names of those there are."""

    root: Path
    engine: Engine
    site: SiteSettings
    newsletter: NewsletterSettings
    tokens: Tokens
    digests: tuple[str, ...]

    @cached_property
    def guard(self) -> Guard:
        """What stands before every way in. Raises ``ConfigError`` for a list of domains that cannot be read."""
        ours = self.newsletter
        named = ours.disposable_domains_file
        domains = load_domains(self.root / named) if named else frozenset[str]()
        return Guard(self.tokens.key, Limits(ours.joins_per_network, ours.joins_per_hour), domains)

    @cached_property
    def sender(self) -> Sender:
        return sender_of(self.site, self.newsletter)

    @property
    def wording(self) -> Wording:
        """The text that people agree to in the form."""
        return Wording(self.newsletter.consent_text)

    def confirm_url(self, token: str) -> str:
        """The link in the mail that asks for confirmation."""
        return self.site.absolute(self.newsletter.confirm_path.replace("{token}", token))

    def preferences_url(self, public_id: str) -> str:
        """A subscriber's own link for choosing."""
        token = self.tokens.lasting(Purpose.PREFERENCES, public_id)
        return self.site.absolute(self.newsletter.preferences_path.replace("{token}", token))

    def unsubscribe_url(self, public_id: str) -> str:
        """A subscriber's own link for leaving."""
        return self.site.absolute(self.newsletter.unsubscribe_path.replace("{token}", self.tokens.unsubscribe(public_id)))
