"""How `lnbench detect` chooses its learning rate: every rate on many kinds of images and errors, by a rule that was
written down before (docs/detect.md, "How the rate was chosen").

    python -m tests.calibration.detect_defaults --data ROOT         # trains what the file below lacks; resumable
    python -m tests.calibration.detect_defaults --show              # the tables of docs/detect.md
    python -m tests.calibration.detect_defaults --write             # and writes them into the page, training nothing

Every training is one line of `detect_defaults.jsonl`. Seeds are 900 to 902: none of them has a part in any table that
says how well `detect` works.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.toys.written_page import DOCS, put

FILE = Path(__file__).with_suffix(".jsonl")
SEEDS = (900, 901, 902)
RATES = {"mlp1": (0.01, 0.03, 0.1, 0.3), "lenet": (0.003, 0.01, 0.03, 0.1)}
Images, Labels = npt.NDArray[np.uint8], npt.NDArray[np.int64]
SOFTEST = 0.05  # a rule's tie: worst regrets within this are called equal


@dataclass(frozen=True)
class Setting:
    """A kind of images with a kind of error, for one network."""

    model: str
    images: str
    error: str

    @property
    def name(self) -> str:
        return f"{self.model}, {self.images}, {self.error}"


SETTINGS = [
    *(Setting("mlp1", images, error) for images in ("digits", "mnist at 14 pixels", "fashion_mnist at 14 pixels")
      for error in ("uniform 5 %", "uniform 30 %", "pair 20 %", "class-conditional 20 %")),
    *(Setting("mlp1", images, error) for images in ("digits 3 and 8", "two separable classes")
      for error in ("uniform 5 %", "one class 20 %")),
    *(Setting("lenet", images, error) for images in ("mnist", "fashion_mnist")
      for error in ("uniform 5 %", "uniform 30 %", "pair 20 %")),
]  # fmt: skip


def pictures(kind: str, seed: int, root: Path | None) -> tuple[Images, Labels]:
    """Return (N, S, S) uint8 and (N,) true labels: a draw of a kind of images."""
    rng = np.random.default_rng([seed, 1])
    if kind == "two separable classes":
        labels = np.arange(400, dtype=np.int64) % 2
        centre = np.where(
            np.arange(10) < 5, 70.0, 0.0
        )  # the left half is brighter in one class, the right in the other
        means = np.stack([np.tile(centre, (10, 1)), np.tile(centre[::-1], (10, 1))]) + 80
        return (means[labels] + rng.normal(0, 25, (400, 10, 10))).clip(0, 255).astype(np.uint8), labels
    if kind.startswith("digits"):
        from lnbench.data.images import load

        data = load("digits")
        images, labels = data.train_images[:, 0], data.train_labels
        images = (images.astype(float) * (255 / max(1, images.max()))).astype(np.uint8)
        if kind == "digits 3 and 8":
            kept = np.isin(labels, (3, 8))
            images, labels = images[kept], (labels[kept] == 8).astype(np.int64)
        return images, labels.astype(np.int64)
    from lnbench.data.images import load

    name, _, small = kind.partition(" at ")
    data = load(name, root=root)
    chosen = rng.permutation(len(data.train_labels))[:1_000]
    images, labels = data.train_images[chosen, 0], data.train_labels[chosen].astype(np.int64)
    if small:
        images = images.reshape(len(images), 14, 2, 14, 2).mean((2, 4)).astype(np.uint8)
    return images, labels


def spoiled(labels: Labels, error: str, seed: int) -> tuple[Labels, npt.NDArray[np.bool_]]:
    """Return labels with errors planted, and which are wrong: an exact count of them."""
    kind, _, share = error.removesuffix(" %").rpartition(" ")
    rng, classes = np.random.default_rng([seed, 2]), int(labels.max()) + 1
    able = np.flatnonzero(labels == 0) if kind == "one class" else np.arange(len(labels))
    hit = rng.permutation(able)[: round(int(share) / 100 * len(able))]
    given = labels.copy()
    if kind == "uniform":
        given[hit] = (labels[hit] + rng.integers(1, classes, len(hit))) % classes
    elif kind == "class-conditional":  # a row a class: some wrong classes are likelier than others
        rows = rng.dirichlet(np.full(classes - 1, 0.5), classes)
        given[hit] = [(label + 1 + rng.choice(classes - 1, p=rows[label])) % classes for label in labels[hit]]
    else:
        given[hit] = (labels[hit] + 1) % classes
    return given, given != labels


def measured(setting: Setting, rate: float, seed: int, root: Path | None) -> dict[str, Any]:
    """Return what one training at a rate finds: of as many first as are wrong, the share that is; by AUL and by AUM."""
    from lnbench.detect.known import of_arrays
    from lnbench.detect.options import Options, settled
    from lnbench.detect.runs import planned
    from lnbench.detect.scoring import scored
    from lnbench.detect.training import Material, Trainer, TrainingFailed
    from lnbench.store import Store

    images, labels = pictures(setting.images, seed, root)
    given, wrong = spoiled(labels, setting.error, seed)
    data = of_arrays(images[:, None], given, [str(label) for label in range(int(labels.max()) + 1)], None)
    options, _ = settled(Options(model=setting.model, lr=rate, runs=1, seed=seed), data)
    row: dict[str, Any] = {
        "model": setting.model,
        "images": setting.images,
        "error": setting.error,
        "rate": rate,
        "seed": seed,
        "wrong": int(wrong.sum()),
        "true": float(wrong.mean()),
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(Material.of(data, None), Store(Path(folder)), "cpu", lambda run, now: None, lambda: False)
        try:
            (outcome,) = (trainer.record(run)["outcome"] for run in planned(options, data))
        except TrainingFailed:  # it diverged: there is no ranking, and nothing is found
            return row | {"by_aul": 0.0, "by_aum": 0.0, "estimate": None, "diverged": True}
    ends = [(outcome["train_accuracy"][-1], outcome["train_loss"][-1])]
    scores, count = scored([outcome["aul"]], [outcome["aum"]], options.epochs or 1, ends, None, None), int(wrong.sum())
    by_aum = np.argsort(np.nan_to_num(scores.aum, nan=np.inf), kind="stable")
    return row | {
        "by_aul": float(wrong[scores.order[:count]].mean()),
        "by_aum": float(wrong[by_aum[:count]].mean()),
        "estimate": None if scores.probability is None else scores.runs[0].noise,
    }


def stored() -> list[dict[str, Any]]:
    lines = FILE.read_text().splitlines() if FILE.is_file() else []
    return [json.loads(line) for line in lines]


def regrets(rows: list[dict[str, Any]], model: str) -> dict[float, dict[str, float]]:
    """Return rate -> setting -> how much less it finds, by AUL and in the mean over the seeds, than the best rate does
    there. Only settings that were measured at every rate and seed."""
    cells: dict[str, dict[float, list[float]]] = {}
    for row in rows:
        if row["model"] == model:
            cells.setdefault(f"{row['images']}, {row['error']}", {}).setdefault(row["rate"], []).append(row["by_aul"])
    whole = {
        name: {rate: float(np.mean(found)) for rate, found in by_rate.items()}
        for name, by_rate in cells.items()
        if all(len(by_rate.get(rate, [])) == len(SEEDS) for rate in RATES[model])
    }
    return {rate: {name: max(by.values()) - by[rate] for name, by in whole.items()} for rate in RATES[model]}


def chosen(found: dict[float, dict[str, float]]) -> float:
    """Return the rate whose worst regret is least; of those within SOFTEST of it, the one of least mean regret."""
    worst = {rate: max(by.values()) for rate, by in found.items()}
    good = [rate for rate in found if worst[rate] <= min(worst.values()) + SOFTEST]
    return min(good, key=lambda rate: float(np.mean(list(found[rate].values()))))


def shown(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Yield the Markdown tables, a row a setting, and which rate the rule takes."""
    for model, rates in RATES.items():
        found = regrets(rows, model)
        if not found[rates[0]]:
            continue
        yield f"| {model}: of as many first as are wrong, the share that is | " + " | ".join(map(str, rates)) + " |"
        yield "| --- |" + " ---: |" * len(rates)
        for name in found[rates[0]]:
            cells = []
            for rate in rates:
                own = [row for row in rows if row["model"] == model and row["rate"] == rate
                       and f"{row['images']}, {row['error']}" == name]  # fmt: skip
                aul, aum = (float(np.mean([row[key] for row in own])) for key in ("by_aul", "by_aum"))
                cells.append(f"{100 * aul:.1f} ({100 * aum:.1f})")
            yield f"| {name} | " + " | ".join(cells) + " |"
        worst = [f"{100 * max(found[rate].values()):.1f}" for rate in rates]
        mean = [f"{100 * float(np.mean(list(found[rate].values()))):.1f}" for rate in rates]
        yield "| *worst regret* | " + " | ".join(worst) + " |"
        yield "| *mean regret* | " + " | ".join(mean) + " |"
        yield ""
        yield f"The rule takes {chosen(found)} for `{model}`."
        if model != list(RATES)[-1]:
            yield ""


def main(arguments: list[str] | None = None, measure: Callable[..., dict[str, Any]] = measured) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=os.environ.get("LNBENCH_DATA"), help="torchvision data root")
    parser.add_argument("--model", choices=sorted(RATES), help="only this network")
    parser.add_argument("--show", action="store_true", help="print the tables, train nothing")
    parser.add_argument("--write", action="store_true", help="write the tables into docs/detect.md, train nothing")
    asked = parser.parse_args(arguments)
    rows = stored()
    if not asked.show and not asked.write:
        there = {(row["model"], row["images"], row["error"], row["rate"], row["seed"]) for row in rows}
        for seed in SEEDS:
            for setting in SETTINGS:
                for rate in RATES[setting.model]:
                    key = (setting.model, setting.images, setting.error, rate, seed)
                    if key in there or asked.model not in (None, setting.model):
                        continue
                    row = measure(setting, rate, seed, asked.data)
                    with FILE.open("a") as out:
                        out.write(json.dumps(row) + "\n")
                    print(setting.name, rate, seed, f"{row['by_aul']:.3f} {row['by_aum']:.3f}", flush=True)
        rows = stored()
    if asked.write:
        put(DOCS / "detect.md", "rates", "tests/calibration/detect_defaults.py", shown(rows))
    print("\n".join(shown(rows)))


if __name__ == "__main__":
    main()
