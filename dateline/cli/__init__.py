"""The command line: ``dateline``. Heavy parts are imported where they are used, so that ``--help`` is quick."""

from __future__ import annotations

import os
import sys

# Looking for plugins of pydantic, which we have none of, would cost a tenth of a publish that has nothing to do.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")

from dateline.cli.app import app


def main() -> None:
    """Runs a command. Exit code 0: all done; 1: something was refused, the rest is done; 2: usage or config wrong."""
    from content.errors import ConfigError, DatelineError
    from dateline.cli import output

    try:
        app()
    except ConfigError as error:
        output.complain(str(error))
        sys.exit(2)
    except DatelineError as error:
        output.complain(str(error))
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); there is nobody left to tell.
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        import sqlite3

        # SQLAlchemy wraps what the database said.
        said = getattr(error, "orig", error)
        if not isinstance(said, sqlite3.Error):
            raise
        output.complain(f"the database cannot be used now ({said}); what was done before holds, run it again")
        sys.exit(1)
