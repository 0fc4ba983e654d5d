"""What an editor does at the command line, and what readers see of it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import feedparser
import pytest
from programs import PROGRAM, Program, write_article


def entries(site: Path, name: str = "atom.xml") -> list[feedparser.FeedParserDict]:
    parsed = feedparser.parse((site / "public" / "feeds" / name).read_bytes())
    assert parsed.bozo is False
    return list(parsed.entries)


def test_a_file_that_disappears_withdraws_its_article(dateline: Program, site: Path) -> None:
    path = write_article(site, region="CN")
    write_article(site, "2026-11-03-second.md", title="Second news")
    dateline("publish")
    path.unlink()
    told = json.loads(dateline("publish", "--json").stdout)
    assert [change["change"] for change in told["changes"]] == ["withdrawn"]
    assert [entry.title for entry in entries(site)] == ["Second news"]
    assert entries(site, "regions/cn/atom.xml") == []
    assert not (site / "public" / "articles" / "first" / "index.html").exists()


def test_an_id_of_a_withdrawn_article_is_never_given_to_another(dateline: Program, site: Path) -> None:
    path = write_article(site)
    dateline("publish")
    old = entries(site)[0].id
    path.unlink()
    dateline("publish")
    write_article(site, title="Quite another story")
    dateline("publish")
    assert entries(site)[0].id != old


def test_a_correction_keeps_the_id_and_the_date_and_tells_when_it_was_made(dateline: Program, site: Path) -> None:
    """Invariant 26: ids and dates are stable over rebuilds."""
    path = write_article(site)
    dateline("publish")
    before = entries(site)[0]
    path.rename(path.with_name("renamed-file.md"))
    dateline("publish")
    write_article(site, "renamed-file.md", title="First news, corrected", date="2026-11-02", slug="a-new-slug")
    dateline("publish")
    after = entries(site)[0]
    assert after.title == "First news, corrected"
    assert (after.id, after.published) == (before.id, before.published)
    assert after.updated > before.updated
    assert after.link == "https://news.test/articles/a-new-slug/"


def test_what_is_wrong_is_named_and_the_rest_is_published(dateline: Program, site: Path) -> None:
    write_article(site, "2026-11-01-good.md", title="Good news")
    write_article(site, "2026-11-02-a.md", title="One", slug="same")
    write_article(site, "2026-11-02-b.md", title="Other", slug="Same")
    write_article(site, "2026-11-02-c.md", title="No day", date="sometime")
    write_article(site, "2026-11-02-d.md", title='""')
    (site / "articles" / "noise.md").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    done = dateline("publish", code=1)
    for line in ("2026-11-02-b.md:3: error", "2026-11-02-c.md:3: error", "2026-11-02-d.md:2: error", "noise.md:1: error"):
        assert line in done.stderr
    assert {entry.title for entry in entries(site)} == {"Good news", "One"}


def test_check_reports_and_writes_nothing(dateline: Program, site: Path) -> None:
    write_article(site)
    write_article(site, "2026-11-02-bad.md", title="Bad", date="13/13/2026")
    before = set(site.rglob("*"))
    done = dateline("check", code=1)
    assert "2026-11-02-bad.md:3: error" in done.stderr
    assert set(site.rglob("*")) == before


@pytest.mark.parametrize(
    ("file", "wrong", "said"),
    [
        ("config.toml", 'subject = "{{ articles[0].headline }}"', "subject template of the digest 'daily'"),
        ("config.toml", 'subject = "{{ 1 / 0 }}"', "ZeroDivisionError"),
        ("templates/digest.mjml", "<mjml>{{ nothing }}</mjml>", "digest.mjml:1: 'nothing' is undefined"),
        ("templates/article.html", "one\n{{ article.title + 1 }}", "article.html:2: TypeError"),
        ("templates/feeds.html", "{% for %}", "feeds.html:1:"),
    ],
)
def test_check_renders_every_template(dateline: Program, site: Path, file: str, wrong: str, said: str) -> None:
    assert "templates are fine" in dateline("check").stdout
    path = site / file
    path.write_text(path.read_text() + wrong + "\n" if file == "config.toml" else wrong)
    done = dateline("check", code=1)
    assert said in done.stderr
    assert "templates need attention" in done.stdout


def test_a_dry_run_writes_nothing_and_says_what_it_would(dateline: Program, site: Path) -> None:
    write_article(site)
    before = set(site.rglob("*"))
    told = json.loads(dateline("publish", "--dry-run", "--json").stdout)
    assert "feeds/atom.xml" in told["written"]
    assert set(site.rglob("*")) == before
    dateline("publish")
    write_article(site, "2026-11-03-second.md", title="Second news")
    feed = (site / "public" / "feeds" / "atom.xml").read_bytes()
    assert "would write" in dateline("publish", "--dry-run").stdout
    assert (site / "public" / "feeds" / "atom.xml").read_bytes() == feed
    assert json.loads(dateline("publish", "--json").stdout)["changes"][0]["change"] == "new"


def test_regions_are_categories_with_code_scheme_and_name(dateline: Program, site: Path) -> None:
    write_article(site, regions="[China, Beijing, IN, Xanadu]")
    done = dateline("publish")
    assert "'Xanadu' is not known and is kept as a tag" in done.stderr
    tags = entries(site)[0].tags
    assert {(tag.term, tag.scheme, tag.label) for tag in tags if tag.scheme} == {
        ("CN", "urn:iso:std:iso:3166:-1", "China"),
        ("CN-BJ", "urn:iso:std:iso:3166:-2", "Beijing"),
        ("IN", "urn:iso:std:iso:3166:-1", "India"),
    }
    assert [tag.term for tag in tags if not tag.scheme] == ["Xanadu"]
    domains = {(tag.term, tag.scheme) for tag in entries(site, "rss.xml")[0].tags}
    assert {("China", "urn:iso:std:iso:3166:-1"), ("CN-BJ", "urn:iso:std:iso:3166:-2")} <= domains
    for code in ("cn", "cn-bj", "in"):
        assert len(entries(site, f"regions/{code}/atom.xml")) == len(entries(site, f"regions/{code}/rss.xml")) == 1


def test_text_pasted_from_a_page_is_understood(dateline: Program, site: Path) -> None:
    (site / "articles" / "pasted.txt").write_text(
        "Kenya Sets Date for Spectrum Auction\n"
        "The regulator wants four bidders and a cheaper floor.\n\n"
        "Amina Odhiambo\nAmina Odhiambo writes about African networks.\n\n"
        "October 24, 2024\n1 Min Read\n\n"
        "Kenya will auction spectrum in the 700 MHz band in March, the regulator said on Thursday.\n\n"
        "Four operators have asked for the papers.\n\n"
        "You may also like\nUganda lifts its levy\nSubscribe\nJoin 56,000+ members, it is free\n"
    )
    dateline("publish")
    entry = entries(site)[0]
    assert entry.title == "Kenya Sets Date for Spectrum Auction"
    assert entry.published.startswith("2024-10-23T22:00")  # midnight in the site's time zone
    assert entry.author == "Amina Odhiambo"
    assert entry.summary == "The regulator wants four bidders and a cheaper floor."
    assert "56,000" not in entry.content[0].value and "1 Min" not in entry.content[0].value


def test_a_future_article_waits_for_its_time(dateline: Program, site: Path) -> None:
    """Invariant 27."""
    write_article(site, "later.md", title="Embargoed", date="2199-01-01")
    told = json.loads(dateline("publish", "--json").stdout)
    assert told["articles"] == 0
    assert entries(site) == []


def test_the_options_may_stand_before_or_behind_the_command(dateline: Program, site: Path) -> None:
    write_article(site)
    assert json.loads(dateline("--json", "check").stdout)["files"] == 1
    assert json.loads(dateline("check", "--site", site, "--json").stdout)["files"] == 1


def test_usage_and_config_errors_exit_with_2(dateline: Program, site: Path) -> None:
    """Invariant 31."""
    config = site / "config.toml"
    good = config.read_text()
    config.write_text(good.replace('title = "The Daily Test"', 'titel = "x"'))
    done = dateline("publish", code=2)
    assert f"{config}:2: site.titel: there is no such setting; did you mean 'title'?" in done.stderr
    assert not (site / "dateline.db").exists()
    config.write_text(good)
    assert "no such file" in dateline("publish", site / "nowhere.md", code=2).stderr
    dateline("publish", "--no-such-option", code=2)
    assert "there is no digest 'weekly'" in dateline("digest", "send", "weekly", code=2).stderr


def test_a_hub_that_fails_is_named_and_fails_no_publish(dateline: Program, site: Path) -> None:
    config = site / "config.toml"
    config.write_text(config.read_text() + '\n[feeds]\nhubs = ["http://127.0.0.1:9/hub?token=secret"]\n')
    write_article(site)
    done = dateline("publish")
    assert "hub http://127.0.0.1:9/hub: it cannot be reached; " in done.stderr
    assert "secret" not in done.stderr + done.stdout
    assert json.loads(dateline("publish", "--json").stdout)["written"] == []


def test_the_service_brings_an_article_out_when_its_time_is_there(dateline: Program, site: Path) -> None:
    """Invariant 27."""
    write_article(site, "later.md", title="Embargoed", date=(datetime.now(UTC) + timedelta(seconds=4)).isoformat())
    dateline("publish")
    assert entries(site) == []
    time.sleep(4)
    service = subprocess.Popen([PROGRAM, "--site", site, "run"], stderr=subprocess.PIPE, text=True)
    try:
        for _ in range(150):
            if entries(site):
                break
            time.sleep(0.1)
    finally:
        service.terminate()
        log = service.communicate(timeout=20)[1]
    assert [entry.title for entry in entries(site)] == ["Embargoed"]
    assert "an article's time has come: wrote 3 feeds" in log
    assert service.returncode == 0


def test_a_publish_with_nothing_to_do_says_so_and_sees_every_change(dateline: Program, site: Path) -> None:
    path = write_article(site)
    path.write_text(path.read_text() + "\n![A mast](mast.png)\n")
    (site / "articles" / "mast.png").write_bytes(b"one")
    old = time.time() - 60
    os.utime(path, (old, old))
    time.sleep(2.1)
    dateline("publish")
    assert (site / ".dateline-stamp.json").exists()
    quick = dateline("publish")
    assert quick.stdout == "1 file: 1 unchanged\n1 article in 3 feeds: nothing changed, nothing written\n"
    assert json.loads(dateline("publish", "--json").stdout)["unchanged"] == 1

    picture = site / "articles" / "mast.png"
    picture.write_bytes(b"another")
    assert "1 corrected" in dateline("publish").stdout
    (site / "public" / "feeds" / "rss.xml").unlink()
    assert json.loads(dateline("publish", "--json").stdout)["written"] == ["feeds/rss.xml"]
    path.write_text(path.read_text().replace("First", "Corrected"))
    assert "1 corrected" in dateline("publish").stdout
    write_article(site, "second.md", title="Second news")
    assert "1 new" in dateline("publish").stdout
    (site / "articles" / "second.md").unlink()
    assert "1 withdrawn" in dateline("publish").stdout
    config = site / "config.toml"
    config.write_text(config.read_text().replace("The Daily Test", "The Weekly Test"))
    assert "wrote 3 feeds" in dateline("publish").stdout
    assert "The Weekly Test" in (site / "public" / "feeds" / "rss.xml").read_text()
    (site / "templates" / "style.css").write_text("/* another */")
    assert "style.css" in json.loads(dateline("publish", "--json").stdout)["written"]
    (site / "dateline.db").unlink()
    assert "1 new" in dateline("publish").stdout


def test_a_database_that_another_process_holds_is_named(dateline: Program, site: Path) -> None:
    write_article(site)
    dateline("publish")
    write_article(site, "second.md", title="Second news")
    holder = sqlite3.connect(site / "dateline.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    impatient = f"import content.sqlite, dateline.cli, sys; content.sqlite.BUSY_SECONDS = 0.2; sys.argv = ['dateline', '--site', {str(site)!r}, 'publish']; dateline.cli.main()"
    done = subprocess.run([sys.executable, "-c", impatient], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "the database cannot be used now (database is locked)" in done.stderr
    assert "Traceback" not in done.stderr
    holder.close()
    assert "1 new" in dateline("publish").stdout
    assert len(entries(site)) == 2


KENYAN = "---\ntitle: Kenya fines two carriers\n---\nThe regulator fined two carriers in Kenya.\n"


def test_regions_are_shown_with_their_evidence_and_written_into_the_front_matter(dateline: Program, site: Path) -> None:
    path = site / "articles" / "kenya.md"
    path.write_bytes(KENYAN.replace("\n", "\r\n").encode("utf-8"))
    (told,) = json.loads(dateline("regions", path, "--json").stdout)
    assert [one["code"] for one in told["regions"] if one["tagged"]] == ["KE"]
    assert told["regions"][0]["evidence"][0] == {"words": "Kenya", "part": "title", "start": 0}
    assert path.read_bytes() == KENYAN.replace("\n", "\r\n").encode("utf-8")
    assert "written" in dateline("regions", path, "--write").stdout
    assert path.read_bytes() == KENYAN.replace("carriers\n---", 'carriers\nregions: ["KE"]\n---').replace("\n", "\r\n").encode()
    assert "that is what counts" in dateline("regions", path, "--write").stdout
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    "text",
    [
        "+++\ntitle = 'Kenya fines two carriers'\n[extra]\nkey = 1\n+++\nThe regulator fined two carriers in Kenya.\n",
        "# Kenya fines two carriers\n\nThe regulator fined two carriers in Kenya.\n",
    ],
)
def test_regions_are_written_whatever_front_matter_there_is(dateline: Program, site: Path, text: str) -> None:
    path = site / "articles" / "kenya.md"
    path.write_text(text)
    dateline("regions", path, "--write")
    (told,) = json.loads(dateline("regions", path, "--json").stdout)
    assert told["given"] == ["KE"]
    dateline("publish")
    assert entries(site)[0].title == "Kenya fines two carriers"


def test_a_link_stays_a_link_and_the_file_that_it_leads_to_is_written(dateline: Program, site: Path) -> None:
    (site / "desk").mkdir()
    real, link = site / "desk" / "kenya.md", site / "articles" / "kenya.md"
    real.write_text(KENYAN)
    link.symlink_to(real)
    assert "written" in dateline("regions", link, "--write").stdout
    assert link.is_symlink()
    assert 'regions: ["KE"]' in real.read_text()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_file_that_may_not_be_written_is_left_alone(dateline: Program, site: Path) -> None:
    path = site / "articles" / "kenya.md"
    path.write_text(KENYAN)
    path.chmod(0o444)
    assert "cannot be written" in dateline("regions", path, "--write", code=1).stderr
    assert path.read_text() == KENYAN


def test_lines_keep_the_ends_that_they_have_however_mixed(dateline: Program, site: Path) -> None:
    path = site / "articles" / "kenya.md"
    before = b"---\r\ntitle: Kenya fines two carriers\n---\r\nThe regulator fined two carriers\nin Kenya.\r\n"
    path.write_bytes(before)
    dateline("regions", path, "--write")
    assert path.read_bytes() == before.replace(b"carriers\n---", b'carriers\nregions: ["KE"]\r\n---')


@pytest.mark.parametrize(
    "more",
    [
        "[^1]\n\n[^1]: A note.",
        "[below](#end)",
        "[more](?page=2)",
        "[other](../other)",
        "![A mast](mast.png)",
        "[next](next.md)",
    ],
)
def test_links_within_the_site_keep_nothing_from_being_written(dateline: Program, site: Path, more: str) -> None:
    path = site / "articles" / "kenya.md"
    path.write_text(KENYAN.rstrip() + more + "\n")
    assert "written: KE" in dateline("regions", path, "--write").stdout
    assert path.read_text() == KENYAN.replace("carriers\n---", 'carriers\nregions: ["KE"]\n---').rstrip() + more + "\n"


def test_a_text_without_front_matter_is_to_be_given_one_by_hand(dateline: Program, site: Path) -> None:
    path = site / "articles" / "kenya.md"
    path.write_text("Kenya fines two carriers\n\nBy Ann Otieno\n\nThe regulator fined two carriers in Kenya.\n")
    before = path.read_bytes()
    assert "write a front matter with its title and 'regions: [KE]'" in dateline("regions", path, "--write", code=1).stderr
    assert path.read_bytes() == before


def test_a_whole_page_says_its_regions_in_its_head(dateline: Program, site: Path) -> None:
    path = site / "articles" / "kenya.html"
    page = "<!doctype html>\n<html><head><title>Kenya fines two carriers</title></head>\n"
    page += "<body><article><h1>Kenya fines two carriers</h1><p>The regulator fined two carriers in Kenya.</p></article></body></html>\n"
    path.write_text(page)
    assert "written: KE" in dateline("regions", path, "--write").stdout
    assert path.read_text() == page.replace("<head>", '<head><meta name="regions" content="KE">')
    (told,) = json.loads(dateline("regions", path, "--json").stdout)
    assert told["given"] == ["KE"]
    bare = site / "articles" / "bare.html"
    bare.write_text(page.replace("<head><title>Kenya fines two carriers</title></head>", ""))
    before = bare.read_bytes()
    assert "by hand" in dateline("regions", bare, "--write", code=1).stderr
    assert bare.read_bytes() == before


def test_a_file_of_headers_gets_one_more(dateline: Program, site: Path) -> None:
    path = site / "articles" / "kenya.md"
    text = "Title: Kenya fines two carriers\nDate: 2026-10-01\n\nThe regulator fined two carriers in Kenya.\n"
    path.write_text(text)
    dateline("regions", path, "--write")
    assert path.read_text() == text.replace("\nDate", "\nregions: KE\nDate")


def test_square_brackets_in_a_name_are_shown_as_they_are(dateline: Program, site: Path) -> None:
    # To what draws the table this would be the end of a style that never began.
    path = site / "articles" / "kenya [" / "b].md"
    path.parent.mkdir()
    path.write_text(KENYAN)
    assert "kenya [/b].md" in dateline("regions", path).stdout


def test_a_region_that_is_none_is_said_to_be_unknown(dateline: Program, site: Path) -> None:
    path = site / "articles" / "kenya.md"
    path.write_text(KENYAN.replace("carriers\n---", "carriers\nregions: [Xanadu]\n---"))
    assert "its front matter names no region that is known: Xanadu" in dateline("regions", path).stdout
    (told,) = json.loads(dateline("regions", path, "--json").stdout)
    assert (told["given"], told["unknown"]) == ([], ["Xanadu"])


def test_a_file_that_is_no_article_is_named_and_the_others_are_placed(dateline: Program, site: Path) -> None:
    path = site / "articles" / "kenya.md"
    path.write_text(KENYAN)
    done = dateline("regions", site / "articles" / "missing.md", path, code=1)
    assert "missing.md" in done.stderr
    assert "Kenya (title)" in done.stdout


def test_a_file_that_says_it_belongs_nowhere_is_left_so(dateline: Program, site: Path) -> None:
    path = site / "articles" / "kenya.md"
    path.write_text(KENYAN.replace("carriers\n---", "carriers\nregions: []\n---"))
    before = path.read_bytes()
    assert "its front matter says nowhere" in dateline("regions", path, "--write").stdout
    assert path.read_bytes() == before


def test_what_is_no_article_is_said_to_be_none(dateline: Program, site: Path) -> None:
    path = site / "table.json"
    path.write_text("{}")
    assert "is not an article: its name must end in" in dateline("regions", path, code=1).stderr
