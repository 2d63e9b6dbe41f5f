"""From a plan to its evidence: every record that it asks for, what is missing, and what nothing may rest on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from lnbench.judge.evidence import Evidence
from lnbench.judge.readings import Reads, Stored
from lnbench.judge.sound import curve_fault, other_data
from lnbench.plan import Derived, Job, Plan, Run, given, inputs_behind, misbuilt
from lnbench.spec import point_key
from lnbench.store import Record

Get = Callable[[str], Record | None]


def gather(plan: Plan, get: Get, failures: Mapping[str, str] | None = None, reads: Reads | None = None) -> Evidence:
    """Look up every record that the plan asks for. A run that was given another input than its runs give now counts as
    missing. `reads`: where numbers of arrays come from; without it only those that `get` finds.

    Choices, and inputs whose record says all, are made again from their runs: no record can misstate them. An input
    that was made of arrays is taken from its record, if that was made of the outcomes that its runs have now: the
    arrays may be in another store.
    """
    evidence = Evidence(plan, failures=dict(failures or {}), reads=reads or Stored(get))
    lookup = _Lookup(evidence, get)
    for choice in plan.choices:
        runs = [run for _, candidates in choice.candidates for run in candidates]
        found = {run.id: lookup.sound(run) for run in runs}
        evidence.records.update({run_id: record for run_id, record in found.items() if record is not None})
        evidence.missing += sum(record is None for record in found.values())
        there = {run_id: record for run_id, record in found.items() if record is not None}
        faults = {run_id: what for run_id, record in there.items() if (what := _unscored(choice.by, record))}
        evidence.unsound.update(faults)
        if len(there) == len(found) and not faults:
            lookup.outcomes[choice.id] = choice.decide({run_id: r["outcome"] for run_id, r in there.items()})
            lookup.keep(choice.id)
    asked = []
    for job, run in plan.resolve(lookup.outcomes):
        asked.append(run or job.provisional())
        key = (point_key(job.point), job.seed)
        record = lookup.sound(run) if run is not None else None
        if run is None or record is None:
            evidence.missing += 1
            message = _failure(job, run, evidence.failures)
            if message:
                evidence.failed_jobs[key] = message
            elif what := _failure(job, run, evidence.unsound):
                evidence.unsound_jobs[key] = what
            continue
        evidence.by_job[key] = (run, record)
        evidence.records[run.id] = record
    evidence.inputs = tuple(inputs_behind([*plan.choosing_runs, *asked]))
    for derived in evidence.inputs:
        lookup.settle(derived)  # also of runs whose choice is not made, so that what is missing is known
    evidence.unsound.update(other_data(evidence.records.values()))
    return evidence


def on_the_same_data(evidence: Evidence, tries: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """Return the evidence under each alternative, with nothing to rest on where its runs are on other data than the
    study's own: they show what the data change, and not what the alternative does."""
    checked = {}
    for key, other in tries.items():
        mixed = other_data({**evidence.records, **other.records}.values())
        checked[key] = replace(other, unsound={**other.unsound, **mixed}) if mixed else other
    return checked


class _Lookup:
    """Looks up runs and what they build on. `outcomes`: of inputs and choices, by record id."""

    def __init__(self, evidence: Evidence, get: Get):
        self.evidence, self.get = evidence, get
        self.outcomes: dict[str, Any] = {}
        self._settled: set[str] = set()

    def keep(self, record_id: str) -> Record | None:
        """Return the stored record of an input or a choice, and count it among those used."""
        stored = self.get(record_id)
        if stored is not None:
            self.evidence.records[record_id] = stored
        return stored

    def sound(self, run: Run) -> Record | None:
        """Return the run's record, if it was given the inputs as their runs give them."""
        for derived in run.reads.values():
            self.settle(derived)
        inputs, record = given(run, self.outcomes), self.get(run.id)
        if record is None or not run.inputs:
            return record
        what = None if inputs is None else misbuilt(record["outcome"], inputs)
        if what:
            self.evidence.failures.setdefault(run.id, what)
        return record if what == "" else None

    def settle(self, derived: Derived) -> None:
        """Find the outcome of an input, once, if its runs are there."""
        if derived.id in self._settled:
            return
        self._settled.add(derived.id)
        found = {run.id: self.sound(run) for run in derived.runs}
        there = {run_id: record for run_id, record in found.items() if record is not None}
        self.evidence.records.update(there)
        self.evidence.missing += len(found) - len(there)
        if len(there) < len(found):
            return
        stored, outcomes = self.keep(derived.id), {run_id: record["outcome"] for run_id, record in there.items()}
        if not derived.gives:
            self.outcomes[derived.id] = derived.make(outcomes)
        elif stored is not None:
            what = derived.outdated(stored["outcome"], outcomes)
            if what:
                self.evidence.failures.setdefault(derived.id, what)
            else:
                self.outcomes[derived.id] = stored["outcome"]


def _unscored(by: str, record: Record) -> str:
    """Return why a choice cannot be made by a run's curve; "" where it can, or where the run diverged, which has no
    score."""
    return "" if record["outcome"]["status"] != "ok" else curve_fault(by, by, 1, record)


def _failure(job: Job, run: Run | None, failures: Mapping[str, str]) -> str:
    """Return why a job has no record: what its run failed with, or one that it waits for."""
    waits = [run or job.provisional()]
    if run is None and job.choice:
        waits += [one for _, candidates in job.choice.candidates for one in candidates]
    behind = [record for derived in inputs_behind(waits) for record in (derived.id, *(one.id for one in derived.runs))]
    ids = [*(one.id for one in waits), *behind]
    return next((failures[record] for record in ids if record in failures), "")
