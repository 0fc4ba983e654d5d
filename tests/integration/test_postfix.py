"""A real Postfix takes an edition, lays it into mailboxes, and sends back what it cannot deliver."""

from __future__ import annotations

import email
import email.policy
import json
import pwd
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest
from postoffice import MissingError, PostOffice, postfix
from publication import Publication

READERS = [f"reader{number}@example.com" for number in range(5)]
UNKNOWN = "nobody.here@example.com"

# Recipients are not looked up while the client waits: an unknown one comes back as a message.
DELIVERY = """\
virtual_mailbox_domains = example.com, news.test
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = inline:{MAILBOXES}
virtual_uid_maps = static:UID
virtual_gid_maps = static:GID
smtpd_reject_unlisted_recipient = no
"""


@dataclass(frozen=True, slots=True)
class Delivered:
    """An edition that Postfix has dealt with."""

    site: Publication
    office: PostOffice

    def mailbox(self, name: str) -> Path:
        return self.office.folder / "mail" / name

    def letters(self, name: str) -> list[EmailMessage]:
        """The messages in a mailbox."""
        files = sorted((self.mailbox(name) / "new").glob("*"))
        return [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]  # type: ignore[misc]


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Delivered]:
    owner = pwd.getpwnam("nobody")
    # What goes back to the newsletter, under whatever return path, lands in one mailbox.
    boxes = {address: f"{address}/" for address in READERS} | {"@news.test": "returned/"}
    inline = "{ " + ", ".join(f"{{ {address} = {box} }}" for address, box in boxes.items()) + " }"
    more = DELIVERY.replace("{MAILBOXES}", inline).replace("UID", str(owner.pw_uid)).replace("GID", str(owner.pw_gid))
    try:
        with postfix(more) as office:
            shutil.chown(office.folder / "mail", owner.pw_uid, owner.pw_gid)
            site = Publication(tmp_path_factory.mktemp("site"), articles=2, transport=f"smtp://127.0.0.1:{office.port}")
            site.publish()
            site.join(*READERS, UNKNOWN)
            site.send()
            found = Delivered(site, office)
            wait(lambda: all(found.letters(reader) for reader in READERS) and bool(found.letters("returned")), office)
            yield found
    except MissingError as error:
        pytest.skip(str(error))


def wait(for_what: Callable[[], bool], office: PostOffice, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not for_what():
        assert time.monotonic() < end, (office.folder / "postfix.log").read_text()
        time.sleep(0.1)


def test_each_reader_finds_the_edition_once_in_the_mailbox(delivered: Delivered) -> None:
    assert delivered.site.is_sent() and delivered.site.balance() == {"sent": len(READERS) + 1}
    for reader in READERS:
        (letter,) = delivered.letters(reader)
        assert letter["To"].addresses[0].addr_spec == reader and letter["Delivered-To"] == reader
        assert letter.get_body(("plain",)) and letter.get_body(("html",))
        assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        # Postfix notes what it had to mend.
        assert letter.defects == [] and "X-Postfix" not in str(letter.keys())
    assert len({delivered.letters(reader)[0]["Message-ID"] for reader in READERS}) == len(READERS)


def test_what_cannot_be_delivered_comes_back_as_a_report(delivered: Delivered) -> None:
    (report,) = delivered.letters("returned")
    assert report.get_content_type() == "multipart/report"
    status = next(part for part in report.walk() if part.get_content_type() == "message/delivery-status")
    fields = [block for block in status.get_payload() if block["Action"]]  # type: ignore[union-attr, index]
    assert fields[0]["Action"] == "failed" and fields[0]["Status"].startswith("5.1.1")  # type: ignore[index]
    assert fields[0]["Final-Recipient"].endswith(UNKNOWN)  # type: ignore[index]
    original = next(part for part in report.walk() if part.get_content_type() in ("message/rfc822", "text/rfc822-headers"))
    assert "@news.test>" in original.as_string()


def test_the_report_suppresses_the_subscriber(delivered: Delivered, tmp_path: Path) -> None:
    """Invariant 15, with a report as a real server writes it; the readers stay."""
    if delivered.site.run("bounces", "--help", codes=(0, 2)).returncode:
        pytest.skip("there is no `dateline bounces` in this version")
    mailbox = tmp_path / "returned"
    shutil.copytree(delivered.mailbox("returned"), mailbox)
    delivered.site.run("bounces", "process", mailbox, "--json")
    told = json.loads(delivered.site.run("subscribers", "list", "--json").stdout)
    states = {one["email"]: one["state"] for one in told}
    assert states.pop(UNKNOWN, "gone") != "confirmed"
    assert set(states.values()) == {"confirmed"} and set(states) == set(READERS)
