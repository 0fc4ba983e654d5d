"""The checks that a digest must pass before it may go, one subject a module."""
