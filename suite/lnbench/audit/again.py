"""Train some runs of a report again, and say how each compares with its record.

Everything comes from the report: the recipe, the seeds, and the backend that computed the run. The study file, the
user's store and the verdicts play no part, and nothing is written into the report: runs are trained into a folder that
is removed afterwards. A run's inputs are trained again with it, because a report does not hold their arrays. Numbers
that are read from a run's arrays are read again too.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lnbench import catalog
from lnbench.audit.choose import Records, Untrainable, all_of, draw, price, run_of
from lnbench.audit.compare import Difference, Fate, compare, fate_of
from lnbench.data.label_files import LabelFiles
from lnbench.data.root import data_root, states_of
from lnbench.errors import DataError, LnbenchError
from lnbench.execute.local import execute_runs
from lnbench.execute.work import Watcher
from lnbench.identity import canonical_json
from lnbench.judge import FromStore
from lnbench.machine import cuda_devices
from lnbench.noise.law import demand_labels, label_source
from lnbench.plan import Run
from lnbench.report import read_records, read_result
from lnbench.store import Record, Store

# what decides the bits of a run, as far as records say
SETUP = ("device", "processor", "platform", "threads", "backend", "compiled", "lnbench", "torch", "numpy", "plugins")

Setup = dict[str, str]


@dataclass(frozen=True)
class Drawn:
    """A run that was drawn: its record, and how and where it would be trained. `problem`: why it cannot be."""

    record: Record
    run: Run | None
    device: str
    seconds: float | None  # estimated, on one core or one GPU
    problem: str = ""

    @property
    def took(self) -> float | None:
        """Return the seconds that the record says it took."""
        seconds = self.record["provenance"].get("seconds")
        return float(seconds) if seconds is not None else None

    def describe(self) -> str:
        """Return a short line: the recipe and the seed."""
        if self.run is None:
            recipe = self.record["content"]["recipe"]
            return str(recipe.get("experiment", recipe.get("model", "a run")))
        return self.run.describe()


@dataclass(frozen=True)
class Audit:
    """What is to be trained again. `trainings`: the report's training runs; `candidates`: those drawn among, fewer
    where a limit on their time was given."""

    report: Path
    key: str
    seed: int
    trainings: int
    candidates: int
    drawn: tuple[Drawn, ...]
    records: Records

    @property
    def seconds(self) -> float:
        """Return the estimated seconds of all that is trained, on one core or GPU."""
        return sum(one.seconds or 0.0 for one in self.drawn if not one.problem)


@dataclass(frozen=True)
class Audited:
    """What came of one run: its fate, in which places it differs, and the two setups."""

    drawn: Drawn
    fate: Fate
    why: str
    differences: tuple[Difference, ...]
    then: Setup
    now: Setup

    @property
    def changed(self) -> list[str]:
        """Return what of the setup is not as it was, of what decides the bits of a run."""
        return [name for name in SETUP if self.now and self.then.get(name, "") != self.now.get(name, "")]


def draw_runs(
    folder: Path, k: int, seed: int, *, device: str = "auto", data_dir: Path | None = None,
    most_seconds: float | None = None,
) -> Audit:  # fmt: skip
    """Draw k training runs of a report. `device`: "auto" for the kind that each was made on. `most_seconds`: draw only
    among runs whose estimated time is at most that. Raises StoreError for a folder that is no report."""
    data, records = read_result(folder), read_records(folder)
    trainings = [record for _, record in sorted(records.items()) if record["kind"] == "training"]
    able = [_placed(record, records, device, data_dir) for record in trainings]
    if most_seconds is not None:
        able = [one for one in able if one.seconds is not None and one.seconds <= most_seconds]
    return Audit(folder, data["key"], seed, len(trainings), len(able), tuple(draw(able, k, seed)), records)


def _placed(record: Record, records: Records, device: str, data_dir: Path | None) -> Drawn:
    """Return a record with its run, its device and its price, or why it cannot be trained here."""
    place = device if device != "auto" else "cpu" if record["provenance"].get("device", "cpu") == "cpu" else "cuda"
    try:
        run = run_of(record, records)
        seconds = price(run, place)
    except Untrainable as error:
        return Drawn(record, None, place, None, str(error))
    if place.startswith("cuda") and not cuda_devices():
        made = record["provenance"].get("device")
        what = f"it was made on {made}, and there is no CUDA device here; --device cpu trains it on the processor"
        return Drawn(record, run, place, seconds, what)
    try:
        for state in states_of(data_root(data_dir), [each for one in all_of(run) for each in _datasets(one)]):
            state.demand()
        for one in all_of(run):
            if named := label_source(one.recipe):
                demand_labels(named[1], named[0], LabelFiles(data_dir))
    except DataError as error:
        return Drawn(record, run, place, seconds, str(error))
    return Drawn(record, run, place, seconds)


def _datasets(run: Run) -> list[dict[str, Any]]:
    named = [entry.name for part, entry in catalog.used(run.recipe).items() if part == "dataset"]
    return [{"name": name} for name in named] if run.experiment else [run.recipe["dataset"]]


def audit(
    chosen: Audit,
    *,
    data_dir: Path | None = None,
    workers: int | None = None,
    watching: Callable[[], AbstractContextManager[Watcher]],
    warn: Callable[[str], None] = lambda line: None,
) -> list[Audited]:
    """Train the runs that were drawn again, into a folder that is removed at the end, and compare them.

    Raises KeyboardInterrupt when it is stopped; nothing is left then. Raises StoreUnwritable where there is no room.
    """
    with tempfile.TemporaryDirectory(prefix="lnbench-audit-") as folder:
        store = Store(Path(folder), warn)
        failures: dict[str, str] = {}
        able = [one for one in chosen.drawn if one.run is not None and not one.problem]
        for device in sorted({one.device for one in able}):
            runs = [one.run for one in able if one.run is not None and one.device == device]
            with watching() as watcher:
                done = execute_runs(
                    runs, store, watcher,
                    device=device, data_root=data_dir, workers=workers,
                    ways=dict(_ways(runs, chosen.records, device)),
                )  # fmt: skip
            failures |= done.failures
        return [_audited(one, chosen.records, store, failures) for one in chosen.drawn]


def _ways(runs: Sequence[Run], records: Records, device: str) -> Iterator[tuple[str, tuple[str, bool]]]:
    """Yield how each run was computed, where it can be computed so on this device."""
    for run in (one for asked in runs for one in all_of(asked)):
        provenance = records[run.id]["provenance"]
        backend = provenance.get("backend")
        if backend in ("loop", "stacked") or (backend == "recorded" and device.startswith("cuda")):
            yield run.id, (backend, bool(provenance.get("compiled")))


def _audited(drawn: Drawn, records: Records, store: Store, failures: dict[str, str]) -> Audited:
    then = setup_of(drawn.record)
    made = store.get(drawn.record["id"]) if drawn.run is not None else None
    if made is None:
        why = drawn.problem or failures.get(drawn.record["id"], "it was not trained")
        return Audited(drawn, Fate.NOT_TRAINED, why, (), then, {})
    now = setup_of(made)
    cell = _cell(drawn.record, records)
    found = compare(drawn.record["outcome"], made["outcome"], [record["outcome"] for record in cell])
    found += _readings(drawn.record, cell, records, store)
    same = all(then.get(name, "") == now.get(name, "") for name in SETUP)
    return Audited(drawn, fate_of(found, same), "", tuple(found), then, now)


def _cell(record: Record, records: Records) -> list[Record]:
    """Return the report's records of one recipe, whatever their seeds."""
    recipe = canonical_json(record["content"]["recipe"])
    return [
        other
        for other in records.values()
        if other["kind"] == "training" and canonical_json(other["content"]["recipe"]) == recipe
    ]


def _readings(record: Record, cell: Sequence[Record], records: Records, store: Store) -> list[Difference]:
    """Return in which places the numbers that the report has read from the run's arrays differ from what its arrays
    give now. Those read from several runs are left out: the others are not trained again."""
    found = []
    ids = {other["id"] for other in cell}
    readings = [other for other in records.values() if other["kind"] == "reading"]
    for reading in readings:
        content = reading["content"]
        if content["of"] != [record["id"]]:
            continue
        alike = [
            other["outcome"]
            for other in readings
            if len(other["content"]["of"]) == 1
            and other["content"]["of"][0] in ids
            and all(other["content"][key] == content[key] for key in ("reading", "epoch", "versions"))
        ]
        label = f"{content['reading']} to epoch {content['epoch']}"
        try:
            run = store.get(record["id"])
            assert run is not None, "it has just been compared"
            made = FromStore(store)(content["reading"], [run], content["epoch"])
        except (LnbenchError, KeyError) as error:
            made = str(error)
        if isinstance(made, str):
            found.append(Difference(label, "read", f"not read: {made}", counts=True))
            continue
        if made["id"] != reading["id"]:  # another version of its function: the numbers are others by right
            continue
        found += [_labelled(one, label) for one in compare(reading["outcome"], made["outcome"], alike)]
    return found


def _labelled(one: Difference, label: str) -> Difference:
    return Difference(f"{label}: {one.where}", one.then, one.now, one.sd, one.seeds, one.counts, one.fact)


def setup_of(record: Record) -> Setup:
    """Return what a record was made with: machine, versions, device, threads, backend."""
    provenance: dict[str, Any] = record["provenance"]
    facts = {name: str(value) for name, value in provenance.get("environment", {}).items()}
    for name in ("device", "threads", "backend"):
        facts[name] = str(provenance.get(name, ""))
    facts["compiled"] = "yes" if provenance.get("compiled") else ""
    plugins = provenance.get("plugins", {})
    facts["plugins"] = ", ".join(f"{name} {version}" for name, version in sorted(plugins.items()))
    return facts
