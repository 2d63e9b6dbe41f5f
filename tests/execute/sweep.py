"""A process that works off studies, for the tests that disturb one: `sweep.py STUDY[,STUDY] STORE WORKERS BACKEND`.

Says on its output what happens, a line each: `started ID`, `report ID`, `finished ID how`, and last
`done TRAINED REUSED FAILED`, or `interrupted`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from lnbench.execute import worker
from lnbench.execute.groups import Task
from lnbench.execute.local import execute
from lnbench.execute.worker import Report
from lnbench.plan import Run, plan_study
from lnbench.spec import load_study
from lnbench.store import Store

# in the workers too: they import this file as their main module
worker.SECONDS_BETWEEN_REPORTS = 0.05
worker.SECONDS_BETWEEN_CHECKPOINTS = float(os.environ.get("SECONDS_BETWEEN_CHECKPOINTS", "60"))


class Lines:
    def planned(self, runs: list[Run], reused: int) -> None:
        print("planned", len(runs), reused, flush=True)

    def started(self, task: Task) -> None:
        print("started", task.id, flush=True)

    def report(self, report: Report) -> None:
        print("report", report.task_id, flush=True)

    def finished(self, run: Run, how: str, message: str) -> None:
        print("finished", run.id, how, message, flush=True)

    def note(self, line: str) -> None:
        print("note", line, flush=True)


if __name__ == "__main__":
    studies, folder, workers, backend = sys.argv[1:]
    plans = [plan_study(load_study(Path(study)).tiers["smoke"]) for study in studies.split(",")]
    try:
        store = Store(Path(folder), Lines().note)
        came = execute(plans, store, Lines(), workers=int(workers), backend=backend)
        print("done", came.trained, came.reused, len(came.failures), flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
