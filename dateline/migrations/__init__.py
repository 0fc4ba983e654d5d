"""The steps by which an older database becomes today's (Alembic)."""

HEAD = "0008"
"""The newest step. Known here so that an up-to-date database is recognised without loading Alembic."""
