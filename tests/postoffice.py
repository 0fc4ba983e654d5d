"""Real mail servers on loopback, started and stopped by us: Postfix's smtp-sink, a faster sink in C, and Postfix itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

FAST_SINK = Path(__file__).parents[1] / "benchmarks" / "fast_sink.c"


class MissingError(Exception):
    """A program that is needed is not installed here; the text says which and how to get it."""


def find(program: str, package: str) -> str:
    """Where a program is, also when it stands where only root's path leads. Raises ``MissingError``."""
    found = shutil.which(program) or shutil.which(f"/usr/sbin/{program}")
    if not found:
        raise MissingError(f"{program} is not installed (Debian: apt-get install {package})")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for(port: int, seconds: float = 20) -> None:
    """Returns when something listens on a port of ours and greets."""
    end = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as connection:
                connection.settimeout(2)
                if connection.recv(1):
                    connection.sendall(b"QUIT\r\n")
                    return
        except OSError:
            pass
        if time.monotonic() > end:
            raise TimeoutError(f"nothing answers on port {port} after {seconds} s")
        time.sleep(0.02)


@contextmanager
def smtp_sink() -> Iterator[int]:
    """Postfix's smtp-sink, which takes everything; its port."""
    port = free_port()
    words = [find("smtp-sink", "postfix"), "-m", "1000"]
    words += ["-u", "nobody"] if os.geteuid() == 0 else []
    with subprocess.Popen(
        [*words, f"127.0.0.1:{port}", "1000"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_for(port)
            yield port
        finally:
            server.send_signal(signal.SIGTERM)


@dataclass(slots=True)
class Tally:
    """What the fast sink took; known once it is stopped. ``seconds`` are from the first MAIL to the last final dot."""

    port: int
    messages: int = 0
    bytes: int = 0
    seconds: float = 0.0


def build_fast_sink(folder: Path) -> Path:
    """Compiles the fast sink into a folder. Raises ``MissingError`` where there is no C compiler."""
    program = folder / "fast_sink"
    subprocess.run([find("cc", "gcc"), "-O2", "-o", program, FAST_SINK], check=True, timeout=120)
    return program


@contextmanager
def fast_sink(program: Path, *, delay: float = 0, log: Path | None = None) -> Iterator[Tally]:
    """The sink in C that does next to nothing. ``delay`` holds every reply back that many milliseconds."""
    words = [str(program), "0", "--delay", str(delay), *(("--log", str(log)) if log else ())]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        tally = Tally(int(server.stdout.readline().split()[1]))
        try:
            yield tally
        finally:
            server.send_signal(signal.SIGTERM)
            told = json.loads(server.stdout.read())
            tally.messages, tally.bytes, tally.seconds = told["messages"], told["bytes"], told["seconds"]


MAIN_CF = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
myhostname = mx.example.com
mydomain = example.com
myorigin = example.com
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_peername_lookup = no
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = none
default_process_limit = 100
local_recipient_maps =
alias_maps =
alias_database =
default_database_type = texthash
mailbox_size_limit = 0
biff = no
{more}
"""

MASTER_CF = """\
{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True, slots=True)
class PostOffice:
    """A running Postfix: its port, and the folder that holds all it has (its log is ``postfix.log``)."""

    port: int
    folder: Path


@contextmanager
def postfix(more: str) -> Iterator[PostOffice]:
    """A Postfix of its own, which the machine's Postfix knows nothing of, in a folder that is removed afterwards.

    ``more`` are lines of main.cf that say what becomes of the mail; ``{folder}`` in them is the folder. Raises
    ``MissingError`` without Postfix or root.
    """
    program = find("postfix", "postfix")
    if os.geteuid() != 0:
        raise MissingError("Postfix is started by root only")
    folder = Path(tempfile.mkdtemp(prefix="dateline-postfix-"))
    port = free_port()
    try:
        _lay_out(folder, port, more.replace("{folder}", str(folder)))
        command = [program, "-c", str(folder / "config")]
        subprocess.run([*command, "start"], check=True, timeout=60, capture_output=True)
        try:
            wait_for(port)
            yield PostOffice(port, folder)
        finally:
            # "abort" ends the children as well, by the process group of this one Postfix.
            subprocess.run([*command, "abort"], check=False, timeout=60, capture_output=True)
            _wait_until_gone(folder / "queue" / "pid" / "master.pid")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _lay_out(folder: Path, port: int, more: str) -> None:
    folder.chmod(0o755)
    for name in ("queue", "data", "config", "mail"):
        (folder / name).mkdir()
    for name in ("data", "mail"):
        shutil.chown(folder / name, "postfix")
    (folder / "config" / "main.cf").write_text(MAIN_CF.format(folder=folder, more=more))
    (folder / "config" / "master.cf").write_text(MASTER_CF.format(port=port))


def _wait_until_gone(pid_file: Path) -> None:
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    for _ in range(200):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.05)
