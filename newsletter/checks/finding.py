"""What does a check find, and how is it told."""

from __future__ import annotations

from dataclasses import dataclass

from content.errors import Severity

RULES = {
    "empty": "there is news to carry",
    "template": "the templates can be rendered",
    "size": "Gmail shows it whole",
    "leftovers": "nothing of the templates is left over",
    "parts": "HTML and text say the same",
    "links": "every link leads somewhere",
    "images": "pictures can be seen, and read out",
    "contrast": "readable in light and in dark mode",
    "headers": "receivers get the headers that they ask for",
    "subject": "subject and preview line",
    "address": "the sender's postal address",
    "structure": "screen readers find their way",
}
"""What is looked at, in the order in which it is told, and what holds when nothing is found."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a digest: what, where (a template and its line, a setting, an article), what to do.

    ``rule`` is one of ``RULES``. An error is a reason not to send.
    """

    rule: str
    severity: Severity
    where: str
    problem: str
    advice: str

    def __str__(self) -> str:
        return f"{self.where}: {self.severity}: {self.problem}; {self.advice}"


def error(rule: str, where: str, problem: str, advice: str) -> Finding:
    return Finding(rule, Severity.ERROR, where, problem, advice)


def warning(rule: str, where: str, problem: str, advice: str) -> Finding:
    return Finding(rule, Severity.WARNING, where, problem, advice)
