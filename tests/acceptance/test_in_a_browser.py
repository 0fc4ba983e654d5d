"""Chromium shows the digest and the pages: nothing runs, nothing sticks out."""

from __future__ import annotations

import html
import json
import re
import subprocess
from pathlib import Path

import pytest
from programs import Program, need, write_article

NASTY = """\
<script>document.title = 'ran'</script>
<img src=x onerror="document.title='ran'">
<svg onload="document.title='ran'"><script>document.title='ran'</script></svg>
<a href="javascript:document.title='ran'" id=click>link</a>
<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=document.title='ran'&gt;">
<iframe srcdoc="<script>parent.document.title='ran'</script>"></iframe>
<noscript><p title="</noscript><img src=x onerror=document.title='ran'>"></noscript>
<form><math><mtext></form><form><mglyph><style></math><img src onerror=document.title='ran'>
<details open ontoggle="document.title='ran'"><summary>x</summary></details>
"""

MEASURE = """\
<!doctype html><title>quiet</title><pre id=out></pre>
<iframe id=f width=%d height=900 srcdoc="%s"></iframe>
<script>
// The window has loaded when its frame has, failed pictures and all that they set off included.
window.addEventListener('load', () => {
  const frame = document.getElementById('f').contentDocument, page = frame.documentElement;
  document.getElementById('out').textContent = JSON.stringify({
    wide: page.scrollWidth, room: page.clientWidth, title: document.title, inner: frame.title,
    text: page.innerText.length,
  });
});
</script>
"""


def look(tmp_path: Path, page: str, width: int) -> dict[str, object]:
    """What Chromium measures of a page in a frame of so many pixels."""
    chromium = need("chromium")
    harness = tmp_path / f"harness-{width}.html"
    harness.write_text(MEASURE % (width, html.escape(page, quote=True)), "utf-8")
    quiet = ["disable-gpu", "disable-quic", "no-first-run", "disable-sync", "disable-background-networking"]
    command = [
        chromium, "--headless", "--no-sandbox", *(f"--{word}" for word in quiet), "--disable-component-update",
        "--allow-file-access-from-files", f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", harness.as_uri(),
    ]  # fmt: skip
    shown = subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout
    found = re.search(r"<pre id=\"out\">(.*?)</pre>", shown)
    assert found and found[1], shown[:500]
    measured: dict[str, object] = json.loads(html.unescape(found[1]))
    return measured


@pytest.mark.parametrize("width", [360, 700])
def test_the_digest_fits_its_window(dateline: Program, site: Path, tmp_path: Path, width: int) -> None:
    write_article(
        site, "a.md", title="A headline with Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamten in it"
    )
    write_article(site, "b.md", title="Zweite", summary="https://example.org/" + "x" * 200, regions="[CN, CN-BJ, IN]")
    dateline("publish")
    dateline("digest", "preview", "daily", "--html", tmp_path / "digest.html")
    measured = look(tmp_path, (tmp_path / "digest.html").read_text("utf-8"), width)
    assert measured["wide"] == measured["room"]
    assert isinstance(measured["text"], int) and measured["text"] > 100


def test_a_cleaned_article_runs_nothing(dateline: Program, site: Path, tmp_path: Path) -> None:
    """Invariant 30."""
    write_article(site, "nasty.md", title="<script>document.title='ran'</script> & more", body=NASTY)
    dateline("publish")
    page = (site / "public" / "articles" / "nasty" / "index.html").read_text("utf-8")
    assert look(tmp_path, NASTY, 700)["inner"] == "ran"  # what would happen without cleaning
    measured = look(tmp_path, page, 700)
    assert measured["title"] == "quiet"
    assert str(measured["inner"]).startswith("<script>")  # as text, in the page's title
    dateline("digest", "preview", "daily", "--html", tmp_path / "digest.html")
    assert look(tmp_path, (tmp_path / "digest.html").read_text("utf-8"), 700)["inner"] != "ran"
