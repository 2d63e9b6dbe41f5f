"""What must be true of a study's runs at one tier: the grid, the inputs that its runs read, and the choices."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lnbench import catalog
from lnbench.catalog.options import MayReadInput
from lnbench.data.label_files import sha256_of
from lnbench.errors import DataError, did_you_mean
from lnbench.identity import canonical_json
from lnbench.noise.entries import LabelsFile
from lnbench.spec.dotted import overlap
from lnbench.spec.levels import not_visited, repeated, word
from lnbench.spec.points import grid
from lnbench.spec.recipe import AnyRecipe, Recipe, Scalar, recipe_of
from lnbench.spec.rules.choices import ChoiceRules
from lnbench.spec.rules.findings import Findings
from lnbench.spec.study import Cell, InputRuns, Runs, Source
from lnbench.yamlfile.problems import problems_of
from lnbench.yamlfile.tree import Mapping, Position, position_of

MOST_CELLS = 5_000
MOST_RUNS = 100_000  # of a study at one tier, those between which a choice is made included
MOST_INPUTS = 50
MOST_BEHIND = 20_000  # recipes of runs that inputs are made of
MOST_LOOKS = 1_000_000  # of something at a cell: minutes


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
        self.small = True  # few enough cells and runs to be looked at one by one
        self.cells: list[Cell] = []
        self.sources: dict[str, Source] = {}
        self.trees: list[Mapping] = []  # of the cells' recipes, with their places in the file
        self._by_point: dict[frozenset[tuple[str, Scalar]], tuple[Cell, Mapping]] = {}
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
        ChoiceRules(self, runs).check()
        for place, models in self.without_parity.items():
            what = "precision: fast, but no parity study shows what it changes"
            self.error(place, f"{what}; use fp32 for {', '.join(sorted(models))}")
        return True

    # runs

    def _grid(self, runs: Runs) -> bool:
        """Fill `cells`. Return False where the grid itself is wrong."""
        self.small = self._small_enough(runs)
        if not self.small:
            return False
        whole = True
        for axis, levels in runs.vary.items():
            whole &= self._recipe_key(axis, self.at("runs", "vary", axis, key=True), "vary")
            for index in repeated(levels):
                self.error(self.at("runs", "vary", axis, index), f"vary: {axis} = {word(levels[index])} is given twice")
                whole = False
        for index, rule in enumerate(runs.set):
            whole &= self._set_rule(index, rule.at, runs)
        if not whole:
            return False
        for point, recipe_tree in grid(self.tree["runs"]):
            recipe = self.recipe(recipe_tree)
            if recipe is not None:
                self.cells.append(Cell(point, recipe))
                self.trees.append(recipe_tree)
                self.precision(recipe, recipe_tree, runs)
        return True

    def _small_enough(self, runs: Runs) -> bool:
        """Return whether the grid and its runs are few enough to be looked at one by one; report it where not."""
        size = math.prod(len(levels) for levels in runs.vary.values())
        chosen = len(runs.choose.from_) * runs.choose.seeds if runs.choose else 0
        shared = sum(about.seeds or 0 for about in runs.inputs.values())
        count = size * (runs.seeds.n + chosen) + shared
        rules = size * len(runs.set)
        if size > MOST_CELLS:
            self.error(self.at("runs", "vary"), f"vary: {size} cells; at most {MOST_CELLS} in one study")
        elif count > MOST_RUNS:
            self.error(self.at("runs", "seeds"), f"runs: {count} of them; at most {MOST_RUNS} in one study")
        elif len(runs.inputs) > MOST_INPUTS:
            self.error(self.at("runs", "inputs"), f"inputs: {len(runs.inputs)} of them; at most {MOST_INPUTS}")
        elif rules > MOST_LOOKS:
            self.error(self.at("runs", "set"), f"set: {len(runs.set)} rules for {size} cells; write fewer rules")
        else:
            return True
        return False

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
            whole &= self.point(self.at("runs", "set", index, "at", axis), axis, value, "set", runs)
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

    def recipe(self, tree: Mapping) -> AnyRecipe | None:
        """Return the recipe in a tree; None where it is wrong, which is reported at its place."""
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

    def precision(self, recipe: AnyRecipe, tree: Mapping, runs: Runs) -> None:
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

    def point(self, place: Position, axis: str, value: Any, where: str, runs: Runs) -> bool:
        """Return whether a value of an axis is visited; report it where not."""
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
        for cell, tree in zip(self.cells, self.trees, strict=True):
            self.reads(cell.recipe, tree, runs, (), cell.point)

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
            whole &= self.point(tree["at"].value_positions[axis], axis, value, "inputs", runs)
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

    def _at(self, point: dict[str, Scalar]) -> tuple[Cell, Mapping] | None:
        """Return the cell at a point, and its recipe's tree; None where the grid has none there."""
        if len(self._by_point) != len(self.cells):
            pairs = zip(self.cells, self.trees, strict=True)
            self._by_point = {frozenset(cell.point.items()): (cell, tree) for cell, tree in pairs}
        return self._by_point.get(frozenset(point.items()))

    def reads(
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
                self._fits(key, name, source, place, recipe, tree, point)
                if source.at is not None:
                    self._behind_at(name, source, place, recipe, runs, behind, point)
                elif source.seeds is None:
                    self._behind(name, source, tree, runs, behind, point)

    def _fits(
        self,
        key: str,
        name: str,
        source: Source,
        place: Position,
        recipe: Recipe,
        reader: Mapping,
        point: dict[str, Scalar],
    ) -> None:
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
        if wanted == "weights" and (giver := self._giver(source, reader, point)) is not None:
            given, wants = _networks(giver["method"]), _networks(reader["method"])
            if given != wants:
                what = f"start: {name} gives the weights of {given} networks, and the method here trains {wants}"
                self.error(place, f"{what}; use methods with equally many")
            for about, theirs, ours in (
                ("model", giver["model"], reader["model"]),
                ("data", giver["dataset"]["name"], reader["dataset"]["name"]),
            ):
                if theirs != ours:
                    what = f"start: {name} gives weights of the {about} {theirs}, and this run has the {about} {ours}"
                    self.error(place, f"{what}; start from runs of the same {about}")
        for change in source.of:
            if change != "dataset.only" and any(overlap(change, one) for one in fixed):
                what = f"inputs: {change} must stay the reader's, as {key} reads {name}; leave it out"
                self.error(source.of.key_positions[change], what)

    def _giver(self, source: Source, reader: Mapping, point: dict[str, Scalar]) -> Mapping | None:
        """Return the recipe of a run that an input of `reader` is made of; None where there is none, which is reported
        elsewhere."""
        if source.at is None:
            return source.trees(reader if source.seeds is None else source.base)[0]
        found = self._at({**point, **source.at})
        return None if found is None else found[1]

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
        if len(self._seen) >= MOST_BEHIND:
            self.error(self.at("runs", "inputs"), f"inputs: they need more than {MOST_BEHIND} recipes in one study")
            return
        for tree in source.trees(reader):
            recipe = self.recipe(tree)
            if isinstance(recipe, Recipe):
                self.precision(recipe, tree, runs)
                self.reads(recipe, tree, runs, (*behind, name), point)
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
        found = self._at(point)
        if found is None:
            where = ", ".join(f"{axis} = {word(value)}" for axis, value in point.items())
            self.error(place, f"inputs: {name} would be made of the run at {where}, and the grid has none there")
            return
        cell, tree = found
        recipe = cell.recipe
        assert isinstance(recipe, Recipe), "a grid is of one form"
        theirs, ours = ((one.dataset.model_dump(exclude={"only"}), one.noise.model_dump()) for one in (recipe, reader))
        if theirs != ours:
            self.error(place, f"inputs: {name} is made of a run on other data or with other noise than this one's")
        elif lacking := source.unmeasured(recipe):
            at = ", ".join(f"{axis} = {word(value)}" for axis, value in source.at.items())
            what = f"inputs: {name} is made of what the run at {at} measures; give that probes: [{', '.join(lacking)}]"
            self.error(place, what)
        self.reads(recipe, tree, runs, (*behind, name), point)
