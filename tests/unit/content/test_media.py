"""Files that are published with an article."""

from __future__ import annotations

import os
from pathlib import Path

from content.media import is_of, media_of


def test_copies_that_follow_each_other_within_a_tick_of_the_clock_are_told_apart(tmp_path: Path) -> None:
    half = tmp_path / "half"
    found = []
    for name in ("one", "two"):
        source = tmp_path / f"{name}.png"
        source.write_text(name)
        media = media_of(source)
        assert media is not None
        half.write_text(name)
        os.utime(half, ns=(1, 1))
        found.append(is_of(half, media))
    assert found == [True, True]
