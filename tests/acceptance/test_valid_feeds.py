"""Every feed that is written is valid, without an error or a warning: the sample's, and those of both corpora."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from programs import ROOT, Program
from validity import errors


def wrong(public: Path) -> dict[str, list[str]]:
    """What is wrong with each feed document in a folder; there must be some."""
    documents = [path for path in (public / "feeds").rglob("*") if path.name in ("atom.xml", "rss.xml", "feed.json")]
    assert documents
    found = {str(path.relative_to(public)): errors(path.read_bytes()) for path in documents}
    return {path: said[:5] for path, said in found.items() if said}


def test_the_sample_sites_feeds_are_valid(tmp_path: Path) -> None:
    for name in ("config.toml", "articles", "templates"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copyfile
        copy(ROOT / name, tmp_path / name)
    config = tmp_path / "config.toml"
    config.write_text(config.read_text().replace("hubs = []", 'hubs = ["http://127.0.0.1:9/"]'))
    Program(tmp_path)("publish")
    assert wrong(tmp_path / "public") == {}


@pytest.mark.parametrize("content", ["full", "summary"])
def test_the_feeds_of_real_articles_are_valid(dateline: Program, site: Path, corpora: Path, content: str) -> None:
    """509 posts and 60 articles, with archives and a feed for every section, author and tag."""
    settings = f'\n[feeds]\ntags = ["*"]\npages = false\ncontent = "{content}"\nprecompress = []\n'
    (site / "config.toml").write_text((site / "config.toml").read_text() + settings)
    dateline("publish", corpora / "18f" / "posts", corpora / "wikinews" / "articles")
    assert wrong(site / "public") == {}
