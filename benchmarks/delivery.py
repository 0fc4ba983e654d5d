"""How fast does a digest go out, next to others that send the same message to the same server in the same run?

Senders: Postfix's smtp-source (C), ``dateline digest send`` with its ledger, nodemailer's pool, the same given raw
messages, and EmailMessage + smtplib. Servers: Postfix's smtp-sink, a faster sink in C (fast_sink.c), a real Postfix that
discards what it takes. The senders take turns, so that a busy machine is busy for all of them. Printed are messages a
second while sending, CPU seconds for 1,000 messages, peak memory, and ratios with their spread over the rounds.

    delivery.py                                  both sinks, 5,000 messages, three rounds
    delivery.py --sink fast --delay 20 --connections 50
    delivery.py --sink postfix
    delivery.py --members 56000 --sink postfix   one edition to so many, beside smtp-source
    delivery.py --memory                         peak memory at 100,000 and at a million recipients
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parent / "mail")]

from postoffice import MissingError, Tally, build_fast_sink, fast_sink, postfix, smtp_sink  # noqa: E402
from senders import Newsroom, Run, Sender, Task, install_nodemailer, nodemailer, plain, smtp_source  # noqa: E402

OURS, SOURCE = "dateline", "smtp-source"
AT_MOST = {"nodemailer pool": 1000, "nodemailer raw": 3000, "plain Python": 250}
"""Slow senders send fewer messages than the others: their rate is the same, and nobody has to wait for it."""

Results = dict[str, list[Run]]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--size", type=int, default=59_000, help="bytes of a message")
    parser.add_argument("--sink", choices=["smtp-sink", "fast", "postfix"], action="append", help="repeatable")
    parser.add_argument("--delay", type=float, default=0, help="milliseconds before every reply; fast sink only")
    parser.add_argument("--members", type=int, help="one edition to so many members")
    parser.add_argument("--memory", type=int, nargs="*", help="peak memory at so many recipients (100000 1000000)")
    parser.add_argument("--only", action="append", help="only this sender; repeatable")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if chosen.memory is not None:
        chosen.memory = chosen.memory or [100_000, 1_000_000]
    chosen.sink = chosen.sink or (["fast"] if chosen.delay or chosen.memory else ["smtp-sink", "fast"])
    if chosen.delay and chosen.sink != ["fast"]:
        parser.error("--delay works with --sink fast only")
    return chosen


class Bench:
    """All that a run needs, made once: the site, the senders that can be had, the sink's program."""

    def __init__(self, folder: Path, chosen: argparse.Namespace) -> None:
        self.chosen = chosen
        self.folder = folder
        self.missing: list[str] = []
        self.newsroom = Newsroom(folder, chosen.size)
        self.senders: dict[str, Sender] = {}
        if chosen.memory:
            self.senders[OURS] = self.newsroom.send
        else:
            self._add_senders()
        self._sink = build_fast_sink(folder) if "fast" in chosen.sink else folder

    def _add_senders(self) -> None:
        try:
            self.senders[SOURCE] = smtp_source(len(self.newsroom.message))
        except MissingError as error:
            self.missing.append(str(error))
        self.senders[OURS] = self.newsroom.send
        if self.chosen.members:
            return
        try:
            node = install_nodemailer(self.folder)
            self.senders["nodemailer pool"] = nodemailer(node, self.folder, "composed")
            self.senders["nodemailer raw"] = nodemailer(node, self.folder, "raw")
        except (MissingError, RuntimeError) as error:
            self.missing.append(str(error))
        self.senders["plain Python"] = plain(self.folder)
        if self.chosen.only:
            self.senders = {name: sender for name, sender in self.senders.items() if name in self.chosen.only}

    @contextmanager
    def server(self, kind: str) -> Iterator[Tally]:
        """A server of a kind, fresh; only the fast one counts."""
        with ExitStack() as stack:
            if kind == "fast":
                yield stack.enter_context(fast_sink(self._sink, delay=self.chosen.delay))
            elif kind == "postfix":
                yield Tally(stack.enter_context(postfix("default_transport = discard\n")).port)
            else:
                yield Tally(stack.enter_context(smtp_sink()))

    def run(self, kind: str, name: str, messages: int) -> Run:
        """One sender's turn on a server of its own."""
        with self.server(kind) as tally:
            run = self.senders[name](Task(tally.port, messages, self.chosen.connections))
        if kind == "fast":
            if tally.messages != messages:
                sys.exit(f"{name}: {tally.messages} messages arrived of {messages}; nothing here is to be believed")
            size = tally.bytes / messages
            if not 0.9 < size / self.chosen.size < 1.1:
                self.note(f"{name}: a message had {size:,.0f} bytes on the wire")
        return run

    def note(self, line: str) -> None:
        if line not in self.missing:
            self.missing.append(line)

    def rounds(self, kind: str) -> Results:
        results: Results = {name: [] for name in self.senders}
        for _ in range(self.chosen.rounds):
            for name in self.senders:
                messages = min(self.chosen.messages, AT_MOST.get(name, self.chosen.messages))
                results[name].append(self.run(kind, name, messages))
        return results


def spread(values: list[float], digits: int = 2) -> str:
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def ratios(results: Results, ours: str, theirs: str) -> list[float]:
    """Round by round, so that what disturbs a round disturbs both."""
    return [one.rate / other.rate for one, other in zip(results[ours], results[theirs], strict=True)]


def print_table(results: Results) -> None:
    # The kernel counts the memory of the program that starts another as that one's as well.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 + 1
    print(f"{'':18}{'messages a second':>28}{'CPU s/1,000':>13}{'peak MB':>9}{'whole s':>9}   {OURS} / it (spread)")
    for name, runs in results.items():
        cpu = statistics.median(run.cpu / run.messages * 1000 for run in runs)
        peak, whole = max(run.peak for run in runs), statistics.median(run.whole for run in runs)
        compared = spread(ratios(results, OURS, name)) if name != OURS and OURS in results else ""
        rate = spread([run.rate for run in runs], 0)
        memory = f"{peak:.1f}" if peak > own else f"< {own:.0f}"
        print(f"{name:18}{rate:>28}{cpu:>13.3f}{memory:>9}{whole:>9.2f}   {compared}")


def heading(bench: Bench, kind: str, messages: int) -> str:
    chosen = bench.chosen
    late = f" with {chosen.delay:g} ms before every reply" if chosen.delay else ""
    size = len(bench.newsroom.message) / 1000
    return f"{kind}{late}: {messages:,} messages of {size:.1f} kB, {chosen.connections} connections"


def compare(bench: Bench) -> dict[str, object]:
    """The senders' turns on each server asked for."""
    told: dict[str, object] = {}
    for kind in bench.chosen.sink:
        results = bench.rounds(kind)
        told[kind] = {name: [asdict(run) for run in runs] for name, runs in results.items()}
        if not bench.chosen.json:
            print(f"\n{heading(bench, kind, bench.chosen.messages)}, {bench.chosen.rounds} rounds")
            print_table(results)
    return told


def send_to_all(bench: Bench) -> dict[str, object]:
    """One edition to many members."""
    told: dict[str, object] = {}
    for kind in bench.chosen.sink:
        results = {name: [bench.run(kind, name, bench.chosen.members)] for name in bench.senders}
        told[kind] = {name: asdict(runs[0]) for name, runs in results.items()}
        if not bench.chosen.json:
            print(f"\n{heading(bench, kind, bench.chosen.members)}")
            print_table(results)
    return told


def weigh(bench: Bench) -> dict[str, object]:
    """The sender's peak memory for so many recipients and for so many more."""
    runs = {members: bench.run(bench.chosen.sink[0], OURS, members) for members in bench.chosen.memory}
    if not bench.chosen.json:
        print(f"\n{heading(bench, bench.chosen.sink[0], max(runs))} and fewer")
        for members, run in runs.items():
            print(f"{members:>10,} recipients: peak {run.peak:.1f} MB, {run.rate:,.0f} messages a second, {run.whole:.1f} s")
    return {str(members): asdict(run) for members, run in runs.items()}


def main() -> None:
    chosen = options()
    with tempfile.TemporaryDirectory(prefix="dateline-bench-") as name:
        try:
            bench = Bench(Path(name), chosen)
            told = weigh(bench) if chosen.memory else send_to_all(bench) if chosen.members else compare(bench)
        except MissingError as error:
            sys.exit(f"{error}; nothing was measured")
        if chosen.json:
            print(json.dumps({"bytes": len(bench.newsroom.message), "results": told, "notes": bench.missing}, indent=1))
        for line in bench.missing:
            print(f"Note: {line}", file=sys.stderr)


if __name__ == "__main__":
    main()
