"""What stands between this site and its members' inboxes: everything that ``dateline doctor`` looks at."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from dateline.doctor.domain import examine_domain
from dateline.doctor.findings import Finding, Record, Verdict
from dateline.doctor.machine import examine_machine, usable_keys
from dateline.doctor.names import Names
from dateline.doctor.server import examine_server
from newsletter.transport_address import TransportAddress

if TYPE_CHECKING:
    from dateline.site import Site

__all__ = ["Finding", "Names", "Record", "Verdict", "examine"]


def examine(site: Site, names: Names, now: datetime) -> list[Finding]:
    """Looks at machine, mail server and domain, in this order; changes and sends nothing."""
    from newsletter.sending import smtp_servers

    ours = site.settings.newsletter
    sender = ours.from_email or f"newsletter@{site.settings.site.host}"
    domain = sender.rpartition("@")[2].lower()
    ways = [TransportAddress.parse(url) for url in [one.url for one in ours.server] or [ours.transport]]
    at = ways[0]
    logins = smtp_servers(ours)
    keys, key_findings = usable_keys(site, ours.dkim_domain or domain)
    ca_file = site.root / ours.ca_file if ours.ca_file else None
    server = "" if at.host in ("", "localhost", "::1") or at.host.startswith("127.") else at.host
    return [
        *examine_machine(site, domain, now),
        *key_findings,
        *(examine_server(way, ca_file, site.settings.site.host, now, login) for way, login in zip(ways, logins, strict=True)),
        *examine_domain(names, domain, (ours.bounce_email or sender).rpartition("@")[2].lower(), keys, server),
    ]
