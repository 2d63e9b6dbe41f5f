"""How well `lnbench detect` finds planted errors by its defaults: the table of docs/detect.md on scikit-learn's digits.

    python -m tests.calibration.detect_digits              # trains what the file below lacks; resumable
    python -m tests.calibration.detect_digits --write      # and writes the table into docs/detect.md

Every planting is one line of `detect_digits.jsonl`, with the defaults that it had: under other ones it is done again.
Errors are planted as the page's example plants them, by the seeds 0 to 2; the defaults were chosen on others
(detect_defaults.py).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from tests.toys.written_page import DOCS, put

FILE = Path(__file__).with_suffix(".jsonl")
SHARES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
SEEDS = (0, 1, 2)
COLUMNS = ("planted", "found among as many first", "among twice as many", "AUM below 0 (wrong among them) of planted",
           "estimate")  # fmt: skip


def defaults() -> dict[str, Any]:
    """Return what the digits are trained with where nothing is asked for."""
    from lnbench.detect.options import Options, usual_epochs, usual_model, usual_rate

    model = usual_model((1, 8, 8))
    usual = Options()
    epochs = usual_epochs(model, 1797, usual.batch_size)
    return {"model": model, "lr": usual_rate(model), "epochs": epochs, "runs": usual.runs}


def measured(share: float, seed: int) -> dict[str, Any]:
    """Plant errors at a rate, look for them, and return what was found."""
    from sklearn.datasets import load_digits

    import lnbench.detect

    digits = load_digits()
    images, labels = (digits.images * 255 / 16).astype(np.uint8), digits.target.copy()
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(labels)) < share
    labels[wrong] = (labels[wrong] + rng.integers(1, 10, wrong.sum())) % 10
    with tempfile.TemporaryDirectory() as folder:
        scores = lnbench.detect.detect(images, Path(folder, "out"), labels=labels).scores
    count, disliked = int(wrong.sum()), scores.disliked()
    firsts = [int(wrong[scores.order[: many * count]].sum()) for many in (1, 2)]
    return {
        "share": share,
        "seed": seed,
        **defaults(),
        "images": len(labels),
        "wrong": count,
        "first": firsts[0],
        "twice": firsts[1],
        "disliked": int(disliked.sum()),
        "disliked_wrong": int((disliked & wrong).sum()),
        "suspects": int(scores.suspects().sum()),
        "suspects_wrong": int((scores.suspects() & wrong).sum()),
        "estimate": None if scores.interval is None else scores.interval.estimate,
    }


def stored() -> list[dict[str, Any]]:
    """Return the plantings that were measured with the defaults of now."""
    lines = FILE.read_text().splitlines() if FILE.is_file() else []
    return [row for row in map(json.loads, lines) if row | defaults() == row]


def shown(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the table, a line a share: least and largest of its plantings, or all of them."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---|---|---|---|---|"
    for share in SHARES:
        own = sorted((row for row in rows if row["share"] == share), key=lambda row: int(row["seed"]))
        if not own:
            continue
        found = (
            ["", ""] if not share else [_range([row[key] / row["wrong"] for row in own]) for key in ("first", "twice")]
        )
        disliked = [f"{row['disliked']} ({row['disliked_wrong']}) of {row['wrong']}" for row in own]
        if not share:
            disliked = sorted({str(row["disliked"]) for row in own})
        planted = "0" if not share else _range([row["wrong"] / row["images"] for row in own])
        yield f"| {planted} | {' | '.join(found)} | {', '.join(disliked)} | {_estimates(own)} |"


def _range(shares: list[float]) -> str:
    low, high = (f"{100 * value:.1f}" for value in (min(shares), max(shares)))
    return f"{low} %" if low == high else f"{low}–{high} %"


def _estimates(own: list[dict[str, Any]]) -> str:
    if all(row["estimate"] is None for row in own):
        return "none: one group"
    said = ["none" if row["estimate"] is None else f"{100 * row['estimate']:.1f} %" for row in own]
    true = [f"{100 * row['wrong'] / row['images']:.1f}" for row in own]
    return f"{', '.join(said)} (true: {', '.join(true)})"


def main(arguments: list[str] | None = None, measure: Callable[..., dict[str, Any]] = measured) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the table into docs/detect.md")
    asked = parser.parse_args(arguments)
    there = {(row["share"], row["seed"]) for row in stored()}
    for share in SHARES:
        for seed in SEEDS:
            if (share, seed) not in there:
                row = measure(share, seed)
                with FILE.open("a") as out:
                    out.write(json.dumps(row) + "\n")
                print(share, seed, row, flush=True)
    if asked.write:
        put(DOCS / "detect.md", "digits", "tests/calibration/detect_digits.py", shown(stored()))
    print("\n".join(shown(stored())))


if __name__ == "__main__":
    main()
