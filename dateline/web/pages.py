"""A page of the program, from the site's templates and with every header that protects it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse, Response

from content.settings import SiteSettings
from content.templates import Templates
from dateline.web import headers
from feeds.pages import INDEX, MAP, SiteView


class Pages:
    """Renders pages from ``folder``. ``base`` is the path of the site at its host, without a slash at its end."""

    def __init__(self, folder: Path, site: SiteSettings, icon: str = "") -> None:
        self.site = site
        self.base = urlsplit(site.url).path.rstrip("/")
        self._templates = Templates(folder, autoescape=True)
        # An icon elsewhere would tell that host of everybody who opens a personal link.
        own = icon if icon and not icon.startswith(("http://", "https://")) else ""
        home = f"{self.base}/"
        self._views = {
            "site": SiteView(site.title, home, site.description, site.language, home, own and home + own),
            "links": [], "stylesheet_url": f"{home}style.css", "feeds_url": home + INDEX, "map_url": home + MAP,
        }  # fmt: skip

    def path(self, below: str) -> str:
        """The path of something below the site, for links and forms."""
        return f"{self.base}/{below}"

    def private(self, template: str, status: int = 200, **views: object) -> Response:
        """A page that a personal link leads to."""
        return HTMLResponse(self.render(template, **views), status, headers.private())

    def public(self, template: str, max_age: int, **views: object) -> Response:
        """A page for everybody."""
        return HTMLResponse(self.render(template, **views), 200, headers.public(max_age))

    def notice(self, status: int, heading: str, *words: str, link: str = "", link_text: str = "") -> Response:
        """A page that only says something."""
        return self.private(
            "members/notice.html", status, heading=heading, words=list(words), link=link or f"{self.base}/",
            link_text=link_text or "Read what is new",
        )  # fmt: skip

    def text(self, template: str, **views: object) -> str:
        """A text from a template, such as a message's; what is put in stays as it is."""
        return Templates(self._templates.folder, autoescape=False).render(template, self._views | views)

    def render(self, template: str, **views: object) -> str:
        return self._templates.render(template, self._views | views)
