"""One run over a mailbox of bounces: each message settled, then filed, then told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from newsletter.bounces import Bounces, Outcome, Taken
from newsletter.mailboxes import Mailbox, MailboxError, Maildir, Mbox


@dataclass(slots=True)
class Run:
    """What a run over a mailbox came to. ``notable`` are the messages that somebody may want to look at."""

    messages: int = 0
    seen_before: int = 0
    expired: int = 0
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    notable: list[tuple[str, Taken]] = field(default_factory=list)

    def count(self, name: str, taken: Taken) -> None:
        self.messages += 1
        self.seen_before += taken.seen_before
        if taken.seen_before:
            return
        self.outcomes[taken.outcome] += 1
        if taken.outcome not in (Outcome.HARMLESS, Outcome.COUNTED, Outcome.NOT_COUNTED):
            self.notable.append((name, taken))


def open_mailbox(source: str, root: Path, *, password: str = "", timeout: float = 60, ca_file: Path | None = None) -> Mailbox:
    """The mailbox that ``source`` names: a Maildir, an mbox file (below ``root`` unless absolute), or an IMAP folder."""
    if source.startswith(("imap://", "imaps://")):
        from newsletter.imap_mailbox import ImapAddress, ImapMailbox

        at = ImapAddress.parse(source)
        if not password:
            raise MailboxError(f"{at}: there is no password: set DATELINE_BOUNCES__IMAP_PASSWORD")
        return ImapMailbox(at, password, timeout=timeout, ca_file=ca_file)
    path = root / source
    if path.is_dir():
        return Maildir(path)
    if path.is_file():
        return Mbox(path)
    raise MailboxError(f"{path}: there is no Maildir and no mbox file of this name")


def process(bounces: Bounces, mailbox: Mailbox, clock: Callable[[], datetime]) -> Run:
    """Takes in all that lies in a mailbox. Stopped at any point and run again, it loses and doubles nothing."""
    run = Run(expired=bounces.expire(clock()))
    for mail in mailbox.messages():
        taken = bounces.take(mail.content, clock())
        mailbox.file(mail, aside=taken.outcome is Outcome.SET_ASIDE)
        run.count(mail.name, taken)
    return run


def process_piped(bounces: Bounces, content: bytes, aside: Maildir, now: datetime, envelope_to: str = "") -> Run:
    """Takes in one message that a mail system hands over and then forgets: what is not known is kept in ``aside``."""
    run = Run()
    taken = bounces.take(content, now, envelope_to)
    if taken.outcome is Outcome.SET_ASIDE:
        aside.deliver(content)
    run.count("-", taken)
    return run
