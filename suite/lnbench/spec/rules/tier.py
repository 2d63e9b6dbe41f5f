"""What must be true between the blocks of a study at one tier, beyond the form of each."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from lnbench import catalog, resources
from lnbench.catalog.options import ExperimentRecipe
from lnbench.errors import did_you_mean
from lnbench.spec.baseline import Baseline
from lnbench.spec.dotted import leaves, overlap, put_at, value_at
from lnbench.spec.effects import Effect
from lnbench.spec.levels import is_number, not_visited, same, word
from lnbench.spec.points import grid
from lnbench.spec.recipe import AnyRecipe, Recipe, Scalar, recipe_of
from lnbench.spec.rules.effects import check_effect
from lnbench.spec.rules.findings import Findings
from lnbench.spec.rules.metrics import may_read, not_yielded
from lnbench.spec.rules.parts import check_parts
from lnbench.spec.study import Cell, Choose, Claim, Runs, ShareOfEpochs, Source, Study, StudySpec
from lnbench.spec.tiers import at_tier
from lnbench.yamlfile.problems import problems_of
from lnbench.yamlfile.tree import Mapping, Position, block, items, position_of

MOST_CELLS = 5_000


DEEPEST_KEY = 5  # dots in a recipe's key, such as optimizer.lr


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
    study = Study(path.stem, tier, path, rules.exact(spec), tuple(cells), baseline, measured, rules.sources)
    base = spec.runs.base
    has_arms = isinstance(base, ExperimentRecipe) or base.arm is not None
    return replace(study, cells=_cells_read(study)) if has_arms else study


def _cells_read(study: Study) -> tuple[Cell, ...]:
    """Return the cells that some effect reads. Used for a grid with arms and for experiments, whose other cells stand
    for nothing."""
    from lnbench.spec.points import needed_points, point_key

    needed = needed_points(study, {claim.id for claim in study.spec.claims})
    return tuple(cell for cell in study.cells if point_key(cell.point) in needed)


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
        self.cells: list[Cell] = []
        self.sources: dict[str, Source] = {}
        self.without_parity: dict[Position, set[str]] = {}  # where `fast` stands -> the networks that may not have it

    def error(self, place: Position, what: str) -> None:
        self.findings.add(place, what, self.tier)

    def at(self, *path: str | int, key: bool = False) -> Position:
        return position_of(self.tree, path, key=key)

    def check(self) -> list[Cell]:
        if self.runs is not None and self._grid(self.runs):
            self._inputs(self.runs)
            if self.runs.choose is not None:
                self._choose(self.runs, self.runs.choose)
            self._choices(self.runs)
            for name, effect in self.effects.items():
                if effect is not None:
                    self._effect(name, effect, self.runs)
        vary = self.runs.vary if self.runs is not None else None
        for index, claim in enumerate(self.claims):
            if claim is not None:
                self._verdict(index, claim)
                check_parts(index, claim, self.effects, vary, self.baseline, self.at, self.error)
        return self.cells

    def exact(self, spec: StudySpec) -> StudySpec:
        """Return the spec with each candidate of a choice as the recipe types it: a rate of 1 is 1.0, one run and not
        two."""
        choose = spec.runs.choose
        if choose is None:
            return spec
        typed = tuple(self._typed(choose.key, value) for value in choose.from_)
        runs = spec.runs.model_copy(update={"choose": choose.model_copy(update={"from_": typed})})
        return spec.model_copy(update={"runs": runs})

    def _typed(self, key: str, value: Scalar) -> Scalar:
        base = self.tree["runs"]["base"]
        recipe = recipe_of(put_at(base, key, value, base.position, base.position))
        found: Scalar = value_at(recipe.model_dump(), key)
        return found

    # runs

    def _grid(self, runs: Runs) -> bool:
        """Fill `cells`. Return False where the grid itself is wrong, so that nothing can be said about its points."""
        whole = True
        for axis, levels in runs.vary.items():
            whole &= self._recipe_key(axis, self.at("runs", "vary", axis, key=True), "vary")
            for index, level in enumerate(levels):
                if any(same(level, other) for other in levels[:index]):
                    self.error(self.at("runs", "vary", axis, index), f"vary: {axis} = {word(level)} is given twice")
                    whole = False
        for index, rule in enumerate(runs.set):
            whole &= self._set_rule(index, rule.at, runs)
        size = math.prod(len(levels) for levels in runs.vary.values())
        if size > MOST_CELLS:
            self.error(self.at("runs", "vary"), f"vary: {size} cells; at most {MOST_CELLS} in one study")
            return False
        if not whole:
            return False
        for point, recipe_tree in grid(self.tree["runs"]):
            recipe = self._recipe(recipe_tree)
            if recipe is not None:
                self.cells.append(Cell(point, recipe))
                self._precision(recipe, recipe_tree, runs)
        for place, models in self.without_parity.items():
            what = "precision: fast, but no parity study shows what it changes"
            self.error(place, f"{what}; use fp32 for {', '.join(sorted(models))}")
        return True

    def _recipe_key(self, key: str, place: Position, where: str) -> bool:
        """Return whether a dotted key can be one of a recipe at all (its first word is a key of `base`); report it
        where not."""
        base = self.tree["runs"]["base"]
        head, _, rest = key.partition(".")
        if head not in base:
            self.error(place, f"{where}: '{head}' is not a key of base; {did_you_mean(head, base)}")
            return False
        if key.count(".") > DEEPEST_KEY or (rest and not isinstance(base[head], Mapping)):
            self.error(place, f"{where}: '{key[:60]}' is not a key of base; {head} holds no keys")
            return False
        return True

    def _set_rule(self, index: int, at: dict[str, Scalar], runs: Runs) -> bool:
        whole = True
        for axis, value in at.items():
            whole &= self._point(self.at("runs", "set", index, "at", axis), axis, value, "set", runs)
        changed = [key for key in self.tree["runs"]["set"][index] if key != "at"]
        if not changed:
            self.error(self.at("runs", "set", index), "set: the rule changes nothing; give a key beside `at`")
        for key in changed:
            place = self.at("runs", "set", index, key, key=True)
            whole &= self._recipe_key(key, place, "set")
            for axis in runs.vary:
                if overlap(key, axis):
                    self.error(place, f"set: '{key}' would undo the axis {axis} of vary")
            if runs.choose is not None and overlap(key, runs.choose.key):
                self.error(place, f"set: '{key}' would be undone by choose, which sets {runs.choose.key}")
        return whole

    def _recipe(self, tree: Mapping) -> AnyRecipe | None:
        try:
            return recipe_of(tree)
        except ValidationError as error:
            self.findings.add_all(problems_of(error, tree, self.findings.path, AnyRecipe), self.tier)
            return None

    def _precision(self, recipe: AnyRecipe, tree: Mapping, runs: Runs) -> None:
        """Check that `fast` is used for claims only where a committed study shows what it changes."""
        if (
            not isinstance(recipe, Recipe)
            or recipe.precision != "fast"
            or self.tier == "smoke"
            or "precision" in runs.vary
        ):
            return
        if not catalog.find("model", recipe.model).fast_parity:
            self.without_parity.setdefault(position_of(tree, ["precision"]), set()).add(recipe.model)

    def _point(self, place: Position, axis: str, value: Any, where: str, runs: Runs) -> bool:
        unvisited = not_visited(axis, value, runs.vary)
        if unvisited:
            self.error(place, f"{where}: {unvisited}")
        return not unvisited

    # inputs

    def _inputs(self, runs: Runs) -> None:
        """Fill `sources`, what inputs are made of; check that there is one wherever a recipe needs it."""
        for name, about in runs.inputs.items():
            if name not in catalog.names("input"):
                hint = did_you_mean(name, catalog.names("input"))
                self.error(self.at("runs", "inputs", name, key=True), f"inputs: '{name}' is not known; {hint}")
                continue
            tree, of = self.tree["runs"]["base"], self.tree["runs"]["inputs"][name]["of"]
            whole = True
            for key in of:
                place = self.at("runs", "inputs", name, "of", key, key=True)
                if self._recipe_key(key, place, "inputs"):
                    tree = put_at(tree, key, of[key], of.key_positions[key], of.value_positions[key])
                else:
                    whole = False
            recipe = self._recipe(tree) if whole else None
            if isinstance(recipe, Recipe):
                more = [probe for probe in catalog.find("input", name).value if probe not in recipe.probe_names]
                probes = {"probes": (*recipe.probes, *more)}
                self.sources[name] = Source(recipe.model_copy(update=probes), about.seeds)
                self._precision(recipe, tree, runs)
        for name in sorted({need for cell in self.cells for need in cell.recipe.needs} - set(runs.inputs)):
            what = f"a run of this grid needs the input {name}; name under runs.inputs the runs that it is made from"
            self.error(self.at("runs", "base", "noise"), what)

    # choices

    def _choose(self, runs: Runs, choose: Choose) -> None:
        for index, axis in enumerate(choose.per):
            if axis not in runs.vary:
                hint = did_you_mean(axis, runs.vary)
                self.error(self.at("runs", "choose", "per", index), f"choose: no axis '{axis}' in vary; {hint}")
        if any(isinstance(cell.recipe, ExperimentRecipe) for cell in self.cells):
            self.error(self.at("runs", "choose", key=True), "choose: an experiment holds no images out to choose by")
            return
        self._held_out(choose)
        schedules = (cell.recipe.schedule for cell in self.cells if isinstance(cell.recipe, Recipe))
        for axis, level in (choose.epochs.at if choose.epochs else {}).items():
            self._point(self.at("runs", "choose", "epochs", "at", axis), axis, level, "choose", runs)
        if choose.epochs is not None and any(getattr(one, "kind", "") != "constant" for one in schedules):
            what = "choose: fewer epochs would cut the schedule short; leave `epochs` out, or keep the rate constant"
            self.error(self.at("runs", "choose", "epochs"), what)
        place = self.at("runs", "choose", "key")
        base = self.tree["runs"]["base"]
        if choose.key not in leaves(base):
            what = f"choose: '{choose.key[:60]}' is not a key of base that holds a value"
            self.error(place, f"{what}; {did_you_mean(choose.key, leaves(base))}")
            return
        if choose.key == "selection" or overlap(choose.key, "dataset"):
            self.error(place, f"choose: {choose.key} says what is measured; choose what a network learns by")
            return
        if any(overlap(choose.key, axis) for axis in runs.vary):
            self.error(place, f"choose: {choose.key} is an axis of vary already")
        for index, value in enumerate(choose.from_):
            place = self.at("runs", "choose", "from", index)
            self._recipe(put_at(base, choose.key, value, place, place))
            if any(same(value, other) for other in choose.from_[:index]):
                self.error(place, f"choose: {word(value)} is given twice")

    def _held_out(self, choose: Choose) -> None:
        """Check that the validation images leave every cell at least one batch of clean images to train on."""
        place = self.at("runs", "choose", "validation")
        recipes = [cell.recipe for cell in self.cells if isinstance(cell.recipe, Recipe)]
        for name, clean, batch in {(r.dataset.name, r.dataset.clean, r.batch_size) for r in recipes}:
            left = clean - choose.out_of_clean(name, clean)
            what = f"choose: {choose.validation} validation images leave {max(left, 0) or 'none'} of {clean}"
            if left <= 0:
                self.error(place, f"{what} to train on")
            elif left < batch:
                self.error(place, f"{what}, less than one batch of {batch}")

    def _choices(self, runs: Runs) -> None:
        tried: set[str] = set()
        for index, choice in enumerate(items(self.tree, "choices")):
            for key in block(choice, "try"):
                place = self.at("choices", index, "try", key, key=True)
                if key in tried:
                    self.error(place, f"try: '{key}' is tried by an earlier choice too; name it once")
                tried.add(key)
                value_place = self.at("choices", index, "try", key)
                self._try(key, choice["try"][key], place, value_place, runs)

    def _try(self, key: str, value: Any, place: Position, value_place: Position, runs: Runs) -> None:
        """Check that an alternative gives recipes: a value, `{times: 2}`, or for choose.from a list of candidates."""
        base = self.tree["runs"]["base"]
        if key == "choose.epochs":
            try:
                ShareOfEpochs.model_validate(value)
            except ValidationError:
                self.error(value_place, "try: choose.epochs takes {times: a number above 0, at most 1}")
            return
        if key == "choose.from":
            if not isinstance(value, list) or not value:
                self.error(value_place, "try: choose.from takes a list of values")
            elif runs.choose is not None and self._recipe_key(runs.choose.key, place, "try"):
                for index, one in enumerate(value):
                    where = value.item_positions[index] if hasattr(value, "item_positions") else value_place
                    self._recipe(put_at(base, runs.choose.key, one, where, where))
            return
        try:
            before = value_at(base, key)
        except KeyError:
            known = [*leaves(base), "choose.from", "choose.epochs"]
            hint = did_you_mean(key, known)
            what = f"try: '{key[:60]}' is neither a key of base nor choose.from or choose.epochs; {hint}"
            self.error(place, what)
            return
        for axis in runs.vary:
            if overlap(key, axis):
                self.error(place, f"try: '{key}' would undo the axis {axis} of vary")
                return
        if isinstance(value, dict):
            times: Any = value.get("times")
            if set(value) != {"times"} or not (is_number(times) and is_number(before)) or times <= 0:
                self.error(value_place, "try: takes a value, or {times: a number above 0} for a number")
                return
            value = round(before * times) if isinstance(before, int) else before * times
        self._recipe(put_at(base, key, value, place, value_place))

    # effects

    def _effect(self, name: str, effect: Effect, runs: Runs) -> None:
        parts = [part for claim in items(self.tree, "claims") for part in block(claim, "parts").values()]
        kinds = [part.get("kind") for part in parts if isinstance(part, Mapping) and part.get("effect") == name]
        checks = catalog.entries()["check"]
        cells_say = bool(kinds) and all(
            isinstance(kind, str) and kind in checks and checks[kind].load_part().each for kind in kinds
        )
        read = [cell.recipe for cell in self.cells if may_read(effect, cell.point)]
        epochs = min((recipe.epochs for recipe in read if isinstance(recipe, Recipe)), default=None)
        check_effect(name, effect, runs.vary, self.at, self.error, cells_say=cells_say, epochs=epochs)
        for key, metric in (("metric", effect.metric), ("with", effect.with_), ("less", effect.less)):
            what = "" if metric is None else not_yielded(metric, read)
            if what:
                self.error(self.at("effects", name, key), f"effect {name}: {what}")

    # claims

    def _verdict(self, index: int, claim: Claim) -> None:
        for part in claim.verdict.of:
            if part in claim.parts:
                if claim.parts[part].ours:
                    place = self.at("claims", index, "parts", part, "ours")
                    self.error(place, f"part {part} is our own reading (ours: true); it cannot be the claim")
                continue
            path = ("tiers", self.tier, "claims", claim.id, "omit")
            omitted = items(block(block(block(block(self.file, "tiers"), self.tier), "claims"), claim.id), "omit")
            if part in omitted:
                place = position_of(self.file, [*path, omitted.index(part)])
                self.error(
                    place, f"omit: the part '{part}' is the verdict of {claim.id}; give the tier another verdict"
                )
            else:
                what = f"verdict: no part '{part}'; {did_you_mean(part, claim.parts)}"
                self.error(self.at("claims", index, "verdict"), what)
