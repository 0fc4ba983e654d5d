"""Real mail systems on loopback, each with its own settings and folders: Postfix and Dovecot."""

from __future__ import annotations

import grp
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from programs import need

MAIL_USER = "nobody"
# A daemon keeps what it inherits open: a pipe would never end.
_QUIET: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that the mail systems' own users may enter, unlike those of pytest."""
    folder = Path(tempfile.mkdtemp(prefix="dateline-mail-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def wait_for(what: Callable[[], bool], seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


def listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""

_MAIN = """\
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
maillog_file = {root}/log
maillog_file_prefixes = {root}
myhostname = mx.member.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_recipient_restrictions = permit_mynetworks, reject
smtpd_reject_unlisted_recipient = no
recipient_delimiter = +
alias_maps =
local_recipient_maps =
fast_flush_domains =
virtual_mailbox_domains = news.test, member.test
virtual_mailbox_base = {root}/mail
virtual_mailbox_maps = texthash:{root}/etc/boxes
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 100
"""


class Postfix:
    """Takes mail for news.test and member.test into Maildirs, and bounces what is for nobody."""

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, free_port()

    def box(self, name: str) -> Path:
        return self.root / "mail" / name


@contextmanager
def postfix(*boxes: str) -> Iterator[Postfix]:
    program = need("postfix")
    owner, user = pwd.getpwnam("postfix"), pwd.getpwnam(MAIL_USER)
    with open_folder() as root:
        server = Postfix(root)
        for name in ("etc", "queue", "data", "mail"):
            (root / name).mkdir()
        shutil.chown(root / "data", owner.pw_uid, owner.pw_gid)
        shutil.chown(root / "mail", user.pw_uid, user.pw_gid)
        main = _MAIN.format(root=root, uid=user.pw_uid, gid=user.pw_gid)
        (root / "etc" / "main.cf").write_text(main)
        (root / "etc" / "master.cf").write_text(_MASTER.format(port=server.port))
        (root / "etc" / "boxes").write_text("".join(f"{box} {box}/\n" for box in boxes))
        subprocess.run([program, "-c", root / "etc", "start"], check=True, timeout=60, **_QUIET)
        try:
            assert wait_for(lambda: listens(server.port)), (root / "log").read_text()
            yield server
        finally:
            subprocess.run([program, "-c", root / "etc", "stop"], check=False, timeout=60, **_QUIET)


_DOVECOT = """\
protocols = imap
listen = 127.0.0.1
base_dir = {root}/run
state_dir = {root}/run
log_path = {root}/log
ssl = required
ssl_cert = <{root}/cert.pem
ssl_key = <{root}/key.pem
mail_location = maildir:{root}/mail
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = static
  args = password=let-me-in
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={root}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {plain}
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
{more}
"""


class Dovecot:
    def __init__(self, root: Path) -> None:
        self.root, self.port, self.starttls_port = root, free_port(), free_port()
        self.mail = root / "mail"
        self.ca_file = root / "cert.pem"


@contextmanager
def dovecot(more: str = "") -> Iterator[Dovecot]:
    """An IMAP server with one account (any user, password ``let-me-in``) and a certificate of its own."""
    program = need("dovecot")
    user = pwd.getpwnam(MAIL_USER)
    with open_folder() as root:
        server = Dovecot(root)
        certificate(root)
        server.mail.mkdir()
        shutil.chown(server.mail, user.pw_uid, user.pw_gid)
        group = grp.getgrgid(user.pw_gid).gr_name
        text = _DOVECOT.format(
            root=root, user=MAIL_USER, group=group, port=server.port, plain=server.starttls_port, more=more
        )  # fmt: skip
        (root / "dovecot.conf").write_text(text)
        process = subprocess.Popen([program, "-F", "-c", root / "dovecot.conf"], stderr=subprocess.PIPE)
        try:
            up = wait_for(lambda: listens(server.port) or process.poll() is not None)
            assert up and process.poll() is None, process.stderr and process.stderr.read().decode()
            yield server
        finally:
            process.terminate()
            process.wait(20)


def certificate(root: Path) -> None:
    """A certificate for 127.0.0.1 and its key, in PEM."""
    from ipaddress import ip_address

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1)).not_valid_after(now + timedelta(days=2))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (root / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (root / "key.pem").write_bytes(key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ))  # fmt: skip
