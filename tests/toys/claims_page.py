"""The examples of docs/claims.md as studies, and made-up records for whatever study a test writes in their frame."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lnbench.identity import sha256
from lnbench.judge import Evidence, gather
from lnbench.plan import Run, plan_study
from lnbench.spec import Study, load_study
from lnbench.store import Record, make_record

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/claims.md"
N = 10_000  # test examples

Metrics = Callable[[dict[str, Any], int], dict[str, float] | None]  # (recipe, seed) -> metrics; None: it diverged


# libyaml's, where PyYAML has it: a test reads and writes the page's frame in each of its cases
QUICK_LOADER, QUICK_DUMPER = (getattr(yaml, f"C{name}", getattr(yaml, name)) for name in ("SafeLoader", "SafeDumper"))


def blocks() -> dict[str, dict[str, Any]]:
    """The YAML blocks of the page by the word in their first line, the frame among them."""
    return deepcopy(_blocks())


@cache
def _blocks() -> dict[str, dict[str, Any]]:
    found = {}
    for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S):
        head = re.match(r"# (?:example: )?(\w+)\n", text)
        assert head is not None, f"a block of the page has no name:\n{text}"
        assert head[1] not in found, head[1]
        found[head[1]] = yaml.load(text, QUICK_LOADER)
    return found


def in_frame(example: dict[str, Any]) -> str:
    """The study that an example makes of the frame, as a file has it."""
    assert set(example) <= {"vary", "seeds", "effects", "parts"}, set(example)
    tree = blocks()["frame"]
    tree["effects"], tree["claims"][0]["parts"] = example["effects"], example["parts"]
    for key in ("vary", "seeds"):
        if key in example:
            tree["runs"][key] = example[key]
    return str(yaml.dump(tree, Dumper=QUICK_DUMPER, sort_keys=False, allow_unicode=True))


def load_in_frame(folder: Path, example: str | dict[str, Any]) -> Study:
    """The study at full tier, read from a file in `folder`. Raises SpecError."""
    (folder / "claims").mkdir(exist_ok=True)
    if not (folder / "baselines").exists():
        (folder / "baselines").symlink_to(ROOT / "baselines")
    file = folder / "claims" / "example.yaml"
    file.write_text(in_frame(yaml.safe_load(example) if isinstance(example, str) else example), encoding="utf-8")
    return load_study(file).tiers["full"]


def wobble(*key: Any) -> float:
    """Between -1 and 1, the same for the same key."""
    return int(sha256(list(key))[:8], 16) / 0xFFFFFFFF * 2 - 1


def record_of(run: Run, metrics: dict[str, float] | None) -> Record:
    """A record of a run of two epochs that ended with these metrics."""
    outcome = {
        "status": "diverged" if metrics is None else "ok",
        "curves": {name: [0.5, value] for name, value in (metrics or {}).items()},
        "examples": {"train": 1000, "validation": 0, "test": N, "none": 1},
        "classes": 10,
        "parameters": 10,
        "noise": {"nominal_wrong": 0.0, "realised_wrong": 0.0, "labels_sha256": "0" * 64},
        "data_sha256": "0" * 64,
    }
    provenance = {"seconds": 1.0, "device": "cpu", "backend": "loop", "threads": 1, "environment": {},
                  "finished": "2026-01-01T00:00:00+00:00", "resumed": False}  # fmt: skip
    return make_record(run.content, outcome, provenance)


def evidence_of(study: Study, metrics: Metrics, seeds: int | None = None, without: tuple[int, ...] = ()) -> Evidence:
    """The study's runs as made up; `without`: seeds of which no run is there."""
    plan = plan_study(study, seeds)
    runs = {job.run().id: (job.run(), job.seed) for job in plan.jobs}
    made = {
        run_id: record_of(run, metrics(run.recipe, seed)) for run_id, (run, seed) in runs.items() if seed not in without
    }
    return gather(plan, made.get)


def believable(recipe: dict[str, Any], seed: int) -> dict[str, float]:
    """What the page's examples say of the world, true in it: noise costs, depth and data help, the best rate falls."""
    alpha, clean, rate = recipe["noise"]["alpha"], recipe["dataset"]["clean"], recipe["optimizer"]["lr"]
    model = recipe["model"]
    accuracy = {
        "perceptron": 0.91 - 0.0051 * alpha,
        "mlp1": 0.97 - 0.0020 * alpha,
        "convnet4": 0.99 - 0.0008 * alpha,
    }[model]
    needed = 200 * max(alpha, 1) ** 1.05  # clean images for 90 %
    if clean != 50000:
        accuracy = min(0.99, 0.9 + 0.05 * (clean / needed - 1) / (1 + clean / needed) * 2)
    best = 0.2 if alpha == 0 else 0.05
    accuracy -= 0.01 * (math.log2(rate / 0.1) ** 2 if rate == 0.1 else math.log2(rate / best) ** 2)
    moved = accuracy + 0.002 * wobble(seed, model, alpha, clean, rate)
    train = 0.3 + 0.6 * moved + 0.01 * wobble("train", seed, model, alpha)
    return {"test_accuracy": round(moved * N) / N, "test_loss": 1 - moved, "train_accuracy": train}
