"""How many requests a second ``dateline serve`` answers, against nginx with the same files, both asked by wrk in turn.

One feed of about 210 kB: whole, as its gzip file, and by who has it already (304). Needs Debian's packages nginx and wrk.
Prints requests a second and the ratio to nginx (one worker) with its spread over the rounds.
"""

from __future__ import annotations

import gzip
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS, SECONDS, CONNECTIONS = 5, 2, 32

NGINX = """\
daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; gzip_static on; open_file_cache max=100;
    client_body_temp_path {folder};
    server {{ listen 127.0.0.1:{port}; root {folder}/public; types {{ application/atom+xml xml; }} }}
}}
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit("a server does not listen; nothing was measured")


def tag_of(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"HEAD /feeds/atom.xml HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        found = re.search(rb"(?i)etag: (.*)\r", connection.recv(4096))
    assert found
    return found[1].decode()


def ask(port: int, headers: list[str]) -> float:
    words = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *(part for header in headers for part in ("-H", header))]
    done = subprocess.run(
        [*words, f"http://127.0.0.1:{port}/feeds/atom.xml"], capture_output=True, text=True, check=True, timeout=60
    )
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    assert found
    return float(found[1])


def main() -> None:
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if not nginx or not shutil.which("wrk"):
        sys.exit("nginx or wrk is not installed (Debian: apt-get install nginx wrk); nothing was measured")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "public" / "feeds").mkdir(parents=True)
        feed = b"<feed>" + b"".join(
            b"<entry>The ministry said %d on Wednesday that firms may own data centres.</entry>" % n for n in range(2700)
        )
        (folder / "public/feeds/atom.xml").write_bytes(feed)
        (folder / "public/feeds/atom.xml.gz").write_bytes(gzip.compress(feed, mtime=0))
        (folder / "config.toml").write_text('[site]\ntitle = "Bench"\nurl = "https://bench.example"\n')
        ports = {"dateline": free_port(), "nginx": free_port()}
        (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=ports["nginx"]))
        dateline = Path(sys.executable).parent / "dateline"
        servers = [
            subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for words in (
                [dateline, "--site", folder, "serve", "--port", str(ports["dateline"])],
                [nginx, "-c", folder / "nginx.conf", "-p", folder],
            )
        ]
        try:
            for port in ports.values():
                wait_for(port)
            measure(ports, len(feed))
        finally:
            for server in servers:
                server.send_signal(signal.SIGTERM)
                server.wait(20)


def measure(ports: dict[str, int], size: int) -> None:
    print(f"a feed of {size / 1000:.0f} kB, {CONNECTIONS} connections, {ROUNDS} rounds of {SECONDS} s; requests a second")
    print(f"{'':12}{'nginx':>10}{'dateline':>10}   dateline / nginx (spread)")
    cases = {
        "200": lambda port: [],
        "200 gzip": lambda port: ["Accept-Encoding: gzip"],
        "304": lambda port: [f"If-None-Match: {tag_of(port)}"],
    }
    for case, headers in cases.items():
        rates = {who: [] for who in ports}
        for _ in range(ROUNDS):
            for who, port in ports.items():
                rates[who].append(ask(port, headers(port)))
        ratios = [ours / theirs for ours, theirs in zip(rates["dateline"], rates["nginx"], strict=True)]
        medians = {who: statistics.median(found) for who, found in rates.items()}
        line = f"{case:12}{medians['nginx']:>10,.0f}{medians['dateline']:>10,.0f}"
        print(f"{line}   {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
