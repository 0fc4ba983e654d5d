"""All that is served, put together: what is answered by the program comes first, everything else is a published file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route, Router

from dateline.web.access import logged
from dateline.web.files import PublicFiles
from dateline.web.headers import Application, only_https

if TYPE_CHECKING:
    from dateline.web.desk import Desk


def application(files: PublicFiles, desk: Desk | None = None, *, access_log: bool = False) -> Application:
    """The ASGI application; with a ``desk``, members' links and the archive of editions are answered."""
    routes: list[BaseRoute] = [Route("/healthz", _healthz)]
    if desk is not None:
        routes += member_routes(desk, files.settings.page_max_age)
    whole: Application = Router(routes=routes, default=files, redirect_slashes=False)
    if files.origin.startswith("https://"):
        whole = only_https(whole)
    return logged(whole) if access_log else whole


def member_routes(desk: Desk, max_age: int) -> list[BaseRoute]:
    """What is answered for members, below the site's own path."""
    from dateline.site import JOIN_PATH as START_PATH
    from dateline.web.choosing import ADDRESS_PATH, Choosing
    from dateline.web.editions import FOLDER, Editions
    from dateline.web.joining import JOIN_PATH, Joiners
    from dateline.web.leaving import UNDO_PATH, Leaving
    from newsletter.editions import VIEW_PATH

    base, choose = f"{desk.pages.base}/", desk.newsletter.preferences_path
    leaving, choosing, editions, joiners = Leaving(desk), Choosing(desk), Editions(desk, max_age), Joiners(desk)
    behind = {
        JOIN_PATH: joiners.join(),
        START_PATH: joiners.start(),
        desk.newsletter.confirm_path: joiners.confirm(),
        desk.newsletter.unsubscribe_path: leaving.leave(),
        UNDO_PATH: leaving.undo(),
        choose: choosing.preferences(),
        f"{choose}/address": choosing.address(),
        f"{choose}/erase": choosing.erasing(),
        f"{choose}/data.json": choosing.holding(),
        ADDRESS_PATH: choosing.new_address(),
        VIEW_PATH: editions.variant(),
        FOLDER: editions.digests(),
        FOLDER.rstrip("/"): editions.without_slash(),
        f"{FOLDER}{{digest}}": editions.without_slash(),
        f"{FOLDER}{{digest}}/": editions.digest(),
        f"{FOLDER}{{digest}}/atom.xml": editions.feed(),
        f"{FOLDER}{{digest}}/{{day}}/": editions.edition(),
    }
    return [Route(base + path, resource) for path, resource in behind.items()]


async def _healthz(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n", headers={"Cache-Control": "no-store"})
