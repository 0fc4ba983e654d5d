"""The map of where the news comes from: the countries' shapes, how much news each has, and its feeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

import content.data
from feeds.catalogue import Feed

WINDOW = timedelta(days=30)
"""How far back from the newest article the map looks. No clock has a say in it, so that equal news gives equal bytes."""
STEPS = 5
"""Shades of a country, by how much news it has."""
WIDTH, HEIGHT = 2000, 867


@dataclass(frozen=True, slots=True)
class CountryView:
    """A country on the map: ``count`` articles of late, ``total`` in all; ``step`` is its shade, from 1.

    ``shape`` is an SVG path, empty where the country is too small; then its town at ``x``, ``y`` stands for it.
    """

    name: str
    code: str
    page_url: str
    atom_url: str
    rss_url: str
    json_url: str
    count: int
    total: int
    step: int
    shape: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class MapView:
    """The map: countries with news of late, most first; those with older news alone; the shapes of all but the first in one
    path.
    """

    width: int
    height: int
    countries: list[CountryView]
    earlier: list[CountryView]
    others: str


@cache
def _shapes() -> dict[str, tuple[int, int, str]]:
    text = Path(content.data.__file__).with_name("map.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines())
    return {code: (int(x), int(y), shape) for code, x, y, shape in rows}


def step_of(count: int, most: int) -> int:
    """The shade of a country: 1 for a single article, :data:`STEPS` for the most, between them by ratio; 0 without any."""
    if count == 0 or most <= 1:
        return min(count, 1)
    return 1 + round((STEPS - 1) * math.log(count) / math.log(most))


def map_view(
    feeds: Sequence[Feed], fresh: Mapping[str, int], total: Mapping[str, int], addresses: Mapping[str, list[str]]
) -> MapView:
    """The map of these feeds. ``fresh`` and ``total`` are articles by folder; ``addresses`` each feed's page and documents."""
    ours = [feed for feed in feeds if feed.is_country and total.get(feed.folder)]
    ours.sort(key=lambda feed: (-fresh.get(feed.folder, 0), -total[feed.folder], feed.name))
    most = max((fresh.get(feed.folder, 0) for feed in ours), default=0)
    views = [_country(feed, fresh.get(feed.folder, 0), total[feed.folder], most, addresses[feed.folder]) for feed in ours]
    countries = [one for one in views if one.count]
    codes = {one.code for one in countries}
    others = "".join(shape for code, (_, _, shape) in _shapes().items() if code not in codes)
    return MapView(WIDTH, HEIGHT, countries, [one for one in views if not one.count], others)


def _country(feed: Feed, count: int, total: int, most: int, addresses: Sequence[str]) -> CountryView:
    assert feed.region
    code = feed.region.code
    x, y, shape = _shapes().get(code, (0, 0, ""))
    page, atom, rss, json = addresses
    return CountryView(feed.name, code, page, atom, rss, json, count, total, step_of(count, most), shape, x, y)
