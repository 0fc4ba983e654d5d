"""Joining: the form, the answer that is the same for everybody, and the button behind the link in the mail.

Nothing here tells who is a member: whose address was typed is found out later, by whoever sends the mails. An address is sent
in a form's body and never stands in an address of a page, where logs would keep it.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime

from starlette.background import BackgroundTask
from starlette.responses import Response

from dateline.web.choices import (
    LANGUAGES,
    OptionView,
    chosen_regions,
    guessed_language,
    guessed_time_zone,
    languages,
    region_tree,
    time_zones,
)  # fmt: skip
from dateline.web.desk import Desk
from dateline.web.forms import Form, check_form, form_token
from dateline.web.resource import Asked, Resource
from newsletter.join_request import JoinError, JoinRequest, checked_page, time_zone_names
from newsletter.joining import Answer, Confirmation, Joining, Result
from newsletter.member_count import MemberCount
from newsletter.preferences import Frequency

JOIN_PATH = "newsletter/join"
TRAP = "website"
"""A field that people do not see, and leave empty."""
_LATER_SECONDS = 3600
_KEPT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a form, and in which field."""

    words: str
    field: str = ""


class Joiners:
    """What is asked of strangers, and what is behind the link that they get."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._joining = Joining(desk.reception)
        self._count = MemberCount(desk.engine)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._used: list[str] = []
        self._used_until = 0.0

    def join(self) -> Resource:
        return Resource(self._desk.pages, self._empty, self._take)

    def start(self) -> Resource:
        # The small forms on published pages lead here, and those on other sites: it takes nothing in.
        return Resource(self._desk.pages, self._empty, self._start, anybody=True)

    def confirm(self) -> Resource:
        return Resource(self._desk.pages, self._look, self._confirm)

    # The form

    def _empty(self, asked: Asked) -> Response:
        return self._page(asked, Form())

    def _start(self, asked: Asked) -> Response:
        return self._page(asked, asked.form)

    def _page(self, asked: Asked, form: Form, problem: Problem | None = None) -> Response:
        """The whole form, with what was typed and ticked so far; what was not said is guessed."""
        desk, site, said = self._desk, self._desk.site, bool(form.all("frequency"))
        names = form.all("digest")
        language = form.one("language") if said else guessed_language(asked.languages, site.language)
        zone = form.one("time_zone") if said else guessed_time_zone(asked.languages)
        return desk.pages.private(
            "members/join.html", status=400 if problem else 200, problem=problem, action=desk.pages.path(JOIN_PATH),
            form=self._joining.form_token(asked.now), email=form.one("email")[:254], page=_page_of(form), trap=TRAP,
            members=self._count.shown(), consent=desk.reception.wording.text,
            digests=[OptionView(one.name, one.title, not said or one.name in names) for one in desk.digests],
            regions=region_tree(self._regions(), chosen_regions(form.all("region")), site.language),
            weekly=form.one("frequency") == Frequency.WEEKLY, languages=languages(language, site.language),
            time_zones=time_zones(zone), site_zone=str(site.zone),
        )  # fmt: skip

    def _regions(self) -> list[str]:
        """The regions that the site has news from, asked for once a minute at the most."""
        with self._lock:
            if time.monotonic() >= self._used_until:
                self._used = self._desk.used_regions()
                self._used_until = time.monotonic() + _KEPT_SECONDS
            return self._used

    def _take(self, asked: Asked) -> Response:
        form = asked.form
        try:
            request = self._request(asked)
            # One after the other: SQLite lets one write, and the others would sleep and look again, each longer than needed.
            with self._writing:
                answer = self._joining.ask(request, asked.now)
        except JoinError as error:
            return self._page(asked, form, Problem(_told(error), error.field))
        if answer is Answer.AGAIN:
            return self._page(
                asked, form, Problem("This was sent very fast, or lay open for long. Look at it once more and send it again.")
            )
        if answer is Answer.LATER:
            response = self._desk.pages.notice(
                429, "Too many are joining just now", "Please come again in an hour. Nothing was kept of what you typed."
            )
            response.headers["retry-after"] = str(_LATER_SECONDS)
            return response
        response = self._desk.pages.notice(
            200, "Look into your mailbox",
            "We send you a message with a link. Open that and press its button, and you are a member.",
            "Nothing there within a few minutes? Look into the folder for unwanted mail. An address gets one such message a day"
            " at the most.",
        )  # fmt: skip
        response.background = BackgroundTask(self._desk.ring)
        return response

    def _request(self, asked: Asked) -> JoinRequest:
        """What was asked for; what nobody offered is passed over. Raises ``JoinError`` where nothing is left to be sent."""
        form, desk = asked.form, self._desk
        names = [one.name for one in desk.digests]
        digests = tuple(name for name in names if name in form.all("digest"))
        if not digests:
            raise JoinError("digest", "choose at least one newsletter")
        language, zone = form.one("language"), form.one("time_zone")
        return JoinRequest(
            email=form.one("email"), form_token=form.one("form"), regions=chosen_regions(form.all("region")),
            # Whoever wants all of them wants those to come as well.
            digests=digests if len(digests) < len(names) else (),
            frequency=Frequency.WEEKLY if form.one("frequency") == Frequency.WEEKLY else Frequency.EVERY,
            language=language if language in LANGUAGES else "", time_zone=zone if zone in time_zone_names() else "",
            page=_page_of(form) or desk.site.absolute(JOIN_PATH), client=asked.client, trap=form.one(TRAP),
        )  # fmt: skip

    # The link

    def _look(self, asked: Asked) -> Response:
        found = self._joining.look(asked.params["token"], asked.now)
        if found.result is Result.READY:
            return self.confirm_page(asked.params["token"], found.public_id, asked.now)
        return self._told(found)

    def confirm_page(self, token: str, public_id: str, now: datetime) -> Response:
        """The page with the button."""
        desk = self._desk
        action = desk.pages.path(desk.newsletter.confirm_path.replace("{token}", token))
        mark = form_token(desk.tokens, "confirm", public_id, now)
        return desk.pages.private("members/confirm.html", action=action, form=mark, consent=desk.reception.wording.text)

    def _confirm(self, asked: Asked) -> Response:
        token = asked.params["token"]
        found = self._joining.look(token, asked.now)
        if found.result is not Result.READY:
            return self._told(found)
        # Not by a POST of whoever merely knows the link, such as a scanner: the page with the button was opened.
        check_form(self._desk.tokens, "confirm", found.public_id, asked.form, asked.now)
        return self._told(self._joining.confirm(token, asked.now, asked.client))

    def _told(self, found: Confirmation) -> Response:
        """What a link led to."""
        desk = self._desk
        if found.result is Result.JOINED:
            return desk.pages.notice(
                200, "You are a member", "Welcome. The next edition comes to you.", link=desk.preferences_path(found.public_id),
                link_text="Look at what you get",
            )  # fmt: skip
        if found.result is Result.ALREADY:
            return desk.pages.notice(
                200, "You are a member",
                "Nothing more is to be done. To get something else, follow “Change what you get” in any message.",
            )  # fmt: skip
        status, heading, words = _NOT_JOINED[found.result]
        return desk.pages.notice(status, heading, words, link=desk.pages.path(JOIN_PATH), link_text="Join")


_NOT_JOINED = {
    Result.EXPIRED: (410, "This link is too old", "Nothing is wrong: ask for a new one, and confirm it within its time."),
    Result.LEFT: (410, "You left after this message was sent", "So it adds you no more. You are welcome to join again."),
    Result.INVALID: (
        404, "This link leads to nobody",
        "It may have been cut off on its way: copy the whole of it. Or join again, and take the link in the newest message.",
    ),
}  # fmt: skip


def _page_of(form: Form) -> str:
    """The page that the form was on, as far as it can be believed."""
    try:
        return checked_page(form.one("page"))
    except JoinError:
        return ""


def _told(error: JoinError) -> str:
    words = str(error)
    if error.field == "email":
        return "This is no address that mail can reach. Write it as name@example.org."
    return f"{words[:1].upper()}{words[1:]}."
