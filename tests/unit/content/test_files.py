"""Files as they come: encodings, line ends, noise, names."""

from __future__ import annotations

from pathlib import Path

import pytest
from newsroom import BODY, Newsroom

TEXT = f"---\ntitle: Größe zählt\ndate: 2024-10-24\n---\n{BODY}\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(), TEXT.encode("utf-8-sig"), TEXT.encode("utf-16"), b"\xfe\xff" + TEXT.encode("utf-16-be"),
        TEXT.replace("\n", "\r\n").encode(), TEXT.replace("\n", "\r").encode(),
    ],
    ids=["utf-8", "byte-order mark", "utf-16", "big-endian", "Windows line ends", "old Mac line ends"],
)  # fmt: skip
def test_every_usual_encoding_gives_the_same_article(newsroom: Newsroom, data: bytes) -> None:
    article = newsroom.read("a.md", data)
    assert article == newsroom.read("a.md", TEXT)
    assert article.title == "Größe zählt"


@pytest.mark.parametrize(
    ("data", "line", "part"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", 1, "not text"),
        (b"---\ntitle: x\n---\na\0b", 4, "NUL"),
        ("---\ntitle: café\n---\n".encode("latin-1"), 2, "not text in UTF-8 (byte 0xe9"),
        (TEXT.encode("utf-16")[:-1], 6, "not text in UTF"),
        (b"", 1, "there is no title"),
        (b"\xef\xbb\xbf", 1, "there is no title"),
        (b" \r\n\t\n", 1, "there is no title"),
        (b"---\n---\n", 1, "there is no title"),
    ],
)
def test_what_is_no_text_is_refused_with_a_line(newsroom: Newsroom, data: bytes, line: int, part: str) -> None:
    ((at, message), *_) = newsroom.errors("a.md", data)
    assert part in message
    assert at == line or "UTF-16" in message or data[:2] == b"\xff\xfe"


def test_a_file_that_is_too_large_is_refused_before_it_is_read(newsroom: Newsroom) -> None:
    newsroom.content = newsroom.content.model_copy(update={"max_file_mb": 1})
    ((_, message),) = newsroom.errors("a.md", b"x" * 1_100_000)
    assert "content.max_file_mb allows 1" in message


def test_a_file_that_cannot_be_read_is_an_error_and_no_crash(newsroom: Newsroom) -> None:
    gone = newsroom.articles / "loop.md"
    gone.symlink_to(gone)
    assert newsroom.reader.read(gone).article is None
    assert newsroom.reader.read(newsroom.articles / "nowhere.md").errors


def test_the_date_at_the_head_of_a_file_name_serves(newsroom: Newsroom) -> None:
    article = newsroom.read("2024-10-24-kenya-auction.md", f"---\ntitle: Auction\n---\n{BODY}")
    assert (article.published.date().isoformat(), article.slug) == ("2024-10-24", "kenya-auction")


def test_a_date_inside_wins_over_that_of_the_file_name(newsroom: Newsroom) -> None:
    article = newsroom.read("2024-10-24-x.md", f"---\ntitle: A\ndate: 2024-11-01\n---\n{BODY}")
    assert article.published.date().isoformat() == "2024-11-01"


def test_a_file_name_with_a_day_that_there_is_not_is_an_error(newsroom: Newsroom) -> None:
    ((_, message),) = newsroom.errors("2023-02-29-leap.md", f"---\ntitle: A\n---\n{BODY}")
    assert "file's name" in message
    assert "2023-02-29" in message


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Ünïcode & Spaces.md", "unicode-spaces"), ("北京.md", "bei-jing"), ("2024-10-24.md", "first-news"),
        ("kenya/index.md", "kenya"),
        ("..%2f..%2fetc.md", "2f-2fetc"), ("UPPER.MD", "upper"), ("-.md", "first-news"), ("🎉.md", "first-news"),
    ],
)  # fmt: skip
def test_every_file_name_gives_a_slug_that_is_safe_in_a_path(newsroom: Newsroom, name: str, slug: str) -> None:
    """Invariant 28."""
    assert newsroom.read(name, f"---\ntitle: First news\n---\n{BODY}").slug == slug


@pytest.mark.parametrize("slug", ["../../etc/passwd", "/abs", "a/b", "A B", "%2e%2e", "..\\..\\x", "x\\0y"])
def test_a_slug_cannot_leave_its_folder(newsroom: Newsroom, slug: str) -> None:
    """Invariant 28."""
    article = newsroom.read("a.md", f"---\ntitle: T\nslug: '{slug}'\n---\n{BODY}")
    assert article.slug
    assert not set(article.slug) - set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_slug_of_nothing_that_a_url_can_show_is_an_error(newsroom: Newsroom) -> None:
    ((line, message),) = newsroom.errors("a.md", f"---\ntitle: T\nslug: '///'\n---\n{BODY}")
    assert line == 3
    assert "slug" in message


def picture(path: Path, data: bytes = b"\x89PNG picture") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_a_picture_beside_the_article_is_published_with_it(newsroom: Newsroom) -> None:
    picture(newsroom.articles / "img" / "a b.png")
    article = newsroom.read("a.md", f"---\ntitle: T\nimage: img/a b.png\n---\n![x](img/a%20b.png)\n\n{BODY}")
    (media,) = article.media
    assert Path(media.path).name == "a b.png"
    assert article.image
    assert article.image.url == f"https://news.test/{media.url_path}"
    assert f'src="https://news.test/{media.url_path}"' in article.body
    assert " " not in media.url_path
    assert "%" not in media.url_path


@pytest.mark.parametrize(
    "link", ["../secret.png", "img/../../secret.png", "%2e%2e/secret.png", "linked.png", "link/secret.png", "key.pem", "x.svg"]
)
def test_what_lies_outside_the_articles_folder_is_never_published(newsroom: Newsroom, link: str) -> None:
    """Invariant 28: nor through a symlink, nor a file that is no picture."""
    secret = picture(newsroom.root / "secret.png")
    (newsroom.articles / "linked.png").symlink_to(secret)
    (newsroom.articles / "link").symlink_to(newsroom.root)
    picture(newsroom.articles / "key.pem")
    picture(newsroom.articles / "x.svg")
    assert newsroom.read("a.md", f"---\ntitle: T\n---\n![x]({link})\n\n{BODY}").media == ()


def test_a_picture_that_changes_gets_another_address(newsroom: Newsroom) -> None:
    text = f"---\ntitle: T\n---\n![x](a.png)\n\n{BODY}"
    picture(newsroom.articles / "a.png", b"one")
    before = newsroom.read("a.md", text).media
    picture(newsroom.articles / "a.png", b"another")
    assert newsroom.read("a.md", text).media[0].name != before[0].name
