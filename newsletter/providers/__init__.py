"""Mail providers that take messages over HTTP, one a module."""
