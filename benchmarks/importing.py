"""How long an import of a million members takes, how much memory, and whether its counts add up.

``python benchmarks/importing.py [--lines 1000000] [--plain]``: writes a list in the manner of Mailchimp with 1 % bad lines (no
address, stray quotation marks, unknown regions, too many cells), 2 % of members who left, 1 % who bounced and 1 % repeated in
capitals, imports it into a new site by the command line, and again; then exports everybody. ``--plain`` has addresses alone.
Peak memory is that of the command, as the kernel counts it. Beside it the hashing of so many addresses, on its own.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

REGIONS = ("", "", "", "", "CN", "IN;Singapore", "CN-GD", "South Korea", "Kenya|Nigeria", "DE")
SUPPRESSED = 500


def bad_line(chance: random.Random, number: int) -> str:
    return chance.choice([
        f"nonsense{number},subscribed,,2023-05-01 10:00:00,Nobody",
        f",subscribed,CN,2023-05-01 10:00:00,No Address {number}",
        f'"b{number}@example.com,subscribed,CN,2023-05-01 10:00:00,Stray Mark',
        f"c{number}@example.com,subscribed,Xanadu{number % 50},2023-05-01 10:00:00,Lost",
        f"d{number}@example.com,subscribed,CN,2023-05-01 10:00:00,Too,Many,Cells",
        f"e{number}@exa mple.com,subscribed,CN,2023-05-01 10:00:00,Blank",
        f"f{number}@example.com,perhaps,CN,2023-05-01 10:00:00,Unsure",
    ])  # fmt: skip


def lines(number: int, chance: random.Random) -> Iterator[tuple[str, str]]:
    """Lines, and what must become of each."""
    for at in range(number):
        address = f"member.{at}@{chance.choice(('example.com', 'mail.example.org', 'example.net'))}"
        day = f"20{10 + at % 15}-{1 + at % 12:02}-{1 + at % 28:02} 07:00:00"
        draw = chance.random()
        if draw < 0.01:
            yield bad_line(chance, at), "rejected"
        elif draw < 0.03:
            yield f"{address},unsubscribed,,{day},Gone", "left"
        elif draw < 0.04:
            yield f"{address},cleaned,,{day},Bounced", "suppressed"
        elif draw < 0.05:
            yield f"TWICE.{at % 97}@EXAMPLE.COM,subscribed,,{day},Again", "twice"
        elif draw < 0.0505:
            yield f"held{at % SUPPRESSED}@example.com,subscribed,,{day},Held", "suppressed"
        else:
            yield f'{address},subscribed,{chance.choice(REGIONS)},{day},"Ann, of Ayr"', "added"


def write(path: Path, number: int, *, plain: bool) -> Counter[str]:
    """Writes the list; returns what must come out."""
    expected: Counter[str] = Counter(lines=number)
    seen = set()
    with path.open("w", encoding="utf-8") as out:
        if plain:
            out.writelines(f"member.{at}@example.com\n" for at in range(number))
            return Counter(lines=number, added=number)
        out.write("Email Address,Status,Regions,CONFIRM_TIME,Name\n")
        for line, fate in lines(number, random.Random(6)):
            out.write(line + "\n")
            if fate == "twice":
                address = line.partition(",")[0]
                fate = "merged" if address in seen else "added"
                seen.add(address)
            expected[fate] += 1
    return expected


def run(site: Path, *words: object) -> tuple[str, str, float]:
    """Runs the command line: its output, how long it took (by the clock, and of a processor), and MB at its peak."""
    command = [str(Path(sys.executable).parent / "dateline"), "--site", str(site), *map(str, words)]
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout
    memory = Peak(process.pid)
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    memory.join()
    if os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"{' '.join(command)}: failed")
    took = f"{time.perf_counter() - begun:.1f} s, {usage.ru_utime + usage.ru_stime:.1f} s of a processor"
    return told, took, memory.megabytes


class Peak(threading.Thread):
    """The most memory that a process had, looked at until it ends: what wait4 tells of it includes that of its parent."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._status = Path(f"/proc/{pid}/status")
        self.megabytes = 0.0
        self.start()

    def run(self) -> None:
        # A process that has ended and was not waited for has a status without sizes.
        with contextlib.suppress(OSError):
            while found := re.search(r"VmHWM:\s*(\d+) kB", self._status.read_text()):
                if not self._is_parents_still():
                    self.megabytes = int(found[1]) / 1024
                time.sleep(0.02)

    def _is_parents_still(self) -> bool:
        """Whether it has not yet become the program that it is to be."""
        return b"dateline" not in self._status.with_name("cmdline").read_bytes()


def measure(number: int, *, plain: bool) -> bool:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        site, source = folder / "site", folder / "members.csv"
        run(site, "init", site)
        if not plain:
            suppress(site)
        expected = write(source, number, plain=plain)
        print(f"{number:,} lines, {source.stat().st_size / 1e6:.0f} MB")
        good = True
        for time_of in ("first", "again"):
            told, took, memory = run(site, "--json", "subscribers", "import", source, "--confirmed")
            counts = json.loads(told)
            parts = {key: counts[key] for key in ("added", "confirmed", "merged", "left", "suppressed", "rejected")}
            sums = sum(parts.values()) == counts["lines"]
            print(f"  {time_of}: {took}, {memory:.0f} MB at the peak; {parts}"
                  f" = {sum(parts.values()):,} of {counts['lines']:,} lines{'' if sums else ': WRONG'}")  # fmt: skip
            wanted = {key: expected[key] for key in parts}
            if time_of == "again":
                wanted |= {"added": 0, "merged": expected["added"] + expected["merged"]}
            if parts != wanted:
                print(f"    WRONG: must be {wanted}")
            good = good and sums and parts == wanted and memory < 150
        if (rejects := source.with_name("members.rejects.csv")).exists():
            with rejects.open(newline="", encoding="utf-8") as file:
                print(f"  the rejects file has {sum(1 for _ in csv.reader(file)) - 1:,} lines")
        told, took, memory = run(site, "subscribers", "export-all", folder / "out.csv")
        print(f"  export: {took}, {memory:.0f} MB at the peak; {told.strip()}")
    return good


def suppress(site: Path) -> None:
    path = site / "held.csv"
    path.write_text("email,standing\n" + "".join(f"held{number}@example.com,complained\n" for number in range(SUPPRESSED)))
    run(site, "subscribers", "import", path)


def hashing(number: int) -> None:
    from sqlalchemy import create_engine

    from newsletter.suppression import Suppressions

    with create_engine("sqlite://").connect() as connection:
        held = Suppressions(connection, "0123456789abcdef")
        begun = time.perf_counter()
        for at in range(number):
            held.hash(f"member.{at}@example.com")
    print(f"hashing {number:,} addresses alone: {time.perf_counter() - begun:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--plain", action="store_true")
    given = parser.parse_args()
    good = measure(given.lines, plain=given.plain)
    hashing(given.lines)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
