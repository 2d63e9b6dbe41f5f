"""What `lnbench power` says of one effect, in the units of the report."""

from __future__ import annotations

import math
from typing import NamedTuple

from lnbench.judge import ClaimResult, PartResult, StudyResult
from lnbench.judge.kinds import Pilot, kind_of
from lnbench.judge.power import Power
from lnbench.report.numbers import significant
from lnbench.report.result.result import part_to_json
from lnbench.report.units import Unit, metric_unit, range_words
from lnbench.verdict import Verdict


class PowerWords(NamedTuple):
    """The cells of one effect that hold numbers of its own unit, and what its part is judged now."""

    required: str
    known: str
    now: str


def power_words(row: Power, part: PartResult, claim: ClaimResult, study: StudyResult) -> PowerWords:
    """Return what is required, what is known of the effect, and how the part lies on the runs that are there."""
    told = part_to_json(part, claim, study)
    member = next(member for member in told["members"] if member["label"] == row.label)
    unit = metric_unit(told["effect"], member["step"] or 0.0)
    ends = [edge if math.isinf(edge) else edge * unit.scale for edge in (row.region.low, row.region.high)]
    now = Verdict(part.verdict).of_part
    if part.seeds_to_decide is not None:
        now += f" ({part.seeds_to_decide:,} needed)"
    plain = bool(kind_of(part.part).scale)  # a spread of logs or of atanh(r) has no unit
    edges = () if plain else tuple(edge for edge in ends if math.isfinite(edge))
    known = _known(row, Unit(1.0, "", None) if plain else unit, edges)
    return PowerWords(range_words((ends[0], ends[1]), unit), known, now)


def _known(row: Power, unit: Unit, edges: tuple[float, ...]) -> str:
    pilot: Pilot | None = row.pilot
    if pilot is None:
        if row.largest_sd is None:
            return "nothing yet"
        return f"nothing yet; {row.planned} seeds suffice up to sd {_sd(row.largest_sd, unit)}"
    mean = "" if pilot.effect is None else f"{unit.amount(pilot.effect * unit.scale, edges)}, "
    upper = "" if pilot.cautious_sd == pilot.sd else f", up to {_sd(pilot.cautious_sd, unit)}"
    return f"{mean}sd {_sd(pilot.sd, unit)}{upper} ({pilot.source})"


def _sd(x: float, unit: Unit) -> str:
    """Return a spread in points where the effect is a percentage."""
    return f"{significant(x * unit.scale)}{' points' if unit.name == '%' else ''}"
