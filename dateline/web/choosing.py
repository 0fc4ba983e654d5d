"""Choosing: what a member gets, another address, what is kept about her, and deleting it. All behind one signed link."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import orjson
from starlette.background import BackgroundTask
from starlette.responses import Response

from content.database import reading, writing
from content.dates import shown_date
from content.errors import DatelineError
from dateline.web import headers
from dateline.web.choices import LANGUAGES, OptionView, chosen_regions, languages, region_tree, time_zones
from dateline.web.desk import Desk
from dateline.web.forms import Form, check_form, form_token
from dateline.web.resource import Asked, Resource
from newsletter.erasing import erase, holding
from newsletter.join_request import time_zone_names
from newsletter.members import Choices, Member
from newsletter.preferences import Frequency
from newsletter.subscribers import Standing, SubscriberError, address_key
from newsletter.tokens import Purpose

ADDRESS_PATH = "members/address/{token}"
ADDRESS_WITHIN = timedelta(days=2)
"""How long the link to a new address holds."""
LONGEST_PAUSE = timedelta(days=366)

_log = logging.getLogger("dateline.web")


class Choosing:
    """What is behind the links for choosing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def preferences(self) -> Resource:
        return Resource(self._desk.pages, self._show, self._known("choose", self._choose))

    def address(self) -> Resource:
        return Resource(self._desk.pages, None, self._known("address", self._ask_for_address))

    def new_address(self) -> Resource:
        return Resource(self._desk.pages, self._show_new_address, self._take_address)

    def erasing(self) -> Resource:
        return Resource(self._desk.pages, None, self._known("erase", self._erase))

    def holding(self) -> Resource:
        return Resource(self._desk.pages, self._hold)

    # Who it is

    def _member(self, asked: Asked) -> Member | None:
        public_id = self._desk.tokens.read_lasting(Purpose.PREFERENCES, asked.params["token"])
        if not public_id:
            return None
        with reading(self._desk.engine) as connection:
            return self._desk.members(connection).find(public_id)

    def _known(self, action: str, handler: Callable[[Asked, Member], Response]) -> Callable[[Asked], Response]:
        """A handler of a form that this page made for this member."""

        def handle(asked: Asked) -> Response:
            member = self._member(asked)
            if member is None:
                return self._desk.unknown_link()
            check_form(self._desk.tokens, action, member.public_id, asked.form, asked.now)
            return handler(asked, member)

        return handle

    # The page

    def _show(self, asked: Asked) -> Response:
        member = self._member(asked)
        if member is None:
            return self._desk.unknown_link()
        if member.standing in (Standing.LEFT, Standing.PENDING):
            return self._desk.pages.notice(
                200, "You are not on the list", "Nothing is sent to you. If you left by mistake, join again."
            )
        return self._page(asked, member)

    def _page(self, asked: Asked, member: Member, said: str = "", problem: str = "") -> Response:
        desk, site = self._desk, self._desk.site
        action = desk.preferences_path(member.public_id)
        zone = ZoneInfo(member.time_zone) if member.time_zone else site.zone
        today = asked.now.astimezone(zone).date()
        paused = member.paused_until if member.paused_until and member.paused_until > today else None
        return desk.pages.private(
            "members/preferences.html", status=400 if problem else 200, said=said, problem=problem, email=_masked(member.email),
            suppressed=member.standing is Standing.SUPPRESSED, action=action, leave_url=self._leave_path(member),
            digests=[OptionView(one.name, one.title, not member.digests or one.name in member.digests) for one in desk.digests],
            regions=region_tree(desk.used_regions(), member.regions, site.language), everywhere=not member.regions,
            weekly=member.frequency is Frequency.WEEKLY, paused_until=paused.isoformat() if paused else "",
            paused_text=shown_date(datetime(paused.year, paused.month, paused.day), site.language) if paused else "",  # noqa: DTZ001
            tomorrow=(today + timedelta(days=1)).isoformat(), latest=(today + LONGEST_PAUSE).isoformat(),
            languages=languages(member.language, site.language), time_zones=time_zones(member.time_zone),
            site_zone=str(site.zone), joined_text=shown_date(member.joined_at.astimezone(zone), site.language),
            forms={name: form_token(desk.tokens, name, member.public_id, asked.now) for name in ("choose", "address", "erase")},
        )  # fmt: skip

    def _leave_path(self, member: Member) -> str:
        return self._desk.leave_path(self._desk.tokens.unsubscribe(member.public_id))

    def _choose(self, asked: Asked, member: Member) -> Response:
        try:
            choices = self._choices(asked.form, asked.now)
        except SubscriberError as problem:
            return self._page(asked, member, problem=str(problem))
        with writing(self._desk.engine) as connection:
            members = self._desk.members(connection)
            members.choose(member.public_id, choices)
            chosen = members.find(member.public_id)
        return (
            self._page(asked, chosen, said="Saved. This holds from the next edition on.")
            if chosen
            else self._desk.unknown_link()
        )

    def _choices(self, form: Form, now: datetime) -> Choices:
        """What was chosen. Raises ``SubscriberError`` for what cannot be; what nobody offered is passed over."""
        names = [one.name for one in self._desk.digests]
        digests = tuple(name for name in names if name in form.all("digest"))
        if not digests:
            raise SubscriberError("Choose at least one newsletter. To get none of them, use “Leave” at the end of this page.")
        zone = form.one("time_zone")
        language = form.one("language")
        frequency = Frequency.WEEKLY if form.one("frequency") == Frequency.WEEKLY else Frequency.EVERY
        return Choices(
            digests, chosen_regions(form.all("region")), frequency, _pause(form.one("paused_until"), now),
            language if language in LANGUAGES else "", zone if zone in time_zone_names() else "",
        )  # fmt: skip

    # Another address

    def _ask_for_address(self, asked: Asked, member: Member) -> Response:
        desk, email = self._desk, asked.form.one("email").strip()
        try:
            with writing(desk.engine) as connection:
                may_be_sent = desk.members(connection).ask_for_address(member.public_id, email, asked.now)
        except SubscriberError:
            return self._page(asked, member, problem="The new address is not an email address. Write it as name@example.org.")
        # The same words, and the same time, whether a message goes out or not: nobody learns who is known here.
        response = self._page(
            asked, member, said="If that address can be used, a message is on its way to it. Its link holds for two days."
        )
        if may_be_sent:
            response.background = BackgroundTask(self._try_to_send_link, member.public_id, email, asked.now)
        return response

    def _try_to_send_link(self, public_id: str, email: str, now: datetime) -> None:
        try:
            self.send_link(public_id, email, now)
        except DatelineError as error:
            _log.error("the message to a new address was not sent: %s", error)

    def send_link(self, public_id: str, email: str, now: datetime) -> None:
        """Sends the link to a new address. Raises ``DatelineError`` when that cannot be."""
        desk = self._desk
        url = desk.site.absolute(ADDRESS_PATH.replace("{token}", self.address_token(public_id, email, now)))
        text = desk.pages.text("members/address.txt", url=url, site_title=desk.site.title)
        desk.notify(email, f"Your new address for {desk.site.title}", text, now)

    def address_token(self, public_id: str, email: str, now: datetime) -> str:
        """What proves that its bearer reads the mail of ``email``."""
        return self._desk.tokens.passing(Purpose.ADDRESS, f"{public_id}~{self._hashed(email)}", now)

    def _hashed(self, email: str) -> str:
        return self._desk.tokens.hashed(Purpose.ADDRESS, address_key(email))

    def _waiting(self, asked: Asked) -> Member | None:
        """The member whose new address the link was sent to, if that is still wanted."""
        subject = self._desk.tokens.read_passing(Purpose.ADDRESS, asked.params["token"], asked.now, ADDRESS_WITHIN)
        public_id, _, hashed = (subject or "").partition("~")
        with reading(self._desk.engine) as connection:
            member = self._desk.members(connection).find(public_id) if public_id else None
        return member if member and member.new_email and self._hashed(member.new_email) == hashed else None

    def _show_new_address(self, asked: Asked) -> Response:
        member = self._waiting(asked)
        if member is None or member.new_email is None:
            return self._desk.unknown_link()
        action = self._desk.pages.path(ADDRESS_PATH.replace("{token}", asked.params["token"]))
        token = form_token(self._desk.tokens, "take", member.public_id, asked.now)
        return self._desk.pages.private("members/address.html", email=_masked(member.new_email), action=action, form=token)

    def _take_address(self, asked: Asked) -> Response:
        desk, member = self._desk, self._waiting(asked)
        if member is None or member.new_email is None:
            return desk.unknown_link()
        check_form(desk.tokens, "take", member.public_id, asked.form, asked.now)
        try:
            with writing(desk.engine) as connection:
                desk.members(connection).take_address(member.public_id, member.new_email, asked.now)
        except SubscriberError as error:
            return desk.pages.notice(409, "The address was not changed", str(error))
        return desk.pages.notice(
            200, "Your address is changed", "From the next edition on, everything goes to the new one.",
            link=desk.preferences_path(member.public_id), link_text="Look at what you get",
        )  # fmt: skip

    # What is kept

    def _hold(self, asked: Asked) -> Response:
        member = self._member(asked)
        if member is None:
            return self._desk.unknown_link()
        with reading(self._desk.engine) as connection:
            held = holding(connection, self._desk.suppressions(connection), member)
        given = headers.private() | {"content-disposition": 'attachment; filename="what-is-kept-about-me.json"'}
        return Response(orjson.dumps(held, option=orjson.OPT_INDENT_2), 200, given, "application/json")

    def _erase(self, asked: Asked, member: Member) -> Response:
        if asked.form.one("sure") != "yes":
            return self._page(asked, member, problem="To delete everything, tick the box beside the button as well.")
        with writing(self._desk.engine) as connection:
            erase(connection, self._desk.suppressions(connection), member.email, asked.now)
        return self._desk.pages.notice(
            200, "Everything about you is deleted",
            "What stays is a number made from your address, which does not lead back to it: by that we know not to mail you.",
        )  # fmt: skip


def _pause(written: str, now: datetime) -> date | None:
    if not written:
        return None
    try:
        until = date.fromisoformat(written)
    except ValueError:
        raise SubscriberError("The day on which the pause ends is not a date. Write it as 2026-12-31.") from None
    if until > now.date() + LONGEST_PAUSE:
        raise SubscriberError("A pause can last for a year at the most.")
    return until if until > now.date() else None


def _masked(email: str) -> str:
    """An address as its owner knows it and a passer-by does not."""
    name, _, domain = email.rpartition("@")
    return f"{name[:1]}…@{domain}"
