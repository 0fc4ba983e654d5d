"""The HTTP server: uvicorn, which believes what proxies say only of those that the settings trust."""

from __future__ import annotations

import uvicorn

from dateline.web.headers import Application
from dateline.web.settings import ServeSettings


def server(application: Application, settings: ServeSettings) -> uvicorn.Server:
    """A server of the application, not yet running."""
    config = uvicorn.Config(
        application, log_config=None, access_log=False, lifespan="off", server_header=False, date_header=True,
        proxy_headers=bool(settings.trusted_proxies), forwarded_allow_ips=settings.trusted_proxies,
        timeout_graceful_shutdown=10, ws="none",
    )  # fmt: skip
    return uvicorn.Server(config)
