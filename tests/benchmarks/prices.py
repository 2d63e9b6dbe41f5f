"""How far prices of a CPU lie from what runs took: `python -m tests.benchmarks.prices`.

Each kind of run on each processor is priced without its own committed records, by planning figures and by the rates of
all others.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import defaultdict
from typing import Any

from lnbench.plan.devices import DEVICES
from lnbench.plan.rates import Kind, Prices, kind_of, prices_of
from lnbench.plan.run import Run
from lnbench.resources import root

CPU = DEVICES["cpu"]
SECONDS = 1.0  # a shorter run is mostly its start


def records() -> list[dict[str, Any]]:
    """Return the committed records of trainings on a CPU that were not resumed."""
    reports = root() / "reports"
    files = [*sorted(reports.glob("*/records.jsonl")), *sorted(reports.glob("unfinished-*.jsonl"))]
    found = [json.loads(line)["record"] for file in files for line in file.read_text().splitlines()]
    return [one for one in found if one["kind"] == "training" and _counts(one["provenance"])]


def _counts(provenance: dict[str, Any]) -> bool:
    return provenance["device"] == "cpu" and not provenance["resumed"] and provenance["seconds"] > SECONDS


def main() -> None:
    """Print a line for each kind, and the middle and the largest factor of error."""
    kinds = defaultdict[tuple[Kind, str], list[dict[str, Any]]](list)
    every = records()
    for one in every:
        kinds[kind_of(one["content"]["recipe"]), one["provenance"]["environment"]["processor"]].append(one)
    errors: dict[str, list[float]] = {"planning figures": [], "rates of others": []}
    for (kind, on), own in sorted(kinds.items()):
        if not kind[1]:
            continue  # experiments that train no network
        left = {id(one) for one in own}
        prices = prices_of(CPU, [one for one in every if id(one) not in left], on)
        took = sum(one["provenance"]["seconds"] for one in own)
        runs = [Run(one["content"]["recipe"], one["content"]["seeds"]) for one in own]
        told = [sum(by.of(run).seconds for run in runs) / took for by in (Prices(CPU), prices)]
        for errors_of, share in zip(errors.values(), told, strict=True):
            errors_of.append(math.exp(abs(math.log(share))))
        print(f"{' '.join(kind)}, {on}, {len(own)} runs: {told[0]:.2f} and {told[1]:.2f} of what they took")
    for name, found in errors.items():
        print(
            f"{name}: off by {statistics.median(found):.2f} in the middle, {max(found):.2f} at most, {len(found)} kinds"
        )


if __name__ == "__main__":
    main()
