"""Records that cannot be what they say: a number outside its metric's bounds, or runs of one study on other data.

No verdict is computed from such a record: whoever asks for it gets the words below, and the part is an `error`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from lnbench import catalog
from lnbench.data.sources import OWN_FOLDER
from lnbench.store import Record

MOST_NAMED = 3  # runs in a message


def fault(metric: str, value: Any, record: Record, where: str = "") -> str:
    """Return why a value of a metric cannot be right: no number, not finite though the run is ok, or out of bounds; ""
    where it can. `where`: "after epoch 3"."""
    about = catalog.find("metric", metric).value
    what = f"{metric}{' ' + where if where else ''}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _repaired(f"{what} is {value!r:.40}, and not a number", record)
    if not math.isfinite(value):
        return _repaired(f"{what} is {value}, though the run's status is {record['outcome'].get('status')}", record)
    if about.holds(value):
        return ""
    low, high = about.low, about.high
    hint = ""
    if (low, high) == (0, 1) and 1 < value <= 100:
        hint = f" (in percent? a share is written as a fraction, {value / 100:g})"
    return _repaired(f"{what} is {value:g}, and lies from {low:g} to {high:g}{hint}", record)


def curve_fault(metric: str, curve: str, epoch: int, record: Record) -> str:
    """Return why a run's curve of a metric, one value per epoch, cannot be read after an epoch (from 1); "" where it
    can."""
    values: Sequence[Any] = record["outcome"]["curves"].get(curve, ())
    if len(values) < epoch:
        return _repaired(f"it has {curve} of {len(values)} epochs, and epoch {epoch} is read", record)
    name = curve if curve in catalog.entries()["metric"] else metric
    faults = (fault(name, value, record, f"after epoch {number}") for number, value in enumerate(values, start=1))
    return next(filter(None, faults), "")


def lacking(metric: str, record: Record) -> str:
    """Return that a record has no number for a metric that its run yields, not even null: another lnbench made it."""
    return _repaired(f"it has no {metric}: it was made by a version of lnbench that does not measure it", record)


def _repaired(what: str, record: Record) -> str:
    """Return what is wrong, in which record, and what to do."""
    record_id = str(record["id"])
    kind, made = ("run", "trains that run") if record["kind"] == "training" else ("reading", "reads the arrays")
    return (
        f"{kind} {record_id}: {what}; delete its record (records/{record_id[:2]}/{record_id}.json in the store), and "
        f"`lnbench verify` {made} again. If the same comes back, the code that yields the number is wrong, or the "
        "bounds that the catalog gives it"
    )


def other_data(records: Iterable[Record]) -> dict[str, str]:
    """Return what is wrong with trainings whose data set is not the same as that of others, though its name is: run id
    -> words. The runs are told apart by the sha256 of their decoded images and labels; one without it is not compared.

    Which of the two is right cannot be seen from records, so nothing is judged that rests on either.
    """
    found: dict[tuple[str, int], dict[str, list[str]]] = {}
    for record in records:
        recipe, checksum = record["content"].get("recipe", {}), record["outcome"].get("data_sha256")
        dataset = recipe.get("dataset")
        name = dataset.get("name") if isinstance(dataset, dict) else dataset
        if record["kind"] == "training" and name is not None and checksum is not None:
            version = record["content"].get("versions", {}).get("dataset", 1)
            found.setdefault((str(name), version), {}).setdefault(str(checksum), []).append(record["id"])
    words = {}
    for (name, _), runs in found.items():
        if len(runs) > 1:
            what = _not_one(name, runs)
            words.update({run: what for ids in runs.values() for run in ids})
    return words


def _not_one(name: str, runs: dict[str, list[str]]) -> str:
    """Return that a data set is not one, with the runs of every version but the one that most of them have."""
    most, *others = sorted(runs.items(), key=lambda found: (-len(found[1]), found[0]))
    parts = [f"{_short(most[0])} in {_runs(len(most[1]))}"]
    for checksum, ids in others:
        named = ", ".join(sorted(ids)[:MOST_NAMED]) + (", …" if len(ids) > MOST_NAMED else "")
        parts.append(f"{_short(checksum)} in {_runs(len(ids))} ({named})")
    what = f"the runs are not on the same {name}: its images and labels have the sha256 {' and '.join(parts)}"
    if name == OWN_FOLDER:  # nothing of it is published
        return f"{what}; its files were others then: put those back that you mean, and train all of it in another store"
    hint = (
        f"see with `lnbench data check {name}` which is the published one, delete the records of the others, and train"
    )
    return f"{what}; {hint} them again"


def _short(checksum: str) -> str:
    return f"{checksum[:12]}…"


def _runs(number: int) -> str:
    return f"{number} run" if number == 1 else f"{number} runs"
