"""Writes the tables of docs/drift.md, between their markers, from runs made now.

    python -m tests.faults.table FOLDER [WORDS]

FOLDER keeps the runs without a fault (ten seeds, which the old test compares with) and each fault's row as it is found,
so that a second call goes on. WORDS: only faults whose words, or the name of whose runs, hold them. Some ten minutes on
two cores.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import pytest

from tests.faults.planted import FAULTS, Fault
from tests.faults.world import (
    WORLDS,
    claims_of,
    evidence_of,
    numbers,
    seen_as_two_samples,
    seen_by_seed,
    turned,
)

PAGE = Path(__file__).parents[2] / "docs" / "drift.md"
BEGIN, END = "<!-- faults: written by tests/faults/table.py -->", "<!-- faults: end -->"
OLD_SEEDS = 10


def row_of(fault: Fault, kept: Path) -> dict[str, object]:
    """Plant one fault, train, and ask both tests."""
    world = WORLDS[fault.at]
    before = numbers(claims_of(evidence_of(world, kept / "honest", OLD_SEEDS)))
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        fault.plant(patch)
        evidence = evidence_of(world, Path(folder))
        claims = claims_of(evidence)
        what, share = seen_by_seed(evidence, claims)
        old = turned(claims) or seen_as_two_samples(numbers(claims), before)
    return {"words": fault.words, "at": fault.at, "what": what, "share": share, "old": old, "turned": turned(claims)}


def shown(share: float) -> str:
    return "far" if share > 1e4 else f"{share:,.0f}" if share >= 10 else f"{share:.2g}"


def lines(rows: list[dict[str, object]]) -> list[str]:
    new, old = (sum(bool(row[key]) for row in rows) for key in ("new", "old"))
    return [
        f"{len(rows)} faults: seed by seed {new} are seen, as two samples {old}.",
        "",
        "| fault | in | seen seed by seed | moved / tolerance | seen as two samples |",
        "|---|---|---|---:|---|",
        *(
            f"| {row['words']} | {WORLDS[str(row['at'])].words} | {'yes' if row['new'] else '**no**'} "
            f"| {shown(float(str(row['share'])))} | {'yes' if row['old'] else 'no'} |"
            for row in rows
        ),
    ]


def main(kept: Path, only: str = "") -> None:
    rows = []
    for number, fault in enumerate(FAULTS):
        file = kept / f"{fault.at}-{fault.words}.json".replace("/", " over ")
        if not file.exists():
            if only not in f"{fault.words} {fault.at}":
                continue
            kept.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(row_of(fault, kept)))
        row = json.loads(file.read_text())
        row["new"] = row["turned"] or row["share"] > 1
        rows.append(row)
        print(f"{number + 1}/{len(FAULTS)}", row, flush=True)
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    PAGE.write_text(
        f"{before}{BEGIN}\n\n" + "\n".join(lines(rows)) + f"\n\n{END}{rest.split(END)[1]}", encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
