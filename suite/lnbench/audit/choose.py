"""Which runs of a report are trained again: drawn at random, from what the report itself holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from lnbench import catalog
from lnbench.errors import LnbenchError
from lnbench.plan import Derived, Run, runs_behind, seconds_of
from lnbench.randomness import AUDIT, permutation_at
from lnbench.store import Record

Item = TypeVar("Item")
Records = Mapping[str, Record]


class Untrainable(LnbenchError):
    """A record's run cannot be trained here as it was; the message says why."""


def draw(items: Sequence[Item], k: int, seed: int) -> list[Item]:
    """Draw k different items (all, where there are fewer) by the counter hash; equal for equal seeds and items."""
    n = len(items)
    return [items[permutation_at(seed, AUDIT, 0, n, place)] for place in range(min(k, n))]


def run_of(record: Record, records: Records) -> Run:
    """Return a record's run, with the runs that its inputs are made of. Raises Untrainable where this lnbench would
    train another run, or the report lacks what the run builds on."""
    content = record["content"]
    recipe, seeds, inputs = content["recipe"], content["seeds"], content["inputs"]
    named = recipe.get("experiment")
    if named in catalog.names("experiment") and catalog.find("experiment", named).timed:
        raise Untrainable("its numbers are times of the machine that made it; `lnbench verify` takes them here")
    try:
        versions = catalog.versions(recipe)
    except (KeyError, TypeError, AttributeError) as error:
        raise Untrainable(f"its recipe names what this lnbench does not know ({error})") from None
    if versions != content["versions"]:
        what = ", ".join(
            f"{part} {content['versions'].get(part, 'none')} (here {versions.get(part, 'none')})"
            for part in sorted(versions.keys() | content["versions"].keys())
            if versions.get(part) != content["versions"].get(part)
        )
        raise Untrainable(f"it was made by another version of {what}")
    run = Run(recipe, seeds, inputs, {name: _input(name, of, records) for name, of in inputs.items()})
    if run.id != record["id"]:
        raise Untrainable("this lnbench gives its recipe another id")
    return run


def _input(name: str, record_id: str, records: Records) -> Derived:
    record = records.get(record_id)
    if record is None:
        raise Untrainable(f"its input {name} ({record_id[:12]}) is not in the report")
    content = record["content"]
    behind = [records.get(run_id) for run_id in content["of"]]
    if any(one is None for one in behind):
        raise Untrainable(f"not all runs behind its input {name} ({record_id[:12]}) are in the report")
    runs = tuple(run_of(one, records) for one in behind if one is not None)
    kind = "" if content["input"] == name else content["input"]
    made = Derived(name, runs, kind, content.get("options", {}))
    if made.id != record_id:
        raise Untrainable(f"it was made by another version of its input {name}")
    return made


def all_of(run: Run) -> list[Run]:
    """Return a run with all that are trained for its inputs, those first that others wait for."""
    return [*runs_behind([run]), run]


def price(run: Run, device: str) -> float:
    """Return the estimated seconds of a run on one core or one GPU, the runs behind its inputs included."""
    try:
        return sum(seconds_of(one, device) for one in all_of(run))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Untrainable(f"its recipe is not one of this lnbench ({error})") from None
