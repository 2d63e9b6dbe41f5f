"""What must be true of a hyper-parameter that is chosen, and of the alternatives to open choices: each gives recipes
that can be trained, at every cell of the grid where it changes something."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from lnbench.catalog.options import ExperimentRecipe
from lnbench.errors import did_you_mean
from lnbench.identity import canonical_json
from lnbench.spec.dotted import leaves, overlap, put_at, value_at
from lnbench.spec.levels import is_number, repeated, word
from lnbench.spec.recipe import Recipe, Scalar
from lnbench.spec.rules.inputs import Reader
from lnbench.spec.study import Cell, Choose, Runs, ShareOfEpochs
from lnbench.spec.variants import ARM, alternative
from lnbench.yamlfile.tree import Mapping, Position, block, items

if TYPE_CHECKING:
    from lnbench.spec.rules.inputs import InputRules
    from lnbench.spec.rules.runs import RunRules

Places = Callable[[int], Position]  # where a file says the candidate of that number

MOST_CANDIDATES = 100  # of one choice

# keys that cannot be chosen, as they change nothing that a network learns by -> what they do
NOT_LEARNT = {
    "selection": "says what is measured",
    "dataset": "says what is measured",
    "probes": "says what is measured",
    "arm": "only names a place of the grid",
    "repeat": "only asks for the same training again",
    "start": "names the runs that it builds on",
}


class ChoiceRules:
    """Checks `runs.choose` and the alternatives of `choices` against the cells that the grid's rules have found."""

    def __init__(self, grid: RunRules, runs: Runs, inputs: InputRules):
        self.grid, self.runs, self.inputs = grid, runs, inputs
        self.tree, self.at, self.error = grid.tree, grid.at, grid.error
        self.base: Mapping = grid.tree["runs"]["base"]

    def check(self) -> None:
        if self.runs.choose is not None:
            self._choose(self.runs.choose)
        self._choices()

    # one that is chosen

    def _choose(self, choose: Choose) -> None:
        for index, axis in enumerate(choose.per):
            if axis not in self.runs.vary:
                hint = did_you_mean(axis, self.runs.vary)
                self.error(self.at("runs", "choose", "per", index), f"choose: no axis '{axis}' in vary; {hint}")
        if any(isinstance(cell.recipe, ExperimentRecipe) for cell in self.grid.cells):
            self.error(self.at("runs", "choose", key=True), "choose: an experiment holds no images out to choose by")
            return
        enough = self._held_out(choose)
        whole = self._shortened(choose.epochs, self.at("runs", "choose", "epochs"), "choose")
        for axis, level in (choose.epochs.at if choose.epochs else {}).items():
            self.grid.point(self.at("runs", "choose", "epochs", "at", axis), axis, level, "choose", self.runs)
        place = self.at("runs", "choose", "key")
        if choose.key not in leaves(self.base):
            what = f"choose: '{choose.key[:60]}' is not a key of base that holds a value"
            self.error(place, f"{what}; {did_you_mean(choose.key, leaves(self.base))}")
            return
        for key, why in NOT_LEARNT.items():
            if overlap(choose.key, key):
                self.error(place, f"choose: {choose.key} {why}; choose what a network learns by")
                return
        if any(overlap(choose.key, axis) for axis in self.runs.vary):
            self.error(place, f"choose: {choose.key} is an axis of vary already")

        def places(index: int) -> Position:
            return self.at("runs", "choose", "from", index)

        if self._apart(choose.from_, places, "choose") and enough and whole:
            self._candidates(choose, choose.from_, places, self.at("runs", "choose", "epochs"))

    def _held_out(self, choose: Choose) -> bool:
        """Return whether the validation images leave every cell at least one batch of clean images to train on."""
        place, enough = self.at("runs", "choose", "validation"), True
        recipes = [cell.recipe for cell in self.grid.cells if isinstance(cell.recipe, Recipe)]
        for have, clean, batch in {(r.dataset.source.train, r.dataset.clean, r.batch_size) for r in recipes}:
            left = clean - choose.out_of_clean(have, clean)
            what = f"choose: {choose.validation} validation images leave {max(left, 0) or 'none'} of {clean}"
            if left <= 0:
                self.error(place, f"{what} to train on")
            elif left < batch:
                self.error(place, f"{what}, less than one batch of {batch}")
            enough &= left >= batch
        return enough

    def _shortened(self, epochs: ShareOfEpochs | None, place: Position, where: str) -> bool:
        """Return whether the choosing runs may train for fewer epochs: nothing of theirs moves with the epochs."""
        if epochs is None:
            return True
        recipes = [cell.recipe for cell in self.grid.cells if isinstance(cell.recipe, Recipe)]
        if any(getattr(recipe.schedule, "kind", "") != "constant" for recipe in recipes):
            cut, kept = "schedule", "the rate"
        elif any(getattr(recipe.optimizer, "rho_schedule", None) is not None for recipe in recipes):
            cut, kept = "rho_schedule", "rho"
        else:
            return True
        what = f"{where}: fewer epochs would cut the {cut} short; leave `epochs` out, or keep {kept} constant"
        self.error(place, what)
        return False

    def _apart(self, values: Sequence[Scalar], places: Places, where: str) -> bool:
        """Return whether candidates are few and differ; report it where not."""
        if len(values) > MOST_CANDIDATES:
            self.error(places(0), f"{where}: {len(values)} candidates; at most {MOST_CANDIDATES}")
            return False
        twice = list(repeated(values))
        for index in twice:
            self.error(places(index), f"{where}: {word(values[index])} is given twice")
        return not twice

    def _candidates(self, choose: Choose, values: Sequence[Scalar], places: Places, shorter: Position) -> None:
        """Check the choosing runs of each candidate. `shorter`: where the file says for how many epochs these train."""
        fits = [
            self.grid.recipe(put_at(self.base, choose.key, value, places(index), places(index))) is not None
            for index, value in enumerate(values)
        ]
        seen: set[str] = set()
        for cell, tree in zip(self.grid.cells, self.grid.trees, strict=True):
            about = canonical_json(cell.recipe.identity())
            if all(fits) and about not in seen and _has(cell.recipe.identity(), choose.key):
                seen.add(about)
                for index, value in enumerate(values):
                    self._candidate(choose, cell, tree, value, places(index), shorter)

    def _candidate(
        self, choose: Choose, cell: Cell, tree: Mapping, value: Scalar, place: Position, shorter: Position
    ) -> None:
        assert isinstance(cell.recipe, Recipe), "only trainings hold images out"
        recipe, out = cell.recipe, self.at("runs", "choose", "validation")
        clean = recipe.dataset.clean - choose.out_of_clean(recipe.dataset.source.train, recipe.dataset.clean)
        tree = put_at(tree, choose.key, value, place, place)
        tree = put_at(tree, "dataset.clean", clean, out, out)
        tree = put_at(tree, "dataset.validation", choose.validation, out, out)
        tree = put_at(tree, "selection", "last_epoch", place, place)
        if choose.epochs is not None:
            epochs = choose.epochs.of(int(value_at(tree, "epochs")), cell.point)
            tree = put_at(tree, "epochs", epochs, shorter, shorter)
        changed = self.grid.recipe(tree)
        if isinstance(changed, Recipe) and changed.needs != recipe.needs:
            what = f"choose: with {choose.key} = {word(value)} a run reads other inputs; choose among runs that read"
            self.error(place, f"{what} the same")
        else:
            self._trainable(changed, tree, cell)

    def _trainable(self, recipe: Any, tree: Mapping, cell: Cell) -> None:
        """Check what a recipe asks for beside its own form: its precision, and the inputs that it reads."""
        if isinstance(recipe, Recipe):
            self.grid.precision(recipe, tree, self.runs)
            self.inputs.reads(recipe, tree, Reader(cell.point))

    # alternatives

    def _choices(self) -> None:
        tried: set[str] = set()
        for index, choice in enumerate(items(self.tree, "choices")):
            for key in block(choice, "try"):
                place = self.at("choices", index, "try", key, key=True)
                if key in tried:
                    self.error(place, f"try: '{key}' is tried by an earlier choice too; name it once")
                tried.add(key)
                if key in block(choice, "void"):
                    self.error(place, f"try: '{key}' is void (`void` says why it is not run); it cannot be tried too")
                self._try(key, choice["try"][key], place, self.at("choices", index, "try", key))

    def _try(self, key: str, value: Any, place: Position, value_place: Position) -> None:
        """Check that an alternative gives recipes: a value, `{times: 2}`, for choose.from a list of candidates, or for
        arm which arms stand in for which."""
        choose = self.runs.choose
        if key == ARM and ARM in self.runs.vary:
            self._try_arms(value, value_place)
        elif key == ARM:
            self.error(place, "try: the grid has no axis arm, so no arm is trained in place of another")
        elif key == "choose.epochs":
            self._try_epochs(value, value_place)
        elif key == "choose.from":
            self._try_candidates(value, value_place)
        elif not _has(self.base, key):
            known = [*leaves(self.base), "choose.from", "choose.epochs"]
            hint = did_you_mean(key, known)
            what = f"try: '{key[:60]}' is neither a key of base nor choose.from or choose.epochs; {hint}"
            self.error(place, what)
        elif choose is not None and overlap(key, choose.key) and choose.key in leaves(self.base):
            what = f"try: '{key}' would be undone by choose, which sets {choose.key}"
            self.error(place, f"{what}; try other candidates: `choose.from: [...]`")
        elif axis := next((axis for axis in self.runs.vary if overlap(key, axis)), None):
            self.error(place, f"try: '{key}' would undo the axis {axis} of vary")
        else:
            self._try_value(key, value, place, value_place)

    def _try_value(self, key: str, value: Any, place: Position, value_place: Position) -> None:
        """Check an alternative to one value, in base and at every cell that has the key."""
        before: Any = value_at(self.base, key)
        if isinstance(value, dict):
            times: Any = value.get("times")
            if set(value) != {"times"} or not (is_number(times) and is_number(before)) or times <= 0:
                self.error(value_place, "try: takes a value, or {times: a number above 0} for a number")
                return
        if self.grid.recipe(put_at(self.base, key, alternative(before, value), place, value_place)) is None:
            return
        seen: set[str] = set()
        for cell, tree in zip(self.grid.cells, self.grid.trees, strict=True):
            plain = cell.recipe.model_dump(mode="json")
            about = canonical_json({**plain, ARM: None})
            if about in seen or not _has(plain, key):
                continue
            seen.add(about)
            here = value_at(plain, key)
            if isinstance(value, dict) and not is_number(here):
                what = f"try: takes {{times: …}} for a number, and {key} is {word(here)} at {_words(cell)}"
                self.error(value_place, f"{what}; give a value")
                return
            changed = put_at(tree, key, alternative(here, value), place, value_place)
            self._trainable(self.grid.recipe(changed), changed, cell)
        if self.grid.cells and not seen:
            self.error(place, f"try: no run of this grid has {key}, so it changes nothing")

    def _try_candidates(self, value: Any, place: Position) -> None:
        choose = self.runs.choose
        if not isinstance(value, list) or not value or any(isinstance(one, list | dict) for one in value):
            self.error(place, "try: choose.from takes a list of values")
            return

        def places(index: int) -> Position:
            return value.item_positions[index] if hasattr(value, "item_positions") else place

        if self._apart(value, places, "try") and choose is not None and choose.key in leaves(self.base):
            self._candidates(choose, value, places, self.at("runs", "choose", "epochs"))

    def _try_epochs(self, value: Any, place: Position) -> None:
        try:
            epochs = ShareOfEpochs.model_validate(value)
        except ValidationError:
            self.error(place, "try: choose.epochs takes {times: a number above 0, at most 1}")
            return
        choose = self.runs.choose
        whole = all([self.grid.point(place, axis, level, "try", self.runs) for axis, level in epochs.at.items()])
        if choose is None or choose.epochs is None or choose.key not in leaves(self.base) or not whole:
            return  # no run of this tier changes with it
        if self._shortened(epochs, place, "try"):
            shorter = choose.model_copy(update={"epochs": epochs})
            self._candidates(shorter, choose.from_, lambda index: self.at("runs", "choose", "from", index), place)

    def _try_arms(self, value: Any, place: Position) -> None:
        """Check that an alternative to some arms names arms that are visited, each beside another one."""
        if not isinstance(value, Mapping) or not value:
            self.error(place, "try: arm takes {ARM: the arm that is trained in its place}")
            return
        for arm, other in value.items():
            for where, name in ((value.key_positions[arm], arm), (value.value_positions[arm], other)):
                self.grid.point(where, ARM, name, "try", self.runs)
            if arm == other:
                self.error(value.value_positions[arm], f"try: arm {arm} cannot stand in for itself")


def _has(tree: Any, key: str) -> bool:
    try:
        value_at(tree, key)
    except KeyError:
        return False
    return True


def _words(cell: Cell) -> str:
    return ", ".join(f"{axis} {word(value)}" for axis, value in cell.point.items()) or "the one cell"
