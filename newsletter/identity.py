"""Who speaks to the members, and whose keys answer for it?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from content.settings import SiteSettings
from newsletter.message import Sender
from newsletter.settings import NewsletterSettings

if TYPE_CHECKING:
    from newsletter.dkim import SigningKey


def sender_of(site: SiteSettings, newsletter: NewsletterSettings) -> Sender:
    """The sender that the settings name."""
    return Sender(
        name=newsletter.from_name or site.title, email=newsletter.from_email or f"newsletter@{site.host}",
        reply_to=newsletter.reply_to or "", host=site.host, unsubscribe_email=newsletter.unsubscribe_email or "",
    )  # fmt: skip


def signing_keys_of(root: Path, sender: Sender, newsletter: NewsletterSettings) -> list[SigningKey]:
    """The keys that messages are signed with. Raises ``ConfigError`` for one that cannot be used."""
    if not newsletter.dkim:
        return []
    from newsletter.dkim import load_key

    domain = newsletter.dkim_domain or sender.email.rpartition("@")[2]
    return [load_key(root / one.key_file, one.selector, domain) for one in newsletter.dkim]
