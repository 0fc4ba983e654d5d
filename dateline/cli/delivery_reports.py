"""How an edition's balance is shown: in words and tables, as JSON, as CSV."""

from __future__ import annotations

import csv
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from content.database import reading
from content.errors import ConfigError
from dateline import clock
from dateline.cli import output
from newsletter.balance import Balance, Line, balance, in_doubt, last_replies, lines, troubles
from newsletter.ledger import DeliveryState, Edition, EditionState, Ledger

if TYPE_CHECKING:
    from newsletter.editions import Press
    from newsletter.sending import Account

SHOWN = 20
"""Recipients of a kind that are named in the terminal."""
COLUMNS = ["email", "state", "attempts", "times in doubt", "reply", "changed at", "next attempt"]


def sent_as_json(press: Press, accounts: Sequence[Account], reason: str) -> dict[str, Any]:
    """The newest edition's account; those of earlier ones that were gone on with stand beside it."""
    if not accounts:
        return {"digest": press.digest.name, "edition": None, "sent_now": 0, "reason": reason}
    *earlier, last = [
        {"sent_now": account.sent_now, "finished": account.finished} | _sheet(account.sheet) | _troubles(account.troubles)
        for account in accounts
    ]
    return last | ({"earlier": earlier} if earlier else {})


def as_json(press: Press, edition: Edition) -> dict[str, Any]:
    """All that ``status`` knows of an edition."""
    with reading(press.engine) as connection:
        now = clock.now()
        edition = Ledger(connection).edition(edition.digest, edition.local_date) or edition
        replies = [{"reply": words, "count": number} for words, number in last_replies(connection, edition)]
        doubtful = [_as_json(line) for line in in_doubt(connection, edition, now)]
        told = _sheet(balance(connection, edition, now)) | {"last_replies": replies, "in_doubt": doubtful}
        return told | _troubles(troubles(connection, edition, limit=10_000, now=now))


def newest(presses: Sequence[Press]) -> list[tuple[Press, Edition]]:
    """The newest edition of each digest that has one."""
    found = []
    for press in presses:
        with reading(press.engine) as connection:
            if edition := Ledger(connection).last(press.digest.name):
                found.append((press, edition))
    return found


def show(editions: Sequence[tuple[Press, Edition]], *, watch: bool) -> None:
    """Prints where editions stand; with ``watch`` again and again until nobody sends."""
    if not editions:
        output.say("No digest has had an edition yet.")
    _again_and_again(editions, _look, watch=watch)


def watch_as_json(editions: Sequence[tuple[Press, Edition]]) -> None:
    """Prints where each edition stands as an object on a line of its own, every second until nobody sends."""

    def look(press: Press, edition: Edition) -> bool:
        told = as_json(press, edition)
        output.print_json(told, on_one_line=True)
        return bool(told["senders"])

    _again_and_again(editions, look, watch=True)


def _again_and_again(editions: Sequence[tuple[Press, Edition]], look: Callable[[Press, Edition], bool], *, watch: bool) -> None:
    """Looks at editions once; with ``watch`` every second until a look finds that nobody sends any of them."""
    while True:
        at_work = [look(press, edition) for press, edition in editions]
        if not (watch and any(at_work)):
            return
        time.sleep(1)


def _look(press: Press, edition: Edition) -> bool:
    with reading(press.engine) as connection:
        moment = clock.now()
        edition = Ledger(connection).edition(edition.digest, edition.local_date) or edition
        sheet = balance(connection, edition, moment)
        replies, wrong = last_replies(connection, edition), troubles(connection, edition, limit=SHOWN, now=moment)
    _show(sheet, replies, wrong)
    return bool(sheet.workers)


def _show(sheet: Balance, replies: Sequence[tuple[str, int]], wrong: Sequence[Line]) -> None:
    edition = sheet.edition
    output.say(f"{edition.digest} of {edition.local_date}: {_standing(sheet)}")
    output.say(f"  {edition.subject}")
    rows: list[tuple[str, str]] = [("recipients", f"{edition.recipients:,}")]
    rows += [(f"  {state}", f"{sheet.count(state):,}") for state in DeliveryState if sheet.count(state)]
    rows += [(f"    {reason}", f"{number:,}") for reason, number in sheet.reasons.items()]
    if sheet.doubted:
        rows.append(("ever in doubt", f"{sheet.doubted:,}"))
    rows += [(f"left out: {reason}", f"{number:,}") for reason, number in edition.excluded.items()]
    if sheet.next_attempt:
        rows.append(("next attempt", output.shown_time(sheet.next_attempt)))
    for worker in sheet.workers:
        rows.append((f"sender {':'.join(worker.name.split(':')[:2])}", f"{worker.sent:,} sent, {worker.rate:,.0f} a second"))
    if (left := sheet.seconds_left) is not None:
        rows.append(("time left", f"about {_duration(left)}"))
    width = max(len(label) for label, _ in rows)
    for label, value in rows:
        output.say(f"  {label:<{width}}  {value:>9}")
    for words, number in replies:
        output.say(f"  {number:>6,} x {words[:150]}")
    complain(sheet, wrong)


def _standing(sheet: Balance) -> str:
    """How an edition fares, in words: one that nobody sends is not being sent."""
    edition = sheet.edition
    if edition.state is not EditionState.SENDING or sheet.workers:
        return f"{edition.state}{f' ({edition.note})' if edition.note else ''}"
    if sheet.left and sheet.left == sheet.count(DeliveryState.DEFERRED):
        return "waits for another attempt; `dateline run` makes it, or send again then"
    return f"interrupted: nobody sends it now; `dateline digest send {edition.digest}` goes on"


def complain(sheet: Balance, wrong: Sequence[Line]) -> None:
    """Names those with whom something is wrong, a kind after the other, and says how many more there are of each."""
    doubtful = [line for line in wrong if line.is_doubtful]
    _complain(doubtful, sheet.doubted - len(doubtful), "in doubt", sheet.edition.digest)
    for state in (DeliveryState.FAILED, DeliveryState.DEFERRED):
        named = [line for line in wrong if line.state is state and not line.is_doubtful]
        both = sum(line.state is state for line in doubtful)
        _complain(named, sheet.count(state) - len(named) - both, state, sheet.edition.digest)


def _complain(named: Sequence[Line], more: int, kind: str, digest: str) -> None:
    for line in named:
        output.complain(f"{line.email}: {_state(line)}{f': {line.reply}' if line.reply else ''}")
    if more > 0 and named:
        output.complain(f"... and {more:,} more {kind}: `dateline digest status {digest} --csv FILE` shows all")


def _state(line: Line) -> str:
    if line.orphaned:
        return "in doubt (its sender died)"
    return f"{line.state} (was in doubt)" if line.doubts and line.state is not DeliveryState.IN_DOUBT else line.state.value


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def _sheet(sheet: Balance) -> dict[str, Any]:
    edition = sheet.edition
    return {
        "digest": edition.digest, "edition": str(edition.local_date), "state": edition.state.value, "note": edition.note,
        "subject": edition.subject, "recipients": edition.recipients,
        "balance": {state.value: number for state, number in sheet.counts.items()},
        "balanced": sum(sheet.counts.values()) == edition.recipients,
        "excluded": sheet.reasons, "left_out": dict(edition.excluded), "doubted": sheet.doubted, "left": sheet.left,
        "next_attempt": sheet.next_attempt and sheet.next_attempt.isoformat(),
        "senders": [{"name": one.name, "sent": one.sent, "rate": round(one.rate, 1)} for one in sheet.workers],
        "seconds_left": sheet.seconds_left and round(sheet.seconds_left, 1),
        "finished": edition.state in (EditionState.SENT, EditionState.CANCELLED) and sheet.left == 0,
    }  # fmt: skip


def _troubles(wrong: Sequence[Line]) -> dict[str, Any]:
    return {"troubles": [_as_json(line) for line in wrong]}


def _as_json(line: Line) -> dict[str, Any]:
    return {"email": line.email, "state": line.state.value, "reply": line.reply, "times_in_doubt": line.doubts}


def write_csv(press: Press, edition: Edition, target: str) -> None:
    """Every recipient of an edition, one a line, to a file or stdout (``-``)."""
    with _opened(target) as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for line in lines(press.engine, edition):
            later = line.next_attempt.isoformat() if line.next_attempt else ""
            cells = [line.email, line.state.value, line.attempts, line.doubts, line.reply, line.changed_at.isoformat(), later]
            writer.writerow([output.harmless_cell(cell) for cell in cells])


@contextmanager
def _opened(target: str) -> Iterator[TextIO]:
    if target == "-":
        yield sys.stdout
        return
    try:
        with Path(target).open("w", newline="", encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise ConfigError(f"--csv: {target}: cannot be written ({error.strerror})") from None
