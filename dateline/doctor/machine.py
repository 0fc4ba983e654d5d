"""Is what lies on this machine in order: keys, secrets, the clock, and what config.toml says of the publisher."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from content.errors import ConfigError
from dateline.config import FILE_NAME
from dateline.doctor.domain import organisation
from dateline.doctor.findings import Finding, good, warning, wrong

if TYPE_CHECKING:
    from dateline.site import Site
    from newsletter.dkim import SigningKey

_MADE_IN = 2026
_AHEAD_SECONDS = 300


def examine_machine(site: Site, sender: str, now: datetime) -> Iterator[Finding]:
    """Looks at the site's folder and settings; ``sender`` is the domain that the digest is from."""
    yield _postal_address(site)
    yield _from_alignment(site.settings.site.host, sender)
    yield _link_scheme(site)
    yield _link_key(site)
    ours = site.settings.newsletter
    if ours.smtp_password_file:
        yield _secret("SMTP password", site.root / ours.smtp_password_file)
    if ours.ca_file:
        yield _authorities(site.root / ours.ca_file)
    yield _clock(site, now)


def usable_keys(site: Site, domain: str) -> tuple[list[SigningKey], list[Finding]]:
    """The keys that sign, and what is to be said of their files."""
    ours = site.settings.newsletter
    keys: list[SigningKey] = []
    findings = []
    for one in ours.dkim:
        from newsletter.dkim import load_key

        path = site.root / one.key_file
        try:
            key = load_key(path, one.selector, domain)
        except ConfigError as error:
            findings.append(wrong(f"Key {one.selector}", str(error)))
            continue
        keys.append(key)
        findings.append(good(f"Key {one.selector}", f"{path}: {key.kind}, for its owner's eyes only"))
    return keys, findings


def _postal_address(site: Site) -> Finding:
    from newsletter.editions import WITHOUT_ADDRESS

    if address := site.settings.newsletter.postal_address:
        return good("Postal address", address)
    said = f"newsletter.postal_address is empty: no edition goes to more than {WITHOUT_ADDRESS} members"
    return warning("Postal address", said)


def _from_alignment(host: str, sender: str) -> Finding:
    if organisation(host) == organisation(sender):
        return good("From", f"{sender} belongs to the site's own domain ({host})")
    return warning("From", f"the digest is from {sender}, and the site is {host}: readers and receivers trust one domain more")


def _link_scheme(site: Site) -> Finding:
    if site.settings.site.url.startswith("https://"):
        return good("Links", "the link for leaving is https, as one-click unsubscribing wants it (RFC 8058)")
    return wrong("Links", f"site.url is {site.settings.site.url}: a link for leaving with one click must be https (RFC 8058)")


def _link_key(site: Site) -> Finding:
    from dateline.site import KEY_FILE
    from newsletter.tokens import load_key

    ours = site.settings.newsletter
    if ours.secret_key:
        return good("Link key", "it comes from the environment")
    path = site.root / (ours.secret_key_file or KEY_FILE)
    if not path.exists() and not ours.secret_key_file:
        return good("Link key", f"{path} is made when it is first needed; back it up then")
    try:
        load_key(path, create=False)
    except ConfigError as error:
        return wrong("Link key", str(error))
    return _secret("Link key", path)


def _authorities(path: Path) -> Finding:
    import ssl

    if not path.is_file():
        return wrong("CA file", f"{path} does not exist")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError as error:
        return wrong("CA file", f"{path} holds no certificates in PEM form ({error.reason}); see newsletter.ca_file")
    except OSError as error:
        return wrong("CA file", f"{path} cannot be read ({error.strerror})")
    return good("CA file", f"{path} holds certificates")


def _secret(subject: str, path: Path) -> Finding:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return wrong(subject, f"{path}: cannot be read ({error.strerror})")
    if mode & 0o007:
        return wrong(subject, f"{path}: everybody on this machine may read it; run `chmod 600 {path}`")
    return good(subject, f"{path} is not for everybody's eyes")


def _clock(site: Site, now: datetime) -> Finding:
    """Against what must be past: a wrong clock dates messages wrongly, and filters take that for spam."""
    if now.year < _MADE_IN:
        return wrong("Clock", f"it says {now:%Y-%m-%d %H:%M} UTC, before this program was made; set it, best by NTP")
    for path in (site.root / FILE_NAME, site.database):
        if path.exists() and path.stat().st_mtime > now.timestamp() + _AHEAD_SECONDS:
            return wrong(
                "Clock", f"it says {now:%Y-%m-%d %H:%M} UTC, and {path} was changed later than that; set it, best by NTP"
            )
    return good("Clock", f"{now:%Y-%m-%d %H:%M} UTC, later than everything here")
