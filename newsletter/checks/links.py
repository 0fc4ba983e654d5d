"""Does every link lead somewhere that a reader can go, and can the reader leave. Nothing is fetched."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from newsletter.checks.finding import Finding, error, warning
from newsletter.checks.specimen import Specimen, named

_IN_TEXT = re.compile(r"\b(?:https?|ftp|mailto|javascript|data|file):[^\s<>\"]+", re.IGNORECASE)
_ENDS = ".,;:!?)]'”"
_GOOD = frozenset({"https", "mailto", "tel"})
_NEAR = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet")


@dataclass(frozen=True, slots=True)
class Link:
    """A link, the part of the message that it is in, and where it comes from."""

    url: str
    part: str
    where: str


def check_links(specimen: Specimen) -> list[Finding]:
    """Links of both parts: absolute and ``https``, to hosts that the world can see, to pages that are there; and out."""
    links = [*links_of_page(specimen), *links_of_text(specimen)]
    found = [finding for link in links if (finding := _wrong(link))]
    found += _insecure(specimen, links)
    found += _not_published(specimen, links)
    for part, where in (("HTML", specimen.setting.mjml), ("text", specimen.setting.txt)):
        if not any(link.url == specimen.leave for link in links if link.part == part):
            problem = f"the {part} part has no link for leaving"
            found.append(error("links", str(where.path), problem, "put {{ unsubscribe_url }} where readers look for it"))
    return found


def links_of_page(specimen: Specimen) -> list[Link]:
    return [
        Link((element.get("href") or "").strip(), "HTML", specimen.place(element))
        for element in specimen.elements("a", "area")
        if element.get("href") is not None
    ]


def links_of_text(specimen: Specimen) -> list[Link]:
    txt = specimen.setting.txt
    links = []
    for url in _IN_TEXT.findall(specimen.text):
        url = url if url == specimen.leave else url.rstrip(_ENDS)
        article = next((one for one in specimen.articles if one.url == url), None)
        links.append(Link(url, "text", f"{txt.path}, {named(article)}" if article else txt.find(url)))
    return links


def _wrong(link: Link) -> Finding | None:
    try:
        parts = urlsplit(link.url)
        scheme, host = parts.scheme.lower(), parts.hostname or ""
    except ValueError:
        return error("links", link.where, f"{link.url!r} is not an address", "write it as https://host/path")
    if not link.url or link.url == "#":
        return error("links", link.where, "a link has no address", "give it one, or make it plain text")
    if scheme in ("javascript", "data", "vbscript", "file"):
        return error("links", link.where, f"{link.url[:60]!r} is not a link that mail programs follow", "use https")
    if not scheme or (scheme in ("http", "https") and not host):
        problem = f"{link.url!r} has no site in front, and a message has none of its own"
        return error("links", link.where, problem, "begin it with {{ site.url }}")
    if scheme in ("http", "https") and (reason := why_unreachable(host)):
        return error("links", link.where, f"{link.url} leads to {reason}", "use an address that readers can reach")
    if scheme not in _GOOD | {"http"}:
        return warning("links", link.where, f"{link.url[:60]!r}: many programs do not follow {scheme}:", "use https")
    return None


def why_unreachable(host: str) -> str:
    """Why readers cannot reach a host, or nothing: it is this machine, or within somebody's network."""
    try:
        # As programs read addresses: 127.1 and 0x7f.0.0.1 are this machine too.
        numbers = re.fullmatch(r"[0-9a-fx.]+", host.lower()) and host[0].isdigit()
        address = ipaddress.ip_address(socket.inet_aton(host) if numbers else host.partition("%")[0])
    except (ValueError, OSError):
        name = host.lower().rstrip(".")
        if name == "localhost" or name.endswith(_NEAR) or "." not in name:
            return f"{host}, a name that only the own machine or network knows"
        return ""
    return "" if address.is_global else f"{host}, a private address"


def _insecure(specimen: Specimen, links: list[Link]) -> list[Finding]:
    """One finding a host, however many links."""
    plain = [link for link in links if link.url.lower().startswith("http:") and not _wrong(link)]
    hosts = Counter(urlsplit(link.url).netloc for link in plain)
    found = []
    for host, number in hosts.items():
        ours = specimen.setting.site.url == f"http://{host}" or specimen.setting.site.url.startswith(f"http://{host}/")
        where = "site.url" if ours else next(link.where for link in plain if urlsplit(link.url).netloc == host)
        many = f"{number} links to {host} are" if number > 1 else f"a link to {host} is"
        advice = "give site.url in config.toml as https" if ours else "use https"
        found.append(warning("links", where, f"{many} http, and anybody on the way can read and change them", advice))
    return found


def _not_published(specimen: Specimen, links: list[Link]) -> list[Finding]:
    articles = {article.url: article for article in specimen.articles}
    found = []
    for link in {link.url: link for link in reversed(links)}.values():
        path = published_path(specimen, link.url)
        # The program itself answers the member's own links.
        if link.url in (specimen.leave, *specimen.own) or path is None or path.exists():
            continue
        if article := articles.get(link.url):
            problem = f"its page {link.url} is not in {specimen.setting.public}"
            found.append(error("links", named(article), problem, "run `dateline publish` first"))
        else:
            problem = f"{link.url} is not in {specimen.setting.public}"
            found.append(warning("links", link.where, problem, "see that something else serves it, or mend the link"))
    return found


def published_path(specimen: Specimen, url: str) -> Path | None:
    """The file in the public folder that a URL of this site is served from; ``None`` when there is none to look for."""
    public = specimen.setting.public
    return None if public is None else public_file(public, specimen.setting.site.url, url)


def public_file(public: Path, site: str, url: str) -> Path | None:
    """The file, there or not, that a URL would be served from; ``None`` for one of another site or outside the folder."""
    if not (url == site or url.startswith(f"{site}/")):
        return None
    path = unquote(urlsplit(url[len(site) :]).path).lstrip("/")
    file = public / path
    if not file.resolve().is_relative_to(public.resolve()):
        return None
    return file / "index.html" if path.endswith("/") or not path else file
