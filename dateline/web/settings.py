"""What the operator sets about serving: ``[serve]``."""

from __future__ import annotations

from pydantic import Field

from content.settings import Section


class ServeSettings(Section):
    """``[serve]``: where to listen, and for how long readers' caches may keep what they got (seconds)."""

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)
    feed_max_age: int = Field(300, ge=0)
    page_max_age: int = Field(60, ge=0)
    media_max_age: int = Field(31_536_000, ge=0)
