"""Reading a study file: every tier merged and checked, every error of the file reported at once with its place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lnbench import catalog, references, resources, specfile
from lnbench.errors import Problem, SpecError
from lnbench.references import Baseline
from lnbench.spec import (
    TIERS,
    Agrees,
    Cell,
    Claim,
    EveryRun,
    Part,
    Recipe,
    Study,
    StudyFile,
    StudySpec,
    Threshold,
)
from lnbench.specfile import Mapping, did_you_mean, position_of
from lnbench.tiers import at_tier, grid, put_at, used_effects, value_at
from lnbench.validation import problems_of


@dataclass(frozen=True)
class LoadedStudy:
    """A study file that is valid, with all its tiers."""

    path: Path
    tiers: dict[str, Study]
    warnings: tuple[Problem, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def any(self) -> Study:
        """The tier nearest to the paper, for what all tiers share."""
        return self.tiers.get("full") or next(iter(self.tiers.values()))


def load_study(path: Path) -> LoadedStudy:
    """Read and check one study file. Raises SpecError with all that is wrong in it."""
    reader = _StudyReader(path, specfile.load(path))
    study = reader.read()
    errors = [problem for problem in reader.problems if problem.severity == "error"]
    if errors or study is None:
        raise SpecError(errors)
    return study


def load_studies(paths: list[Path]) -> list[LoadedStudy]:
    """Several files, their errors together; a claim's id may stand once in all of them."""
    problems: list[Problem] = []
    loaded: list[LoadedStudy] = []
    places: dict[str, Path] = {}
    for path in paths:
        try:
            study = load_study(path)
        except SpecError as error:
            problems += error.problems
            continue
        loaded.append(study)
        tree = specfile.load(path)
        for index, claim in enumerate(study.any.spec.claims):
            if claim.id in places and places[claim.id] != path:
                what = f"claim id '{claim.id}' stands already in {places[claim.id]}"
                problems.append(Problem(path, *position_of(tree, ["claims", index, "id"]), what))
            places.setdefault(claim.id, path)
    if problems:
        raise SpecError(problems)
    return loaded


class _StudyReader:
    """Collects the problems of one file."""

    def __init__(self, path: Path, tree: Mapping):
        self.path, self.tree = path, tree
        self.problems: list[Problem] = []

    def problem(self, position: tuple[int, int], what: str, severity: str = "error") -> None:
        found = Problem(self.path, *position, what, severity)
        if found not in self.problems:
            self.problems.append(found)

    def read(self) -> LoadedStudy | None:
        try:
            StudyFile.model_validate(self.tree)
        except ValidationError as error:
            self.problems += problems_of(error, self.tree, self.path, StudyFile)
            return None  # tiers change a study: one that has no valid form would repeat its errors four times
        baseline = self._baseline()
        if baseline is None:
            return None
        ids: dict[str, int] = {}
        for index, claim in enumerate(self.tree["claims"]):
            if claim["id"] in ids:
                where = position_of(self.tree, ["claims", index, "id"])
                self.problem(where, f"two claims have the id '{claim['id']}'")
            ids[claim["id"]] = index
        for name in set(self.tree["effects"]) - used_effects(self.tree):
            self.problem(position_of(self.tree, ["effects", name], key=True), f"effect {name}: no part checks it")
        tiers = {name: self._tier(name, baseline) for name in TIERS if name in self.tree["tiers"]}
        if any(problem.severity == "error" for problem in self.problems):
            return None
        warnings = tuple(problem for problem in self.problems if problem.severity == "warning")
        return LoadedStudy(self.path, {name: tier for name, tier in tiers.items() if tier}, warnings)

    def _baseline(self) -> Baseline | None:
        paper = self.tree["paper"]
        folder = resources.baselines_for(self.path)
        place = position_of(self.tree, ["paper"])
        if not (folder / f"{paper}.yaml").is_file():
            known = [file.stem for file in folder.glob("*.yaml")]
            self.problem(place, f"paper: there is no baselines/{paper}.yaml; {did_you_mean(paper, known)}")
            return None
        try:
            return references.load_baseline(folder / f"{paper}.yaml")
        except SpecError as error:
            self.problems += error.problems
            return None

    def _tier(self, name: str, baseline: Baseline) -> Study | None:
        before = len(self.problems)
        tree = at_tier(self.tree, name, self.problem)
        try:
            spec = StudySpec.model_validate(tree)
        except ValidationError as error:
            self.problems += problems_of(error, tree, self.path, StudySpec)
            return None
        rules = _Rules(self, name, tree, spec, baseline)
        cells = rules.check()
        if len(self.problems) > before and any(p.severity == "error" for p in self.problems[before:]):
            return None
        measured = None
        if spec.measured:
            measured = resources.baselines_for(self.path) / "measured" / f"{spec.measured}.json"
        return Study(self.path.stem, name, self.path, spec, tuple(cells), baseline, measured)


class _Rules:
    """What must hold between the blocks of a study at one tier."""

    def __init__(self, reader: _StudyReader, tier: str, tree: Mapping, spec: StudySpec, baseline: Baseline):
        self.reader, self.tier, self.tree, self.spec, self.baseline = reader, tier, tree, spec, baseline

    def at(self, *path: str | int, key: bool = False) -> tuple[int, int]:
        return position_of(self.tree, path, key=key)

    def check(self) -> list[Cell]:
        cells = self._grid()
        self._choose()
        for name in self.spec.effects:
            self._effect(name)
        for index, claim in enumerate(self.spec.claims):
            self._claim(index, claim)
        self._choices()
        return cells

    def _grid(self) -> list[Cell]:
        runs, vary = self.tree["runs"], self.spec.runs.vary
        for axis, levels in vary.items():
            if len(set(map(repr, levels))) != len(levels):
                self.reader.problem(self.at("runs", "vary", axis), f"vary: a value of {axis} stands twice")
        for index, rule in enumerate(self.spec.runs.set):
            for axis, value in rule.at.items():
                place = self.at("runs", "set", index, "at", axis)
                self._point(place, axis, value, "set")
        cells: list[Cell] = []
        for point, recipe_tree in grid(runs):
            recipe = self._recipe(recipe_tree)
            if recipe is not None:
                cells.append(Cell(point, recipe))
                self._precision(recipe, recipe_tree)
        return cells

    def _recipe(self, tree: Mapping) -> Recipe | None:
        try:
            return Recipe.model_validate(tree)
        except ValidationError as error:
            for problem in problems_of(error, tree, self.reader.path, Recipe):
                self.reader.problem((problem.line, problem.column), problem.what)
            return None

    def _precision(self, recipe: Recipe, tree: Mapping) -> None:
        """`fast` is for claims only where a committed study shows what it changes (docs/precision.md)."""
        if recipe.precision != "fast" or self.tier == "smoke" or "precision" in self.spec.runs.vary:
            return
        if not catalog.find("model", recipe.model).fast_parity:
            what = f"precision: fast, but no parity study shows what it changes for {recipe.model}; use fp32"
            self.reader.problem(position_of(tree, ["precision"]), what)

    def _point(self, place: tuple[int, int], axis: str, value: Any, where: str) -> bool:
        vary = self.spec.runs.vary
        if axis not in vary:
            self.reader.problem(place, f"{where}: no axis '{axis}' in vary; {did_you_mean(axis, vary)}")
            return False
        if not any(value == level and isinstance(value, bool) == isinstance(level, bool) for level in vary[axis]):
            levels = ", ".join(map(str, vary[axis]))
            self.reader.problem(place, f"{where}: no run visits {axis} = {value}; it takes {levels}")
            return False
        return True

    def _choose(self) -> None:
        choose = self.spec.runs.choose
        if choose is None:
            return
        for index, axis in enumerate(choose.per):
            if axis not in self.spec.runs.vary:
                hint = did_you_mean(axis, self.spec.runs.vary)
                self.reader.problem(self.at("runs", "choose", "per", index), f"choose: no axis '{axis}' in vary; {hint}")
        clean = self.spec.runs.base.dataset.clean
        if choose.validation >= clean:
            what = f"choose: {choose.validation} validation images leave none of {clean} to train on"
            self.reader.problem(self.at("runs", "choose", "validation"), what)
        try:
            value_at(self.tree["runs"]["base"], choose.key)
        except KeyError:
            what = f"choose: '{choose.key}' is not a key of base"
            self.reader.problem(self.at("runs", "choose", "key"), what)
            return
        for index, value in enumerate(choose.from_):
            place = self.at("runs", "choose", "from", index)
            self._recipe(put_at(self.tree["runs"]["base"], choose.key, value, place, place))

    def _effect(self, name: str) -> None:
        effect, vary = self.spec.effects[name], self.spec.runs.vary
        for block, point in (("at", effect.at), ("minus", effect.minus or {})):
            for axis, value in point.items():
                place = self.at("effects", name, block, axis)
                for one in value if isinstance(value, tuple) else (value,):
                    if self._point(place, axis, one, f"effect {name}") and axis == effect.axis:
                        self.reader.problem(place, f"effect {name}: {axis} is the axis it runs along")
        if effect.axis is not None:
            place = self.at("effects", name, "along", effect.axis)
            if effect.axis not in vary:
                hint = did_you_mean(effect.axis, vary)
                self.reader.problem(place, f"effect {name}: no axis '{effect.axis}' in vary; {hint}")
            elif len(vary[effect.axis]) < 2:
                self.reader.problem(place, f"effect {name}: {effect.axis} has one value; nothing runs along it")
            elif not all(isinstance(level, int | float) and not isinstance(level, bool) for level in vary[effect.axis]):
                self.reader.problem(place, f"effect {name}: {effect.axis} is not numeric")
        given = {*effect.at, effect.axis}
        open_axes = [axis for axis, levels in vary.items() if axis not in given and len(levels) > 1]
        for axis in open_axes:
            self.reader.problem(self.at("effects", name), f"effect {name}: say at which {axis}")

    def _claim(self, index: int, claim: Claim) -> None:
        for part in claim.verdict.of:
            if part not in claim.parts:
                place = self.at("claims", index, "verdict")
                what = f"verdict: no part '{part}'; {did_you_mean(part, claim.parts)}"
                if any(part in change.get("omit", ()) for change in self._tier_changes(claim.id)):
                    what = f"verdict: the tier {self.tier} omits the part '{part}' that is the claim"
                self.reader.problem(place, what)
            elif claim.parts[part].ours:
                place = self.at("claims", index, "parts", part, "ours")
                self.reader.problem(place, f"part {part} is our own reading (ours: true); it cannot be the claim")
        for name, part in claim.parts.items():
            self._part(index, name, part)

    def _tier_changes(self, claim_id: str) -> list[dict[str, Any]]:
        changes = self.reader.tree["tiers"][self.tier].get("claims") or {}
        return [changes[claim_id]] if claim_id in changes else []

    def _part(self, index: int, name: str, part: Part) -> None:
        where = ("claims", index, "parts", name)
        if part.effect not in self.spec.effects:
            hint = did_you_mean(part.effect, self.spec.effects)
            self.reader.problem(self.at(*where, "effect"), f"no effect '{part.effect}'; {hint}")
            return
        metric = self.spec.effects[part.effect].metric
        bounds = catalog.find("metric", metric).value
        number = None
        reference = getattr(part, "reference", None)
        if reference is not None:
            place = self.at(*where, "reference")
            known = self.baseline.references
            if reference not in known:
                self.reader.problem(place, f"no reference '{reference}' in {self.spec.paper}; "
                                           f"{did_you_mean(reference, known)}")  # fmt: skip
                return
            number = known[reference].number()
            if number is None:
                self.reader.problem(place, f"reference '{reference}' prints '{known[reference].printed}', no number")
                return
            if known[reference].metric != metric:
                what = f"reference '{reference}' is a {known[reference].metric}, the effect a {metric}"
                self.reader.problem(place, what)
        if isinstance(part, Threshold | EveryRun):
            edge = part.threshold if part.threshold is not None else number.value if number else 0.0
            simple = not self.spec.effects[part.effect].along and not self.spec.effects[part.effect].minus
            if simple and not bounds.low < edge < bounds.high:
                place = self.at(*where, "threshold" if part.threshold is not None else "reference")
                what = f"threshold {edge:g} is on or past the bounds of {metric} ({bounds.low:g} to {bounds.high:g})"
                self.reader.problem(place, what)
        if isinstance(part, Agrees) and number and part.margin < number.unit / 2:
            what = f"margin {part.margin:g} is below half the last printed digit ({number.unit / 2:g})"
            self.reader.problem(self.at(*where, "margin"), what)

    def _choices(self) -> None:
        for index, choice in enumerate(self.spec.choices):
            for key in choice.try_ or {}:
                block, _, rest = key.partition(".")
                known = block == "choose" and rest == "from"
                if not known:
                    try:
                        value_at(self.reader.tree["runs"]["base"], key)
                    except KeyError:
                        place = self.at("choices", index, "try", key, key=True)
                        self.reader.problem(place, f"try: '{key}' is neither a key of base nor choose.from")
