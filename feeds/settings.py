"""What the operator sets about feeds and pages: ``[feeds]``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from content.settings import Line, Section


class FeedSettings(Section):
    """``[feeds]``: what is written, where, and how much of each article a feed carries."""

    folder: str = "public"
    limit: int = Field(50, ge=1, le=1000)
    content: Literal["full", "summary"] = "full"
    pages: bool = True
    templates: str = "templates"
    generator: Line = "dateline"
