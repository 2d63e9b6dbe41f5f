"""How a part's numbers are shown: percent, points or as they are; and its interval, region and printed number
so.

Everything here reads `result.json`. `Shown` puts a member's check on the scale of its own metric, so that a
reader compares 92.3 % with the printed 91 % (the rule itself works on the distance from the printed number).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lnbench.digits import SAME, places_apart, same
from lnbench.judge.kinds import kind_named
from lnbench.report.numbers import DIGITS, computed_edge, edge_as_written, exponent_of, fixed, power_of_ten, scaled
from lnbench.report.plain import Json
from lnbench.spec.effects import DIFFERENCES, PAIRS

Ends = tuple[float, float]
# What an axis is reduced to is then a number of its own: a place on the axis, a coefficient, an exponent.
UNITLESS = ("argmax", "crossing", "kendall", "exponent", "pearson", "spearman")
INFINITE: Ends = (-math.inf, math.inf)
NOISE = 1e-9  # of a percentage or a difference of two: what floats leave of 0
SHARE = "% of runs"


@dataclass(frozen=True, slots=True)
class Unit:
    """`scale` takes the effect's own unit to the one shown, `ratio` its logs to ratios; `decimals` None: three
    significant digits."""

    scale: float
    name: str  # "%", "points", "points per unit" (of the axis), "octaves", ""
    decimals: int | None
    ratio: bool = False

    def of(self, x: float) -> float:
        """Return a number of the effect in this unit."""
        return math.exp(x) if self.ratio else x * self.scale

    def number(
        self, x: float, edges: tuple[float, ...] = (), like: tuple[float, ...] = (), near: tuple[float, ...] = ()
    ) -> str:
        """Return x (already scaled) as text, with more digits where rounding would put it on an edge, or make it look
        like a number `near` it. `like`: numbers next to it, with which it shares a power of ten."""
        exponent = self._exponent(x, *like, *near)
        (x,) = without_rounding((x,), (*like, *near))
        words = self._number(x, edges, near, exponent)
        return f"{words} × {power_of_ten(exponent)}" if exponent else words

    def _exponent(self, *numbers: float) -> int:
        return exponent_of(*numbers) if self.decimals is None else 0

    def _number(self, x: float, edges: tuple[float, ...], near: tuple[float, ...], exponent: int) -> str:
        """Return x without its power of ten."""
        if self.decimals is None:
            return scaled(x, exponent, DIGITS, edges, near)
        return fixed(x, places_apart(x, self.decimals, edges, near, NOISE))

    def amount(
        self, x: float, edges: tuple[float, ...] = (), like: tuple[float, ...] = (), near: tuple[float, ...] = ()
    ) -> str:
        """Return a number with its unit: "93.12 %"."""
        return self.with_name(self.number(x, edges, like, near))

    def interval(self, ends: Ends, edges: tuple[float, ...] = (), like: tuple[float, ...] = ()) -> str:
        """Return an interval with its unit: "[92.31, 93.94] %", "[7.12, 7.48] × 10⁻⁵"; its ends are told apart, from
        each other, from the edges and from the numbers that are written like it."""
        exponent = self._exponent(*ends, *like)
        low, high = without_rounding(ends, like)
        ends = low, high
        words = [self._number(end, edges, (*ends, *like), exponent) for end in ends]
        if self.decimals is None:
            words = self._alike(ends, words, (*edges, 0.0), like, exponent)
        return self.with_name(f"[{words[0]}, {words[1]}]" + (f" × {power_of_ten(exponent)}" if exponent else ""))

    def _alike(
        self, ends: Ends, words: list[str], edges: tuple[float, ...], like: tuple[float, ...], exponent: int
    ) -> list[str]:
        """Return the ends of an interval with as many decimals each: those of the larger one, or more where they would
        leave the other fewer than three digits, or put one where it is not."""
        decimals = sorted(len(word.partition(".")[2]) for word in words)
        size = 10.0**exponent
        shown, beside, others = ([number / size for number in numbers] for numbers in (ends, edges, (*ends, *like)))
        for places in range(decimals[0], decimals[1] + 1):
            short = any(0 < abs(end) < 100 * 10.0**-places for end in shown)
            seen = all(places_apart(end, places, beside, others) == places for end in shown)
            if seen and (places > decimals[0] or not short):
                return [fixed(end, places) for end in shown]
        return words

    def edge(self, x: float, beside: tuple[float, ...] = ()) -> str:
        """Return an edge of a region as text: somebody wrote it, so it keeps the digits it was written with. A share
        of runs may be computed: that has as many as it needs next to the numbers `beside` it."""
        return self.with_name(computed_edge(x, beside) if self.name == SHARE else edge_as_written(x))

    def with_name(self, text: str) -> str:
        """Return the text with the unit's name behind it, if it has one."""
        return f"{text} {self.name}" if self.name else text


def without_rounding(numbers: tuple[float, ...], beside: tuple[float, ...]) -> tuple[float, ...]:
    """Return the numbers, with 0 for one that is only what a difference of two of their size leaves of 0."""
    least = SAME * max(map(abs, filter(math.isfinite, (*numbers, *beside))), default=0.0)
    return tuple(0.0 if abs(number) <= least else number for number in numbers)


def of_runs(part: Json, member: Json) -> bool:
    """Return whether a member's effect is a share of runs: its part's is, or its cell prints that they diverged."""
    return is_rate(part) or member.get("word") == "diverged"


def unit_of(part: Json, step: float = 0.0) -> Unit:
    """Return the unit in which a part's effect is shown; `step` (in the metric's unit) says how many digits mean
    something."""
    return Unit(100.0, SHARE, 1) if is_rate(part) else metric_unit(part["effect"], step)


def metric_unit(effect: Json, step: float = 0.0) -> Unit:
    """Return the unit of one number per seed: percent for an accuracy, points for a difference, a loss as it is."""
    reducers = [*(inner["along"] for inner in effect.get("inner", [])), effect["along"]]
    if effect.get("over") or effect.get("per"):
        return Unit(1.0, "", None, ratio=True)
    if effect["along"] == "argmax" and effect["minus"] is not None:
        return Unit(1.0, "octaves", None)
    if not effect["counted"] or any(reducer in UNITLESS for reducer in reducers):
        return Unit(1.0, "", None)
    if len(reducers) > 1:
        return Unit(100.0, "points", None)
    if effect["along"] in ("slope", "area"):  # a unit of the axis, which the effect's label names
        return Unit(100.0, "points per unit" if effect["along"] == "slope" else "points × units", None)
    difference = _compared(effect) or effect["along"] in DIFFERENCES
    return Unit(100.0, "points" if difference else "%", decimals_of(100.0 * step))


def _compared(effect: Json) -> bool:
    """Return whether the effect is a difference of two points, or of two metrics."""
    return effect["minus"] is not None or "less" in effect


def octave_slope_unit(effect: Json) -> Unit:
    """Return the unit of a slope of the effect's metric along log2 of the axis."""
    plain = not effect["counted"] or effect.get("inner")
    return Unit(1.0, "per octave", None) if plain else Unit(100.0, "points per octave", None)


def decimals_of(step: float) -> int:
    """Return one or two decimals for a percentage: a test set of 10,000 images carries two, one of 500 only one."""
    return 1 if not 0 < step < 0.1 else 2


def is_rate(part: Json) -> bool:
    """Return whether the effect is a share of runs, not a metric."""
    return kind_named(part["kind"]).rate


@dataclass(frozen=True, slots=True)
class Shown:
    """A member's check in the unit that is shown. None: nothing was measured (or no interval is given)."""

    unit: Unit
    effect: float | None
    typical: bool  # the effect is a median: a run behind it collapsed
    interval: Ends | None  # cut to the metric's bounds
    wide_interval: Ends | None  # what a contradiction of a printed number needs
    region: Ends
    printed: float | None
    values: tuple[float | None, ...]  # one per seed; empty where the effect is a share of runs
    confidence: float
    bounds: Ends = INFINITE  # of what can be measured

    @property
    def edges(self) -> tuple[float, ...]:
        return tuple(edge for edge in self.region if math.isfinite(edge))

    @property
    def landmarks(self) -> tuple[float, ...]:
        """Return the numbers of which a reader must see on which side another one lies: the region's edges, the printed
        number, "no difference", and the ends of what can be measured (99.998 % is not 100 %)."""
        printed = () if self.printed is None else (self.printed,)
        return (*self.edges, *printed, 1.0 if self.unit.ratio else 0.0, *filter(math.isfinite, self.bounds))

    def number(self, x: float, like: tuple[float, ...] = ()) -> str:
        """Return a number of the same unit, such as one seed's, on its side of every landmark."""
        return self.unit.number(x, self.landmarks, like)

    def interval_words(self) -> str:
        return self.ends_words(self.interval) if self.interval else "no interval"

    def ends_words(self, ends: Ends) -> str:
        """Return an interval of the effect, such as the wider one of a contradiction."""
        like = () if self.effect is None else (self.effect,)
        return self.unit.interval(ends, self.landmarks, like)

    def effect_words(self) -> str:
        if self.effect is None:
            return "not measured"
        words = self.unit.amount(self.effect, self.landmarks, near=self.interval or ())
        return f"{'median ' if self.typical else ''}{words}"

    def region_words(self) -> str:
        """Return the region in words: "at least 90 %", "above 0 points", "between 89 % and 93 %"."""
        beside = [x for x in (self.effect, *(self.interval or ())) if x is not None]
        return range_words(self.region, self.unit, tuple(beside))


def range_words(ends: Ends, unit: Unit, beside: tuple[float, ...] = ()) -> str:
    """Return a required range, already in the unit that is shown: "at least 90 %", "within ±2 points". `beside`: the
    numbers that are shown next to it."""
    low, high = ends
    if math.isinf(high):
        return f"above {unit.edge(0.0)}" if low == 0 else f"at least {unit.edge(low, beside)}"
    if math.isinf(low):
        return f"below {unit.edge(0.0)}" if high == 0 else f"at most {unit.edge(high, beside)}"
    if same(low, -high):
        return f"within ±{unit.edge(high, beside)}"
    return f"between {unit.edge(low, beside)} and {unit.edge(high, beside)}"


def reference_of(part: Json, member: Json) -> Json | None:
    """Return the printed number that a member is compared with: the part's, or its own in a table."""
    found: Json | None = member.get("reference") or part["reference"]
    return found


def region_of(part: Json, member: Json) -> Json:
    """Return the region that a member must be in: the part's, or its own in a table."""
    found: Json = member.get("region") or part["region"]
    return found


def shown(part: Json, member: Json) -> Shown:
    """Return a member of a part (both of `result.json`) on the scale of its metric."""
    rate, step = of_runs(part, member), member["step"] or 0.0
    check, unit = member["check"], Unit(100.0, SHARE, 1) if rate else unit_of(part, step)
    reference, region = reference_of(part, member), region_of(part, member)
    if is_rate(part):
        region = {"low": kind_named(part["kind"]).share_of_runs(part), "high": None}
    bounds = (0.0, 1.0) if rate else bounds_of(part["effect"])
    printed = reference["value"] if reference and not rate else None
    interval, wide = check["interval"], check["contradiction_interval"]
    judged = _judged_scale(part, check, reference, unit)
    cut = (_scaled(bounds[0], unit.scale, -math.inf), _scaled(bounds[1], unit.scale, math.inf))
    return Shown(
        unit=unit,
        effect=None if check["effect"] is None else judged(check["effect"]),
        typical=check["typical"],
        interval=_ends(interval, judged, cut),
        wide_interval=_ends(wide, judged, cut),
        region=(_scaled(region["low"], unit.scale, -math.inf), _scaled(region["high"], unit.scale, math.inf)),
        printed=None if printed is None else printed * unit.scale,
        values=() if rate else tuple(None if value is None else unit.of(value) for value in member["values"]),
        confidence=interval["confidence"] if interval else 1 - 2 * check["alpha"],
        bounds=cut,
    )


def _judged_scale(part: Json, check: Json, reference: Json | None, unit: Unit) -> Callable[[float], float]:
    """Return the way from the scale on which the rule was applied to the one shown."""
    kind, printed = kind_named(part["kind"]), reference["value"] if reference else None
    return lambda x: unit.of(kind.shown(x, check, printed))


def bounds_of(effect: Json) -> Ends:
    """Return between which numbers an effect can lie, in the metric's unit: each difference doubles the metric's
    width."""
    low = _scaled(effect["metric_bounds"][0], 1.0, -math.inf)
    high = _scaled(effect["metric_bounds"][1], 1.0, math.inf)
    if effect["along"] == "kendall":
        return (-2.0, 2.0) if _compared(effect) else (-1.0, 1.0)
    if (
        effect["along"] not in (None, PAIRS, *DIFFERENCES)
        or effect.get("inner")
        or effect.get("over")
        or effect.get("per")
    ):
        return INFINITE
    for difference in (effect["along"] in DIFFERENCES, _compared(effect)):
        if difference:
            low, high = low - high, high - low
    return low, high


def _ends(interval: Json | None, judged: Callable[[float], float], cut: Ends) -> Ends | None:
    if interval is None:
        return None
    low, high = (min(max(judged(interval[end]), cut[0]), cut[1]) for end in ("low", "high"))
    return low, high


def _scaled(x: float | None, scale: float, otherwise: float) -> float:
    return otherwise if x is None else x * scale


def percent(fraction: float | None, decimals: int = 2) -> str:
    """Return a percentage, "93.12 %", and none of 100 % or 0 % that is not; a dash where there is nothing."""
    if fraction is None:
        return "–"
    return f"{fixed(100 * fraction, places_apart(100 * fraction, decimals, (0.0, 100.0), noise=NOISE))} %"


def points(difference: float, decimals: int = 2) -> str:
    """Return a difference of two percentages, "0.31 points", and none of 0 that is not."""
    return f"{fixed(100 * difference, places_apart(100 * difference, decimals, (0.0,), noise=NOISE))} points"
