"""Templates of a site (Jinja2): sandboxed, and clear about what is wrong with them."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from content.errors import DatelineError


class TemplateProblem(DatelineError):  # noqa: N818 (Jinja has the other name)
    """A template is missing or wrong; the message names file and line."""


class Templates:
    """The templates in a folder. They see what they are given and nothing else; ``autoescape`` keeps text text in markup."""

    def __init__(self, folder: Path, *, autoescape: bool) -> None:
        self.folder = folder
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder), autoescape=autoescape, undefined=StrictUndefined, trim_blocks=True,
            lstrip_blocks=True,
        )  # fmt: skip

    def render(self, name: str, views: Mapping[str, object]) -> str:
        """What a template makes of ``views``. Raises ``TemplateProblem``."""
        try:
            return self._environment.get_template(name).render(views)
        except Exception as error:
            raise TemplateProblem(self._explain(error, name)) from None

    def render_line(self, source: str, views: Mapping[str, object], what: str) -> str:
        """The same for a template that stands in a setting, which ``what`` names."""
        try:
            return self._environment.from_string(source).render(views)
        except Exception as error:
            raise TemplateProblem(f"{what}: {_why(error)}") from None

    def _explain(self, error: Exception, name: str) -> str:
        file, line = getattr(error, "filename", None) or getattr(error, "name", None) or name, getattr(error, "lineno", None)
        within = [
            frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(f"{self.folder}/")
        ]  # fmt: skip
        if within and not line:
            # What goes wrong while it is rendered is known by where that was.
            file, line = within[-1].filename, within[-1].lineno
        # Some errors know the file by its name among the templates, some by its whole path.
        path = Path(str(file)) if str(file).startswith(f"{self.folder}/") else self.folder / str(file)
        return f"{path}{f':{line}' if line else ''}: {_why(error)}"


def _why(error: Exception) -> str:
    if isinstance(error, TemplateError):
        return error.message or type(error).__name__
    return f"{type(error).__name__}: {error}"
