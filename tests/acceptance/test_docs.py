"""The commands in README and docs work as they are written, one after the other, in an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from programs import PROGRAM, ROOT

_BLOCK = re.compile(r"(<!-- not run here:[^>]*-->\n)?```sh\n(.*?)```", re.DOTALL)
PAGES = ["README.md", "CONTRIBUTING.md", *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs").glob("*.md")))]


def commands(page: str) -> str:
    return "".join(block for skipped, block in _BLOCK.findall((ROOT / page).read_text("utf-8")) if not skipped)


@pytest.mark.parametrize("page", [page for page in PAGES if commands(page)])
def test_the_commands_of_a_page_work_as_written(page: str, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DATELINE_")}
    environment["PATH"] = f"{PROGRAM.parent}:{environment['PATH']}"
    script = "set -eux\n" + commands(page)
    done = subprocess.run(
        ["sh"], input=script, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_readme_command_exists() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for words in set(re.findall(r"`dateline ([a-z]+(?: [a-z]+)?)", text)):
        parts = words.split()
        for end in (len(parts), 1):
            done = subprocess.run([PROGRAM, *parts[:end], "--help"], capture_output=True, timeout=60, check=False)
            if done.returncode == 0:
                break
        assert done.returncode == 0, words


@pytest.mark.parametrize("page", PAGES)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:\s]+)\)", (ROOT / page).read_text("utf-8")):
        assert ((ROOT / page).parent / target).exists(), target


def test_every_setting_stands_in_the_sample_config_with_its_default() -> None:
    import tomllib

    from dateline.config import Settings, load
    from newsletter.settings import BOUNCE_SECRETS, SECRETS, ServerSettings

    text = (ROOT / "config.toml").read_text("utf-8")
    load(ROOT)
    for table, field in Settings.model_fields.items():
        if table in ("authors", "digest", "feed"):
            continue
        for name, setting in type(field.default).model_fields.items():
            if name in (*SECRETS, *BOUNCE_SECRETS):
                continue
            if name == "server":
                assert "[[newsletter.server]]" in text
                assert all(re.search(rf"^# {one} = ", text, re.MULTILINE) for one in ServerSettings.model_fields)
                continue
            assert re.search(rf"^(# )?{name} = .*#", text, re.MULTILINE), f"{table}.{name} is not explained"
            written = tomllib.loads(text)[table].get(name)
            line = next(line for line in text.splitlines() if re.match(rf"(# )?{name} = ", line))
            if written is not None and "default" not in line:
                default = setting.get_default(call_default_factory=True)
                assert str(written) == str(default), f"{table}.{name} differs from its default and does not say so"
