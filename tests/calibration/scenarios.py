"""The worlds that are simulated, what STATISTICS promises in each, and how often it is broken."""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np

from lnbench.stats import Verdict
from tests.calibration.hard_worlds import (
    all_of_odd,
    bad_run,
    chosen_rate,
    growing_spread,
    lognormal_loss,
    looks_with_a_tail,
    odd_points,
    ratio_of,
    seeds_added,
    seeds_added_and_judged,
    share_of,
    skewed_arm,
    two_modes,
    two_modes_about_a_margin,
    unequal_noise,
)
from tests.calibration.worlds import (
    Draw,
    above_identical,
    above_normal,
    above_skewed,
    above_skewed_median,
    agrees_against_paper,
    agrees_collapsing,
    agrees_tied_margin,
    agrees_with_number,
    all_of,
    can_reach,
    collapsing,
    crossing_on_edge,
    equivalent,
    equivalent_collapsing,
    every_run,
    exponent_on_edge,
    looks_at_edge,
    monotone,
    pairs_of_networks,
    points,
    r_of_seeds,
    ratio_on_edge,
    shift_none,
    shift_slope,
    study_at_edges,
    table_with,
    tied,
    trend_of,
)

ALPHA = 0.05  # normal seeds, Student's t
WELCH = 0.07  # Welch's df, a Normal approximation, effects in steps, collapses: near α, not exact
SIGNS = 0.07  # no law of the seeds is assumed: signs at their level (`stats.SIGN_LEVEL`), about a typical run
SHOWN = 1.0  # no promise, or not false in this world: the number is only shown


@dataclass(frozen=True)
class Scenario:
    """draw(rng, n) -> Check. Limits: the false rates that STATISTICS promises (before the simulation's own
    error).
    """

    kind: str
    world: str
    draw: Draw
    reproduced: float = ALPHA
    contradicted: float = ALPHA
    seeds: tuple[int, ...] = (4, 5, 10)
    studies: int = 200  # that a quick measurement simulates: fewer of what takes long

    @property
    def name(self) -> str:
        return f"{self.kind}: {self.world}"

    @property
    def promises(self) -> bool:
        """Return whether a rate could be too high: where none could, a measurement shows that it runs."""
        return min(self.reproduced, self.contradicted) < SHOWN


@dataclass(frozen=True)
class Rates:
    reproduced: float
    contradicted: float
    repetitions: int
    alone: tuple[float, float] | None = None  # as Student's t, or Fisher's law of r, had it without anything beside it

    def beyond(self, limit: float, rate: float) -> bool:
        """True if the rate is above the limit by more than three standard errors of the simulation."""
        return rate > limit + 3 * math.sqrt(limit * (1 - limit) / self.repetitions)


def measure(scenario: Scenario, n: int, repetitions: int, *, again: bool = False) -> Rates:
    """Seeded by the scenario's name, so that adding one changes no other; `again`: independent of the first
    time.
    """
    rng = np.random.default_rng([zlib.crc32(scenario.name.encode()), n, int(again)])
    checks = [scenario.draw(rng, n) for _ in range(repetitions)]
    verdicts = [check.verdict() for check in checks]
    alone = [check.details["alone"] for check in checks if "alone" in check.details]
    return Rates(
        verdicts.count(Verdict.REPRODUCED) / repetitions,
        verdicts.count(Verdict.CONTRADICTED) / repetitions,
        repetitions,
        (_share(alone, "p_reproduced"), _share(alone, "p_contradicted")) if len(alone) == repetitions else None,
    )


def _share(alone: list[dict[str, float]], p: str) -> float:
    return sum(one[p] <= ALPHA for one in alone) / len(alone)


SCENARIOS: tuple[Scenario, ...] = (
    Scenario("above", "normal seeds", above_normal),
    Scenario("above", "long lower tail, about a typical run", above_skewed_median, SIGNS, SIGNS),
    Scenario("above", "long lower tail, about the mean", above_skewed, SHOWN),
    *(
        Scenario(kind, "one bad run in ten, about a typical run", bad_run(kind, typical=True), SIGNS, SIGNS)
        for kind in ("above", "ordered", "mean", "equivalent")
    ),
    Scenario("above", "one bad run in ten, about the mean", bad_run("above", typical=False), SHOWN),
    Scenario("below", "log-normal loss, about a typical run", lognormal_loss(typical=True), SIGNS, SIGNS),
    Scenario("below", "log-normal loss, about the mean", lognormal_loss(typical=False), SHOWN),
    Scenario("above", "two equal modes", two_modes, SIGNS, SIGNS),
    Scenario("equivalent", "two equal modes about the margin", two_modes_about_a_margin, SIGNS, SIGNS),
    Scenario("above", "share of 1,000, one or two errors", share_of(1000, 0.9985)),
    *(Scenario("above", f"share of 20, at {rate:g}", share_of(20, rate)) for rate in (0.5, 0.9, 0.98)),
    Scenario("above", "share of 500 at 0.99 that varies by run", share_of(500, 0.99, spread=0.7), SIGNS, SIGNS),
    *(
        Scenario("above", f"tied on two values, {s:g} on the upper", tied(s), WELCH, WELCH)
        for s in (0.01, 0.1, 0.3, 0.5)
    ),
    Scenario("above", "all seeds identical", above_identical),
    *(Scenario("above", f"{q:.0%} of runs collapse", collapsing(q, side="above"), WELCH, WELCH) for q in (0.1, 0.3)),
    *(Scenario("below", f"{q:.0%} of runs collapse", collapsing(q, side="below"), WELCH, WELCH) for q in (0.1, 0.3)),
    *(Scenario("equivalent", f"margin {m:g} sd", equivalent(m)) for m in (0.0, 0.2, 1.0, 3.0)),
    Scenario("equivalent", "one arm skewed and three times as wide, typical", skewed_arm, SIGNS, SIGNS),
    Scenario("equivalent", "10% of runs collapse", equivalent_collapsing, WELCH, WELCH),
    Scenario("all of", "one of two parts on the edge", all_of((0.0, 3.0))),
    Scenario("all of", "all of three parts on the edge", all_of((0.0, 0.0, 0.0))),
    *(
        Scenario(
            "all of", f"{k} parts with a long {law}, all on their edges", all_of_odd(law, k), SIGNS, SIGNS, studies=100
        )
        for law in ("lower tail", "upper tail")
        for k in (2, 3)
    ),
    *(
        Scenario(
            "all of",
            f"{k} parts, each in one of two far modes",
            all_of_odd("two far modes", k),
            SHOWN,
            SHOWN,
            studies=50,
        )
        for k in (3, 6)
    ),
    Scenario("agrees", "margin away from the number as printed", agrees_with_number),
    *(
        Scenario(
            "agrees",
            f"printed {kind}, {runs} runs, paper's sd {sd:g} of ours",
            agrees_against_paper(kind, runs, sd),
            SHOWN,
            WELCH,
        )
        for kind, runs, sd in (
            ("sd", 3, 1.0),
            ("sd", 5, 1.0),
            ("sd", 10, 3.0),
            ("sd", 5, 0.3),
            ("se", 5, 1.0),
            ("ci95", 5, 1.0),
            ("range", 4, 1.0),
            ("unknown", 5, 1.0),
            ("lone", 1, 1.0),
            ("lone", 1, 2.0),
            ("lone", 5, 2.0),
        )
    ),
    Scenario(
        "agrees",
        "printed lone, 1 runs, paper's sd 3 of ours",
        agrees_against_paper("lone", 1, 3.0),
        SHOWN,
        SHOWN,
    ),
    Scenario(
        "agrees",
        "printed sd, 3 runs but not said",
        agrees_against_paper("sd", 3, 1.0, says_n=False),
        SHOWN,
        WELCH,
    ),
    Scenario(
        "agrees",
        "printed se, 3 runs but not said",
        agrees_against_paper("se", 3, 1.0, says_n=False),
        SHOWN,
        WELCH,
    ),
    Scenario("agrees", "margin of half a digit", agrees_tied_margin, SHOWN, WELCH),
    Scenario("agrees", "printed sd, 10% of our runs collapse", agrees_collapsing("sd"), SHOWN, WELCH),
    Scenario("agrees", "lone number, 10% of our runs collapse", agrees_collapsing("lone"), SHOWN, WELCH),
    Scenario("trend", "slope of flat curves", trend_of("slope", 5)),
    *(
        Scenario("trend", f"Kendall τ of flat curves, {k} levels", trend_of("kendall", k), WELCH, WELCH)
        for k in (3, 4, 6)
    ),
    Scenario("trend", "spread that grows and is skewed, typical slope", growing_spread(typical=True), SIGNS, SIGNS),
    Scenario("trend", "spread that grows and is skewed, mean curve", growing_spread(typical=False), SHOWN),
    Scenario("monotone", "one flat step", monotone),
    *(
        Scenario("shift", f"the same curve twice, noise {s:g}", shift_none(s), WELCH, WELCH)
        for s in (0.003, 0.01, 0.03)
    ),
    *(
        Scenario(
            "shift",
            f"the same curve, one with ten times the noise, optimum at {place} of 7",
            unequal_noise(place - 1),
            WELCH,
            WELCH,
        )
        for place in (4, 2)
    ),
    Scenario("shift slope", "the same flat curve twice", shift_slope),
    *(
        Scenario("correlation", f"{c}, {k} points, r = {r:g}", points(c, k, r), limit, limit, seeds=(k,))
        for c, limit in (("pearson", ALPHA), ("spearman", WELCH))
        for k, r in ((6, 0.6), (12, 0.6), (12, 0.9), (40, 0.9))
    ),
    *(
        Scenario(
            "correlation",
            f"pearson, {k} points with {kind}, r = {r:g}",
            odd_points(kind, k, r),
            WELCH if k < 40 else 0.09,
            WELCH,
            seeds=(k,),
        )
        for kind in ("long tails", "skewed noise")
        for k, r in ((6, 0.9), (12, 0.6), (12, 0.9), (40, 0.9))
    ),
    *(
        Scenario("correlation of a seed", f"{c} over 8 points", r_of_seeds(c), WELCH, WELCH)
        for c in ("pearson", "spearman")
    ),
    *(
        Scenario(
            "correlation of a seed", f"median over pairs, unlike networks {s:g}", pairs_of_networks(s), WELCH, WELCH
        )
        for s in (0.1, 0.3)
    ),
    *(Scenario("every run", f"π = {p:g}", every_run(p)) for p in (0.5, 0.9)),
    *(Scenario("can reach", f"best of {k}", can_reach(k)) for k in (1, 2)),
    Scenario("ratio", "on the edge, machine shared", ratio_on_edge),
    Scenario("ratio", "one arm varies by a factor, typical ratio", ratio_of(typical=True), SIGNS, SIGNS),
    Scenario("ratio", "one arm varies by a factor, ratio of means", ratio_of(typical=False), SHOWN, SHOWN),
    Scenario("scaling", "exponent on the edge", exponent_on_edge),
    Scenario("within", "a crossing on the edge", crossing_on_edge),
    Scenario("table", "5 of 6 agree, 6 needed", table_with(5, 6)),
    Scenario("table", "2 of 6 agree, 3 needed", table_with(2, 3)),
    Scenario("table", "0 of 6 agree, 1 needed", table_with(0, 1)),
    Scenario("study", "20 claims on their edges, Holm", study_at_edges, SHOWN, studies=50),
    Scenario("looks", "4, 6, 10", looks_at_edge, seeds=(10,)),
    *(
        Scenario(
            "looks",
            f"{', '.join(map(str, looks))}, long lower tail, about a typical run",
            looks_with_a_tail(looks),
            SIGNS,
            SIGNS,
            seeds=(10,),
        )
        for looks in ((5, 10), (4, 6, 10))
    ),
    Scenario(
        "seeds added",
        "judged again at each of 5 to 20, as lnbench does not",
        seeds_added_and_judged,
        SHOWN,
        SHOWN,
        (20,),
    ),
    Scenario("seeds added", "5 planned, up to 20 run until it is decided", seeds_added, seeds=(20,), studies=50),
    Scenario("chosen on one seed", "about the rate that was chosen", chosen_rate(best=False)),
    Scenario("chosen on one seed", "about the best rate", chosen_rate(best=True), SHOWN, SHOWN),
)
