"""Do the templates of the members' pages work? Each is made once for somebody made up, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from starlette.responses import Response

from content.database import writing
from dateline.config import Settings
from dateline.store import memory_store
from dateline.web.choosing import Choosing
from dateline.web.desk import Desk
from dateline.web.editions import Editions
from dateline.web.forms import Form, form_token
from dateline.web.joining import Joiners
from dateline.web.leaving import Leaving
from dateline.web.pages import Pages
from dateline.web.resource import Asked
from newsletter.members import Left
from newsletter.past import Shown
from newsletter.reception import Reception
from newsletter.subscribers import Subscribers
from newsletter.suppression import Suppressions
from newsletter.tables import subscribers
from newsletter.tokens import Purpose, Tokens

_KEY = "for a rehearsal alone"


def rehearse(root: Path, settings: Settings, now: datetime) -> None:
    """Makes every page for members. Raises ``TemplateProblem`` for the first that is wrong."""
    engine, tokens = memory_store(), Tokens(_KEY)
    pages = Pages(root / settings.feeds.templates, settings.site, settings.feeds.icon)
    desk = Desk(
        engine, settings.site, settings.newsletter, tuple(settings.digest), tokens, pages,
        lambda to, subject, text, at: None,
        Reception(root, engine, settings.site, settings.newsletter, tokens, tuple(one.name for one in settings.digest)),
    )  # fmt: skip
    with writing(engine) as connection:
        Subscribers(connection, Suppressions(connection, _KEY)).join("a@example.com", origin="", now=now, confirmed=True)
        who = connection.execute(select(subscribers.c.public_id)).scalar_one()
    leaving, choosing, editions = Leaving(desk), Choosing(desk), Editions(desk, 0)
    leave, choose = tokens.unsubscribe(who), tokens.lasting(Purpose.PREFERENCES, who)

    def ask(handler: Callable[[Asked], Response] | None, token: str = "", **fields: str) -> Response:
        assert handler is not None
        form = Form({name: (value,) for name, value in fields.items()})
        return handler(Asked({"token": token, "digest": settings.digest[0].name}, now, form=form))

    ask(leaving.leave().get, leave)
    ask(choosing.preferences().get, choose)
    token = form_token(tokens, "address", who, now)
    ask(choosing.address().post, choose, form=token, email="b@example.com")
    choosing.send_link(who, "b@example.com", now)
    ask(choosing.new_address().get, choosing.address_token(who, "b@example.com", now))
    ask(editions.digests().get)
    ask(editions.digest().get)
    editions.framed(Shown(settings.digest[0].name, now.date(), "", "<body></body>"), settings.digest[0].title)
    leaving.left_page(Left("", f"{who}~~"), now)
    joiners = Joiners(desk)
    ask(joiners.join().get)
    joiners.confirm_page("x", who, now)
    desk.unknown_link()
