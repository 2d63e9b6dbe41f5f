"""A table of a paper in made-up form: methods by kinds of noise, printed errors, and records at whatever errors a test
wants. Nothing is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lnbench.identity import sha256
from lnbench.judge import Evidence, gather
from lnbench.plan import plan_study
from lnbench.spec import Study, load_study
from lnbench.store import Record, make_record
from tests.toys.project import write_project

N = 1000  # test examples
Errors = Callable[[str, str, int], float | None]  # (method, arm, seed) -> test error; None: it diverged
Prints = Callable[[str, str], tuple[str, str]]  # (method, arm) -> (printed, spread)

HEAD = """\
schema: 1
paper: tables2020
title: A table of made-up methods
runs:
  base:
    arm: {arm}
    dataset: {{name: digits, clean: 600}}
    noise: {{kind: replace_uniform, rate: 0.4, include_true_class: false}}
    model: mlp1
    method: standard
    optimizer: {{kind: sgd, lr: 0.1, momentum: 0.9, nesterov: false, weight_decay: 0}}
    schedule: {{kind: constant}}
    batch_size: 32
    epochs: 2
    augment: none
    precision: fp32
    selection: last_epoch
  vary:
    method: [{methods}]
    arm: [{arms}]
  set:
{rules}
  seeds: {{n: {seeds}, pair: [split, noise]}}
effects:
  error: {{metric: test_error}}
{effects}
claims:
  - id: TB-01
    says: The table is as printed.
    where: {{table: 1}}
    verdict: claim
    parts:
{parts}
tiers:
  full: {{deviations: []}}
"""

PAPER = """\
schema: 1
paper: tables2020
title: Made-up methods
authors: [Ada Nobody]
year: 2020
url: https://example.org/tables
code: none
provenance: Made up for tests.
references:
"""

TABLE = "kind: table, effect: error, rows: method, columns: arm, margin: {floor: 0.02, spreads: 2}, because: test"
SIDES = "kind: table_sides, effect: error, rows: method, columns: arm, against: {method: standard}"


def typical(method: str, arm: str) -> tuple[str, str]:
    """Numbers that fall from method to method, each with a spread."""
    return f"{10 + int(sha256([method, arm])[:4], 16) % 600 / 10:.1f}", "0.5"


def write_table(
    folder: Path,
    methods: Sequence[str] = ("standard", "random_weights", "oracle"),
    arms: Sequence[str] = ("u20", "u40"),
    prints: Prints = typical,
    *,
    parts: str = f"      claim: {{{TABLE}, cells: *cells}}\n",
    effects: str = "",
    seeds: int = 5,
    cells: Sequence[tuple[str, str]] | None = None,
) -> Path:
    """The study's file, its baseline beside it. `parts` may name the cells by `*cells`."""
    places = cells if cells is not None else [(method, arm) for method in methods for arm in arms]
    anchor = ", ".join(f"t1/{method}-{arm}: {{method: {method}, arm: {arm}}}" for method, arm in places)
    rules = "".join(f"    - {{at: {{arm: {arm}}}, noise.rate: {0.02 * (place + 1):.2f}}}\n"
                    for place, arm in enumerate(arms))  # fmt: skip
    for place, method in enumerate(methods):
        name = method if method in ("random_weights", "oracle") else "standard"
        rules += f"    - {{at: {{method: {method}}}, method: {name}, optimizer.lr: {0.01 * (place + 1):.2f}}}\n"
    body = parts.replace("*cells", "&cells {" + anchor + "}", 1)  # an anchor: the parts after it say *cells
    text = HEAD.format(
        arm=arms[0], methods=", ".join(methods), arms=", ".join(arms), rules=rules.rstrip("\n"), seeds=seeds,
        effects=effects.rstrip("\n"), parts=body.rstrip("\n"),
    )  # fmt: skip
    baseline = PAPER
    for method in methods:
        for arm in arms:
            printed, spread = prints(method, arm)
            baseline += f"""\
  t1/{method}-{arm}:
    {{metric: test_error, printed: "{printed}", unit: percent, relation: equals, spread: {spread!r}, spread_kind: sd,
     n: {5 if spread != "none" else "unknown"}, where: {{table: 1}}, protocol: {{dataset: digits}}, source: table}}
"""
    return write_project(folder, text, baseline, name="tables", paper="tables2020")


def table_study(folder: Path, **options: Any) -> Study:
    """The study at tier full."""
    return load_study(write_table(folder, **options)).tiers["full"]


def jitter(method: str, arm: str, seed: int, size: float = 0.002) -> float:
    """Within ±size, the same for the same key."""
    return (int(sha256([method, arm, seed])[:8], 16) / 0xFFFFFFFF * 2 - 1) * size


def as_printed(study: Study, moved: float = 0.0) -> Errors:
    """Errors that are those of the paper, give or take a jitter, all `moved`."""

    def error(method: str, arm: str, seed: int) -> float | None:
        number = study.baseline.references[f"t1/{method}-{arm}"].number()
        return None if number is None else number.value + moved + jitter(method, arm, seed)

    return error


def records_of(
    study: Study, errors: Errors, without: Callable[[dict[str, Any], int], bool] | None = None
) -> dict[str, Record]:
    """A record of every run of the plan, by id; `without` says which are not there."""
    found = {}
    for job in plan_study(study).jobs:
        if without is not None and without(dict(job.point), job.seed):
            continue
        run = job.run()
        record = _record(run.content, errors(str(job.point["method"]), str(job.point["arm"]), job.seed), job.seed)
        found[record["id"]] = record
    return found


def evidence_of(study: Study, errors: Errors, without: Callable[[dict[str, Any], int], bool] | None = None) -> Evidence:
    return gather(plan_study(study), records_of(study, errors, without).get)


def _record(content: dict[str, Any], error: float | None, seed: int) -> Record:
    curves = {}
    if error is not None:
        last = round((1 - error) * N) / N
        curves = {
            "test_accuracy": [max(last - 0.05, 0.0), last],
            "test_loss": [1.0, 0.9],
            "train_loss": [2.0 + seed / 1000, 1.9 + seed / 1000],  # no two seeds alike
            "train_accuracy": [0.2, 0.3],
        }
    outcome = {
        "status": "ok" if error is not None else "diverged",
        "curves": curves,
        "examples": {"train": 600, "validation": 0, "test": N},
        "classes": 10,
        "parameters": 1000,
        "noise": {"nominal_wrong": 0.4, "realised_wrong": 0.4, "labels_sha256": f"{seed:064x}"},
        "data_sha256": "ab" * 32,
    }
    provenance = {"seconds": 1.0, "device": "cpu", "backend": "loop", "threads": 1, "environment": {},
                  "finished": "2026-01-01T00:00:00+00:00", "resumed": False}  # fmt: skip
    return make_record(content, outcome, provenance)
