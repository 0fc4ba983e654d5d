"""Alembic asks here how to reach the database; the program hands it an open connection."""

from __future__ import annotations

from alembic import context

import newsletter.tables  # noqa: F401 (declares its tables)
from content.database import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    compare_type=True,
    user_module_prefix="content.database.",
)
context.run_migrations()
