"""The table of an experiment's runs."""

from __future__ import annotations

import math
import statistics
from typing import Any

from lnbench.plan import Run
from lnbench.report.names import place
from lnbench.report.numbers import significant
from lnbench.report.plain import Json
from lnbench.report.words import coded, escaped, table
from lnbench.store import Record


def experiment_examples(record: Record) -> int:
    """Return the number of samples that the run's steps read."""
    content: dict[str, Any] = record["content"]
    return Run(content["recipe"], content["seeds"], content["inputs"]).examples


def experiment_runs(data: Json) -> list[str]:
    """Return the page's section on the runs of an experiment."""
    header = ["cell", "runs", "seconds per run", "metric", "mean", "sd"]
    rows = []
    for cell in data["cells"]:
        seconds = [value for value in cell["seconds"] if value is not None]
        dead = sum(cell["collapsed"])
        first = [
            escaped(place(cell["point"])),
            f"{cell['done']} of {cell['planned']}" + (f", {dead} diverged" if dead else ""),
            f"{statistics.fmean(seconds):.2f}" if seconds else "–",
        ]
        took = {f"seconds, {kind.replace('_', ' ')}": values for kind, values in cell.get("took", {}).items()}
        named = {f"{coded(metric)}": values for metric, values in cell["metrics"].items()}
        for name, values in (named | took).items():
            there = [value for value in values if value is not None and math.isfinite(value)]
            never = len(values) - len(there)
            mean = significant(statistics.fmean(there)) if there else "–"
            mean += f" ({never} without)" if never and there else ""
            sd = significant(statistics.stdev(there), 2) if len(there) > 1 else "–"
            rows.append([*first, name, mean, sd])
            first = ["", "", ""]
    intro = (
        "Mean and standard deviation over the seeds; *without*: runs that have no such number, because they never "
        "reached its level or diverged. Runs that several arms share were done once."
    )
    return ["## Runs", "", intro, "", *table(header, rows, right=(2, 4, 5)), ""]
