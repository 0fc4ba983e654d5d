"""Fits ``place_weights.json`` to labelled texts, as in ``tests/places``: how much each feature of a region says for tagging it.

Run after the names of places or the features have changed, where PyPI's ``scikit-learn`` is installed:
``python -m content.data.fit_places FOLDER``. Prints precision and recall on texts that each fit has not seen (eight folds).
Nothing of this runs in the program itself.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from content.data.labelled import texts
from content.placing import tallied
from content.tallies import features

HERE = Path(__file__).parent
CUTS = {"country": 0.56, "subdivision": 0.41}
"""The likelihood that becomes the score of a half: a little above where precision and recall are even, since a wrong tag
harms more than one that is missing."""

Row = tuple[int, dict[str, float], bool]


def rows(folder: Path) -> tuple[dict[str, list[Row]], dict[str, int]]:
    """Text, features and label of each region that is named, by level; and how many are expected that are not named."""
    found: dict[str, list[Row]] = {"country": [], "subdivision": []}
    missing = {"country": 0, "subdivision": 0}
    for number, text in enumerate(texts(folder)):
        said = features(tallied(text.title, text.summary, text.body, text.language))
        for code, facts in said.items():
            if code not in text.optional:
                found["subdivision" if "-" in code else "country"].append((number, facts, code in text.expect))
        for code in text.expect - said.keys():
            if not code.isdigit():
                missing["subdivision" if "-" in code else "country"] += 1
    return found, missing


def fitted(level: str, found: list[Row], missing: int) -> dict[str, float]:
    names = sorted({name for _, facts, _ in found for name in facts})
    # What is not told of a region is nought.
    values = np.array([[facts.get(name, 0.0) for name in names] for _, facts, _ in found])
    labels, texts = np.array([label for *_, label in found]), np.array([number for number, *_ in found])
    model: Any = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=2000))
    unseen = cross_val_predict(model, values, labels, groups=texts, cv=GroupKFold(8), method="predict_proba")[:, 1]
    tagged = unseen > CUTS[level]
    right = int((tagged & labels).sum())
    print(f"{level}: precision {right / tagged.sum():.3f}, recall {right / (labels.sum() + missing):.3f} on unseen texts")
    model.fit(values, labels)
    scaler, regression = model[0], model[1]
    weights = regression.coef_[0] / scaler.scale_
    bias = regression.intercept_[0] - float((weights * scaler.mean_).sum()) - math.log(CUTS[level] / (1 - CUTS[level]))
    return {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)} | {"bias": round(bias, 4)}


def main(folder: str) -> None:
    found, missing = rows(Path(folder))
    weights = {level: fitted(level, found[level], missing[level]) for level in found}
    (HERE / "place_weights.json").write_text(json.dumps(weights, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
