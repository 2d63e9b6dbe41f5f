"""Prices of runs on one device: as the model has them, times what records of that device took over what it says."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lnbench.identity import canonical_json
from lnbench.plan.cost import time_of
from lnbench.plan.devices import Device
from lnbench.plan.run import Run
from lnbench.plan.step_cost import Time

Kind = tuple[str, str]  # of runs that are priced alike: (network or experiment, precision)


@dataclass(frozen=True, slots=True)
class Rate:
    """What records of one kind took: the median of (measured / modelled) seconds, over how many runs."""

    factor: float
    runs: int


@dataclass
class Prices:
    """What runs take on a device. `rates`: of the kinds of which there are records; all others are estimated."""

    device: Device
    rates: Mapping[Kind, Rate] = field(default_factory=dict)
    _modelled: dict[str, Time] = field(default_factory=dict)  # by recipe: records and studies share many

    def of(self, run: Run, backend: str = "loop", replicas: int = 1) -> Time:
        """Return what a run takes: modelled, or so much longer as records of its kind took."""
        modelled, rate = self.modelled(run, backend, replicas), self.rates.get(kind_of(run.recipe))
        return modelled if rate is None else modelled.times(rate.factor)

    def measured(self, run: Run) -> bool:
        """Return whether the price rests on records of this device."""
        return kind_of(run.recipe) in self.rates

    def modelled(self, run: Run, backend: str, replicas: int) -> Time:
        """Return what the model says, without any record."""
        key = f"{backend} {replicas} {canonical_json(run.recipe)}"
        if key not in self._modelled:
            self._modelled[key] = time_of(run, self.device, backend, replicas)
        return self._modelled[key]


def kind_of(recipe: Mapping[str, Any]) -> Kind:
    """Return which runs a recipe's price is shared with."""
    return str(recipe.get("experiment") or recipe["model"]), str(recipe.get("precision", ""))


def prices_of(device: Device, records: Iterable[Mapping[str, Any]]) -> Prices:
    """Return the prices on a device, measured where these records are of it. Those of runs that were resumed are left
    out, as their seconds are of the last part only; so are those whose recipe is not one of this lnbench."""
    prices, found = Prices(device), dict[Kind, list[float]]()
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
        except (KeyError, TypeError, ValueError, AttributeError):
            continue
        if modelled > 0:
            found.setdefault(kind_of(run.recipe), []).append(seconds / modelled)
    rates = {kind: Rate(statistics.median(ratios), len(ratios)) for kind, ratios in sorted(found.items())}
    return Prices(device, rates, prices._modelled)
