"""A study of loss curves whose runs are written down instead of trained, their arrays beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lnbench.judge import Evidence, FromStore, gather
from lnbench.plan import Run, plan_study
from lnbench.spec import Study, load_study
from lnbench.store import Store, make_record
from lnbench.store.sidefiles import describe
from tests.toys.project import REPLACED, base, paper, reference, write_project

EPOCHS, EXAMPLES = 12, 400
STUDY = (
    """\
schema: 1
paper: toy
title: Loss curves of toys
"""
    + base(noise=REPLACED, model="mlp1", epochs=EPOCHS, probes="[example_loss]")
    + """\
  vary: {model: [mlp1, mlp2, mlp4]}
  seeds: {n: 4, pair: [split, noise]}
effects:
  early: {metric: aul_auc, at: {model: mlp1, epoch: 6}}
  last: {metric: aul_auc, at: {model: mlp1}}
  gain: {metric: aul_auc, less: loss_auc, at: {model: mlp1, epoch: 12}}
  higher: {metric: mislabeled_loss_median, per: clean_loss_median, at: {model: mlp1, epoch: 6}}
  decline: {metric: loss_auc, at: {model: mlp1}, along: {epoch: slope}, levels: {epoch: [2, 6, 12]}}
  alike: {metric: aul_pearson, at: {epoch: 12}, along: {model: pairs}}
  more-alike: {metric: aul_pearson, less: train_loss_pearson, at: {epoch: 12}, along: {model: pairs}}
  learnt: {metric: test_accuracy, at: {model: mlp1, epoch: 12}, minus: {epoch: 2}}
claims:
  - id: T-01
    says: The area under the loss finds wrong labels.
    quote: "finds"
    where: {section: "1"}
    verdict: {all: [early, last, gain, alike, more-alike, learnt]}
    parts:
      early: {kind: above, effect: early, threshold: 0.6}
      last: {kind: above, effect: last, threshold: 0.6}
      gain: {kind: ordered, effect: gain}
      higher: {kind: ratio, effect: higher, region: [1, null]}
      decline: {kind: trend, effect: decline, direction: down}
      alike: {kind: correlation, effect: alike, region: [0.2, null], unit: seed}
      more-alike: {kind: ordered, effect: more-alike}
      learnt: {kind: ordered, effect: learnt}
tiers:
  full: {deviations: []}
"""
)
BASELINE = paper(reference("one", "0.9", metric="aul_auc", unit="none", relation="equals"))


def loaded(folder: Path, *edits: tuple[str, str]) -> Study:
    text = STUDY
    for old, new in edits:
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    return load_study(write_project(folder, text, BASELINE)).tiers["full"]


def arrays_of(run: Run) -> dict[str, np.ndarray]:
    """Losses in which wrong labels stand out, the less the later; of one draw, most of each example's is shared."""
    draw = np.random.default_rng(run.seeds["noise"])
    wrong = draw.random(EXAMPLES) < 0.4
    shared = draw.normal(size=EXAMPLES)
    own = np.random.default_rng(run.seeds["init"])
    late = np.linspace(1.2, 0.2, EPOCHS)[:, None]
    losses = np.exp(wrong * late + 0.4 * shared + 0.8 * own.normal(size=(EPOCHS, EXAMPLES))).astype(np.float32)
    sheet = {}
    if "suspects" in run.recipe.get("probes", ()):
        worst = np.argsort(-losses.sum(0, dtype=float), kind="stable")[:64].astype(np.int32)
        pictures = draw.integers(0, 17, size=(64, 1, 8, 8)).astype(np.uint8)
        sheet = {"suspect_images": pictures, "suspect_examples": worst}
    return {
        "example_loss": losses,
        **sheet,
        "example_label": np.where(wrong, 1, 0).astype(np.int16),
        "example_true": np.zeros(EXAMPLES, np.int16),
        "example_image": np.arange(EXAMPLES, dtype=np.int32),
    }


@dataclass
class World:
    study: Study
    store: Store
    runs: dict[tuple[str, int], Run]
    folder: Path

    def arrays(self, model: str, seed: int) -> dict[str, np.ndarray]:
        return arrays_of(self.runs[model, seed])

    def evidence(self) -> Evidence:
        return gather(plan_study(self.study), self.store.get, reads=FromStore(self.store))

    def values(self, effect: str) -> tuple[float, ...]:
        (member,) = self.evidence().members(self.study.spec.effects[effect])
        return member.values


def outcome_of(arrays: dict[str, np.ndarray], epochs: int = EPOCHS) -> dict[str, Any]:
    labels = hashlib.sha256(arrays["example_label"].tobytes()).hexdigest()
    rising = [0.5 + 0.002 * epoch**2 for epoch in range(1, epochs + 1)]
    return {
        "status": "ok" if epochs == EPOCHS else "diverged",
        "curves": {
            **{name: rising for name in ("test_accuracy", "test_loss", "train_accuracy")},
            "train_loss": arrays["example_loss"].mean(axis=1, dtype=float).tolist(),  # each seed's own
        },
        "examples": {"train": EXAMPLES, "validation": 0, "test": 497},
        "classes": 10,
        "parameters": 1,
        "noise": {"nominal_wrong": 0.4, "realised_wrong": 0.4, "labels_sha256": labels},
        "data_sha256": "0" * 64,
        "arrays": describe(arrays),
    }


def world_in(folder: Path, *edits: tuple[str, str], cut: Callable[[Run], int] = lambda run: EPOCHS) -> World:
    study, store = loaded(folder, *edits), Store(folder / "store")
    runs = {}
    for job in plan_study(study).jobs:
        run = job.run()
        arrays = {name: array[: cut(run)] if array.ndim == 2 else array for name, array in arrays_of(run).items()}
        store.put(make_record(run.content, outcome_of(arrays, cut(run)), {"finished": "2026-01-01T00:00:00"}), arrays)
        runs[str(job.point["model"]), job.seed] = run
    return World(study, store, runs, folder)
