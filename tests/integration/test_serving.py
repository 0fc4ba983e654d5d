"""The published folder over HTTP: the same requests to dateline's own server, to nginx and to Caddy, as docs/serving.md has them."""

from __future__ import annotations

import gzip
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import brotli
import pytest

from dateline.site import lay_out

sys.path.insert(0, str(Path(__file__).parents[1] / "acceptance"))
from programs import ROOT, Program, need

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
DOC = (ROOT / "docs" / "serving.md").read_text()


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


class Server:
    """A server of one folder, reached on loopback."""

    def __init__(self, port: int) -> None:
        self.port = port

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            reply = connection.getresponse()
            return Reply(reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read())
        finally:
            connection.close()


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published site with one article withdrawn and one at a new address."""
    site = tmp_path_factory.mktemp("served") / "site"
    lay_out(site, FIRST)
    config = site / "config.toml"
    text = config.read_text().replace("https://carrierandcable.example", "https://news.example.org")
    config.write_text(text.replace('precompress = ["gzip"]', 'precompress = ["gzip", "br"]'))
    dateline = Program(site)
    (site / "articles" / "one.md").write_text("---\ntitle: One\nslug: one\n---\nThe first.\n")
    (site / "articles" / "two.md").write_text("---\ntitle: Two\nslug: old-two\n---\nThe second.\n")
    dateline("publish")
    (site / "articles" / "one.md").unlink()
    (site / "articles" / "two.md").write_text("---\ntitle: Two\nslug: two\n---\nThe second.\n")
    dateline("publish")
    # nginx gives up being root, and must still read what root made.
    for folder in (site, *site.parents):
        if folder.is_relative_to(site.parent.parent) and os.getuid() == 0:
            folder.chmod(0o755)
    return site / "public"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        if process.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail(f"the server does not listen: {log.read_text()[-2000:]}")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", DOC, re.DOTALL)
    assert found
    return found[1]


def start(name: str, public: Path, folder: Path, port: int) -> subprocess.Popen[bytes]:
    log = (folder / "log").open("wb")
    if name == "dateline":
        words = [Path(sys.executable).parent / "dateline", "--site", public.parent, "serve", "--port", str(port)]
        return subprocess.Popen(words, stdout=log, stderr=log)
    if name == "nginx":
        nginx = need("nginx")
        server = block("nginx").replace("/srv/news/public", str(public)).replace("listen 80;", f"listen 127.0.0.1:{port};")
        modules = Path("/usr/share/nginx/modules-available")
        found = [path.read_text() for path in modules.glob("*brotli-static*.conf")] if modules.is_dir() else []
        load = "".join(found).replace("modules/", "/usr/lib/nginx/modules/")
        if not load:
            server = server.replace("brotli_static on;", "")
        config = folder / "nginx.conf"
        config.write_text(
            f"{load}daemon off; master_process off; pid {folder}/pid; error_log stderr;\nevents {{}}\nhttp {{\n"
            f"access_log off; include /etc/nginx/mime.types; client_body_temp_path {folder};\n{server}}}\n"
        )
        return subprocess.Popen([nginx, "-c", config, "-p", folder], stdout=log, stderr=log)
    caddy = need("caddy")
    text = (
        block("caddy").replace("/srv/news/public", str(public)).replace("news.example.org {", f"http://127.0.0.1:{port} {{", 1)
    )
    config = folder / "Caddyfile"
    config.write_text(f"{{\n\tadmin off\n}}\n{text}")
    environment = {"HOME": str(folder), "PATH": os.environ["PATH"], "XDG_DATA_HOME": str(folder)}
    return subprocess.Popen(
        [caddy, "run", "--config", config, "--adapter", "caddyfile"], stdout=log, stderr=log, env=environment
    )


@pytest.fixture(scope="module", params=["dateline", "nginx", "caddy"])
def server(request: pytest.FixtureRequest, public: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder, port = tmp_path_factory.mktemp(request.param), free_port()
    process = start(request.param, public, folder, port)
    try:
        wait_for(port, process, folder / "log")
        yield Server(port)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/feeds/atom.xml", "application/atom+xml; charset=utf-8"),
        ("/feeds/regions/asia/rss.xml", "application/rss+xml; charset=utf-8"),
        ("/feeds/feed.json", "application/feed+json; charset=utf-8"),
        ("/feeds/index.opml", "text/x-opml; charset=utf-8"),
        ("/feeds/feed.css", "text/css; charset=utf-8"),
        ("/", "text/html; charset=utf-8"),
        ("/feeds/regions/asia/", "text/html; charset=utf-8"),
    ],
)
def test_every_kind_of_file_says_what_it_is(server: Server, public: Path, path: str, kind: str) -> None:
    reply = server.ask(path)
    assert (reply.status, reply.headers["content-type"].lower()) == (200, kind)
    assert reply.body == (public / (path + "index.html" if path.endswith("/") else path).lstrip("/")).read_bytes()
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_who_has_the_file_already_gets_304(server: Server) -> None:
    """RFC 9110 13."""
    first = server.ask("/feeds/atom.xml")
    tag, date = first.headers["etag"], first.headers["last-modified"]
    assert not tag.startswith("W/")
    for asked in ({"If_None_Match": tag}, {"If_None_Match": f'"other", {tag}'}, {"If_Modified_Since": date}):
        reply = server.ask("/feeds/atom.xml", **asked)
        assert (reply.status, reply.body) == (304, b"")
        assert "max-age=300" in reply.headers["cache-control"]
        assert reply.headers["etag"] == tag
    assert server.ask("/feeds/atom.xml", If_None_Match='"other"', If_Modified_Since=date).status == 200


@pytest.mark.parametrize(("coding", "unpack"), [("gzip", gzip.decompress), ("br", brotli.decompress)], ids=["gzip", "br"])
def test_the_compressed_file_is_sent_to_who_takes_it(server: Server, public: Path, coding: str, unpack: object) -> None:
    reply = server.ask("/feeds/atom.xml", Accept_Encoding=coding)
    assert reply.headers["content-encoding"] == coding
    assert "accept-encoding" in reply.headers["vary"].lower()
    assert callable(unpack)
    assert unpack(reply.body) == (public / "feeds/atom.xml").read_bytes()
    again = server.ask("/feeds/atom.xml", Accept_Encoding=coding, If_None_Match=reply.headers["etag"])
    assert again.status == 304


def test_a_head_says_the_same_without_the_file(server: Server, public: Path) -> None:
    reply = server.ask("/feeds/rss.xml", "HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) == (public / "feeds/rss.xml").stat().st_size


def test_web_pages_of_others_may_read_feeds(server: Server) -> None:
    for path in ("/feeds/atom.xml", "/feeds/rss.xml", "/feeds/feed.json", "/feeds/index.opml"):
        assert server.ask(path).headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-origin" not in server.ask("/").headers


def test_a_withdrawn_article_is_gone_and_a_renamed_one_has_moved(server: Server) -> None:
    for end in ("", "/", "/index.html"):
        assert server.ask(f"/articles/one{end}").status == 410
        moved = server.ask(f"/articles/old-two{end}")
        assert moved.status == 301
        assert moved.headers["location"] in ("/articles/two/", f"http://127.0.0.1:{server.port}/articles/two/")
    assert server.ask("/articles/two/").status == 200


def test_pictures_may_be_kept_for_ever(server: Server, public: Path) -> None:
    name = next((public / "media").iterdir()).name
    reply = server.ask(f"/media/{name}")
    assert "immutable" in reply.headers["cache-control"]
    part = server.ask(f"/media/{name}", Range="bytes=10-19")
    assert (part.status, part.body) == (206, reply.body[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(reply.body)}"


@pytest.mark.parametrize(
    "path",
    ["/../config.toml", "/feeds/../../config.toml", "/%2e%2e/config.toml", "/..%2fconfig.toml", "/.dateline-addresses.json",
     "/feeds/%00atom.xml", "/nothing-here", "/feeds/..%5c..%5cconfig.toml", "//etc/passwd"],
)  # fmt: skip
def test_nothing_outside_of_the_folder_and_nothing_hidden_is_shown(server: Server, path: str) -> None:
    """Invariant 28."""
    reply = server.ask(path)
    assert 300 <= reply.status < 500
    assert b"[site]" not in reply.body
    assert b"gone" not in reply.body.lower() or reply.status != 200


def test_a_folder_without_its_slash_leads_to_the_page_and_never_to_another_site(server: Server) -> None:
    """Invariant 36."""
    reply = server.ask("/feeds")
    assert reply.status in (301, 302, 307, 308)
    assert "feeds/" in reply.headers["location"]
    for path in ("//evil.example", "//evil.example/..", "/%5cevil.example", "//evil.example/%2e%2e"):
        location = server.ask(path).headers.get("location", "")
        assert not re.match(r"(?:https?:)?(?://|/\\|\\)evil", location), (path, location)


@pytest.fixture
def changing(tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    """dateline's own server over a site that a test may change."""
    site, port = tmp_path / "site", free_port()
    lay_out(site, FIRST)
    Program(site)("publish")
    shutil.rmtree(tmp_path / "log", ignore_errors=True)
    process = start("dateline", site / "public", tmp_path, port)
    try:
        wait_for(port, process, tmp_path / "log")
        yield Server(port), site
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) in (0, -signal.SIGTERM)


def test_a_publish_shows_at_once(changing: tuple[Server, Path]) -> None:
    server, site = changing
    before = server.ask("/feeds/atom.xml")
    (site / "articles" / "new.md").write_text("---\ntitle: Brand new\n---\nJust in.\n")
    Program(site)("publish")
    after = server.ask("/feeds/atom.xml", If_None_Match=before.headers["etag"])
    assert (after.status, b"Brand new" in after.body) == (200, True)


def test_what_is_not_laid_out_compressed_is_compressed_once(changing: tuple[Server, Path]) -> None:
    server, site = changing
    (site / "public/feeds/atom.xml.gz").unlink()
    for coding in ("br", "gzip"):
        reply = server.ask("/feeds/atom.xml", Accept_Encoding=f"{coding};q=1, identity;q=0.5")
        assert reply.headers["content-encoding"] == coding
    assert "content-encoding" not in server.ask("/feeds/atom.xml", Accept_Encoding="gzip;q=0").headers


def test_only_reading_is_answered(changing: tuple[Server, Path]) -> None:
    """Invariant 17."""
    server, _ = changing
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        reply = server.ask("/feeds/atom.xml", method)
        assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    assert server.ask("/feeds/atom.xml", "OPTIONS").headers["access-control-allow-methods"] == "GET, HEAD, OPTIONS"
    assert server.ask("/healthz").body == b"ok\n"
    page = server.ask("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_link_that_leads_out_of_the_folder_is_not_followed(changing: tuple[Server, Path]) -> None:
    server, site = changing
    (site / "public" / "secret.html").symlink_to(site / "config.toml")
    assert server.ask("/secret.html").status == 404


def test_a_taken_port_and_a_missing_folder_are_named(changing: tuple[Server, Path], tmp_path: Path) -> None:
    server, site = changing
    done = Program(site)("serve", "--port", server.port, code=2)
    assert f"port {server.port}: cannot be listened on" in done.stderr
    lay_out(tmp_path / "empty", __import__("datetime").datetime(2026, 1, 1))
    assert "run `dateline publish` first" in Program(tmp_path / "empty")("serve", code=2).stderr
