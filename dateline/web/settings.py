"""What the operator sets about serving: ``[serve]``."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Field

from content.settings import Section


def _network(written: str) -> str:
    try:
        return str(ipaddress.ip_network(written.strip()))
    except ValueError:
        raise ValueError(f"{written!r} is no network: write it as '10.0.0.0/8', or one address as '127.0.0.1'") from None


class ServeSettings(Section):
    """``[serve]``: where to listen, and for how long readers' caches may keep what they got (seconds)."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    feed_max_age: int = Field(300, ge=0)
    page_max_age: int = Field(60, ge=0)
    media_max_age: int = Field(31_536_000, ge=0)
    trusted_proxies: list[Annotated[str, AfterValidator(_network)]] = Field([])
    access_log: bool = False
