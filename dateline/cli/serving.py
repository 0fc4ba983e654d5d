"""``serve``: the public folder over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, open_site, wants_json

if TYPE_CHECKING:
    from dateline.site import Site
    from dateline.web.desk import Desk


@app.command()
def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option("--host", help="The address to listen on.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option("--port", help="The port; 0 takes a free one.", show_default=False)] = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Serve the published feeds and pages over HTTP, until told to stop (SIGTERM or Ctrl-C)."""
    import logging
    import signal
    import socket
    import sys

    from content.errors import ConfigError
    from dateline.web.app import application
    from dateline.web.files import PublicFiles
    from dateline.web.server import server

    place = open_site(context, site)
    ours = place.settings
    folder = place.root / ours.feeds.folder
    if not folder.is_dir():
        raise ConfigError(f"{folder}: there is nothing to serve yet; run `dateline publish` first")
    address = (host or ours.serve.host, ours.serve.port if port is None else port)
    try:
        family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server(address, family=family, backlog=2048)
    except OSError as error:
        raise ConfigError(
            f"{address[0]} port {address[1]}: cannot be listened on ({error.strerror or error}); set serve.port or use --port"
        ) from None
    bound = listening.getsockname()
    shown = f"http://[{bound[0]}]:{bound[1]}/" if ":" in bound[0] else f"http://{bound[0]}:{bound[1]}/"
    if wants_json(context, as_json):
        output.print_json({"url": shown, "folder": str(folder)})
    else:
        output.say(f"Serving {folder} at {shown} (stop with Ctrl-C)")
    output.log_to_stderr(as_json=wants_json(context, as_json))
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    files = PublicFiles(folder, ours.site.url, ours.site.title, ours.serve, list(ours.feeds.hubs))
    # The server stops at the signal and then raises it once more, which must not end us before the postman is home.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    with _front_desk(place) as desk:
        server(application(files, desk, access_log=ours.serve.access_log), ours.serve).run([listening])


@contextmanager
def _front_desk(place: Site) -> Iterator[Desk | None]:
    """What serves members, with its postman at work; nothing for a site without digests, which waits for none of it."""
    if not place.settings.digest:
        yield None
        return
    from dateline import clock
    from dateline.web.desk import open_desk
    from newsletter.postman import Postman

    postman = Postman(place.reception, clock.now)
    desk = open_desk(place, postman.ring)
    postman.start()
    try:
        yield desk
    finally:
        postman.stop()
