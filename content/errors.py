"""What can go wrong, for everyone: one tree of errors and one kind of report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class DatelineError(Exception):
    """Something the user can mend. The text says what was wrong, where, and what to do next."""


class ConfigError(DatelineError):
    """config.toml, the environment or the command line asks for something impossible."""


class ArchiveError(DatelineError):
    """The database cannot be opened, read or written."""


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    HINT = "hint"
    """Nothing is wrong; something could be better."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with one file. An error keeps the file's article back; a warning does not.

    ``line`` counts from 1 and is that of the file, front matter included; 0 stands for the file as a whole.
    """

    severity: Severity
    path: Path
    line: int
    message: str

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else str(self.path)
        return f"{where}: {self.severity}: {self.message}"
