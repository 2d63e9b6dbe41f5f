"""What the readings of a study show: of each cell's first seed, the losses of both groups, and the suspects."""

from __future__ import annotations

from lnbench.judge import Evidence
from lnbench.report.plain import Json, in_order, plain
from lnbench.spec import point_key
from lnbench.store import Record

LAST_ONLY = ("loss", "aul", "auc")  # bands over the epochs: those of the last reading hold all before


def detection_to_json(evidence: Evidence) -> list[Json]:
    """Return one entry per cell and epoch that was read, of the first seed that has it: `metrics`, and what figures
    draw of it. Bands over epochs are given with the last epoch. One seed: these are pictures, the numbers of all are
    the claims'."""
    found = []
    for cell in evidence.study.cells:
        key = point_key(cell.point)
        for seed in sorted(seed for point, seed in evidence.by_job if point == key):
            readings = _of_run(evidence, evidence.by_job[key, seed][1]["id"])
            if readings:
                found += [_entry(cell.point, seed, reading, readings[-1]) for reading in readings]
                break
    return found


def suspects_to_json(evidence: Evidence) -> Json:
    """Return the contact sheet of the first cell and seed that has one; empty where none has."""
    runs = {record["id"]: key for key, (_, record) in evidence.by_job.items()}
    for cell in evidence.study.cells:
        sheets = [
            (runs[record["content"]["of"][0]][1], record)
            for record in _readings(evidence, "suspects")
            if runs.get(record["content"]["of"][0], ("", 0))[0] == point_key(cell.point)
        ]
        if sheets:
            seed, record = min(sheets, key=lambda sheet: sheet[0])
            return {"point": plain(cell.point), "seed": seed, **in_order(record["outcome"]["shown"])}
    return {}


def _of_run(evidence: Evidence, run: str) -> list[Record]:
    """Return a run's readings, in order of epoch."""
    own = [record for record in _readings(evidence, "detection") if record["content"]["of"] == [run]]
    return sorted(own, key=lambda record: int(record["content"]["epoch"]))


def _readings(evidence: Evidence, name: str) -> list[Record]:
    return [
        record
        for record in evidence.records.values()
        if record["kind"] == "reading" and record["content"]["reading"] == name and record["outcome"]["status"] == "ok"
    ]


def _entry(point: Json, seed: int, reading: Record, last: Record) -> Json:
    shown = reading["outcome"]["shown"]
    kept = {name: value for name, value in shown.items() if reading is last or name not in LAST_ONLY}
    return {
        "point": plain(point),
        "seed": seed,
        "metrics": plain(in_order(reading["outcome"]["metrics"])),
        **in_order(kept),
    }
