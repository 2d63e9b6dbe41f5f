"""A process that works off a study, for the tests that disturb one: `sweep.py STUDY STORE WORKERS`.

Says on its output what happens, a line each: `started ID`, `report ID`, `finished ID how`, and last
`done TRAINED REUSED FAILED`, or `interrupted`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lnbench.execute import worker
from lnbench.execute.local import execute
from lnbench.execute.worker import Report
from lnbench.plan import Run, plan_study
from lnbench.store import Store
from lnbench.studies import load_study

worker.SECONDS_BETWEEN_REPORTS = 0.05  # in the workers too: they import this file as their main module


class Lines:
    def planned(self, runs: list[Run], reused: int) -> None:
        print("planned", len(runs), reused, flush=True)

    def started(self, run: Run) -> None:
        print("started", run.id, flush=True)

    def report(self, report: Report) -> None:
        print("report", report.run_id, flush=True)

    def finished(self, run: Run, how: str, message: str) -> None:
        print("finished", run.id, how, message, flush=True)

    def note(self, line: str) -> None:
        print("note", line, flush=True)


if __name__ == "__main__":
    plan = plan_study(load_study(Path(sys.argv[1])).tiers["smoke"])
    try:
        came = execute([plan], Store(Path(sys.argv[2]), Lines().note), Lines(), workers=int(sys.argv[3]))
        print("done", came.trained, came.reused, len(came.failures), flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(130)
