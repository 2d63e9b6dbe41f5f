"""The runs in which planted faults are looked for: some of what smoke trains, and what was recorded of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats as reference

from lnbench.execute.local import execute
from lnbench.judge import ClaimResult, Evidence, gather, judge
from lnbench.judge.drift import drift_of
from lnbench.pipeline import Quiet
from lnbench.plan import Plan, plan_study
from lnbench.spec import Study, load_study
from lnbench.store import Store

CLAIMS = Path(__file__).parents[2] / "claims"
OLD_ALPHA = 0.001


@dataclass(frozen=True)
class World:
    """A study at smoke, and which points of its grid are trained."""

    study: str
    only: Callable[[dict[str, Any]], bool] = lambda point: True
    words: str = ""

    def load(self) -> Study:
        return load_study(CLAIMS / f"{self.study}.yaml").tiers["smoke"]

    def plan(self, seeds: int | None = None) -> Plan:
        plan = plan_study(self.load(), seeds)
        return replace(plan, jobs=tuple(job for job in plan.jobs if self.only(job.point)))


def arm(*names: str) -> Callable[[dict[str, Any]], bool]:
    return lambda point: point["arm"] in names


WORLDS = {
    "sharpness": World("engine_smoke", arm("sharpness"), "an MLP under SAM"),
    "residual": World("engine_smoke", arm("residual"), "a ResNet"),
    "dense": World("engine_smoke", arm("dense"), "a DenseNet"),
    "dilution": World("rolnick_repeated_images", words="an MLP, 5 noisy labels for each clean one"),
    "linear": World("label_noise_sgd_linear", arm("noise", "control", "sam"), "a two-layer linear network"),
    "ntk": World("label_noise_sgd_ntk", words="a network and its linearisation"),
    "counts": World("rolnick_identities", words="labels counted, nothing trained"),
}


def evidence_of(world: World, folder: Path, seeds: int | None = None, backend: str = "auto") -> Evidence:
    """Train what the folder's store lacks, in this process, and look it up."""
    plan, store = world.plan(seeds), Store(folder)
    done = execute([plan], store, Quiet(), workers=0, backend=backend)
    assert done.failures == {}, done.failures
    return gather(plan, store.get)


def claims_of(evidence: Evidence) -> tuple[ClaimResult, ...]:
    """Judge without drift: claims that lack runs are not-run, and their members are there all the same."""
    study = replace(evidence.study, measured_path=None)
    return judge(replace(evidence, plan=replace(evidence.plan, study=study))).claims


def numbers(claims: tuple[ClaimResult, ...]) -> dict[tuple[str, str], tuple[float, tuple[float, ...]]]:
    """Return (effect, label) -> (step, the number of each seed) of what has all its runs."""
    return {
        (part.part.effect, member.label): (member.step, member.values)
        for claim in claims
        for part in claim.parts.values()
        for member in part.members
        if member.values and not member.missing
    }


def turned(claims: tuple[ClaimResult, ...]) -> bool:
    """Whether a direction does not hold any more, which turned smoke red before there was any drift."""
    return any(claim.verdict == "smoke-fail" for claim in claims)


def seen_by_seed(evidence: Evidence, claims: tuple[ClaimResult, ...]) -> tuple[str, float]:
    """Return what moved furthest, and how far over its tolerance: seen where above 1."""
    found = [drift for claim in claims for drift in drift_of(claim, evidence, [])]
    worst = max(found, key=lambda drift: drift.share)
    return worst.member.label, worst.share


def seen_shares(evidence: Evidence, claims: tuple[ClaimResult, ...]) -> list[float]:
    """Return of each effect, once, how far its furthest seed moved, over its tolerance."""
    found = [drift for claim in claims for drift in drift_of(claim, evidence, [])]
    return list({(drift.effect, drift.member.label): drift.share for drift in found}.values())


def seen_as_two_samples(now: Any, before: Any) -> bool:
    """Whether the old test sees it: three seeds against ten, Student's pooled test at .001, the same numbers aside."""
    for key, (step, values) in now.items():
        earlier = before[key][1]
        if tuple(values) == tuple(earlier[: len(values)]):
            continue
        arms = [np.asarray(arm, dtype=np.float64) for arm in (values, earlier)]
        spread = [max(float(arm.std(ddof=1)), step / 2) for arm in arms]  # no narrower than one step
        pairs = zip((float(arm.mean()) for arm in arms), spread, map(len, arms), strict=True)
        found = reference.ttest_ind_from_stats(*(number for pair in pairs for number in pair))
        if not found.pvalue > OLD_ALPHA:
            return True
    return False
