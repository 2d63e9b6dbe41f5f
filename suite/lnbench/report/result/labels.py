"""The labels that runs were given from tables: human labels, a file, labels drawn class by class, hard images.

`labels` in result.json, one entry for each noise and data set, from the records alone: `noise` (its options),
`dataset`, `tables` (how many different ones the seeds have), `sha256` (of the labels, where all seeds have the same),
`images`, `wrong` (the mean share of wrong labels over the whole data set) and, for ten classes or fewer, `transition`:
how many images of each true class (row) have each label (column), all tables together.
"""

from __future__ import annotations

import statistics
from typing import Any

from lnbench.identity import canonical_json
from lnbench.judge import Evidence
from lnbench.noise.law import dataset_of
from lnbench.report.plain import Json, plain


def labels_to_json(evidence: Evidence) -> list[Json]:
    """Return an entry for each noise whose labels stand in a table; see the module's first lines."""
    found: dict[str, tuple[Json, dict[str, Json]]] = {}
    for run, record in evidence.by_job.values():
        table = (record["outcome"].get("noise") or {}).get("table")
        if table is None:
            continue
        about = {"noise": plain(run.recipe["noise"]), "dataset": dataset_of(run.recipe)}
        found.setdefault(canonical_json(about), (about, {}))[1].setdefault(table["sha256"], table)
    return [_entry(about, list(tables.values())) for about, tables in found.values()]


def _entry(about: Json, tables: list[Json]) -> Json:
    first = tables[0]
    shown = all("transition" in table for table in tables)
    return {
        **about,
        "tables": len(tables),
        **({"sha256": first["sha256"]} if len(tables) == 1 else {}),
        "images": first["images"],
        "wrong": statistics.fmean(table["wrong"] for table in tables),
        **({"transition": _sum([table["transition"] for table in tables])} if shown else {}),
    }


def _sum(tables: list[Any]) -> list[list[int]]:
    return [[sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*tables, strict=True)]
