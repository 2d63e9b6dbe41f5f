"""What must be true of a study's runs at one tier: the grid here, the inputs that its runs read (inputs.py), and the
choices (choices.py)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lnbench import catalog
from lnbench.data.label_files import sha256_of
from lnbench.errors import DataError, did_you_mean
from lnbench.noise.entries import LabelsFile
from lnbench.spec.dotted import overlap
from lnbench.spec.levels import not_visited, repeated, word
from lnbench.spec.points import grid
from lnbench.spec.recipe import AnyRecipe, Recipe, Scalar, recipe_of
from lnbench.spec.rules.choices import ChoiceRules
from lnbench.spec.rules.findings import Findings
from lnbench.spec.rules.inputs import InputRules
from lnbench.spec.study import Cell, Runs, Source
from lnbench.yamlfile.problems import problems_of
from lnbench.yamlfile.tree import Mapping, Position, position_of

MOST_CELLS = 5_000
MOST_RUNS = 100_000  # of a study at one tier, those between which a choice is made included
MOST_INPUTS = 50
MOST_LOOKS = 1_000_000  # of something at a cell: minutes


DEEPEST_KEY = 5  # dots in a recipe's key, such as optimizer.lr


class RunRules:
    """Checks `runs` and the alternatives of `choices`, and fills `cells` and `sources` where they are right."""

    def __init__(self, tree: Mapping, tier: str, findings: Findings):
        self.tree, self.tier, self.findings = tree, tier, findings
        self.small = True  # few enough cells and runs to be looked at one by one
        self.cells: list[Cell] = []
        self.sources: dict[str, Source] = {}
        self.trees: list[Mapping] = []  # of the cells' recipes, with their places in the file
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
        inputs = InputRules(self, runs)
        inputs.check()
        self.sources = inputs.sources
        ChoiceRules(self, runs, inputs).check()
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
            whole &= self.recipe_key(axis, self.at("runs", "vary", axis, key=True), "vary")
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

    def recipe_key(self, key: str, place: Position, where: str) -> bool:
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
            whole &= self.recipe_key(key, place, "set")
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
