"""An edition's articles become HTML (Jinja2, then MJML) and text (Jinja2), once a variant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import mjml

from content.article import Article, Image
from content.dates import shown_date
from content.regions import shown_name
from content.settings import SiteSettings
from content.templates import TemplateProblem, Templates
from content.text import one_line, shorten
from newsletter.markup import require_known, require_placed
from newsletter.settings import DigestSettings, NewsletterSettings

LINKS = ("unsubscribe_url", "preferences_url", "view_url")
"""The links that each recipient may have of his own, as templates and ``newsletter.message.Recipient`` name them."""


def link_mark(slot: str, link: str) -> str:
    """What stands in a rendering for a recipient's link. ``slot`` is that of the link for leaving."""
    return slot if link == "unsubscribe_url" else f"{slot.removesuffix('-unsubscribe-url')}-{link.replace('_', '-')}"


@dataclass(frozen=True, slots=True)
class SiteView:
    title: str
    url: str
    description: str
    language: str


@dataclass(frozen=True, slots=True)
class DigestView:
    name: str
    title: str


@dataclass(frozen=True, slots=True)
class EditionView:
    date_text: str
    preview: str
    subject: str


@dataclass(frozen=True, slots=True)
class ArticleView:
    """An article, as the digest's templates see it: plain text throughout."""

    title: str
    url: str
    summary: str
    section: str
    byline: str
    regions: list[str]
    date_text: str
    reading_text: str
    image: Image | None


@dataclass(frozen=True, slots=True)
class Rendering:
    """A variant as it is frozen: ``slot`` stands in HTML and text where each subscriber's own link for leaving goes.

    His other links have marks made from it (:func:`link_mark`).
    """

    subject: str
    html: str
    text: str
    slot: str


class Renderer:
    """Renders a digest's variants from the site's templates, which are sandboxed and see only these views."""

    def __init__(
        self,
        root: Path,
        site: SiteSettings,
        newsletter: NewsletterSettings,
        digest: DigestSettings,
        zone: ZoneInfo,
    ) -> None:
        self.site = site
        self.newsletter = newsletter
        self.digest = digest
        self.zone = zone
        self.folder = root / newsletter.templates
        # Article text is data: autoescape keeps it text in MJML, and MJML keeps it text in HTML.
        self._markup = Templates(self.folder, autoescape=True)
        self._text = Templates(self.folder, autoescape=False)

    def render(self, articles: Sequence[Article], day: date, slot: str) -> Rendering:
        """The rendering of an edition of ``day`` with these articles. Raises ``TemplateProblem`` naming file and line."""
        shown = [self._article(article) for article in articles]
        site = SiteView(self.site.title, f"{self.site.url}/", self.site.description, self.site.language)
        digest = DigestView(self.digest.name, self.digest.title)
        moment = datetime(day.year, day.month, day.day, 12, tzinfo=self.zone)
        date_text = shown_date(moment, self.site.language, "full")
        views = {"site": site, "digest": digest, "articles": shown}
        subject = self._subject({**views, "edition": EditionView(date_text, "", "")})
        preview = shorten(" · ".join(article.title for article in shown[1:4]) or (shown[0].summary if shown else ""), 140)
        views |= {
            "edition": EditionView(date_text, preview, subject),
            **{link: link_mark(slot, link) for link in LINKS},
            "reason": f"You get this because you joined {self.digest.title} from {self.site.title}.",
            "postal_address": self.newsletter.postal_address,
        }
        return Rendering(subject, to_html(self._markup, "digest.mjml", views), self._text.render("digest.txt", views), slot)

    def _subject(self, views: dict[str, object]) -> str:
        what = f"the subject template of the digest {self.digest.name!r}"
        written = self._text.render_line(self.digest.subject, views, what)
        return shorten(one_line(written), 200) or self.digest.title

    def _article(self, article: Article) -> ArticleView:
        return ArticleView(
            title=article.title, url=article.url, summary=article.summary.text, section=article.section,
            byline=article.byline, regions=[shown_name(place, self.site.language) for place in article.regions],
            date_text=shown_date(article.published.astimezone(self.zone), self.site.language),
            reading_text=f"{article.reading_minutes} min read", image=article.image,
        )  # fmt: skip


def to_html(templates: Templates, name: str, views: Mapping[str, object]) -> str:
    """What an MJML template makes of ``views``. Raises ``TemplateProblem``."""
    path, markup = templates.folder / name, templates.render(name, views)
    require_known(path, markup)
    try:
        html: str = mjml.mjml2html(markup, disable_comments=False, fonts={}, include_loader=_no_includes)
    except (OSError, ValueError, RuntimeError) as error:
        raise TemplateProblem(f"{path}: is not valid MJML ({error})") from None
    require_placed(path, html)
    return html


def _no_includes(path: str) -> str:
    raise ValueError(f"mj-include is not supported: {path!r}; use Jinja's include")
