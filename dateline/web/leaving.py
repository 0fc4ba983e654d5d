"""Leaving: by one click of a mail program (RFC 8058), or by a button on a page; and taking that back.

The signed link never expires. A GET shows a page and changes nothing; a POST leaves at once, however often it comes. It leads
to no other of a member's pages, because mail programs and scanners have it too.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from starlette.responses import Response

from content.database import reading, writing
from content.templates import TemplateProblem
from dateline.web import headers
from dateline.web.desk import Desk
from dateline.web.resource import Asked, Resource
from newsletter.members import Left
from newsletter.subscribers import Standing
from newsletter.tokens import Purpose

UNDO_PATH = "members/undo"
UNDO_WITHIN = timedelta(hours=1)

_log = logging.getLogger("dateline.web")


@dataclass(frozen=True, slots=True)
class DigestView:
    """A digest that somebody gets, as pages see it."""

    name: str
    title: str


class Leaving:
    """What is behind the links for leaving."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def leave(self) -> Resource:
        return Resource(self._desk.pages, self._ask, self._leave, anybody=True)

    def undo(self) -> Resource:
        return Resource(self._desk.pages, None, self._undo)

    def _ask(self, asked: Asked) -> Response:
        """The page with the button."""
        desk = self._desk
        public_id = desk.tokens.read_unsubscribe(asked.params["token"])
        with reading(desk.engine) as connection:
            member = desk.members(connection).find(public_id) if public_id else None
        if member is None:
            return desk.unknown_link()
        if member.standing is Standing.LEFT:
            return self.left_page(Left("", ""), asked.now)
        digests = [one for one in desk.digests if not member.digests or one.name in member.digests]
        return desk.pages.private(
            "members/leave.html", action=desk.leave_path(asked.params["token"]),
            digests=[DigestView(one.name, one.title) for one in digests],
        )  # fmt: skip

    def _leave(self, asked: Asked) -> Response:
        """200 whatever the token: who is not on the list is not going to be mailed, which is what was asked for."""
        desk, token = self._desk, asked.params["token"]
        public_id = desk.tokens.read_unsubscribe(token)
        left = None
        if public_id:
            only = asked.form.one("digest")
            with writing(desk.engine) as connection:
                members = desk.members(connection)
                if only in {one.name for one in desk.digests}:
                    left = members.leave_digest(public_id, only, asked.now)
                else:
                    left = members.leave(public_id, asked.now)
        try:
            return self.left_page(left or Left(asked.form.one("digest") if public_id else "", ""), asked.now)
        except TemplateProblem as problem:
            # Whatever has become of the template: who has left is told so.
            _log.error("%s", problem)
            return Response("You have left. Nothing more is sent to you.\n", 200, headers.private(), "text/plain")

    def left_page(self, left: Left, now: datetime) -> Response:
        """What somebody sees who has left."""
        desk = self._desk
        undo = desk.tokens.passing(Purpose.UNDO, left.undo, now) if left.undo else ""
        title = next((one.title for one in desk.digests if one.name == left.digest), "")
        return desk.pages.private(
            "members/left.html", digest_title=title, undo=undo, undo_action=desk.pages.path(UNDO_PATH),
        )  # fmt: skip

    def _undo(self, asked: Asked) -> Response:
        desk = self._desk
        subject = desk.tokens.read_passing(Purpose.UNDO, asked.form.one("token"), asked.now, UNDO_WITHIN)
        member = None
        if subject:
            with writing(desk.engine) as connection:
                member = desk.members(connection).undo(subject, asked.now)
        if member is None:
            return desk.pages.notice(
                410, "This can't be taken back any more",
                "More than an hour has passed, or it was taken back already. You are welcome to join again.",
            )  # fmt: skip
        return desk.pages.notice(
            200, "Welcome back", "You stay on the list, and everything is as it was before.",
            "To get less, follow “Change what you get” in any message.",
        )  # fmt: skip
