"""What must be true of the inputs that a study's runs read: each is made of runs that can be trained, gives what its
reader asks for, and is made of nothing that reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from lnbench import catalog
from lnbench.catalog.options import MayReadInput
from lnbench.errors import did_you_mean
from lnbench.identity import canonical_json
from lnbench.spec.dotted import overlap
from lnbench.spec.levels import word
from lnbench.spec.recipe import AnyRecipe, Recipe, Scalar
from lnbench.spec.study import Cell, InputRuns, Runs, Source
from lnbench.yamlfile.problems import problems_of
from lnbench.yamlfile.tree import Mapping, Position, position_of

if TYPE_CHECKING:
    from lnbench.spec.rules.runs import RunRules

MOST_BEHIND = 20_000  # recipes of runs that inputs are made of
OF_EXAMPLES = ("kept", "trust", "selection", "predictions")  # what an input gives that is about each training example
# what a run needs of an input where its recipe names one, and what the input's runs may then not change
KEPT_FOR = {"dataset.only": ("kept", ("dataset", "noise")), "start": ("weights", ("dataset.name", "model"))}


@dataclass(frozen=True)
class Reader:
    """Who reads an input: the place of the grid that it is for in the end, and the inputs between, the nearest last."""

    point: dict[str, Scalar]
    behind: tuple[str, ...] = ()

    def after(self, name: str) -> Reader:
        """Return the run behind an input that this one reads."""
        return replace(self, behind=(*self.behind, name))


class InputRules:
    """Checks `runs.inputs` against the cells that the grid's rules have found, and fills `sources`."""

    def __init__(self, grid: RunRules, runs: Runs):
        self.grid, self.runs = grid, runs
        self.tree, self.at, self.error = grid.tree, grid.at, grid.error
        self.sources: dict[str, Source] = {}
        self._by_point: dict[frozenset[tuple[str, Scalar]], tuple[Cell, Mapping]] = {}
        self._seen: set[str] = set()  # inputs that were looked at, each with the recipe that reads it, and where

    def check(self) -> None:
        """Fill `sources`, and follow from every cell what its run reads, what the runs behind that read, and so on."""
        for name, about in self.runs.inputs.items():
            source = self._source(name, about)
            if source is not None:
                self.sources[name] = source
        for name, source in self.sources.items():
            if source.seeds is not None:
                self._behind(name, source, source.base, Reader({}))
        for cell, tree in zip(self.grid.cells, self.grid.trees, strict=True):
            self.reads(cell.recipe, tree, Reader(cell.point))

    def _source(self, name: str, about: InputRuns) -> Source | None:
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
                self.grid.findings.add_all(problems_of(error, given, self.grid.findings.path, options), self.grid.tier)
                whole = False
        of = tree["of"] if about.of is not None else Mapping(tree.position)
        for key in of:
            whole &= self.grid.recipe_key(key, of.key_positions[key], "inputs")
        for axis, value in (about.at or {}).items():
            whole &= self.grid.point(tree["at"].value_positions[axis], axis, value, "inputs", self.runs)
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
            whole &= self._at_grid(kind, tree)
        source = Source(kind, about.options, of, self.tree["runs"]["base"], about.seeds, about.at)
        return source if whole else None

    def _at_grid(self, kind: str, tree: Mapping) -> bool:
        """Return whether an input of this kind can be made of a run of the grid."""
        place, what = tree.key_positions["at"], ""
        lacking = [stream for stream in ("split", "noise") if stream not in self.runs.seeds.pair]
        if catalog.find("input", kind).value.each != ({},):
            what = f"{kind} is made of several runs of its own; write `of`"
        elif self.runs.choose is not None:
            what = "a run of the grid waits for its choice here; write `of`"
        elif lacking:
            what = "the run there must have the images and labels of who reads it"
            what = f"{what}; add {' and '.join(lacking)} to seeds.pair"
        if what:
            self.error(place, f"inputs: {what}")
        return not what

    def _at(self, point: dict[str, Scalar]) -> tuple[Cell, Mapping] | None:
        """Return the cell at a point, and its recipe's tree; None where the grid has none there."""
        if len(self._by_point) != len(self.grid.cells):
            pairs = zip(self.grid.cells, self.grid.trees, strict=True)
            self._by_point = {frozenset(cell.point.items()): (cell, tree) for cell, tree in pairs}
        return self._by_point.get(frozenset(point.items()))

    def reads(self, recipe: AnyRecipe, tree: Mapping, reader: Reader) -> None:
        """Check the inputs that a run reads, whose recipe this is, as the tree has it."""
        if not isinstance(recipe, Recipe):
            return
        for key, name in recipe.reads:
            place = position_of(tree, key.split("."))
            if name not in self.runs.inputs:
                hint = f"; {did_you_mean(name, self.runs.inputs)}" if self.runs.inputs else ""
                what = (
                    f"a run of this grid needs the input {name}; name under runs.inputs the runs that it is made from"
                )
                self.error(place, what if key == "noise" else f"{key}: no input '{name}' in runs.inputs{hint}")
            elif name in reader.behind:
                circle = " <- ".join([*reader.behind[reader.behind.index(name) :], name])
                self.error(place, f"inputs: {name} would be made of runs that read it ({circle}); break the circle")
            elif name in self.sources:
                source = self.sources[name]
                self._gives(key, name, source, place, recipe)
                if key == "start":
                    self._starts(name, source, place, tree, reader.point)
                if source.at is not None:
                    self._behind_at(name, source, place, recipe, reader)
                elif source.seeds is None:
                    self._behind(name, source, tree, reader)

    def _gives(self, key: str, name: str, source: Source, place: Position, recipe: Recipe) -> None:
        """Check that an input gives what a key of a recipe asks for, of the reader's own images where it must be."""
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
        for change in source.of:
            if change != "dataset.only" and any(overlap(change, one) for one in fixed):
                what = f"inputs: {change} must stay the reader's, as {key} reads {name}; leave it out"
                self.error(source.of.key_positions[change], what)

    def _starts(self, name: str, source: Source, place: Position, tree: Mapping, point: dict[str, Scalar]) -> None:
        """Check that the weights that an input gives are of a network like the reader's, whose recipe is `tree`."""
        giver = self._giver(source, tree, point)
        if giver is None:
            return
        given, wants = _networks(giver["method"]), _networks(tree["method"])
        if given != wants:
            what = f"start: {name} gives the weights of {given} networks, and the method here trains {wants}"
            self.error(place, f"{what}; use methods with equally many")
        for about, theirs, ours in (
            ("model", giver["model"], tree["model"]),
            ("data", giver["dataset"]["name"], tree["dataset"]["name"]),
        ):
            if theirs != ours:
                what = f"start: {name} gives weights of the {about} {theirs}, and this run has the {about} {ours}"
                self.error(place, f"{what}; start from runs of the same {about}")

    def _giver(self, source: Source, reader: Mapping, point: dict[str, Scalar]) -> Mapping | None:
        """Return the recipe of a run that an input of `reader` is made of; None where there is none, which is reported
        elsewhere."""
        if source.at is None:
            return source.trees(reader if source.seeds is None else source.base)[0]
        found = self._at({**point, **source.at})
        return None if found is None else found[1]

    def _behind(self, name: str, source: Source, tree: Mapping, reader: Reader) -> None:
        """Check the recipes of the runs that an input is made of, and what these read. `tree`: the reader's recipe."""
        about = canonical_json([name, tree, reader.point])
        if about in self._seen:
            return
        if len(self._seen) >= MOST_BEHIND:
            self.error(self.at("runs", "inputs"), f"inputs: they need more than {MOST_BEHIND} recipes in one study")
            return
        for own in source.trees(tree):
            recipe = self.grid.recipe(own)
            if isinstance(recipe, Recipe):
                self.grid.precision(recipe, own, self.runs)
                self.reads(recipe, own, reader.after(name))
        self._seen.add(about)

    def _behind_at(self, name: str, source: Source, place: Position, own: Recipe, reader: Reader) -> None:
        """Check that the run of the grid that an input is made of trains on what its reader does (`own`: the
        reader's recipe), measures what the input needs, and what it reads itself."""
        assert source.at is not None, "only for an input at a place of the grid"
        point = {**reader.point, **source.at}
        found = self._at(point)
        if found is None:
            where = ", ".join(f"{axis} = {word(value)}" for axis, value in point.items())
            self.error(place, f"inputs: {name} would be made of the run at {where}, and the grid has none there")
            return
        cell, tree = found
        recipe = cell.recipe
        assert isinstance(recipe, Recipe), "a grid is of one form"
        theirs, ours = ((one.dataset.model_dump(exclude={"only"}), one.noise.model_dump()) for one in (recipe, own))
        if theirs != ours:
            self.error(place, f"inputs: {name} is made of a run on other data or with other noise than this one's")
        elif lacking := source.unmeasured(recipe):
            at = ", ".join(f"{axis} = {word(value)}" for axis, value in source.at.items())
            what = f"inputs: {name} is made of what the run at {at} measures; give that probes: [{', '.join(lacking)}]"
            self.error(place, what)
        self.reads(recipe, tree, Reader(point, (*reader.behind, name)))


def _networks(method: Any) -> int | None:
    """Return how many networks a method trains, as a file names it; None for one that is not known."""
    name = method.get("kind") if isinstance(method, dict) else method
    known = catalog.entries()["method"]
    return known[name].networks if isinstance(name, str) and name in known else None
