"""What must be true between the blocks of a study at one tier, beyond the form of each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lnbench import catalog, resources
from lnbench.catalog.options import ExperimentRecipe
from lnbench.errors import did_you_mean
from lnbench.spec.baseline import Baseline
from lnbench.spec.comparable import differences, idle_excuses
from lnbench.spec.effects import Effect
from lnbench.spec.recipe import Recipe
from lnbench.spec.rules.effects import MOST_MEMBERS, check_effect
from lnbench.spec.rules.findings import Findings
from lnbench.spec.rules.metrics import compared_with_itself, may_read, not_yielded
from lnbench.spec.rules.parts import check_parts
from lnbench.spec.rules.runs import MOST_LOOKS, RunRules
from lnbench.spec.study import FEWEST_TO_DECIDE, Cell, Claim, Runs, Study, StudySpec
from lnbench.spec.tiers import at_tier
from lnbench.spec.variants import ARM, alternatives, is_idle, typed
from lnbench.yamlfile.problems import problems_of
from lnbench.yamlfile.tree import Mapping, Position, block, items, position_of

Model = TypeVar("Model", bound=BaseModel)


def check_tier(tree: Mapping, tier: str, path: Path, baseline: Baseline | None, findings: Findings) -> Study | None:
    """Return the study at one tier; None where there is an error, which `findings` then holds."""
    merged = at_tier(tree, tier, lambda place, what: findings.add(place, what, tier))
    spec = None
    try:
        spec = StudySpec.model_validate(merged)
    except ValidationError as error:
        findings.add_all(problems_of(error, merged, path, StudySpec), tier)
    rules = _TierRules(tree, merged, tier, baseline, findings)
    cells = rules.check()
    if spec is None or baseline is None or findings.errors_at(tier):
        return None
    measured = None
    if spec.measured:
        measured = resources.baselines_for(path) / "measured" / f"{spec.measured}.json"
    exact, sources = _bound(_exact(spec), baseline), rules.grid.sources
    label_files = rules.grid.label_files
    study = Study(path.stem, tier, path, exact, tuple(cells), baseline, measured, sources, label_files=label_files)
    base = spec.runs.base
    has_arms = isinstance(base, ExperimentRecipe) or base.arm is not None
    if has_arms:
        study = replace(study, cells=_cells_read(study))
        for place, what in _arms_without_runs(study, merged):
            findings.add(place, what, tier)
    if tier != "smoke" and spec.runs.seeds.n < FEWEST_TO_DECIDE:
        what = f"n: {spec.runs.seeds.n} seeds are measured and decide nothing; verdicts need {FEWEST_TO_DECIDE} or more"
        findings.add(position_of(merged, ["runs", "seeds", "n"]), what, tier, "warning")
    if tier == "smoke" and spec.runs.seeds.fresh:
        what = "fresh: smoke is held against the seeds that were measured; leave it out here"
        findings.add(position_of(merged, ["runs", "seeds", "fresh"]), what, tier)
    for place, what, severity in _comparisons(study, merged):
        findings.add(place, what, tier, severity)
    if not findings.errors_at(tier):
        for place, what in _idle_tries(study, merged):
            findings.add(place, what, tier)
    return None if findings.errors_at(tier) else study


def _exact(spec: StudySpec) -> StudySpec:
    """Return the spec with each candidate of a choice as the recipe types it: a rate of 1 is 1.0, one run and not
    two."""
    choose = spec.runs.choose
    if choose is None:
        return spec
    candidates = tuple(typed(spec.runs.base, choose.key, value) for value in choose.from_)
    runs = spec.runs.model_copy(update={"choose": choose.model_copy(update={"from_": candidates})})
    return spec.model_copy(update={"runs": runs})


def _bound(spec: StudySpec, baseline: Baseline) -> StudySpec:
    """Return the spec with parts that know what the paper prints in their cells."""
    claims = []
    for claim in spec.claims:
        parts = {name: part.bound(baseline) for name, part in claim.parts.items()}
        same = all(parts[name] is part for name, part in claim.parts.items())
        claims.append(claim if same else claim.model_copy(update={"parts": parts}))
    return spec.model_copy(update={"claims": tuple(claims)})


def _cells_read(study: Study) -> tuple[Cell, ...]:
    """Return the cells that some effect reads, and those whose runs these build on. Used for a grid with arms and for
    experiments, whose other cells stand for nothing."""
    from lnbench.spec.points import needed_points, point_key

    needed = needed_points(study, {claim.id for claim in study.spec.claims})
    waiting = [cell for cell in study.cells if point_key(cell.point) in needed]
    while waiting:
        cell = waiting.pop()
        for name in cell.recipe.needs:
            source = study.sources.get(name)
            if source is not None and source.at is not None:
                behind = study.at({**cell.point, **source.at})
                if point_key(behind.point) not in needed:
                    needed.add(point_key(behind.point))
                    waiting.append(behind)
    return tuple(cell for cell in study.cells if point_key(cell.point) in needed)


def _comparisons(study: Study, tree: Mapping) -> Iterator[tuple[Position, str, str]]:
    """Yield (place, what, severity) of printed numbers that these runs have no number to compare with, and of excuses
    under which nothing differs. An excuse may be one for the tier `full` only, so it is asked for there."""
    for index, claim in enumerate(study.spec.claims):
        for name, part in claim.parts.items():
            here: list[str | int] = ["claims", index, "parts", name]
            for number, apart in enumerate(differences(part, study)):
                if not apart:
                    continue
                reference = part.references()[number if part.each else 0]
                words = ", and ".join(found.replace("; ", ", ") for found in apart.values())
                what = f"not comparable with '{reference}' ({words})"
                hint = f"say why it can be all the same: `despite: {{{next(iter(apart))}: WHY}}`"
                place = position_of(tree, [*here, *part.place_of(reference)], key=part.each)
                yield place, f"{what}; {hint}", "warning"
            for key in idle_excuses(part, study) if study.tier == "full" else ():
                what = (
                    f"despite: {key} does not differ from what is printed, as far as the reference's estimand says it"
                )
                yield position_of(tree, [*here, "despite", key], key=True), f"{what}; leave it out", "error"


def _idle_tries(study: Study, tree: Mapping) -> Iterator[tuple[Position, str]]:
    """Yield the alternatives that change no run of the study: a contradiction would survive them untried."""
    for key in alternatives(study):
        if is_idle(study, key):
            index = next(index for index, choice in enumerate(study.spec.choices) if key in (choice.try_ or {}))
            what = f"try: {key} changes no run of the study, so nothing would be tried"
            yield position_of(tree, ["choices", index, "try", key]), f"{what}; give another value, or leave it out"


def _arms_without_runs(study: Study, tree: Mapping) -> Iterator[tuple[Position, str]]:
    """Yield what is wrong with an alternative to some arms: one that no effect reads has no runs to stand in with."""
    points = [cell.point for cell in study.cells]
    for index, choice in enumerate(study.spec.choices):
        for arm, other in ((choice.try_ or {}).get(ARM) or {}).items():
            missing = [point for point in points if point[ARM] == arm and {**point, ARM: other} not in points]
            if missing:
                place = position_of(tree, ["choices", index, "try", ARM, arm])
                yield place, f"try: no effect reads the arm {other}, so it is not trained; add a part that shows it"


def _valid(model: type[Model], tree: Any) -> Model | None:
    """Return one block by itself; None where its form is wrong, which is reported with the whole."""
    try:
        return model.model_validate(tree)
    except ValidationError:
        return None


class _TierRules:
    """Checks block by block, so that an error of one block's form does not hide what is wrong with the others."""

    def __init__(self, file: Mapping, tree: Mapping, tier: str, baseline: Baseline | None, findings: Findings):
        self.file, self.tree, self.tier, self.baseline, self.findings = file, tree, tier, baseline, findings
        self.runs = _valid(Runs, tree.get("runs"))
        self.effects = {name: _valid(Effect, effect) for name, effect in block(tree, "effects").items()}
        self.claims = [_valid(Claim, claim) for claim in items(tree, "claims")]
        self.grid = RunRules(tree, tier, findings)

    def error(self, place: Position, what: str) -> None:
        self.findings.add(place, what, self.tier)

    def at(self, *path: str | int, key: bool = False) -> Position:
        return position_of(self.tree, path, key=key)

    def check(self) -> list[Cell]:
        known = self.runs is not None and self.grid.check(self.runs)
        looks = len(self.effects) * len(self.grid.cells)
        if looks > MOST_LOOKS:
            what = f"effects: {len(self.effects)} of them at {len(self.grid.cells)} cells"
            self.error(self.at("effects", key=True), f"{what}; at most {MOST_LOOKS} in all")
        elif self.runs is not None and known:
            for name, effect in self.effects.items():
                if effect is not None:
                    self._effect(name, effect, self.runs)
        vary = self.runs.vary if self.runs is not None and self.grid.small else None
        for index, claim in enumerate(self.claims):
            if claim is not None:
                self._verdict(index, claim)
                check_parts(index, claim, self.effects, vary, self.baseline, self.at, self.error)
        return self.grid.cells

    # effects

    def _effect(self, name: str, effect: Effect, runs: Runs) -> None:
        parts = [part for claim in items(self.tree, "claims") for part in block(claim, "parts").values()]
        kinds = [part.get("kind") for part in parts if isinstance(part, Mapping) and part.get("effect") == name]
        checks = catalog.entries()["check"]
        cells_say = bool(kinds) and all(
            isinstance(kind, str) and kind in checks and checks[kind].load_part().each for kind in kinds
        )
        read = [cell.recipe for cell in self.grid.cells if may_read(effect, cell.point)]
        epochs = min((recipe.epochs for recipe in read if isinstance(recipe, Recipe)), default=None)
        check_effect(name, effect, runs.vary, self.at, self.error, cells_say=cells_say, epochs=epochs)
        for key, metric in (
            ("metric", effect.metric),
            ("with", effect.with_),
            ("less", effect.less),
            ("per", effect.per),
        ):
            what = "" if metric is None else not_yielded(metric, read)
            if what:
                self.error(self.at("effects", name, key), f"effect {name}: {what}")
        twins = compared_with_itself(effect, self.grid.cells) if effect.size <= MOST_MEMBERS else ""
        if twins:
            key = "over" if effect.over else "minus"
            self.error(self.at("effects", name, key), f"effect {name}: {twins}")

    # claims

    def _verdict(self, index: int, claim: Claim) -> None:
        for part in claim.verdict.of:
            if part in claim.parts and claim.parts[part].ours:
                place = self.at("claims", index, "parts", part, "ours")
                self.error(place, f"part {part} is our own reading (ours: true); it cannot be the claim")
            self._is_a_part(index, claim, part, "verdict", self.at("claims", index, "verdict"))
        for part in claim.requires:
            place = self.at("claims", index, "requires", part, key=True)
            self._is_a_part(index, claim, part, "requires", place)
            if part in claim.verdict.of:
                what = f"requires: the part '{part}' is the claim's verdict; what must hold before is another part"
                self.error(place, what)

    def _is_a_part(self, index: int, claim: Claim, part: str, block_name: str, place: Position) -> None:
        """Report a part that the claim's verdict or its regime names and that is not there."""
        if part in claim.parts:
            return
        path = ("tiers", self.tier, "claims", claim.id, "omit")
        omitted = items(block(block(block(block(self.file, "tiers"), self.tier), "claims"), claim.id), "omit")
        if part in omitted:
            is_what, another = ("the verdict", "verdict") if block_name == "verdict" else ("a requirement", "requires")
            what = f"omit: the part '{part}' is {is_what} of {claim.id}; give the tier another {another}"
            self.error(position_of(self.file, [*path, omitted.index(part)]), what)
        else:
            self.error(place, f"{block_name}: no part '{part}'; {did_you_mean(part, claim.parts)}")
