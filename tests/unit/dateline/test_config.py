"""A wrong setting is named with file, line and key, and a secret is never printed (invariant 31)."""

from __future__ import annotations

from pathlib import Path

import pytest

from content.errors import ConfigError
from dateline.config import load


def problem(folder: Path, text: str) -> str:
    (folder / "config.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[site]\ntitel = 'x'", ":2: site.titel: there is no such setting; did you mean 'title'?"),
        ("[site]\nurl = 'ftp://x'", ":2: site.url: 'ftp://x' is not a web address"),
        ("[site]\nurl = 'https://news.test/a b'", ":2: site.url: 'https://news.test/a b': the path of the site must be of ASCII"),
        ("[site]\nurl = 'https://news.test/ü'", "the path of the site must be of ASCII"),
        ("[site]\nurl = 'https://news.test/<x>'", "the path of the site must be of ASCII"),
        ("[site]\nurl = 'https://ne`ws.test'", ":2: site.url: 'https://ne`ws.test' is not a web address"),
        ("[site]\nurl = 'https://news.test:99999'", ":2: site.url: 'https://news.test:99999' is not a web address"),
        ("[site]\n\ntimezone = 'Mars/Base'", ":3: site.timezone: 'Mars/Base' is not a time zone"),
        ("[feeds]\nlimit = 'many'", ":2: feeds.limit: must be a whole number"),
        ("[fedes]\nlimit = 5", ":1: fedes: there is no such setting; did you mean 'feeds'?"),
        ("[[digest]]\nname = 'a'\ntitle = 'A'\ncron = '99 * * * *'", ":4: [[digest]] a, cron: '99 * * * *' is not a cron line"),
        ("[[digest]]\ntitle = 'A'", ":1: [[digest]] number 1, name: is missing"),
        ("[[digest]]\nname = 'a'\ntitle = 'A'\n[[digest]]\nname = 'a'\ntitle = 'B'", "digest: two are called a"),
        ("[[digest]]\nname = 'a'\ntitle = 'A'\nregions = ['Xanadu']", "'Xanadu' is no country or subdivision"),
        ("[newsletter]\ntransport = 'carrier-pigeon'", ":2: newsletter.transport: must be smtp://"),
        ("[content]\narticle_path = '../{slug}'", ":2: content.article_path: must be an ASCII path below the site"),
        ("[newsletter]\nretry_minutes = 5", ":2: newsletter.retry_minutes: must be a list such as [5, 15, 60, 240, 720]"),
        ("[newsletter]\ndomain_rates = 5", ':2: newsletter.domain_rates: must be a table such as { "example.com" = 20 }'),
        ("[newsletter]\nin_doubt = 'maybe'", ":2: newsletter.in_doubt: must be 'resend', 'hold' or 'skip'"),
        ("[newsletter]\ntimeout_seconds = 0", ":2: newsletter.timeout_seconds: must be more than 0"),
        ("[newsletter]\nconnections = 1.5", ":2: newsletter.connections: must be a whole number"),
        ("[serve]\naccess_log = 'maybe'", ":2: serve.access_log: must be true or false"),
        ("[site]\ntitle = 3", ':2: site.title: must be text in "quotes"'),
        ("[site]\nowned_since = 'once'", ":2: site.owned_since: must be a date such as 2026-01-31"),
        ("[[digest]]\nname = 't9'\ntitle = 'T'\nregions = 3", ':4: [[digest]] t9, regions: must be a list such as ["one", "two"]'),
        ("[[feed]]\nname = 'f9'\ntitle = 'T'\ntags = 3", ":4: [[feed]] f9, tags: must be a list"),
        ("[site", ":1: is not TOML"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in problem(tmp_path, text)


def test_an_authors_page_may_have_any_path(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[authors.mei]\nname = 'Mei'\nurl = 'https://bücher.test/~mei ü/'\n")
    assert load(tmp_path).authors["mei"].url == "https://xn--bcher-kva.test/~mei%20%C3%BC"


@pytest.mark.parametrize(
    "line", ["smtp_password = 'hunter2hunter2'", "api_token = 'hunter2hunter2'", "transport = 'smtp://u:hunter2hunter2@h'"]
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(tmp_path: Path, line: str) -> None:
    said = problem(tmp_path, f"[newsletter]\n{line}")
    assert ":2:" in said and "DATELINE_NEWSLETTER__" in said and "hunter2" not in said


def test_an_unknown_region_is_told_together_with_all_the_rest(tmp_path: Path) -> None:
    told = problem(tmp_path, "[[digest]]\nname = 't9'\ntitle = 'T'\nlimit = 'x'\nregions = ['Xanadu']").splitlines()
    assert len(told) == 2
    assert ":4: [[digest]] t9, limit: must be a whole number" in told[1] + told[0]
    assert ":5: [[digest]] t9, regions: 'Xanadu' is no country or subdivision" in told[1] + told[0]


@pytest.mark.parametrize(
    ("name", "value", "example"),
    [
        ("NEWSLETTER__RETRY_MINUTES", "5,15", "'[5, 15, 60, 240, 720]'"),
        ("NEWSLETTER__DOMAIN_RATES", "example.com=20", """'{"example.com": 20}'"""),
        ("SERVE__TRUSTED_PROXIES", "10.0.0.1", "'["),
        ("DIGEST", "daily", """'[{"name": "daily", "title": "Daily"}]'"""),
    ],
)
def test_a_variable_that_is_no_json_is_told_with_an_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, example: str
) -> None:
    monkeypatch.setenv(f"DATELINE_{name}", value)
    assert f"write it as DATELINE_{name}={example}" in problem(tmp_path, "")


def test_the_environment_wins_and_is_named_when_it_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("[site]\ntitle = 'File'\n[feeds]\nlimit = 7\n")
    monkeypatch.setenv("DATELINE_SITE__TITLE", "Environment")
    settings = load(tmp_path)
    assert (settings.site.title, settings.feeds.limit) == ("Environment", 7)
    monkeypatch.setenv("DATELINE_FEEDS__LIMIT", "none")
    with pytest.raises(ConfigError, match="environment variable DATELINE_FEEDS__LIMIT"):
        load(tmp_path)


def test_secrets_come_from_files_too_and_never_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.toml").write_text("")
    (tmp_path / "secret").write_text("hunter2hunter2\n")
    monkeypatch.setenv("DATELINE_NEWSLETTER__SMTP_PASSWORD_FILE", "secret")
    monkeypatch.setenv("DATELINE_NEWSLETTER__API_TOKEN_FILE", "secret")
    monkeypatch.setenv("DATELINE_NEWSLETTER__SMTP_USER", "news")
    settings = load(tmp_path)
    assert settings.newsletter.api_token and settings.newsletter.api_token.get_secret_value() == "hunter2hunter2"
    assert settings.newsletter.smtp_password and settings.newsletter.smtp_password.get_secret_value() == "hunter2hunter2"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("transport = 'smtps://mail.test'\nsmtp_password_file = 'x'", "no smtp_user"),
        ("transport = 'smtp://mail.test'\nsmtp_user = 'news'", "in clear"),
        ("from_email = 'j\u00fcrgen@news.org'", "in ASCII"),
        ("unsubscribe_path = 'leave/{token}}'", "ASCII path"),
    ],
)
def test_what_could_send_nothing_or_too_much_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "config.toml").write_text(f"[newsletter]\n{text}\n", "utf-8")
    with pytest.raises(ConfigError, match=said):
        load(tmp_path)


def test_an_international_name_of_the_site_is_written_in_ascii(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[site]\nurl = 'https://Z\u00fcrich.test:8080/n'\n", "utf-8")
    settings = load(tmp_path)
    assert (settings.site.url, settings.site.host) == ("https://xn--zrich-kva.test:8080/n", "xn--zrich-kva.test")


def test_a_folder_without_a_site_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="dateline init"):
        load(tmp_path)
