"""What must be true of a study's runs at one tier: the grid, the inputs that its runs read, and the choices."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lnbench import catalog
from lnbench.catalog.options import ExperimentRecipe, MayReadInput
from lnbench.data.label_files import sha256_of
from lnbench.errors import DataError, did_you_mean
from lnbench.identity import canonical_json
from lnbench.noise.entries import LabelsFile
from lnbench.spec.dotted import leaves, overlap, put_at, value_at
from lnbench.spec.levels import is_number, not_visited, same, word
from lnbench.spec.points import grid
from lnbench.spec.recipe import AnyRecipe, Recipe, Scalar, recipe_of
from lnbench.spec.rules.findings import Findings
from lnbench.spec.study import Cell, Choose, InputRuns, Runs, ShareOfEpochs, Source, StudySpec
from lnbench.spec.variants import ARM
from lnbench.yamlfile.problems import problems_of
from lnbench.yamlfile.tree import Mapping, Position, block, items, position_of

MOST_CELLS = 5_000


OF_EXAMPLES = ("kept", "trust", "selection", "predictions")  # what an input gives that is about each training example


DEEPEST_KEY = 5  # dots in a recipe's key, such as optimizer.lr


# what a run needs of an input where its recipe names one, and what the input's runs may then not change
KEPT_FOR = {"dataset.only": ("kept", ("dataset", "noise")), "start": ("weights", ("dataset.name", "model"))}


def _networks(method: Any) -> int | None:
    """Return how many networks a method trains, as a file names it; None for one that is not known."""
    name = method.get("kind") if isinstance(method, dict) else method
    known = catalog.entries()["method"]
    return known[name].networks if isinstance(name, str) and name in known else None


class RunRules:
    """Checks `runs` and the alternatives of `choices`, and fills `cells` and `sources` where they are right."""

    def __init__(self, tree: Mapping, tier: str, findings: Findings):
        self.tree, self.tier, self.findings = tree, tier, findings
        self.cells: list[Cell] = []
        self.sources: dict[str, Source] = {}
        self._trees: list[Mapping] = []  # of the cells' recipes, with their places in the file
        self._seen: set[str] = set()  # inputs that were looked at, each with the recipe that reads it, and where
        self.label_files: dict[str, str] = {}  # sha256 -> path, of the label files that recipes name
        self._digests: dict[str, str] = {}  # path of such a file, where it is there -> its sha256
        self.without_parity: dict[Position, set[str]] = {}  # where `fast` stands -> the networks that may not have it

    def error(self, place: Position, what: str) -> None:
        self.findings.add(place, what, self.tier)

    def at(self, *path: str | int, key: bool = False) -> Position:
        return position_of(self.tree, path, key=key)

    def check(self, runs: Runs) -> bool:
        """Check all of it. Return False where the grid is wrong, so that nothing can be said about its points."""
        if not self._grid(runs):
            return False
        self._inputs(runs)
        for place, models in self.without_parity.items():
            what = "precision: fast, but no parity study shows what it changes"
            self.error(place, f"{what}; use fp32 for {', '.join(sorted(models))}")
        if runs.choose is not None:
            self._choose(runs, runs.choose)
        self._choices(runs)
        return True

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
        """Fill `cells`. Return False where the grid itself is wrong."""
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
                self._trees.append(recipe_tree)
                self._precision(recipe, recipe_tree, runs)
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
                names_it = key == axis and axis in at  # says what the axis's value is short for, as for an arm
                if overlap(key, axis) and not names_it:
                    what = f"set: '{key}' would undo the axis {axis} of vary"
                    hint = f"; to say what a value of {axis} stands for, name it in `at`" if key == axis else ""
                    self.error(place, what + hint)
            if runs.choose is not None and overlap(key, runs.choose.key):
                self.error(place, f"set: '{key}' would be undone by choose, which sets {runs.choose.key}")
        return whole

    def _recipe(self, tree: Mapping) -> AnyRecipe | None:
        try:
            recipe = recipe_of(tree)
        except ValidationError as error:
            self.findings.add_all(problems_of(error, tree, self.findings.path, AnyRecipe), self.tier)
            return None
        self._label_file(recipe, tree)
        return recipe

    def _label_file(self, recipe: AnyRecipe, tree: Mapping) -> None:
        """Check that a recipe says which label file it reads, by the sha256 that the file has. A file that is not there
        is no error here: who judges needs no labels."""
        noise = getattr(recipe, "noise", None)
        if not isinstance(noise, LabelsFile):
            return
        path = None if noise.path is None else str(self.findings.path.absolute().parent / Path(noise.path).expanduser())
        try:
            real = self._digest(path)
        except DataError as error:
            self.error(position_of(tree, ["noise", "path"]), f"path: {error}")
            return
        if noise.sha256 is None:
            known = f"it is {real}" if real else f"there is no file {path} to take it from" if path else "and its path"
            self.error(position_of(tree, ["noise"]), f"labels_file: write the file's sha256; {known}")
        elif real is not None and real != noise.sha256:
            what = f"sha256: that of {noise.path} is {real}; write this one if these are the labels meant"
            self.error(position_of(tree, ["noise", "sha256"]), what)
        elif path is not None:
            self.label_files.setdefault(noise.sha256, path)

    def _digest(self, path: str | None) -> str | None:
        """Return the sha256 of a file; None where it is not there. Raises DataError."""
        if path is not None and path not in self._digests and Path(path).exists():
            self._digests[path] = sha256_of(Path(path))
        return None if path is None else self._digests.get(path)

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
        """Fill `sources`, and follow from every cell what its run reads, what the runs behind that read, and so on."""
        for name, about in runs.inputs.items():
            source = self._source(name, about, runs)
            if source is not None:
                self.sources[name] = source
        for name, source in self.sources.items():
            if source.seeds is not None:
                self._behind(name, source, source.base, runs, (), {})
        for cell, tree in zip(self.cells, self._trees, strict=True):
            self._reads(cell.recipe, tree, runs, (), cell.point)

    def _source(self, name: str, about: InputRuns, runs: Runs) -> Source | None:
        """Return one input by itself: its kind, the kind's options, and the keys that its runs change; None where it is
        wrong."""
        known, kind, whole = catalog.names("input"), about.kind or name, True
        if kind not in known:
            place = self.at("runs", "inputs", name, "kind") if about.kind else self.at("runs", "inputs", name, key=True)
            self.error(place, f"inputs: '{kind}' is not known; {did_you_mean(kind, known)}")
            return None
        tree = self.tree["runs"]["inputs"][name]
        options = catalog.find("input", kind).options
        if options is None:
            for key in about.options:
                what = f"inputs: {kind} has no option '{key}'; {did_you_mean(key, InputRuns.model_fields)}"
                self.error(tree.key_positions[key], what)
                whole = False
        else:
            given = tree.without("of", "at", "seeds", "per", "kind")
            given.put("kind", kind, tree.position, tree.position)
            try:
                options.model_validate(given)
            except ValidationError as error:
                self.findings.add_all(problems_of(error, given, self.findings.path, options), self.tier)
                whole = False
        of = tree["of"] if about.of is not None else Mapping(tree.position)
        for key in of:
            whole &= self._recipe_key(key, of.key_positions[key], "inputs")
        for axis, value in (about.at or {}).items():
            whole &= self._point(tree["at"].value_positions[axis], axis, value, "inputs", runs)
        about_kind = catalog.find("input", kind).value
        for key in dict.fromkeys(key for each in about_kind.each for key in each):
            head, _, rest = key.partition(".")
            if rest and head in of and not (isinstance(of[head], Mapping) and rest in of[head]):
                what = f"inputs: {kind} is made of runs that differ in {key}; give them a {head} with the option {rest}"
                self.error(of.value_positions[head], what)
                whole = False
        if about.seeds is not None and about_kind.each != ({},):
            self.error(tree.key_positions["seeds"], f"inputs: {kind} is made for each run that reads it; `per: seed`")
            whole = False
        if about.at is not None:
            whole &= self._at_grid(kind, tree, runs)
        source = Source(kind, about.options, of, self.tree["runs"]["base"], about.seeds, about.at)
        return source if whole else None

    def _at_grid(self, kind: str, tree: Mapping, runs: Runs) -> bool:
        """Return whether an input of this kind can be made of a run of the grid."""
        place, what = tree.key_positions["at"], ""
        lacking = [stream for stream in ("split", "noise") if stream not in runs.seeds.pair]
        if catalog.find("input", kind).value.each != ({},):
            what = f"{kind} is made of several runs of its own; write `of`"
        elif runs.choose is not None:
            what = "a run of the grid waits for its choice here; write `of`"
        elif lacking:
            what = "the run there must have the images and labels of who reads it"
            what = f"{what}; add {' and '.join(lacking)} to seeds.pair"
        if what:
            self.error(place, f"inputs: {what}")
        return not what

    def _reads(
        self, recipe: AnyRecipe, tree: Mapping, runs: Runs, behind: tuple[str, ...], point: dict[str, Scalar]
    ) -> None:
        """Check the inputs that a run reads. `behind`: the inputs that the run itself is for, the nearest last;
        `point`: the place of the grid that reads the first of them."""
        if not isinstance(recipe, Recipe):
            return
        for key, name in recipe.reads:
            place = position_of(tree, key.split("."))
            if name not in runs.inputs:
                hint = f"; {did_you_mean(name, runs.inputs)}" if runs.inputs else ""
                what = (
                    f"a run of this grid needs the input {name}; name under runs.inputs the runs that it is made from"
                )
                self.error(place, what if key == "noise" else f"{key}: no input '{name}' in runs.inputs{hint}")
            elif name in behind:
                circle = " <- ".join([*behind[behind.index(name) :], name])
                self.error(place, f"inputs: {name} would be made of runs that read it ({circle}); break the circle")
            elif name in self.sources:
                source = self.sources[name]
                self._fits(key, name, source, place, recipe, tree)
                if source.at is not None:
                    self._behind_at(name, source, place, recipe, runs, behind, point)
                elif source.seeds is None:
                    self._behind(name, source, tree, runs, behind, point)

    def _fits(self, key: str, name: str, source: Source, place: Position, recipe: Recipe, reader: Mapping) -> None:
        """Check that an input gives what a key of the recipe `reader` asks for."""
        if key == "method" and isinstance(recipe.method, MayReadInput):
            wanted, fixed = recipe.method.gives, ("dataset", "noise")
        elif key in KEPT_FOR:
            wanted, fixed = KEPT_FOR[key]
        else:
            return
        if catalog.find("input", source.kind).value.gives != wanted:
            kinds = [kind for kind in catalog.names("input") if catalog.find("input", kind).value.gives == wanted]
            self.error(place, f"{key}: the input {name} ({source.kind}) gives no {wanted}; use {' or '.join(kinds)}")
        elif wanted in OF_EXAMPLES and source.seeds is not None:
            what = f"{key}: a run must have an input of its own here, on the same images; give {name} `per: seed`"
            self.error(place, what)
        elif source.seeds is not None and source.seeds > 1:
            self.error(place, f"{key}: {name} is made from {source.seeds} runs; give it `seeds: 1` or `per: seed`")
        if wanted == "weights":
            before = source.of.get("method", (reader if source.seeds is None else source.base)["method"])
            given, wants = _networks(before), _networks(reader["method"])
            if given != wants:
                what = f"start: {name} gives the weights of {given} networks, and the method here trains {wants}"
                self.error(place, f"{what}; use methods with equally many")
        for change in source.of:
            if change != "dataset.only" and any(overlap(change, one) for one in fixed):
                what = f"inputs: {change} must stay the reader's, as {key} reads {name}; leave it out"
                self.error(source.of.key_positions[change], what)

    def _behind(
        self,
        name: str,
        source: Source,
        reader: Mapping,
        runs: Runs,
        behind: tuple[str, ...],
        point: dict[str, Scalar],
    ) -> None:
        """Check the recipes of the runs that an input is made of, and what these read."""
        about = canonical_json([name, reader, point])
        if about in self._seen:
            return
        for tree in source.trees(reader):
            recipe = self._recipe(tree)
            if isinstance(recipe, Recipe):
                self._precision(recipe, tree, runs)
                self._reads(recipe, tree, runs, (*behind, name), point)
        self._seen.add(about)

    def _behind_at(
        self,
        name: str,
        source: Source,
        place: Position,
        reader: Recipe,
        runs: Runs,
        behind: tuple[str, ...],
        point: dict[str, Scalar],
    ) -> None:
        """Check that the run of the grid that an input is made of trains on what its reader does, measures what the
        input needs, and what it reads itself."""
        assert source.at is not None, "only for an input at a place of the grid"
        point = {**point, **source.at}
        found = [pair for pair in zip(self.cells, self._trees, strict=True) if pair[0].point == point]
        if not found:
            where = ", ".join(f"{axis} = {word(value)}" for axis, value in point.items())
            self.error(place, f"inputs: {name} would be made of the run at {where}, and the grid has none there")
            return
        ((cell, tree),) = found
        recipe = cell.recipe
        assert isinstance(recipe, Recipe), "a grid is of one form"
        theirs, ours = ((one.dataset.model_dump(exclude={"only"}), one.noise.model_dump()) for one in (recipe, reader))
        if theirs != ours:
            self.error(place, f"inputs: {name} is made of a run on other data or with other noise than this one's")
        elif lacking := source.unmeasured(recipe):
            at = ", ".join(f"{axis} = {word(value)}" for axis, value in source.at.items())
            what = f"inputs: {name} is made of what the run at {at} measures; give that probes: [{', '.join(lacking)}]"
            self.error(place, what)
        self._reads(recipe, tree, runs, (*behind, name), point)

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
        recipes = [cell.recipe for cell in self.cells if isinstance(cell.recipe, Recipe)]
        schedules = [recipe.schedule for recipe in recipes]
        moves = [recipe for recipe in recipes if getattr(recipe.optimizer, "rho_schedule", None) is not None]
        for axis, level in (choose.epochs.at if choose.epochs else {}).items():
            self._point(self.at("runs", "choose", "epochs", "at", axis), axis, level, "choose", runs)
        if choose.epochs is not None and any(getattr(one, "kind", "") != "constant" for one in schedules):
            what = "choose: fewer epochs would cut the schedule short; leave `epochs` out, or keep the rate constant"
            self.error(self.at("runs", "choose", "epochs"), what)
        elif choose.epochs is not None and moves:
            what = "choose: fewer epochs would cut the rho_schedule short; leave `epochs` out, or keep rho constant"
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
                if key in block(choice, "void"):
                    self.error(place, f"try: '{key}' is void (`void` says why it is not run); it cannot be tried too")
                value_place = self.at("choices", index, "try", key)
                self._try(key, choice["try"][key], place, value_place, runs)

    def _try(self, key: str, value: Any, place: Position, value_place: Position, runs: Runs) -> None:
        """Check that an alternative gives recipes: a value, `{times: 2}`, for choose.from a list of candidates, or for
        arm which arms stand in for which."""
        base = self.tree["runs"]["base"]
        if key == ARM and ARM in runs.vary:
            self._try_arms(value, value_place, runs)
            return
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

    def _try_arms(self, value: Any, place: Position, runs: Runs) -> None:
        """Check that an alternative to some arms names arms that are visited, each beside another one."""
        if not isinstance(value, Mapping) or not value:
            self.error(place, "try: arm takes {ARM: the arm that is trained in its place}")
            return
        for arm, other in value.items():
            for where, name in ((value.key_positions[arm], arm), (value.value_positions[arm], other)):
                self._point(where, ARM, name, "try", runs)
            if arm == other:
                self.error(value.value_positions[arm], f"try: arm {arm} cannot stand in for itself")
