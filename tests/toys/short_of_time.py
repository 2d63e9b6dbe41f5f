"""Several toy studies that share runs, made-up records of them, and the plan of a short time: nothing is trained."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lnbench.budget import Budget, Machine, budget_of
from lnbench.plan import Run, plan_runs, plan_study
from lnbench.plan.devices import DEVICES, Device
from lnbench.spec import Study, load_studies
from lnbench.store import Record, Store, make_record
from lnbench.store.record import envelope
from tests.toys.project import base, paper, write_project

LEVELS = (0, 1, 2)


def study(
    claims: dict[str, int], *, paper_tiers: str = "full", seeds: int = 4, choose: str = "", **changes: Any
) -> str:
    """A study of `claims`: id -> the noise level (of 0, 1 and 2) at which each reads the runs; see `project.base`."""
    names = {"model": "perceptron", **changes}
    tiers = "\n".join(f"  {name}: {{deviations: []}}" for name in (*paper_tiers.split(), "smoke"))
    effects = "\n".join(f"  e{level}: {{metric: test_accuracy, at: {{noise.alpha: {level}}}}}" for level in LEVELS)
    used = sorted(set(claims.values()))
    effects = "\n".join(line for line, level in zip(effects.splitlines(), LEVELS, strict=True) if level in used)
    told = "\n".join(
        f"  - {{id: {name}, says: It learns., quote: it learns, where: {{section: '1'}}, verdict: learns,\n"
        f"     parts: {{learns: {{kind: above, effect: e{level}, threshold: 0.3}}}}}}"
        for name, level in claims.items()
    )
    head = "schema: 1\npaper: toy\ntitle: A toy study\nchoices: []\n"
    runs = f"{base(**names)}  vary: {{noise.alpha: {used}}}\n" + (f"  choose: {choose}\n" if choose else "")
    pair = f"  seeds: {{n: {seeds}, pair: [split, noise, order, init, augment]}}\n"
    return f"{head}{runs}{pair}effects:\n{effects}\nclaims:\n{told}\ntiers:\n{tiers}\n"


def record_of(run: Run, device: str = "cpu", seconds: float = 1.0, **outcome: Any) -> Record:
    """A record of a run that went well."""
    made = {
        "status": "ok",
        "curves": {name: [0.5] * run.epochs for name in ("test_accuracy", "validation_accuracy")},
        "examples": {"train": 400, "validation": 0, "test": 497},
        "classes": 10,
        "data_sha256": "0" * 64,
        **outcome,
    }
    where = {"seconds": seconds, "device": device, "backend": "loop", "threads": 1, "environment": {}, "resumed": False}
    return make_record(run.content, made, {**where, "finished": "2026-01-01T00:00:00+00:00"})


@dataclass
class ShortOfTime:
    """A project folder with studies, a store, and reports; `plan` is the plan of so many seconds on a device."""

    root: Path
    device: Device = DEVICES["h200"]
    machine: Machine = field(default_factory=Machine)

    @property
    def store(self) -> Store:
        return Store(self.root / "store")

    def write(self, name: str, text: str) -> None:
        write_project(self.root, text, paper(), name=name)

    def studies(self) -> list[Path]:
        return sorted((self.root / "claims").glob("*.yaml"))

    def at(self, name: str, tier: str = "full") -> Study:
        (loaded,) = load_studies([self.root / "claims" / f"{name}.yaml"])
        return loaded.tiers[tier]

    def runs(self, name: str, level: int | None = None, tier: str = "full") -> list[Run]:
        """The runs of a study, or those at one noise level."""
        found = plan_runs(plan_study(self.at(name, tier)))
        return [run for run in found if level is None or run.recipe["noise"]["alpha"] == level]

    def keep(self, runs: Iterable[Run], **about: Any) -> None:
        """Put records of runs into the store."""
        for run in runs:
            self.store.put(record_of(run, **about))

    def commit(self, file: str, records: Iterable[Record]) -> Path:
        """Write records as a committed file under reports/."""
        path = self.root / "reports" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{json.dumps(envelope(record))}\n" for record in records), encoding="utf-8")
        return path

    def report(self, key: str, post_hoc: str = "", fresh: int = 0, **verdicts: str) -> None:
        """Write a report, of which only the verdicts are known, why they are late, and which set of seeds they have."""
        folder = self.root / "reports" / key
        folder.mkdir(parents=True, exist_ok=True)
        claims = [{"id": name.replace("_", "-"), "verdict": verdict} for name, verdict in verdicts.items()]
        data: dict[str, Any] = {"key": key, "claims": claims, **({"seeds": {"fresh": fresh}} if fresh else {})}
        if post_hoc:
            data["registration"] = {"claims": [{"id": claim["id"], "post_hoc": post_hoc} for claim in claims]}
        (folder / "result.json").write_text(json.dumps(data), encoding="utf-8")

    def plan(self, seconds: float = 1e6, **options: Any) -> Budget:
        return budget_of(self.studies(), self.store, self.device, seconds, machine=self.machine, **options)


def told(budget: Budget) -> list[tuple[str, str, int]]:
    """(study at its tier, claims, runs to train) of each row."""
    return [(row.study.key, " ".join(row.claims), row.runs) for row in budget.rows]


def why(budget: Budget, claim: str) -> str:
    """Why a claim is left out."""
    (found,) = {left.why for left in budget.left if claim in left.claims}
    return found
