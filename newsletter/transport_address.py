"""Where messages go, as the settings name it. Apart from the ways of sending, because every command reads the settings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class TransportAddress:
    """Where messages go: ``smtp://host:25``, ``smtp+starttls://host:587``, ``smtps://host:465``, ``maildir:folder``,

    ``postmark:`` or, for a server that speaks its protocol, ``postmark+https://host``.
    """

    scheme: str
    host: str = ""
    port: int = 0
    folder: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> TransportAddress:
        """Reads a transport's URL. Raises ``ValueError`` with what is expected; never repeats a password."""
        scheme, colon, rest = url.partition(":")
        if colon and scheme == "maildir" and rest.strip("/"):
            return cls("maildir", folder=rest)
        if url == "postmark:":
            return cls("postmark+https", "api.postmarkapp.com", 443)
        if scheme not in _PORTS:
            raise ValueError("must be smtp://, smtp+starttls:// or smtps://HOST[:PORT], postmark:, or maildir:FOLDER")
        try:
            parts = urlsplit(url)
            port = _PORTS[scheme] if parts.port is None else parts.port
        except ValueError:
            port = 0
        if not port:
            raise ValueError(f"the port after {scheme}:// must be a number from 1 to 65535")
        if not parts.hostname or not _HOST.fullmatch(parts.hostname) or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError(f"must have the form {scheme}://HOST[:PORT]")
        return cls(scheme, parts.hostname, port, "", unquote(parts.username or ""), unquote(parts.password or ""))

    def __str__(self) -> str:
        return f"maildir:{self.folder}" if self.folder else f"{self.scheme}://{self._bracketed}:{self.port}"

    @property
    def _bracketed(self) -> str:
        return f"[{self.host}]" if ":" in self.host else self.host

    @property
    def is_smtp(self) -> bool:
        return self.scheme.startswith("smtp")

    @property
    def api_url(self) -> str:
        """Where a provider's API is."""
        return f"{self.scheme.partition('+')[2]}://{self._bracketed}:{self.port}"


_HOST = re.compile(r"[\w.:-]+")
_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465, "postmark+https": 443, "postmark+http": 80}
