"""How fast feeds are built, against Hugo (Debian's package ``hugo``) on the same articles in one run.

Articles of some 400 words lie in three of 300 regions, one of 20 sections, and are by one of 200 authors. Both programs
build the feeds of the site and of all those, 50 full articles each; Hugo in RSS alone, dateline in Atom, RSS and JSON, and
those of the areas around the regions besides. Four cases: everything new, nothing changed, one article added, and one more
whose file is named to dateline (Hugo has no such way and builds all).

``python benchmarks/feeds.py [ARTICLES]... [--rounds N] [--archives all] [--gzip]``; without numbers 1,000 and 10,000. Prints
wall time, processor time and peak memory (the proportional set size of all processes, sampled), and the ratios to Hugo with
their spread. Machines are noisy: read the ratios.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from content.regions import _lines

TEXT = (
    "market operator spectrum licence cable minister regulator fibre network customers price merger satellite data centre "
    "investment tower auction coverage rural policy court ruling tariff roaming wholesale backbone landing station"
)
WORDS = TEXT.split()
HUGO = """\
baseURL = "https://bench.example/"
title = "Bench"
disableKinds = ["sitemap", "robotsTXT", "404"]
timeout = "900s"
[taxonomies]
region = "regions"
topic = "topics"
author = "authors"
[outputs]
home = ["RSS"]
section = []
taxonomy = []
term = ["RSS"]
page = []
"""

# Hugo's own template carries summaries; this one carries the articles, as dateline's feeds do.
TEMPLATE = """\
{{- $pages := first 50 (cond (eq .Kind "term") .Pages .RegularPagesRecursive) -}}
{{- printf "<?xml version=\\"1.0\\" encoding=\\"utf-8\\" standalone=\\"yes\\"?>" | safeHTML }}
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>{{ .Title }}</title><link>{{ .Permalink }}</link><description>{{ .Title }}</description>
{{ range $pages }}<item><title>{{ .Title }}</title><link>{{ .Permalink }}</link>
<pubDate>{{ .Date.Format "Mon, 02 Jan 2006 15:04:05 -0700" | safeHTML }}</pubDate><guid>{{ .Permalink }}</guid>
<description>{{ .Params.summary | html }}</description><content:encoded>{{ .Content | html }}</content:encoded></item>
{{ end }}</channel></rss>
"""

DATELINE = """\
[site]
title = "Bench"
url = "https://bench.example"
[feeds]
pages = false
archives = "{archives}"
precompress = [{precompress}]
"""


@dataclass(frozen=True)
class Cost:
    """Of one run: seconds on the clock, seconds of processor, megabytes at the peak."""

    wall: float
    processor: float
    memory: float


def write_articles(folder: Path, numbers: range) -> None:
    countries = [code for code in _lines() if code.isalpha()][:200]
    subdivisions = [code for code in _lines() if code[:2] in countries and "-" in code]
    chance = random.Random(1)
    regions = countries + chance.sample(subdivisions, 100)
    for number in numbers:
        chance = random.Random(number)
        places = ", ".join(f'"{place}"' for place in chance.sample(regions, 3))
        paragraphs = [
            f"{' '.join(chance.choices(WORDS, k=48))}, the [ministry](https://example.org/{number}/{part}) said **twice**."
            for part in range(8)
        ]
        moment = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=17 * number)
        front = [
            f'title: "Report {number} on the {" ".join(chance.choices(WORDS, k=3))}"', f"date: {moment:%Y-%m-%dT%H:%M:%SZ}",
            f'summary: "{" ".join(chance.choices(WORDS, k=20)).capitalize()}."', f"regions: [{places}]",
            f'section: "Section {number % 20}"', f'topics: ["Section {number % 20}"]', f'authors: ["Author {number % 200}"]',
        ]  # fmt: skip
        text = "\n".join(["---", *front, "---", "", "\n\n".join(paragraphs), ""])
        (folder / f"article-{number:06}.md").write_text(text, "utf-8")


def run(words: list[str], folder: Path) -> Cost:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
        peak = [0.0]
        watcher = threading.Thread(target=watch, args=(process.pid, peak), daemon=True)
        watcher.start()
        code = process.wait(1800)
    wall = time.perf_counter() - begun
    watcher.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if code:
        sys.exit(f"{words[0]} failed: {(folder / 'log').read_text()[-2000:]}")
    return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak[0])


def watch(root: int, peak: list[float]) -> None:
    """Notes the most memory that a process and its children had together."""
    while Path(f"/proc/{root}").exists():
        total = 0
        for pid in family(root):
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        if not total:
            return
        peak[0] = max(peak[0], total / 1000)
        time.sleep(0.03)


def family(root: int) -> list[int]:
    found = [root]
    for pid in found:
        try:
            found += [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            continue
    return found


def measure(count: int, rounds: int, config: str) -> None:
    dateline = str(Path(sys.executable).parent / "dateline")
    print(f"\n{count:,} articles, {rounds} {'round' if rounds == 1 else 'rounds'}")
    costs: dict[tuple[str, str], list[Cost]] = {}
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as name:
        root = Path(name)
        ours, theirs = root / "dateline", root / "hugo"
        (ours / "articles").mkdir(parents=True)
        (theirs / "layouts" / "_default").mkdir(parents=True)
        (ours / "config.toml").write_text(config)
        (theirs / "config.toml").write_text(HUGO)
        (theirs / "layouts" / "_default" / "rss.xml").write_text(TEMPLATE)
        write_articles(ours / "articles", range(count))
        shutil.copytree(ours / "articles", theirs / "content")
        # A file that was just written is looked at twice by programs that trust in times.
        time.sleep(2.5)
        for number in range(rounds):
            for folder, words, who in ((theirs, ["hugo", "--quiet"], "hugo"), (ours, [dateline, "publish"], "dateline")):
                for path in folder.glob("dateline*.db*"):
                    path.unlink()
                shutil.rmtree(folder / "public", ignore_errors=True)
                costs.setdefault((who, "cold"), []).append(run(words, folder))
                costs.setdefault((who, "same"), []).append(run(words, folder))
                below = "articles" if who == "dateline" else "content"
                for case, one in (("one more", count + 2 * number), ("one named", count + 2 * number + 1)):
                    write_articles(folder / below, range(one, one + 1))
                    named = [f"articles/article-{one:06}.md"] if case == "one named" and who == "dateline" else []
                    costs.setdefault((who, case), []).append(run([*words, *named], folder))
        feeds = {
            who: sum(1 for _ in (folder / "public").rglob("*.*")) for who, folder in (("hugo", theirs), ("dateline", ours))
        }
    print(f"feeds: hugo {feeds['hugo']}, dateline {feeds['dateline']}")
    print(f"{'':10}{'':10}{'wall':>10}{'processor':>12}{'memory':>10}   wall to hugo's (spread)    memory to hugo's")
    for case in ("cold", "same", "one more", "one named"):
        for who in ("hugo", "dateline"):
            found = costs[who, case]
            wall, processor, memory = (
                statistics.median(getattr(one, fact) for one in found) for fact in ("wall", "processor", "memory")
            )
            line = f"{case:10}{who:10}{wall:>8.2f} s{processor:>10.2f} s{memory:>7.0f} MB"
            if who == "dateline":
                ratios = [one.wall / other.wall for one, other in zip(found, costs["hugo", case], strict=True)]
                against = statistics.median(one.memory for one in costs["hugo", case])
                line += f"   {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})    {memory / against:.2f}"
            print(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("articles", nargs="*", type=int, default=[1000, 10000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--archives", choices=["all", "site", "none"], default="none")
    parser.add_argument("--gzip", action="store_true", help="lay compressed files beside the feeds, too")
    given = parser.parse_args()
    if not shutil.which("hugo"):
        sys.exit("hugo is not installed (Debian: apt-get install hugo); nothing was measured")
    config = DATELINE.format(archives=given.archives, precompress='"gzip"' if given.gzip else "")
    for count in given.articles:
        measure(count, given.rounds, config)


if __name__ == "__main__":
    main()
