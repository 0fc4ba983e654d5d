"""The gate before sending, as an editor uses it; and a browser sees the colours that it works with."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from lxml.html import document_fromstring
from programs import ROOT, Program, need, write_article

from dateline.site import defaults
from newsletter.checks.contrast import read_texts

READ = """\
<script>
const found = [];
const see = element => {
  const style = getComputedStyle(element);
  if (style.display === 'none') return;
  const runs = [...element.childNodes].filter(node => node.nodeType === 3).map(node => node.data);
  if (runs.some(run => /[^\\s\\u00a0]/.test(run))) {
    let around = element;
    while (around && /^rgba\\(.*, 0\\)$/.test(getComputedStyle(around).backgroundColor)) around = around.parentElement;
    found.push([style.color, around && getComputedStyle(around).backgroundColor, style.fontSize, style.fontWeight]);
  }
  for (const child of element.children) if (!['SCRIPT', 'STYLE'].includes(child.tagName)) see(child);
};
addEventListener('load', () => {
  see(document.body);
  document.body.innerHTML = '<pre id=out></pre>';
  document.getElementById('out').textContent = JSON.stringify(found);
});
</script>
"""


@pytest.fixture
def sample(tmp_path: Path) -> Program:
    """The sample site, laid out and published."""
    program = Program(tmp_path / "sample")
    program("init", program.site)
    program("publish")
    return program


def test_the_sample_site_may_go(sample: Program) -> None:
    for name in ("daily", "asia-weekly"):
        done = sample("digest", "check", name)
        assert f"{name} may go" in done.stdout
        told = json.loads(sample("digest", "check", name, "--json").stdout)
        assert told["may_go"] is True and told["articles"] > 2
        assert not [one for one in told["findings"] if one["severity"] == "error"]
        assert 0 < told["html_bytes"] < told["message_bytes"] < told["wire_bytes"] < 102_000


def test_a_broken_template_may_not(sample: Program) -> None:
    template = sample.site / "templates" / "digest.mjml"
    text = template.read_text("utf-8")
    template.write_text(text.replace('<a class="ink" href="{{ unsubscribe_url }}"', '<a class="ink" href=""'), "utf-8")
    line = next(number for number, one in enumerate(text.splitlines(), 1) if 'href="{{ unsubscribe_url }}"' in one)
    done = sample("digest", "check", "daily", code=1)
    assert f"templates/digest.mjml:{line}" in done.stdout
    assert "the HTML part has no link for leaving" in done.stdout
    assert "daily should not go: 2 errors" in done.stdout
    told = json.loads(sample("digest", "check", "daily", "--json", code=1).stdout)
    assert told["may_go"] is False and {one["rule"] for one in told["findings"] if one["severity"] == "error"} == {"links"}
    template.write_text(text.replace("{{ edition.preview }}", "{{ edition.preview | nonsense }}"), "utf-8")
    assert "nonsense" in sample("digest", "check", "daily", code=1).stdout


def test_warnings_stand_in_the_way_only_when_asked(sample: Program) -> None:
    environment = {"DATELINE_NEWSLETTER__POSTAL_ADDRESS": ""}
    assert "no postal address" in sample("digest", "check", "daily", **environment).stdout
    assert "should not go" in sample("digest", "check", "daily", "--strict", code=1, **environment).stdout


def test_preview_check_and_explain_agree_that_nothing_is_new(site: Path, dateline: Program) -> None:
    write_article(site)
    dateline("publish")
    dateline("subscribers", "add", "reader@example.com", "--confirmed")
    before = dateline("digest", "preview", "daily")
    assert "First news" in before.stdout and before.stderr == ""
    dateline("digest", "send", "daily")
    assert not any(one["included"] for one in json.loads(dateline("digest", "explain", "daily", "--json").stdout))
    shown = dateline("digest", "preview", "daily")
    assert "First news" in shown.stdout and "nothing is new since" in shown.stderr
    assert "shown is what a first edition would carry" in shown.stderr
    assert json.loads(dateline("digest", "preview", "daily", "--json").stdout)["empty"] is True
    assert "the next edition would be empty" in dateline("digest", "check", "daily").stdout
    told = json.loads(dateline("digest", "check", "daily", "--strict", "--json", code=1).stdout)
    assert told["empty"] is True and "empty" in {one["rule"] for one in told["findings"]}


def test_a_preview_shows_the_pictures_that_are_published_before_the_site_is_on_the_web(sample: Program, tmp_path: Path) -> None:
    sample("digest", "preview", "daily", "--html", tmp_path / "digest.html", "--eml", tmp_path / "digest.eml")
    page = (tmp_path / "digest.html").read_text("utf-8")
    (source,) = document_fromstring(page).xpath("//img/@src")
    assert source.startswith("file://") and (sample.site / "public" / "media" / source.rpartition("/")[2]).is_file()
    assert "file://" not in (tmp_path / "digest.eml").read_text("utf-8")
    shutil.rmtree(sample.site / "public")
    sample("digest", "preview", "daily", "--html", tmp_path / "digest.html")
    (source,) = document_fromstring((tmp_path / "digest.html").read_text("utf-8")).xpath("//img/@src")
    assert source.startswith("https://")


@pytest.mark.parametrize(("scheme", "colour"), [("light", "#5f5f5b"), ("dark", "#a5a49f")])
def test_where_pictures_are_blocked_the_words_for_one_look_like_the_rest(
    sample: Program, tmp_path: Path, scheme: str, colour: str
) -> None:
    shutil.rmtree(sample.site / "public")
    sample("digest", "preview", "daily", "--html", tmp_path / "digest.html")
    page = (tmp_path / "digest.html").read_text("utf-8").replace('src="https://', 'src="file:///absent/')
    # What stands in for a picture is no text of the document; its looks are those of the img.
    words = (
        "const own = getComputedStyle(document.querySelector('img'));"
        "document.title = [own.color, own.fontSize, own.fontFamily, own.textDecorationLine,"
        "getComputedStyle(document.querySelector('img').parentElement).textDecorationLine].join('|');"
    )
    probe = f"<script>addEventListener('load', () => {{ {words} }});</script></head>"
    shown = _dump(tmp_path, page.replace("</head>", probe), scheme)
    found = re.search(r"<title>(.*?)</title>", shown)
    assert found
    own, size, family, *lines = html.unescape(found[1]).split("|")
    assert _hexadecimal(own) == colour and size == "16px" and "sans-serif" in family and lines == ["none", "none"]


def test_a_digest_that_is_not_there_is_a_wrong_question(sample: Program) -> None:
    assert "there is no digest 'monthly'" in sample("digest", "check", "monthly", code=2).stderr


def test_the_check_opens_no_connection_and_records_nothing(sample: Program) -> None:
    """Invariant 32: the transport named here would refuse."""
    sample("digest", "check", "daily", DATELINE_NEWSLETTER__TRANSPORT="smtp://127.0.0.1:1")
    assert not (sample.site / "outbox").exists()
    assert json.loads(sample("digest", "list", "--json").stdout)[0]["last_edition"] is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_chromium_sees_the_colours_and_sizes_that_the_contrast_is_worked_out_from(
    sample: Program, tmp_path: Path, scheme: str
) -> None:
    assert defaults() == ROOT
    sample("digest", "preview", "daily", "--html", tmp_path / "digest.html")
    page = (tmp_path / "digest.html").read_text("utf-8")
    ours = [
        (str(text.look.colour), str(text.look.ground), round(text.look.size), text.look.weight)
        for text in read_texts(document_fromstring(page), scheme)
    ]
    seen = [
        (_hexadecimal(colour), _hexadecimal(ground), round(float(size.removesuffix("px"))), int(weight))
        for colour, ground, size, weight in _look(tmp_path, page, scheme)
    ]
    assert len(ours) > 50
    assert ours == seen


def _look(tmp_path: Path, page: str, scheme: str) -> list[list[str]]:
    shown = _dump(tmp_path, page.replace("</head>", f"{READ}</head>"), scheme)
    found = re.search(r"<pre id=\"out\">(.*?)</pre>", shown)
    assert found and found[1], shown[:500]
    told: list[list[str]] = json.loads(html.unescape(found[1]))
    return told


def _dump(tmp_path: Path, page: str, scheme: str) -> str:
    """The page as it stands in Chromium after its scripts."""
    (tmp_path / "seen.html").write_text(page, "utf-8")
    command = [
        need("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--window-size=600,900",
        f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}", f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom", (tmp_path / "seen.html").as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout


def _hexadecimal(colour: str) -> str:
    found = re.fullmatch(r"rgb\((\d+), (\d+), (\d+)\)", colour)
    assert found, colour
    return "#" + "".join(f"{int(part):02x}" for part in found.groups())
