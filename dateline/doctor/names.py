"""What the domain name system says; and that it says nothing is told apart from that it does not answer."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import dns.exception
import dns.rdataclass
import dns.rdatatype
import dns.resolver
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from content.errors import ConfigError, DatelineError

_SECONDS = 5.0


class NoAnswerError(DatelineError):
    """The domain name system did not answer: nothing is known."""


class Names:
    """Asks a name server: the system's, or the one at ``nameserver`` (``HOST[:PORT]``, an IP address)."""

    def __init__(self, nameserver: str = "", seconds: float = _SECONDS) -> None:
        if nameserver:
            host, port = _address(nameserver)
            self._resolver = dns.resolver.Resolver(configure=False)
            self._resolver.nameservers = [host]
            self._resolver.port = port
        else:
            try:
                self._resolver = dns.resolver.Resolver()
            except dns.resolver.NoResolverConfiguration:
                self._resolver = dns.resolver.Resolver(configure=False)
        self._resolver.lifetime = seconds
        self._resolver.cache = dns.resolver.Cache()

    def texts(self, name: str) -> list[str]:
        """The TXT records of a name, each with its strings joined; none when there are none. Raises ``NoAnswerError``."""
        records = [record for record in self._ask(name, "TXT") if isinstance(record, TXT)]
        return [b"".join(record.strings).decode("utf-8", "replace") for record in records]

    def mail_servers(self, name: str) -> list[str]:
        """The hosts that take mail for a domain, the preferred first; ``""`` says that it takes none (RFC 7505)."""
        records = [record for record in self._ask(name, "MX") if isinstance(record, MX)]
        return [str(record.exchange).rstrip(".") for record in sorted(records, key=lambda record: record.preference)]

    def has_address(self, name: str) -> bool:
        """Whether a host has an address at all."""
        return bool(self._ask(name, "A") or self._ask(name, "AAAA"))

    def _ask(self, name: str, kind: str) -> list[object]:
        if not self._resolver.nameservers:
            raise NoAnswerError("this machine knows no name server (/etc/resolv.conf); name one with --nameserver")
        try:
            return list(self._resolver.resolve(f"{name}.", kind, search=False))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.Timeout:
            raise NoAnswerError(f"no name server answered about {name} within {self._resolver.lifetime:g} s") from None
        except dns.resolver.NoNameservers:
            raise NoAnswerError(f"the name servers failed to answer about {name}") from None
        except dns.exception.DNSException as error:
            raise NoAnswerError(f"{name} cannot be looked up ({' '.join(str(error).split())})") from None


def _address(nameserver: str) -> tuple[str, int]:
    try:
        host = str(ipaddress.ip_address(nameserver))
    except ValueError:
        try:
            parts = urlsplit(f"//{nameserver}")
            return str(ipaddress.ip_address(parts.hostname or "")), parts.port or 53
        except ValueError:
            raise ConfigError(
                f"--nameserver: {nameserver!r} is not IP[:PORT], such as 9.9.9.9 or 127.0.0.1:5353 or [2620:fe::9]:53"
            ) from None
    return host, 53
