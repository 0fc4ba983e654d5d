"""What is said to somebody whose address was signed up, in words and in bytes, in the design of the digests?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from content.settings import SiteSettings
from content.templates import Templates
from newsletter.headers import address_field, ascii_address, plain_field, text_field
from newsletter.message import Sender, dot_stuffed, multipart
from newsletter.rendering import Rendering, SiteView, to_html
from newsletter.settings import NewsletterSettings
from newsletter.transport import Message

if TYPE_CHECKING:
    from newsletter.dkim import SigningKey

_SUBJECTS = {"confirm": "Please confirm: the newsletter of {title}", "member": "You are a member of {title} already"}
_NO_SLOT = "\0no slot\0"


class Kind(StrEnum):
    """What is to be told."""

    CONFIRM = "confirm"
    """Somebody entered this address; a click makes it a member's."""
    MEMBER = "member"
    """Somebody entered this address, which is a member's already."""


@dataclass(frozen=True, slots=True)
class Links:
    """The links in a mail; one that is empty is not shown."""

    action: str = ""
    unsubscribe: str = ""


def render_mail(
    root: Path, site: SiteSettings, newsletter: NewsletterSettings, kind: Kind, links: Links
) -> Rendering:  # fmt: skip
    """The words of a mail, from ``confirm.mjml`` and ``confirm.txt``. Raises ``TemplateProblem`` naming file and line.

    Nothing that a stranger typed has a place in it.
    """
    folder = root / newsletter.templates
    views: dict[str, object] = {
        "kind": kind.value,
        "site": SiteView(site.title, f"{site.url}/", site.description, site.language),
        "subject": _SUBJECTS[kind].format(title=site.title),
        "action_url": links.action,
        "unsubscribe_url": links.unsubscribe,
        "hours": f"{newsletter.confirm_hours:g}",
        "postal_address": newsletter.postal_address,
    }
    html = to_html(_templates(folder, True), "confirm.mjml", views)
    text = _templates(folder, False).render("confirm.txt", views)
    return Rendering(str(views["subject"]), html, text, _NO_SLOT)


@lru_cache(maxsize=8)
def _templates(folder: Path, autoescape: bool) -> Templates:
    """Kept, because compiling them takes ten times as long as filling them in; an edited file is read again all the same."""
    return Templates(folder, autoescape=autoescape)


def check_mails(root: Path, site: SiteSettings, newsletter: NewsletterSettings) -> None:
    """Renders every such mail once, so that a broken template is found before a visitor does. Raises ``TemplateProblem``."""
    for kind in Kind:
        render_mail(root, site, newsletter, kind, Links(f"{site.url}/action", f"{site.url}/leave"))


def mail_message(
    sender: Sender, email: str, rendering: Rendering, mark: str, now: datetime, *,
    return_path: str = "", keys: Sequence[SigningKey] = (),
) -> Message:  # fmt: skip
    """The message for one recipient. ``mark`` names it: the same mark over all attempts, so that a double is known by it.

    Raises ``HeaderError`` for an address that mail cannot carry.
    """
    to = ascii_address(email)
    message_id = f"<joining.{mark}@{sender.host}>"
    boundary = "=_dateline_" + blake2b(f"{rendering.text}\0{rendering.html}".encode(), digest_size=12).hexdigest()
    fields = [
        address_field("From", sender.name, sender.email),
        address_field("Reply-To", "", sender.reply_to or sender.email),
        text_field("Subject", rendering.subject),
        # No vacation notice is to answer it (RFC 3834 5).
        b"Auto-Submitted: auto-generated\r\n",
        b"MIME-Version: 1.0\r\n",
        f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode("ascii"),
    ]
    own = [
        address_field("To", "", to),
        f"Date: {format_datetime(now)}\r\n".encode("ascii"),
        plain_field("Message-ID", message_id),
    ]
    literals, _ = multipart(rendering, boundary)
    signatures = b""
    if keys:
        from newsletter.dkim import Seal

        seal = Seal(keys, fields, ("To", "Date", "Message-ID"), literals)
        signatures = seal.sign(own, [], int(now.timestamp()))
    pieces = (signatures, *own, *fields, b"\r\n", *(dot_stuffed(literal) for literal in literals))
    return Message(ascii_address(return_path or sender.email), to, message_id, pieces)
