"""Verdicts worked out by hand (scipy's own tests beside them): parts, claims, Holm, tries, collapses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from scipy import stats as reference

from lnbench.judge import ClaimResult, alternatives, judge
from lnbench.spec import variant
from tests.toys.judged_world import from_table

if TYPE_CHECKING:
    from tests.toys.judged_world import World


def claims(world: World, **options: Any) -> dict[str, ClaimResult]:
    return {claim.claim.id: claim for claim in judge(world.evidence(), **options).claims}


def test_above_is_the_one_sided_t_test(world: World) -> None:
    part = claims(world)["T-01"].parts["above"]
    ours = [0.90, 0.91, 0.89, 0.90, 0.90]
    test = reference.ttest_1samp(ours, 0.8, alternative="greater")
    assert part.check.p_reproduced == pytest.approx(test.pvalue)
    assert part.verdict == "reproduced"
    low, high = reference.ttest_1samp(ours, 0.8).confidence_interval(0.9)
    assert part.check.details["alone"]["interval"] == pytest.approx((low, high))
    assert part.check.interval is not None  # five signs leave the median between the lowest and the highest seed
    assert (part.check.interval.low, part.check.interval.high) == (0.89, 0.91)


def test_agrees_every_run_and_loss_parts(world: World) -> None:
    parts = claims(world)["T-01"].parts
    assert parts["agrees"].verdict == "reproduced"  # mean .900, printed 90 %, margin 2 points
    assert parts["every"].check.p_reproduced == pytest.approx(0.5**5)
    assert parts["loss"].verdict == "reproduced"  # losses of .09 to .11, below 1


def test_all_takes_the_largest_p_and_a_family_must_hold_whole(world: World) -> None:
    claim = claims(world)["T-02"]
    robust = claim.parts["robust"]
    assert len(robust.checks) == 2
    assert robust.check.p_reproduced == max(check.p_reproduced for check in robust.checks)
    assert claim.check.p_reproduced == max(claim.parts[name].check.p_reproduced for name in ("better", "robust"))
    assert claim.verdict == "reproduced"
    assert claim.parts["same"].verdict == "contradicted"  # 18 to 23 points are not within one
    assert claim.claim.verdict.of == ("better", "robust")  # so it stands beside the claim and changes nothing


def test_at_least_one_of_two_costs_twice_the_smaller_p(world: World) -> None:
    claim = claims(world)["T-03"]
    smaller = min(claim.parts[name].check.p_reproduced for name in ("low", "high"))
    assert claim.check.p_reproduced == pytest.approx(2 * smaller)
    assert claim.verdict == "reproduced"


def test_an_accusation_is_holm_adjusted_over_all_claims_that_the_study_states(world: World) -> None:
    low = [0.79, 0.798, 0.795, 0.799, 0.797]
    world.accuracy = lambda recipe, seed: low[seed % 5]
    claim = claims(world)["T-01"]
    alone = reference.ttest_1samp(low, 0.8, alternative="less").pvalue
    assert alone < 0.05 < 3 * alone
    assert claim.check.p_contradicted == pytest.approx(alone)
    assert claim.p_contradicted == pytest.approx(min(1.0, 3 * alone))


def test_a_contradiction_stands_only_under_every_alternative(world: World) -> None:
    def low(recipe: dict[str, Any], seed: int) -> float:
        return 0.70 + 0.002 * seed

    def high(recipe: dict[str, Any], seed: int) -> float:
        return 0.90 + 0.002 * seed

    world.accuracy = low
    assert alternatives(world.study) == ["epochs", "optimizer.lr"]
    claim = claims(world)["T-01"]
    assert (claim.verdict, claim.why) == (
        "outside-as-run",
        "outside the claimed range; not called contradicted, as not run with: epochs, optimizer.lr",
    )
    tries = {key: world.evidence(variant(world.study, key)) for key in alternatives(world.study)}
    assert claims(world, tries=tries)["T-01"].verdict == "contradicted"
    world.accuracy = high
    tries["epochs"] = world.evidence(variant(world.study, "epochs"))
    world.accuracy = low
    claim = claims(world, tries=tries)["T-01"]
    assert (claim.verdict, claim.why) == (
        "depends-on",
        "it depends on what the paper leaves open: inside the claimed range with epochs",
    )
    assert claim.tried == {"epochs": "reproduced", "optimizer.lr": "contradicted"}


def test_the_alternatives_change_what_they_say_and_nothing_else(world: World) -> None:
    longer = variant(world.study, "epochs")
    assert {cell.recipe.epochs for cell in longer.cells} == {6}
    faster = variant(world.study, "optimizer.lr")
    assert {cell.recipe.identity()["optimizer"]["lr"] for cell in faster.cells} == {0.5}
    assert {cell.recipe.epochs for cell in faster.cells} == {3}


def test_one_collapse_in_five_seeds_is_inconclusive(world: World) -> None:
    def one_dies(recipe: dict[str, Any], seed: int) -> float:
        return 0.1 if seed == 4 else 0.9 + 0.001 * seed

    world.accuracy = one_dies
    part = claims(world)["T-01"].parts["above"]
    assert part.verdict == "inconclusive"
    assert part.check.typical
    assert part.check.collapsed == 1
    assert part.check.interval is None
    assert part.check.p_reproduced == pytest.approx(6 / 32)  # P(Bin(5, ½) >= 4)


def test_two_arms_at_chance_are_never_equivalent(world: World) -> None:
    world.accuracy = lambda recipe, seed: 0.1
    assert claims(world)["T-02"].parts["same"].verdict != "reproduced"


def test_equal_seeds_prove_no_more_than_they_can(world: World) -> None:
    world.accuracy = lambda recipe, seed: 0.801  # one example above the threshold, five times
    part = claims(world)["T-01"].parts["above"]
    assert part.check.sd == 0
    assert part.check.sd_used == pytest.approx(0.0005)  # half a test example
    assert part.check.p_reproduced == pytest.approx(float(reference.t.sf(0.001 / (0.0005 / 5**0.5), 4)))


def test_a_missing_run_makes_its_claims_not_run_and_no_others(world: World) -> None:
    run = next(job.run() for job in world.evidence().plan.jobs if job.point["model"] == "mlp2")
    world.missing = {run.id}
    found = claims(world)
    assert found["T-02"].verdict == "not-run"
    assert "4 of 5 seeds have all their runs" in found["T-02"].why
    assert found["T-01"].verdict == "reproduced"


def test_a_failed_run_makes_its_claims_an_error_with_the_reason(world: World) -> None:
    run = next(job.run() for job in world.evidence().plan.jobs if job.point == {"model": "mlp1", "noise.alpha": 2})
    world.missing, world.failures = {run.id}, {run.id: "out of memory"}
    claim = claims(world)["T-01"]
    assert (claim.verdict, claim.why) == ("error", "above: a run failed: out of memory")


def test_too_few_seeds_decide_nothing(world: World) -> None:
    """Also where they would: a number of seeds that was not planned is a look at the result."""
    for seeds in (2, 4):
        result = judge(world.evidence(seeds=seeds))
        assert {claim.verdict for claim in result.claims} == {"not-run"}
        assert {claim.why for claim in result.claims} == {
            f"{seeds} of 5 planned seeds: numbers, and no verdict, before a look that is planned (5 seeds)"
        }
        assert result.claims[0].parts["above"].check.effect == pytest.approx(0.9, abs=0.006)


def test_seeds_beyond_the_plan_are_not_judged(world: World) -> None:
    """Whoever adds seeds until a claim is decided decides it falsely in a fifth of all studies."""
    planned = judge(world.evidence())
    world.accuracy = lambda recipe, seed: (from_table(recipe, seed) or 0.0) - (0.5 if seed >= 5 else 0.0)
    more = judge(world.evidence(seeds=9))
    assert [claim.verdict for claim in more.claims] == [claim.verdict for claim in planned.claims]
    assert [claim.check for claim in more.claims] == [claim.check for claim in planned.claims]
    assert not planned.notes and "9 seeds were asked for and 5 are planned" in more.notes[0]


def test_a_verdict_says_whether_it_hangs_on_one_seed(world: World) -> None:
    firm = claims(world)["T-01"]
    assert firm.verdict == "reproduced" and firm.hangs_on == ()
    assert firm.without == dict.fromkeys(range(5), "reproduced")
    values = [0.81, 0.83, 0.82, 0.83, 0.8001]
    world.accuracy = lambda recipe, seed: values[seed % 5] if recipe["model"] == "mlp1" else from_table(recipe, seed)
    shaky = claims(world)["T-01"]
    expected = {}
    for seed in range(5):
        others = [value for other, value in enumerate(values) if other != seed]
        p = reference.ttest_1samp(others, 0.8, alternative="greater").pvalue
        expected[seed] = "reproduced" if p <= 0.05 else "inconclusive"
    assert shaky.verdict == "reproduced" and shaky.without == expected
    assert shaky.hangs_on == tuple(seed for seed, verdict in expected.items() if verdict == "inconclusive") != ()


def test_a_reproduction_stands_under_each_alternative_that_was_run(world: World) -> None:
    high = world.evidence()
    faster = world.evidence(variant(world.study, "optimizer.lr"))
    assert claims(world, tries={"optimizer.lr": faster})["T-01"].verdict == "reproduced"
    assert claims(world)["T-01"].tried == dict.fromkeys(("epochs", "optimizer.lr"), "not-run")
    world.accuracy = lambda recipe, seed: 0.70 + 0.002 * seed
    longer = world.evidence(variant(world.study, "epochs"))
    result = {claim.claim.id: claim for claim in judge(high, {"epochs": longer, "optimizer.lr": faster}).claims}
    claim = result["T-01"]
    assert (claim.verdict, claim.tried) == ("depends-on", {"epochs": "contradicted", "optimizer.lr": "reproduced"})
    assert claim.why == "it depends on what the paper leaves open: outside the claimed range with epochs"
    assert claim.alone == "reproduced" and not claim.open and set(claim.under) == {"epochs", "optimizer.lr"}


def test_the_wrong_reference_turns_the_verdict(world: World) -> None:
    """A planted fault: 90 % as the threshold in place of 80 %."""
    wrong = world.study.baseline.references["ninety"]
    world.study.baseline.references["eighty"] = wrong
    assert claims(world)["T-01"].verdict != "reproduced"


def test_judging_reads_no_file_and_is_the_same_twice(world: World) -> None:
    assert claims(world) == claims(world)
