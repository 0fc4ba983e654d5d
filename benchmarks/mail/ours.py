"""How long does this project send? ``dateline digest send`` as it is, with a watch around the sending alone.

``ours.py SITE DIGEST FILE``: FILE gets the seconds as JSON; the program's own words go where they always go.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from dateline.cli import main
from newsletter.ledger import Edition
from newsletter.sending import Account, Sending


def run() -> None:
    site, digest, file = sys.argv[1:]
    unwatched = Sending.run

    def watched(self: Sending, edition: Edition, progress: Callable[[int], None] | None = None) -> Account:
        start = time.perf_counter()
        account = unwatched(self, edition, progress)
        Path(file).write_text(json.dumps({"seconds": time.perf_counter() - start}))
        return account

    Sending.run = watched  # type: ignore[method-assign]
    sys.argv = ["dateline", "--site", site, "digest", "send", digest, "--json"]
    main()


if __name__ == "__main__":
    run()
