"""What a claim was tested on, in one line: made of the recipes of the runs that it reads, from result.json alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lnbench.report.grid import deciding_axes, with_changes
from lnbench.report.names import is_number
from lnbench.report.numbers import as_written, significant
from lnbench.report.page.recipe_words import (
    augment_words,
    axis_words,
    label,
    option_words,
    pixels_words,
    precision_words,
    value_words,
)
from lnbench.report.plain import Json
from lnbench.report.words import escaped, listed
from lnbench.spec import EPOCH

Render = Callable[[Json], str]

ARM = "arm"
BLOCKS = {"noise": "label noise", "method": "method", "optimizer": "optimiser", "schedule": "schedule"}
SHOWN = ("lr", "momentum", "base")  # of an optimiser: the rest is in the report
TRUE_CLASS = {True: "the true class among them", False: "the true class not among them"}
READING = ("points", "neurons_kept", "read_every", "readings")  # of an experiment: how it is read, not what it does
MOST_PLACES = 6  # at which a value is told; a study of many more says so in its report
MOST_ARMS, MOST_LETTERS = 8, 1500  # of arms told one by one: more are for the report
MOST_KINDS = 3  # of a named thing, of which the options are told too
SOMETIMES: dict[str, Render] = {  # told only where it differs between the runs of a claim
    "augmentation": augment_words,
    "precision": precision_words,
    "pixels": pixels_words,
    "weights averaged": lambda recipe: value_words(recipe["average"]),
    "first weights": lambda recipe: f"those of input {value_words(recipe['start'])}" if recipe["start"] else "drawn",
    "trained on": lambda recipe: f"what input {only} keeps" if (only := recipe["dataset"]["only"]) else "all images",
}


@dataclass(frozen=True)
class SetUp:
    """What a claim was tested on: `shared`, (name, words) of what all its runs have, the data under no name; `apart`, a
    sentence for the arms that have something of their own."""

    shared: tuple[tuple[str, str], ...] = ()
    apart: tuple[str, ...] = ()


def set_up(claim: Json, trained: Json | None) -> str:
    """Return the claim's set-up as Markdown, on one line: data, network, noise, batch sizes, optimiser, schedule and
    length, as far as the report knows them; "" where it knows nothing. `trained`: the report's.

    What all its runs share comes first, then what the arms have of their own. Runs are those of the parts that decide
    the claim, and of our own checks next to them.
    """
    found = set_up_facts(claim, trained)
    return ". ".join(filter(None, ["; ".join(_fact(name, words) for name, words in found.shared), *found.apart]))


def set_up_facts(claim: Json, trained: Json | None) -> SetUp:
    """Return the same as single facts; their words are Markdown."""
    if not trained or not trained["cells"]:
        return SetUp()
    cells = cells_of(claim, trained["cells"]) or trained["cells"]
    arms = list(dict.fromkeys(cell["point"].get(ARM) for cell in cells))
    told = {arm: dict(_Runs(trained, [c for c in cells if c["point"].get(ARM) == arm]).facts()) for arm in arms}
    names = list(dict.fromkeys(name for facts in told.values() for name in facts))
    first = told[arms[0]]
    read = _epochs_read(claim)
    shared = [name for name in names if all(facts.get(name) == first.get(name) for facts in told.values())]
    differs = _sometimes(trained, cells)
    same = [(name, first[name]) for name in shared if name not in SOMETIMES or name in differs]
    same += [("read after epoch", read)] if read else []
    own: dict[str, list[object]] = {}
    for arm, facts in told.items():
        kept = [name for name in names if name in facts and name not in shared]
        own.setdefault("; ".join(_fact(name, facts[name]) for name in kept), []).append(arm)
    apart = [words for words in (_of_arms(found, words) for words, found in own.items()) if words]
    if len(apart) > MOST_ARMS or sum(map(len, apart)) > MOST_LETTERS:
        differ = [name or "training images" for name in names if name not in shared]
        apart = [f"Its {len(arms)} arms differ in {listed(differ)}"]
    words = _explained_once([*(words for _, words in same), *apart], trained["words"])
    names_of_same = [name for name, _ in same]
    return SetUp(tuple(zip(names_of_same, words[: len(same)], strict=True)), tuple(words[len(same) :]))


def _explained_once(told: list[str], words: Json) -> list[str]:
    """Return the words with what a name stands for told at its first place only."""
    line = "\n".join(told)  # each of them is one line
    for names in words.values():
        for name, meaning in names.items():
            whole = _explained(name, meaning)
            before, found, after = line.partition(whole)
            line = before + found + after.replace(whole, _code(name))
    return line.split("\n") if told else []


def _places(claim: Json) -> Iterator[Json]:
    """Yield each place of the grid that the claim's deciding parts, and our own checks, read."""
    for part in claim["parts"]:
        if part["decides"] or part["ours"]:
            for member in part["members"]:
                yield member["at"] or {}
                yield {**(member["at"] or {}), **(member["minus"] or {})}


def _epochs_read(claim: Json) -> str:
    """Return the epochs that the claim names; "" where it reads its runs where their recipe says."""
    return listed(map(as_written, sorted({place[EPOCH] for place in _places(claim) if EPOCH in place})))


def cells_of(claim: Json, cells: Sequence[Json]) -> list[Json]:
    """Return the cells that the claim reads."""
    places = [*_places(claim)]
    return [cell for cell in cells if any(_lies_at(cell["point"], place) for place in places)]


def _lies_at(point: Json, place: Json) -> bool:
    return all(point[axis] == value for axis, value in place.items() if axis in point)


def _sometimes(trained: Json, cells: list[Json]) -> set[str]:
    """Return what differs between the runs, of that which is told only then."""
    if "experiment" in trained["base"]:
        return set()
    recipes = [with_changes(trained["base"], cell["changes"]) for cell in cells]
    return {name for name, render in SOMETIMES.items() if len({render(recipe) for recipe in recipes}) > 1}


def _fact(name: str, words: str) -> str:
    return f"{name}: {words}" if name else words


def _of_arms(arms: list[object], words: str) -> str:
    """Return what some arms have of their own, with their names."""
    if not words:
        return ""
    return f"{'Arm' if len(arms) == 1 else 'Arms'} {listed(_code(arm) for arm in arms)}: {words}"


class _Runs:
    """The recipes of some cells, and what they have in common or how it differs."""

    def __init__(self, trained: Json, cells: list[Json]) -> None:
        self.trained, self.cells = trained, cells
        self.points = [cell["point"] for cell in cells]
        self.recipes = [with_changes(trained["base"], cell["changes"]) for cell in cells]
        axes = dict.fromkeys(axis for point in self.points for axis in point)
        self.axes = [axis for axis in axes if len({str(point.get(axis)) for point in self.points}) > 1]

    def facts(self) -> Iterator[tuple[str, str]]:
        """Yield (what, its value), a name only once."""
        if "experiment" in self.trained["base"]:
            yield from self._experiment()
            return
        yield "", self._data()
        yield "network", self.told(self._network, "model")
        yield BLOCKS["noise"], self._block("noise")
        if any(_kind(recipe["method"]) != "standard" for recipe in self.recipes):
            yield BLOCKS["method"], self._block("method")
        yield "batch size", self.told(lambda recipe: as_written(recipe["batch_size"]), "batch_size")
        yield BLOCKS["optimizer"], self._block("optimizer")
        yield BLOCKS["schedule"], self.told(_schedule, "schedule.kind")
        if all(_ends_after(recipe) for recipe in self.recipes):
            yield "epochs until the schedule ends", self.told(_ends_after)
        yield "epochs", self.told(lambda recipe: as_written(recipe["epochs"]), "epochs")
        for name, render in SOMETIMES.items():
            yield name, self.told(render)

    def _experiment(self) -> Iterator[tuple[str, str]]:
        """Yield the options of a run that is no training on a data set's labels alone, those that are set."""
        kind = self.trained["base"]["experiment"]
        yield "experiment", self._named("experiment", kind)
        for key in self.trained["base"]:
            values = [recipe[key] for recipe in self.recipes]
            if key == "experiment" or key in READING or all(value is None for value in values):
                continue
            if key == "pixels":
                yield key, self.told(pixels_words)
            elif any(isinstance(value, dict) for value in values):
                yield BLOCKS.get(key, label(key, kind)), self._block(key)
            elif key == "model":
                yield "network", self.told(self._network, key)
            else:
                yield label(key, kind), self.told(lambda recipe, key=key: value_words(recipe[key]), key)  # type: ignore[misc]

    def told(self, render: Render, key: str = "") -> str:
        """Return what all cells have; the levels, where it is an axis (`key`); else which value where."""
        found = [render(recipe) for recipe in self.recipes]
        if len(set(found)) == 1:
            return found[0]
        if key in self.axes:
            levels = [point.get(key) for point in self.points]
            if all(map(is_number, levels)):
                found = [words for _, words in sorted(zip(levels, found, strict=True), key=lambda pair: pair[0])]
            return listed(dict.fromkeys(found))
        axes = deciding_axes(self.axes, self.points, found)
        return self._where(axes, found)

    def _where(self, axes: Sequence[str], found: list[str]) -> str:
        """Return "4 at `batch_size` 8, 13 at 32": the axis named once where it is the only one."""
        places: dict[str, list[str]] = {}
        for words, point in zip(found, self.points, strict=True):
            values = [value_words(point.get(axis)) for axis in axes]
            named = (f"{axis_words(axis)} {value}" for axis, value in zip(axes, values, strict=True))
            place = values[0] if len(axes) == 1 else ", ".join(named)
            if place not in places.setdefault(words, []):
                places[words].append(place)
        if sum(map(len, places.values())) > MOST_PLACES:
            return f"differs by {listed(map(axis_words, axes))}"
        told: list[str] = []
        for words, where in places.items():
            axis = f"{axis_words(axes[0])} " if len(axes) == 1 and not told else ""
            told.append(f"{words} at {axis}{listed(where)}")
        return ", ".join(told)

    def _data(self) -> str:
        name = self.told(lambda recipe: _code(recipe["dataset"]["name"]), "dataset.name")
        clean = self.told(lambda recipe: f"{recipe['dataset']['clean']:,}", "dataset.clean")
        simple = clean.replace(",", "").isdecimal()
        return f"{clean} images of {name}" if simple else f"{name}, training images {clean}"

    def _network(self, recipe: Json) -> str:
        return self._named("model", recipe["model"])

    def _named(self, kind: str, name: str | None) -> str:
        """Return a name of the catalog with what it stands for."""
        if name is None:
            return "none"
        return _explained(name, self.trained["words"].get(kind, {}).get(name, ""))

    def _block(self, key: str) -> str:
        """Return a named thing with its options, each kind of it by itself."""
        told: list[str] = []
        kinds = dict.fromkeys(_kind(recipe[key]) for recipe in self.recipes)
        if len(kinds) > MOST_KINDS:
            return listed(map(_code, kinds))
        for kind in kinds:
            cells = [cell for cell, recipe in zip(self.cells, self.recipes, strict=True) if _kind(recipe[key]) == kind]
            told.append(", ".join([self._named(key, kind), *_Runs(self.trained, cells)._options(key)]))
        return " or ".join(told)

    def _options(self, key: str) -> Iterator[str]:
        """Yield the options of a named thing that is of one kind in all cells."""
        first = self.recipes[0][key]
        for option in first if isinstance(first, dict) else ():
            dotted = f"{key}.{option}"
            if option == "include_true_class":
                yield self.told(lambda recipe: TRUE_CLASS[bool(recipe[key]["include_true_class"])])
            elif option == "kind" or (key == "optimizer" and not self._tells(option)):
                continue
            elif dotted == (self.trained["choose"] or {}).get("key"):
                yield f"{label(option)} chosen from {listed(map(value_words, self.trained['choose']['from']))}"
            else:
                words = self.told(lambda recipe, option=option: value_words(recipe[key][option]), dotted)  # type: ignore[misc]
                yield option_words(option, words, first.get("kind", ""))

    def _tells(self, option: str) -> bool:
        """Return whether an option of an optimiser is told: a momentum of 0 is not."""
        return option in SHOWN and any(recipe["optimizer"][option] for recipe in self.recipes)


def _schedule(recipe: Json) -> str:
    """Return a schedule's name with its length or its milestones."""
    options = recipe["schedule"] if isinstance(recipe["schedule"], dict) else {"kind": recipe["schedule"]}
    words = _code(options["kind"])
    if "length" in options:
        return f"{words} over {as_written(options['length'])} {options['unit']}"
    if "milestones" in options:
        return f"{words} at {options['unit']} {value_words(options['milestones'])}"
    return words


def _ends_after(recipe: Json) -> str:
    """Return after how many epochs a schedule ends whose length is in steps: with a larger batch an epoch has fewer, so
    it ends later. "" where it is not in steps, or the number of examples does not follow from the recipe."""
    schedule, noise, data = recipe["schedule"], recipe["noise"], recipe["dataset"]
    if not isinstance(schedule, dict) or schedule.get("unit") != "steps" or "length" not in schedule:
        return ""
    if data["only"] or (isinstance(noise, dict) and "alpha" in noise):  # dilution makes examples of its own
        return ""
    return significant(schedule["length"] / math.ceil(data["clean"] / recipe["batch_size"]), 2)


def _kind(value: Any) -> str | None:
    """Return the name of a named thing, with options or without."""
    return str(value["kind"]) if isinstance(value, dict) else value


def _explained(name: str, words: str) -> str:
    return _code(name) + (f" ({escaped(words)})" if words else "")


def _code(name: object) -> str:
    return escaped(f"`{name}`")
