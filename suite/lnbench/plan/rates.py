"""Prices of runs on one device: as the model has them, times what records of that device took over what it says.

One processor trains a network in a third of the time of another, so records of a CPU count for the processor that they
were made on. Of a kind of run that was trained on others only, their rates are used, corrected by how much longer this
processor took for the kinds that both have trained; a training of a kind that was never seen takes as much longer than
modelled as the middle one of the kinds that this processor has trained.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lnbench.identity import canonical_json
from lnbench.machine import processor
from lnbench.plan.cost import seconds_here, time_of
from lnbench.plan.devices import Device
from lnbench.plan.run import Run
from lnbench.plan.step_cost import Time

Kind = tuple[str, str]  # of runs that are priced alike: (network or experiment, precision)


@dataclass(frozen=True, slots=True)
class Rate:
    """What records of one kind took: the median of (measured / modelled) seconds, over how many runs; whether it is
    of this very device, or carried over from other processors."""

    factor: float
    runs: int
    own: bool = True


@dataclass
class Prices:
    """What runs take on a device. `rates`: of the kinds of which there are records; all others are estimated, trainings
    with the factor `others`."""

    device: Device
    rates: Mapping[Kind, Rate] = field(default_factory=dict)
    others: float = 1.0
    _modelled: dict[str, Time] = field(default_factory=dict)  # by recipe: records and studies share many

    def of(self, run: Run, backend: str = "loop", replicas: int = 1) -> Time:
        """Return what a run takes: modelled, or so much longer as records of its kind took."""
        modelled, rate = self.modelled(run, backend, replicas), self.rates.get(kind_of(run.recipe))
        if rate is not None:
            return modelled.times(rate.factor)
        if self.device.kind == "cuda" or run.experiment:
            return modelled
        return Time(seconds_here(run, "cpu")).times(self.others)

    def measured(self, run: Run) -> bool:
        """Return whether the price rests on records of this device, for a CPU on those of this processor."""
        rate = self.rates.get(kind_of(run.recipe))
        return rate is not None and rate.own

    def modelled(self, run: Run, backend: str, replicas: int) -> Time:
        """Return what the model says, without any record."""
        key = f"{backend} {replicas} {canonical_json(run.recipe)}"
        if key not in self._modelled:
            self._modelled[key] = time_of(run, self.device, backend, replicas)
        return self._modelled[key]


def kind_of(recipe: Mapping[str, Any]) -> Kind:
    """Return which runs a recipe's price is shared with."""
    return str(recipe.get("experiment") or recipe["model"]), str(recipe.get("precision", ""))


def prices_of(device: Device, records: Iterable[Mapping[str, Any]], here: str | None = None) -> Prices:
    """Return the prices on a device, measured where these records are of it. Those of runs that were resumed are left
    out, as their seconds are of the last part only; so are those whose recipe is not one of this lnbench.

    `here`: the name of the processor that a CPU is priced for; None for this machine's.
    """
    prices, found = Prices(device), dict[Kind, dict[str, list[float]]]()
    here = "" if device.kind == "cuda" else processor() if here is None else here
    for record in records:
        provenance = record.get("provenance", {})
        seconds = provenance.get("seconds")
        if record.get("kind") != "training" or provenance.get("resumed") or not isinstance(seconds, int | float):
            continue
        if not device.is_card(str(provenance.get("device", ""))) or seconds <= 0:
            continue
        content = record["content"]
        try:
            run = Run(content["recipe"], content["seeds"])
            backend, replicas = provenance.get("backend", "loop"), int(provenance.get("replicas", 1))
            modelled = prices.modelled(run, backend, replicas).seconds
            on = "" if device.kind == "cuda" else str(provenance.get("environment", {}).get("processor", ""))
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if modelled > 0:
            found.setdefault(kind_of(run.recipe), {}).setdefault(on, []).append(seconds / modelled)
    rates = _rates(found, here)
    trainings = [rate.factor for (_, precision), rate in rates.items() if precision and rate.own]
    # of a GPU the model has each network's own operations and traffic: one network's factor says nothing of another's
    others = statistics.median(trainings) if trainings and device.kind == "cpu" else 1.0
    return Prices(device, rates, others, prices._modelled)


def _rates(found: Mapping[Kind, Mapping[str, list[float]]], here: str) -> dict[Kind, Rate]:
    """Return the rate of each kind: by its records of the processor `here`, else by those of others, each corrected by
    how much longer `here` took for the kinds that both have trained (the median; 1 where there is none)."""
    middle = {kind: {on: statistics.median(ratios) for on, ratios in of.items()} for kind, of in found.items()}
    longer = {}
    for on in {on for of in middle.values() for on in of}:
        shared = [of[here] / of[on] for of in middle.values() if here in of and on in of]
        longer[on] = statistics.median(shared) if shared else 1.0
    rates = {}
    for kind, of in sorted(middle.items()):
        if here in of:
            rates[kind] = Rate(of[here], len(found[kind][here]))
        else:
            carried = statistics.median([factor * longer[on] for on, factor in of.items()])
            rates[kind] = Rate(carried, sum(map(len, found[kind].values())), own=False)
    return rates
