"""Golden cases: maps each case's kind and inputs to what verdicts run and compares what comes out.

The cases are of Student's t. Where the signs of the seeds must decide as well (`stats.signs`, `test_stats_signs`), what
t alone says stands in a check's details, and that is compared.

    python -m tests.stats.run_cases FILE        # one line a case; exit code 1 if any differs

Floats agree within rel 1e-6, abs 1e-9. A null edge of a region is infinite; an interval is [low, high].
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lnbench import stats
from lnbench.spec import Effect, parts
from lnbench.stats import Check, Interval, Region
from lnbench.stats.power import student_power
from tests.calibration.simulated import judged, judged_study, member, reduced

Inputs = Mapping[str, Any]
Found = dict[str, Any]


def region_of(edges: list[float | None]) -> Region:
    low, high = edges
    return Region(-math.inf if low is None else low, math.inf if high is None else high)


def found_in(check: Check) -> Found:
    """Everything of a check that a case may name."""
    wide = check.contradiction_interval
    check = student(check)
    d = check.details
    return {
        "effect": check.effect,
        "interval": None if check.interval is None else [check.interval.low, check.interval.high],
        "p_reproduced": check.p_reproduced,
        "p_contradicted": check.p_contradicted,
        "verdict": str(check.verdict()),
        "n": check.n,
        "se": check.se,
        "df": check.df,
        "sd": check.sd,
        "sd_used": check.sd_used,
        "step": check.step,
        "wide_interval": None if wide is None else [wide.low, wide.high],
        **{
            key: d.get(key)
            for key in (
                "S0",
                "wide_se",
                "wide_df",
                "zeta",
                "ratio",
                "seed_effects",
                "step_p_reproduced",
                "step_p_contradicted",
            )
        },
    }


def student(check: Check) -> Check:
    """Return the check as Student's t alone has it."""
    if "parts" in check.details:
        parts = [student(part) for part in check.details["parts"]]
        return stats.partial_conjunction(parts, check.details["at_least"])
    alone = check.details.get("alone")
    if alone is None:
        return check
    interval = alone.get("interval")
    return replace(
        check,
        p_reproduced=alone["p_reproduced"],
        p_contradicted=alone["p_contradicted"],
        interval=None if interval is None else Interval(*interval, check.interval.confidence),
    )


def agrees(i: Inputs) -> Found:
    return found_in(stats.agrees(i["values"], stats.Printed(**i["reference"]), i["margin"], step=i["step"]))


def paired(i: Inputs, kind: str) -> Found:
    region = region_of(i["region"])
    if kind == "ordered":
        return found_in(stats.ordered(i["paired_differences"], region.low, step=i["step"]))
    assert region.low == -region.high, "equivalence is about a margin either side of 0"
    return found_in(stats.equivalent(i["paired_differences"], region.high, step=i["step"]))


def all_of(i: Inputs) -> Found:
    """A claim of several parts, as a study is judged."""
    assert i["region"] == [0, None] and i["at_least"] == len(i["paired_differences_of_steps"])
    return found_in(judged_study([i["paired_differences_of_steps"]], step=i["step"]).claims[0].check)


def trend(i: Inputs) -> Found:
    one = reduced(i["statistic"], i["levels"], np.array(i["values"]), i["metric_step"])
    effect = Effect(metric="test_accuracy", along={"axis": i["statistic"]})
    assert i["region"] == [0, None]
    return found_in(judged(parts.Trend(kind="trend", effect="e", direction="up"), one, effect=effect))


def quota(i: Inputs) -> Found:
    cells = [
        Check(kind="agrees", p_reproduced=a, p_contradicted=b)
        for a, b in zip(i["cell_p_reproduced"], i["cell_p_contradicted"], strict=True)
    ]
    return found_in(stats.table(cells, i["at_least"]))


def study(i: Inputs) -> Found:
    adjusted = stats.holm(i["p_contradicted"])
    checks = [
        Check(kind="mean", p_reproduced=a, p_contradicted=b)
        for a, b in zip(i["p_reproduced"], i["p_contradicted"], strict=True)
    ]
    verdicts = [str(c.verdict(p_contradicted=p)) for c, p in zip(checks, adjusted, strict=True)]
    return {"p_contradicted_adjusted": adjusted, "verdicts": verdicts}


def looks(i: Inputs) -> Found:
    """A threshold at planned looks, up to the first that decides."""
    assert i["side"] == "above"
    trace = []
    for seeds in i["looks"]:
        check = stats.above(i["values"][:seeds], i["threshold"], step=i["step"], looks=len(i["looks"]))
        trace.append(found_in(check))
        if trace[-1]["verdict"] != "inconclusive":
            break
    return {"trace": trace, "stopped_at": trace[-1]["n"], "verdict": trace[-1]["verdict"]}


def needed(i: Inputs) -> Found:
    """How many seeds Student's t needs, of which the signs need as many or more."""
    check, region = stats.judge_mean(i["values"], region_of(i["region"]), step=i["step"]), region_of(i["region"])
    assert check.effect is not None and check.sd_used is not None
    effect, sd = check.effect, check.sd_used
    n = next(n for n in range(3, 1000) if student_power(region, effect, sd, n) >= 0.8)
    assert n <= (stats.seeds_to_decide(check) or 0) <= 2 * n
    return {"n": n}


def power(i: Inputs) -> Found:
    if i["edges"] == 1:
        return {"power": stats.power_one_edge(i["n"], i["distance_sd"])}
    return {"power": stats.power_two_edges(i["n"], i["half_width_sd"], i.get("offset_sd", 0.0))}


KINDS: dict[str, Callable[[Inputs], Found]] = {
    "above": lambda i: found_in(stats.above(i["values"], i["threshold"], step=i["step"])),
    "below": lambda i: found_in(stats.below(i["values"], i["threshold"], step=i["step"])),
    "ordered": lambda i: paired(i, "ordered"),
    "equivalent": lambda i: paired(i, "equivalent"),
    "all_of": all_of,
    "agrees": agrees,
    "every_run": lambda i: found_in(stats.every_run(i["successes"], i["runs"], i["pi"])),
    "can_reach": lambda i: found_in(stats.can_reach(i["reached"], i["runs"], i["best_of"])),
    "trend": trend,
    "shift": lambda i: found_in(stats.shift(i["argmax_A"], i["argmax_B"], i["axis"], region_of(i["region"]))),
    "scaling": lambda i: found_in(
        judged(parts.Scaling(kind="scaling", effect="e", region=tuple(i["region"])), member(i["slopes"]))
    ),
    "ratio": lambda i: found_in(stats.ratio(i["numerator"], i["denominator"], Region(*i["region_ratio"]))),
    "correlation": lambda i: found_in(stats.correlation(i["r"], i["n"], region_of(i["region"]), i["coefficient"])),
    "correlation_replicates": lambda i: found_in(
        stats.correlation_replicates(i["mean_atanh_r"], region_of(i["region_r"]))
    ),
    "table": quota,
    "study": study,
    "looks": looks,
    "power": power,
    "pilot": lambda i: {"factor": stats.pilot_factor(i["n"])},
    "n_to_decide": needed,
}


def differences(expected: Any, found: Any, where: str = "") -> list[str]:
    """Where `found` departs from `expected`; keys that only `found` has do not count, nor does a note."""
    if isinstance(expected, Mapping):
        if not isinstance(found, Mapping):
            return [f"{where}: expected a mapping, found {found!r}"]
        return [
            line
            for key, value in expected.items()
            if key != "note"
            for line in differences(value, found.get(key, "nothing"), f"{where}.{key}" if where else key)
        ]
    if isinstance(expected, list):
        if not isinstance(found, list | tuple) or len(found) != len(expected):
            return [f"{where}: expected {expected!r}, found {found!r}"]
        pairs = zip(expected, found, strict=True)
        return [line for k, (e, f) in enumerate(pairs) for line in differences(e, f, f"{where}[{k}]")]
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        close = isinstance(found, int | float) and math.isclose(expected, found, rel_tol=1e-6, abs_tol=1e-9)
        return [] if close else [f"{where}: expected {expected!r}, found {found!r}"]
    return [] if expected == found else [f"{where}: expected {expected!r}, found {found!r}"]


def run_case(case: Mapping[str, Any]) -> list[str]:
    """What differs in one case; empty if nothing does."""
    if case["kind"] not in KINDS:
        return [f"unknown kind {case['kind']!r}"]
    return differences(case["expected"], KINDS[case["kind"]](case["inputs"]))


def main(path: str) -> int:
    cases = json.loads(Path(path).read_text(encoding="utf-8"))["cases"]
    failed = 0
    for case in cases:
        wrong = run_case(case)
        failed += bool(wrong)
        print(f"{'FAIL' if wrong else 'ok  '} {case['id']}", *wrong, sep="\n     " if wrong else "")
    print(f"{len(cases) - failed} of {len(cases)} cases agree")
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
