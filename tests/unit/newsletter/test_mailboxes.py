"""Mail is taken out of a mailbox only after it was settled, and never deleted."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from returns import NOW, Returns

from dateline.store import memory_store, open_store
from newsletter import mailboxes
from newsletter.bounces import Bounces, Outcome
from newsletter.imap_mailbox import ImapAddress
from newsletter.mailboxes import Mail, MailboxError, Maildir, Mbox
from newsletter.processing import open_mailbox, process, process_piped

NAMES = ["postfix-user-unknown", "vacation-gmail", "letter-from-a-reader", "forged-report", "arf-yahoo"]


@pytest.fixture
def returns() -> Returns:
    return Returns(memory_store())


@pytest.fixture
def maildir(tmp_path: Path, returns: Returns) -> Maildir:
    folder = Maildir(tmp_path / "bounces")
    for name in NAMES:
        folder.deliver(returns.sample(name))
    return folder


def files(maildir: Maildir, part: str) -> list[str]:
    folder = maildir.folder / part
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def contents(maildir: Maildir) -> list[bytes]:
    return sorted(path.read_bytes() for path in maildir.folder.rglob("*") if path.is_file() and path.name != "maildirfolder")


def test_what_was_settled_is_filed_and_what_is_strange_set_aside(returns: Returns, maildir: Maildir) -> None:
    before = contents(maildir)
    run = process(returns.bounces, maildir, lambda: NOW)
    assert run.messages == 5 and run.seen_before == 0
    assert run.outcomes == {
        Outcome.SUPPRESSED: 1, Outcome.HARMLESS: 1, Outcome.SET_ASIDE: 2, Outcome.COMPLAINED: 1,
    }  # fmt: skip
    assert files(maildir, "new") == files(maildir, "cur") == []
    assert len(files(maildir, ".Set-aside/cur")) == 2
    processed = files(maildir, ".Processed/cur")
    assert len(processed) == 3 and all(name.endswith(":2,S") for name in processed)
    assert contents(maildir) == before
    assert process(returns.bounces, maildir, lambda: NOW).messages == 0


def test_what_was_set_aside_can_be_tried_again(returns: Returns, maildir: Maildir) -> None:
    process(returns.bounces, maildir, lambda: NOW)
    aside = Maildir(maildir.folder / ".Set-aside")
    run = process(returns.bounces, aside, lambda: NOW)
    assert (run.outcomes, run.seen_before) == ({Outcome.SET_ASIDE: 2}, 0)


def test_a_message_settled_before_a_crash_and_not_yet_filed_is_filed_and_not_counted(returns: Returns, tmp_path: Path) -> None:
    maildir = Maildir(tmp_path)
    maildir.deliver(returns.sample("postfix-mailbox-full"))
    returns.bounces.take(returns.sample("postfix-mailbox-full"), NOW)
    run = process(returns.bounces, maildir, lambda: NOW + timedelta(days=2))
    assert (run.messages, run.seen_before, returns.counted()) == (1, 1, 1)
    assert len(files(maildir, ".Processed/cur")) == 1


def test_two_messages_of_one_name_are_both_kept(returns: Returns, tmp_path: Path) -> None:
    maildir = Maildir(tmp_path)
    for content in (b"first\n", b"second\n"):
        maildir.deliver(b"")
        (name,) = files(maildir, "new")
        path = tmp_path / "new" / name
        path.write_bytes(content)
        path = path.rename(path.with_name("same"))
        maildir.file(Mail("new/same", content), aside=True)
    assert contents(maildir) == [b"first\n", b"second\n"]


def test_a_message_that_another_process_took_is_none_of_ours(returns: Returns, maildir: Maildir) -> None:
    found = maildir.messages()
    first = next(found)
    Maildir(maildir.folder).file(first, aside=False)
    maildir.file(first, aside=False)
    for path in (maildir.folder / "new").iterdir():
        path.unlink()
    assert list(found) == []


def mbox(path: Path, *contents: bytes) -> Mbox:
    quoted = [b"From x@y.test Mon Nov 23 07:00:00 2026\n" + text.replace(b"\nFrom ", b"\n>From ") + b"\n" for text in contents]
    path.write_bytes(b"".join(quoted))
    return Mbox(path)


def test_an_mbox_is_read_and_left_as_it_is(returns: Returns, tmp_path: Path) -> None:
    box = mbox(tmp_path / "mbox", *(returns.sample(name) for name in NAMES))
    before = box.path.read_bytes()
    run = process(returns.bounces, box, lambda: NOW)
    assert (run.messages, run.outcomes[Outcome.SUPPRESSED], run.outcomes[Outcome.SET_ASIDE]) == (5, 1, 2)
    again = process(returns.bounces, box, lambda: NOW + timedelta(days=2))
    assert (again.messages, again.seen_before) == (5, 3)
    assert box.path.read_bytes() == before


def test_an_mbox_gives_the_messages_that_were_put_in(tmp_path: Path) -> None:
    texts = [b"Subject: a\n\nFrom here on\nit goes\n", b"Subject: b\n\n>From quoted\n", b"Subject: c\n\n"]
    assert [mail.content.rstrip() for mail in mbox(tmp_path / "mbox", *texts).messages()] == [
        b"Subject: a\n\nFrom here on\nit goes", b"Subject: b\n\nFrom quoted", b"Subject: c",
    ]  # fmt: skip
    assert list(mbox(tmp_path / "empty").messages()) == []


def test_what_is_appended_to_an_mbox_meanwhile_is_left_for_the_next_run(tmp_path: Path) -> None:
    box = mbox(tmp_path / "mbox", b"Subject: a\n\n1\n", b"Subject: b\n\n2\n")
    found = box.messages()
    next(found)
    with box.path.open("ab") as file:
        file.write(b"From x@y.test Mon Nov 23 07:00:00 2026\nSubject: ha")
    assert [mail.content for mail in found] == [b"Subject: b\n\n2\n\n"]


def test_an_mbox_is_not_read_while_a_mail_system_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailboxes, "_LOCK_SECONDS", 0.3)
    box = mbox(tmp_path / "mbox", b"Subject: a\n\n1\n")
    program = (
        "import fcntl,sys\nf=open(sys.argv[1],'r+b')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint('held',flush=True)\nsys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", program, box.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdout.readline() == b"held\n"
        with pytest.raises(MailboxError, match="another program has held its lock"):
            list(box.messages())
        other.communicate(b"")
    assert len(list(box.messages())) == 1
    with box.path.open("r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_file_that_is_no_mbox_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("Subject: hello\n\nFrom a friend\n")
    with pytest.raises(MailboxError, match="not an mbox file"):
        list(open_mailbox("x", tmp_path).messages())
    with pytest.raises(MailboxError, match="there is no Maildir and no mbox"):
        open_mailbox("y", tmp_path)
    with pytest.raises(MailboxError, match="is it a Maildir"):
        list(open_mailbox(".", tmp_path).messages())


def test_a_piped_message_that_is_no_bounce_is_kept(returns: Returns, tmp_path: Path) -> None:
    aside = Maildir(tmp_path / "set-aside")
    assert process_piped(returns.bounces, returns.sample("postfix-user-unknown"), aside, NOW).outcomes[Outcome.SUPPRESSED] == 1
    assert not aside.folder.exists()
    letter = returns.sample("letter-from-a-reader")
    process_piped(returns.bounces, letter, aside, NOW)
    assert contents(aside) == [letter]


def test_a_piped_message_that_cannot_be_kept_is_not_taken(returns: Returns, tmp_path: Path) -> None:
    (tmp_path / "set-aside").write_text("in the way")
    with pytest.raises(MailboxError, match="cannot be written"):
        process_piped(returns.bounces, returns.sample("letter-from-a-reader"), Maildir(tmp_path / "set-aside"), NOW)


class PowerCutError(Exception):
    pass


class Failing(Maildir):
    """A Maildir whose process dies before, or after, it files the nth message."""

    def __init__(self, folder: Path, left: int, before: bool) -> None:
        super().__init__(folder)
        self.left, self.before = left, before

    def file(self, mail: Mail, *, aside: bool) -> None:
        self.left -= 1
        if self.left < 0 and self.before:
            raise PowerCutError
        super().file(mail, aside=aside)
        if self.left < 0:
            raise PowerCutError


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("left", range(len(NAMES)))
def test_a_run_that_dies_at_any_message_loses_and_doubles_nothing(
    returns: Returns, maildir: Maildir, left: int, before: bool
) -> None:
    kept = contents(maildir)
    with pytest.raises(PowerCutError):
        process(returns.bounces, Failing(maildir.folder, left, before), lambda: NOW)
    run = process(returns.bounces, maildir, lambda: NOW)
    assert run.seen_before <= 1
    assert contents(maildir) == kept and files(maildir, "new") == []
    assert (len(files(maildir, ".Processed/cur")), len(files(maildir, ".Set-aside/cur"))) == (3, 2)
    assert len(returns.suppressions(lifted=True)) == 2


def test_a_database_that_cannot_be_written_leaves_the_mail_where_it_is(tmp_path: Path) -> None:
    from sqlalchemy.exc import OperationalError

    returns = Returns(open_store(tmp_path / "dateline.db"))
    maildir = Maildir(tmp_path / "bounces")
    maildir.deliver(returns.sample("postfix-user-unknown"))
    returns.engine.dispose()
    read_only = open_store(tmp_path / "dateline.db")
    with read_only.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=1")
    shut = Bounces(read_only, "0123456789abcdef0123", returns.bounces._rules, returns.marks)
    with pytest.raises(OperationalError, match="readonly"):
        process(shut, maildir, lambda: NOW)
    assert len(files(maildir, "new")) == 1


def test_an_imap_folder_is_named_in_full_and_without_a_password(tmp_path: Path) -> None:
    at = ImapAddress.parse("imaps://news%40x.test@mail.x.test/INBOX/Bounces")
    assert (at.user, at.port, at.folder) == ("news@x.test", 993, "INBOX/Bounces")
    assert ImapAddress.parse("imap://u@h:1143").folder == "INBOX"
    with pytest.raises(MailboxError, match="does not belong") as caught:
        ImapAddress.parse("imaps://u:secret@h/INBOX")
    assert "secret" not in str(caught.value)
    for wrong in ("imaps://h/INBOX", "imaps://u@h:99999/x"):
        with pytest.raises(MailboxError):
            ImapAddress.parse(wrong)
    with pytest.raises(MailboxError, match="DATELINE_BOUNCES__IMAP_PASSWORD"):
        open_mailbox("imaps://u@h.test/INBOX", tmp_path)


def test_filing_survives_names_with_flags(returns: Returns, tmp_path: Path) -> None:
    maildir = Maildir(tmp_path)
    path = maildir.deliver(returns.sample("vacation-gmail"))
    path.rename(tmp_path / "cur" / f"{path.name}:2,RS")
    process(returns.bounces, maildir, lambda: NOW)
    assert files(maildir, ".Processed/cur") == [f"{path.name}:2,S"]
