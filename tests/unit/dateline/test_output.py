"""What the commands print."""

from __future__ import annotations

import json

import pytest

from dateline.cli import output


def test_a_file_name_that_is_not_utf_8_is_escaped_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"path": "articles/bad\udcff.md", "title": "Käse"})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"path": "articles/bad\udcff.md", "title": "Käse"}
    assert "Käse" in printed
    assert "bad\\udcff" in printed
