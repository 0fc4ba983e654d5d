"""Which article is which when files are renamed, replaced and removed, several at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from content.archive import Archive
from content.article import Article
from content.database import raw, writing
from content.intake import GUARD, Change, Intake, Report
from content.keeping import Keeper
from content.survey import PathError
from tests.newsroom import BODY, Newsroom


def changes(report: Report) -> list[Change]:
    return [event.change for event in report.events]


def by_body(newsroom: Newsroom) -> dict[str, Article]:
    return {article.body.removeprefix("<p>").split(" ")[0]: article for article in newsroom.public()}


def test_the_same_bytes_count_more_than_the_same_title(newsroom: Newsroom) -> None:
    one = newsroom.article("2026-11-01-briefing.md", "One ...", title="Morning briefing")
    two = newsroom.article("2026-11-02-briefing-b.md", "Two ...", title="Morning briefing")
    newsroom.take()
    before = by_body(newsroom)
    one.unlink()
    (newsroom.articles / "sub").mkdir()
    two.rename(newsroom.articles / "sub" / two.name)
    assert sorted(changes(newsroom.take())) == [Change.MOVED, Change.WITHDRAWN]
    assert by_body(newsroom)["Two"].id == before["Two"].id
    assert "One" not in by_body(newsroom)


def test_files_of_one_title_moved_together_keep_their_ids(newsroom: Newsroom) -> None:
    for name, text in (("2026-11-02-b.md", "Two"), ("2026-11-01-a.md", "One")):
        newsroom.article(name, f"{text} ...", title="Morning briefing")
        newsroom.take()
    before = by_body(newsroom)
    (newsroom.articles / "sub").mkdir()
    for path in list(newsroom.articles.glob("*.md")):
        path.rename(newsroom.articles / "sub" / path.name)
    report = newsroom.take()
    assert not report.problems
    assert {name: one.id for name, one in by_body(newsroom).items()} == {name: one.id for name, one in before.items()}


def test_todays_briefing_is_not_yesterdays(newsroom: Newsroom) -> None:
    path = newsroom.article("2026-11-01-briefing-a.md", "One ...", title="Morning briefing")
    newsroom.take()
    path.unlink()
    newsroom.article("2026-11-02-briefing-b.md", "Two ...", title="Morning briefing")
    assert sorted(changes(newsroom.take())) == [Change.NEW, Change.WITHDRAWN]


def test_a_chain_of_renames_keeps_every_id(newsroom: Newsroom) -> None:
    a = newsroom.article("a.md", "Ants ...", title="Ants", slug="ants")
    b = newsroom.article("b.md", "Bees ...", title="Bees", slug="bees")
    newsroom.take()
    before = by_body(newsroom)
    b.rename(newsroom.articles / "c.md")
    a.rename(b)
    assert changes(newsroom.take()) == [Change.MOVED, Change.MOVED]
    assert {name: one.id for name, one in by_body(newsroom).items()} == {name: one.id for name, one in before.items()}
    assert newsroom.take().events == []


def test_a_renamed_file_with_an_error_does_not_cost_its_article(newsroom: Newsroom) -> None:
    path = newsroom.article("a.md")
    newsroom.take()
    path.unlink()
    newsroom.article("b.md", date="some day")
    errors = newsroom.take().errors
    assert len(errors) == 2
    assert len(newsroom.public()) == 1
    assert changes(newsroom.take(withdraw_many=True)) == [Change.WITHDRAWN]


def test_two_intakes_at_once_withdraw_nothing_that_is_there(newsroom: Newsroom) -> None:
    path = newsroom.article("a.md")
    newsroom.take()
    path.rename(newsroom.articles / "b.md")
    with writing(newsroom.engine) as connection:
        slow = Intake(Keeper(raw(connection)), newsroom.reader, newsroom.root)
        files = slow.survey([newsroom.articles])
    assert changes(newsroom.take()) == [Change.MOVED]
    with writing(newsroom.engine) as connection:
        slow.archive = Keeper(raw(connection))
        for batch in slow.read(files):
            slow.keep(batch)
        assert slow.finish().events == []
    assert len(newsroom.public()) == 1


def test_one_folder_of_several_that_is_suddenly_empty_withdraws_nothing(newsroom: Newsroom, tmp_path: Path) -> None:
    wire = tmp_path / "wire"
    wire.mkdir()
    for number in range(GUARD * 3):
        newsroom.article(f"own-{number}.md", title=f"Own {number}", body=f"{BODY} {number}")
    for number in range(GUARD * 2):
        (wire / f"wire-{number}.md").write_text(f"# Wire {number}\n\n{BODY}")
    newsroom.take(newsroom.articles, wire)
    for path in wire.iterdir():
        path.unlink()
    report = newsroom.take(newsroom.articles, wire)
    assert [problem.path for problem in report.errors] == [wire]
    assert len(newsroom.public()) == GUARD * 5


def test_a_folder_elsewhere_that_is_gone_can_be_taken_out(newsroom: Newsroom, tmp_path: Path) -> None:
    wire = tmp_path / "wire"
    wire.mkdir()
    path = wire / "story.md"
    path.write_text(f"# Wire\n\n{BODY}")
    newsroom.take(wire)
    path.unlink()
    wire.rmdir()
    assert changes(newsroom.take(wire)) == [Change.WITHDRAWN]
    with pytest.raises(PathError):
        newsroom.take(tmp_path / "nowhere")


def test_new_settings_reach_articles_from_elsewhere_too_but_not_their_new_texts(newsroom: Newsroom, tmp_path: Path) -> None:
    paths = [tmp_path / "one.md", tmp_path / "two.md"]
    for path in paths:
        path.write_text(f"# {path.stem}\n\n{BODY}")
    newsroom.take(*paths)
    paths[1].write_text("# two\n\nNot to be published yet.")
    newsroom.article()
    newsroom.site = newsroom.site.model_copy(update={"url": "https://other.test"})
    newsroom.take()
    urls = {article.slug: article.url for article in newsroom.public()}
    assert urls["one"] == "https://other.test/articles/one/"
    assert all("Not to be" not in article.body for article in newsroom.public())


def test_a_folder_around_the_site_takes_in_no_file_of_its_own(newsroom: Newsroom) -> None:
    newsroom.article("a.md")
    newsroom.take()
    (newsroom.root / "public").mkdir()
    (newsroom.root / "public" / "index.html").write_text("<h1>Front</h1><p>Page</p>")
    for folder in (newsroom.root.parent, newsroom.root):
        report = newsroom.take(folder, apart=[newsroom.root / "public"])
        assert (report.files, report.events, report.problems) == (1, [], [])
    (newsroom.articles / "a.md").unlink()
    assert changes(newsroom.take(newsroom.root.parent, apart=[newsroom.root / "public"])) == [Change.WITHDRAWN]


@pytest.mark.parametrize("kind", ["file", "folder", "nothing"])
def test_a_path_that_is_not_utf_8_is_refused_by_name(newsroom: Newsroom, kind: str) -> None:
    newsroom.article("a.md")
    path = Path(os.fsdecode(os.fsencode(newsroom.root.parent) + b"/bad\xff.md"))
    if kind == "file":
        path.write_text("---\ntitle: Bad\n---\nIt is here.\n")
    elif kind == "folder":
        path.mkdir()
        (path / "b.md").write_text("---\ntitle: Bad\n---\nIt is here.\n")
    report = newsroom.take(newsroom.articles, path)
    assert [(problem.path, problem.message) for problem in report.errors] == [(path, "its path is not UTF-8: rename it")]
    assert [article.title for article in newsroom.public()] == ["First news"]


def test_a_site_in_a_folder_that_is_not_utf_8_is_published(tmp_path: Path) -> None:
    newsroom = Newsroom(Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff")))
    newsroom.article("a.md")
    assert newsroom.take(newsroom.root).problems == []
    assert newsroom.only().title == "First news"


def gone(newsroom: Newsroom) -> tuple[list[str], dict[str, str]]:
    with writing(newsroom.engine) as connection:
        return Archive(raw(connection)).addresses(newsroom.now)


def test_no_name_of_an_article_that_never_was_out_is_told(newsroom: Newsroom) -> None:
    draft = newsroom.article("secret-merger.md", draft="true")
    newsroom.article("never.md", title="Never", status="withdrawn")
    future = newsroom.article("to-come.md", title="To come", date="2030-01-01")
    newsroom.take()
    draft.rename(newsroom.articles / "secret-merger-b.md")
    newsroom.take()
    (newsroom.articles / "secret-merger-b.md").unlink()
    future.unlink()
    assert newsroom.take().events == []
    assert gone(newsroom) == ([], {})
    assert newsroom.take().events == []


def test_an_article_that_is_a_draft_again_is_gone_for_readers(newsroom: Newsroom) -> None:
    newsroom.article("out.md")
    newsroom.take()
    newsroom.article("out.md", draft="true")
    assert changes(newsroom.take()) == [Change.WITHDRAWN]
    assert gone(newsroom) == (["out"], {})
    newsroom.article("out.md")
    newsroom.take()
    assert gone(newsroom) == ([], {})


@pytest.mark.parametrize("name", ["README.md", "_draft.md", ".hidden.md"])
def test_a_file_that_no_folder_would_give_is_refused_by_name_too(newsroom: Newsroom, name: str) -> None:
    path = newsroom.article(name)
    report = newsroom.take(path)
    assert len(report.errors) == 1
    assert newsroom.public() == []


def test_a_name_that_is_no_text_costs_its_file_alone(newsroom: Newsroom) -> None:
    newsroom.article("a.md")
    (newsroom.articles / "caf\udce9.md").write_text(f"# Coffee\n\n{BODY}")
    report = newsroom.take()
    assert len(report.errors) == 1
    assert "rename" in report.errors[0].message
    str(report.errors[0]).encode("utf-8", "backslashreplace")
    assert len(newsroom.public()) == 1


def test_a_text_of_another_kind_is_named(newsroom: Newsroom) -> None:
    newsroom.article("a.md")
    (newsroom.articles / "story.docx").write_bytes(b"PK")
    (newsroom.articles / "picture.png").write_bytes(b"png")
    (warning,) = newsroom.take().problems
    assert warning.path.name == "story.docx"
