"""The section "What was trained": the recipe with every option, and how each arm differs, from `trained` alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lnbench.report.grid import deciding_axes, with_changes
from lnbench.report.names import is_number
from lnbench.report.numbers import as_written
from lnbench.report.page.recipe_words import (
    SELECTIONS,
    augment_words,
    axis_words,
    changed_value_words,
    code,
    full_label,
    label,
    option_words,
    ordered,
    pixels_words,
    place_words,
    places_words,
    precision_words,
    value_words,
)
from lnbench.report.plain import Json
from lnbench.report.words import coded, counted, escaped, listed, path_link, table

Render = Callable[[Json], str]

BY_ARM = "differs by arm, below"
BLOCKS = ("noise", "method", "optimizer", "schedule", "average")  # named things with options of their own


def trained_section(data: Json, linked: bool) -> list[str]:
    """Return the lines of the section; none for a result of an lnbench that did not say it. `linked`: whether the
    study's file lies in `../../claims`."""
    trained = data.get("trained")
    if trained is None:
        return []
    grid = _Grid(trained, data)
    rows = [[escaped(name), words] for name, words in grid.rows() if words]
    arms = grid.arms()
    lines = ["## What was trained", "", _intro(data, trained), ""]
    lines += [*table(["", "in this study, at this tier"], rows), ""]
    if arms:
        header = ["arm", "differs from the table above by", *(["run at"] if any(len(row) > 2 for row in arms) else [])]
        lines += [*table(header, arms), ""]
    return [*lines, _files(trained["files"], linked), ""]


def _intro(data: Json, trained: Json) -> str:
    cells, seeds = len(trained["cells"]), data["seeds"]["n"]
    text = "Every option of the runs, as the study's file sets it for this tier."
    varied = [axis for axis, levels in trained["vary"].items() if len(levels) > 1]
    if varied:
        axes = listed(code(axis) for axis in varied)
        return f"{text} What varies: {axes}; {counted(cells, 'cell')} of the grid, {counted(seeds, 'seed')} each."
    return f"{text} One recipe, {counted(seeds, 'seed')}."


def _files(files: Json, linked: bool) -> str:
    study, baseline = files["study"], files["baseline"]
    name = coded(f"claims/{study['name']}")
    where = path_link(name, "../../claims", study["name"]) if linked else name
    reference = coded(f"baselines/{baseline['name']}")
    return (
        f"Study file: {where}, sha256 {code(study['sha256'])}. "
        f"Reference numbers: {reference}, sha256 {code(baseline['sha256'])}."
    )


class _Grid:
    """The recipes of all cells, and how what differs between them is told."""

    def __init__(self, trained: Json, data: Json) -> None:
        self.trained, self.data, self.base = trained, data, trained["base"]
        self.points = [cell["point"] for cell in trained["cells"]]
        self.recipes = [with_changes(self.base, cell["changes"]) for cell in trained["cells"]] or [self.base]
        self.axes = [axis for axis, levels in trained["vary"].items() if len(levels) > 1]

    # ---- one value, or which value where

    def told(self, render: Render, key: str = "") -> str:
        """Return what all cells have, or what each has; `key`: the recipe's key, where an axis has its name."""
        found = [render(recipe) for recipe in self.recipes]
        if len(set(found)) == 1 or not self.points:
            return found[0]
        if key in self.axes:
            levels = [point[key] for point in self.points]
            if all(map(is_number, levels)):
                found = [words for _, words in sorted(zip(levels, found, strict=True))]
            return f"{listed(dict.fromkeys(found), 'or')} (varied)"
        axes = self._deciding(found)
        if "arm" in axes:
            return f"{render(self.base)} ({BY_ARM})" if render(self.base) in found else BY_ARM
        values = dict.fromkeys(found)
        return "; ".join(f"{value} for {self._where(axes, [*found], value)}" for value in values)

    def _deciding(self, found: list[str]) -> tuple[str, ...]:
        """Return the fewest axes that tell which value a cell has."""
        return deciding_axes(self.axes, self.points, found)

    # ---- rows

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield (what, its value) of the table."""
        yield from self._experiment() if "experiment" in self.base else self._training()
        yield from self._chosen()
        for entry in self.trained["inputs"]:
            yield f"input {escaped(entry['name'])}", _input(entry)

    def _training(self) -> Iterator[tuple[str, str]]:
        yield "network", self.told(self._network, "model")
        yield "training data", self._data()
        yield "label noise", self._block("noise")
        yield "method", self._block("method")
        yield "optimiser", self._block("optimizer")
        yield "schedule of the learning rate", self._block("schedule")
        yield "batch size", self.told(lambda recipe: as_written(recipe["batch_size"]), "batch_size")
        yield "epochs", self.told(lambda recipe: as_written(recipe["epochs"]), "epochs")
        yield "augmentation", self.told(augment_words, "augment")
        yield "pixels", self.told(pixels_words, "pixels")
        yield "precision", self.told(precision_words, "precision")
        yield "weights averaged", self._block("average") if any(r["average"] for r in self.recipes) else ""
        if any(recipe["start"] for recipe in self.recipes):
            yield (
                "first weights",
                self.told(lambda r: f"those of input {escaped(r['start'])}" if r["start"] else "drawn", "start"),
            )
        if any(recipe["repeat"] for recipe in self.recipes):
            yield "repeat (the same recipe, another start and order)", self.told(lambda r: str(r["repeat"]), "repeat")
        read = self.told(lambda recipe: SELECTIONS.get(recipe["selection"]) or escaped(recipe["selection"]))
        yield "numbers are read at", f"{read}, unless a part names an epoch" if _names_epochs(self.data) else read
        if any(recipe["probes"] for recipe in self.recipes):
            yield "also measured", self.told(lambda r: ", ".join(map(code, r["probes"])) or "nothing")

    def _experiment(self) -> Iterator[tuple[str, str]]:
        words = self.trained["words"].get("experiment", {}).get(self.base["experiment"], "")
        yield "experiment", code(self.base["experiment"]) + (f": {escaped(words)}" if words else "")
        for key in self.base:
            if key == "experiment":
                continue
            if key == "model":
                yield "network", self.told(self._network, "model")
            elif key == "dataset" and self.trained["data"]:
                yield "data set", self.told(lambda recipe: self._source(recipe["dataset"]), "dataset")
            elif key in ("noise", "method", "optimizer", "schedule") and not self._is_text(key):
                yield {"noise": "label noise", "optimizer": "optimiser"}.get(key, key), self._block(key)
            elif key in ("augment", "precision", "pixels"):
                render = {"augment": augment_words, "precision": precision_words, "pixels": pixels_words}[key]
                yield {"augment": "augmentation"}.get(key, key), self.told(render, key)
            else:
                yield label(key, self.base["experiment"]), self.told(_reader(key), key)

    def _is_text(self, key: str) -> bool:
        """Return whether it is a plain word of the experiment's own, no name of the catalog."""
        return all(isinstance(recipe[key], str) and key != "method" for recipe in self.recipes)

    def _network(self, recipe: Json) -> str:
        name = recipe["model"]
        words = self.trained["words"].get("model", {}).get(name, "")
        sizes = {cell["parameters"] for cell in self.data["cells"] if cell.get("model") == name and cell["parameters"]}
        size = f"{listed(f'{n:,}' for n in sorted(sizes))} parameters" if sizes else ""
        more = "; ".join(filter(None, (escaped(words), size)))
        return code(name) + (f" ({more})" if more else "")

    def _source(self, name: str) -> str:
        source = self.trained["data"].get(name)
        if source is None:
            return code(name)
        channels, height, width = source["shape"]
        kind = f"{height}×{width}, {'grey' if channels == 1 else 'colour'}"
        return f"{code(name)} ({kind}, {counted(source['classes'], 'class', 'classes')})"

    def _data(self) -> str:
        def total(recipe: Json) -> int:
            return int(self.trained["data"].get(recipe["dataset"]["name"], {}).get("train", 0))

        name = self.told(lambda recipe: self._source(recipe["dataset"]["name"]), "dataset.name")
        clean = self.told(lambda recipe: f"{recipe['dataset']['clean']:,}", "dataset.clean")
        parts = [name, f"training images: {clean}, of {self.told(lambda recipe: f'{total(recipe):,}')}"]
        if any(recipe["dataset"]["validation"] for recipe in self.recipes):
            held = self.told(lambda recipe: f"{recipe['dataset']['validation']:,}", "dataset.validation")
            parts.append(f"held out for validation: {held} more")
        parts.append(f"test images: {self.told(lambda recipe: self._tested(recipe['dataset']), 'dataset.test')}")
        if any(recipe["dataset"]["only"] for recipe in self.recipes):
            only = self.told(lambda recipe: _only(recipe["dataset"]["only"]), "dataset.only")
            parts.append(f"of the training images, trained on: {only}")
        return "; ".join(parts)

    def _tested(self, dataset: Json) -> str:
        have, wanted = self.trained["data"].get(dataset["name"], {}).get("test", 0), dataset.get("test")
        return f"{have:,}" if wanted is None else f"{wanted:,} of {have:,}, the same in every run"

    def _block(self, key: str) -> str:
        """Return a named thing with all its options, told option by option for each of its kinds."""
        kinds = [_kind(recipe[key]) for recipe in self.recipes]
        if len(set(kinds)) > 1 and f"{key}.kind" not in self.axes and "arm" in self._deciding(list(map(str, kinds))):
            return self.told(lambda recipe: self._whole(key, recipe[key]))
        told = [(kind, self._only(key, kind)._options(key)) for kind in dict.fromkeys(kinds)]
        if len(told) > 1 and f"{key}.kind" not in self.axes:
            axes = self._deciding(list(map(str, kinds)))
            told = [(kind, f"{words} (for {self._where(axes, kinds, kind)})") for kind, words in told]
        return "<br>".join(words for _, words in told)

    def _where(self, axes: tuple[str, ...], found: list[str | None], wanted: str | None) -> str:
        """Return the places at which something is found, by the axes that decide it."""
        places = [
            ", ".join(place_words(axis, point[axis]) for axis in axes)
            for value, point in zip(found, self.points, strict=True)
            if value == wanted
        ]
        return places_words(axes, list(dict.fromkeys(places)))

    def _only(self, key: str, kind: str | None) -> _Grid:
        """Return the cells in which the named thing is of a kind."""
        cells = [
            cell
            for cell, recipe in zip(self.trained["cells"], self.recipes, strict=False)
            if _kind(recipe[key]) == kind
        ]
        return _Grid({**self.trained, "cells": cells}, self.data)

    def _options(self, key: str) -> str:
        """Return a named thing that is of one kind in all cells."""
        first = self.recipes[0][key]
        if not isinstance(first, dict):
            return self._named(key, first)
        chosen = (self.trained["choose"] or {}).get("key")
        options = []
        for option in ordered(first):
            dotted = f"{key}.{option}"
            words = self.told(_reader(key, option), dotted)
            options.append(option_words(option, "chosen (below)" if chosen == dotted else words, first["kind"]))
        return ": ".join(filter(None, (self._named(key, first["kind"]), ", ".join(options))))

    def _whole(self, key: str, value: Any) -> str:
        """Return a named thing of one cell with its options."""
        if not isinstance(value, dict):
            return self._named(key, value)
        kind = value.get("kind", "")
        options = ", ".join(option_words(option, value_words(value[option]), kind) for option in ordered(value))
        return ": ".join(filter(None, (self._named(key, kind), options)))

    def _named(self, key: str, name: str | None) -> str:
        if name is None:
            return "none"
        words = self.trained["words"].get(key, {}).get(name, "")
        return code(name) + (f" ({escaped(words)})" if words else "")

    def _chosen(self) -> Iterator[tuple[str, str]]:
        choose = self.trained["choose"]
        if not choose:
            return
        out_of = "the data set's other images" if choose["out_of"] == "rest" else "the clean training images"
        held = f"{choose['validation']:,} images held out of {out_of}"
        cells = listed(code(axis) for axis in choose["per"])
        words = (
            f"from {listed(map(value_words, choose['from']), 'or')}, for each {cells}, by validation accuracy on "
            f"{held}, {counted(choose['seeds'], 'seed')} that no verdict uses"
        )
        if choose["epochs"]:
            at = ", ".join(place_words(axis, value) for axis, value in choose["epochs"].get("at", {}).items())
            words += (
                f"; those runs train for {value_words(choose['epochs']['times'])} times the epochs"
                + f" for {at}" * bool(at)
            )
        words += "; the values are under “Chosen hyper-parameters”"
        yield f"{label(choose['key'].rpartition('.')[2])}, chosen", words

    # ---- arms

    def _changed(self, key: str) -> str:
        """Return what a changed key is called: an option of an experiment as its row is."""
        own = "experiment" in self.base and "." not in key and not isinstance(self.base[key], dict)
        return label(key, self.base["experiment"]) if own else full_label(key)

    def arms(self) -> list[list[str]]:
        """Return a row for each arm: its name, what it has otherwise than the table, and at which levels of the other
        axes it was run."""
        if len(self.trained["vary"].get("arm", ())) < 2:
            return []
        others = [axis for axis in self.axes if axis != "arm"]
        rows = []
        for arm in self.trained["vary"]["arm"]:
            cells = [cell for cell in self.trained["cells"] if cell["point"]["arm"] == arm]
            changes: dict[str, list[str]] = {}
            for cell in cells:
                for key, value in cell["changes"].items():
                    if {key, key.partition(".")[0]} & (self.trained["vary"].keys() - {"arm"}):
                        continue  # the table above tells it, by its own axis
                    told = self._whole(key, value) if key in BLOCKS else changed_value_words(key, cell["changes"])
                    if told not in changes.setdefault(key, []):
                        changes[key].append(told)
            words = [f"{self._changed(key)}: {listed(values, 'or')}" for key, values in changes.items()]
            row = [code(arm), "<br>".join(words) or "nothing"]
            if others:
                levels = ((axis, list(dict.fromkeys(cell["point"][axis] for cell in cells))) for axis in others)
                row.append("; ".join(f"{axis_words(axis)} {listed(map(value_words, found))}" for axis, found in levels))
            rows.append(row)
        return rows


def _reader(*keys: str) -> Render:
    """Return what writes the value under these keys of a recipe."""

    def render(recipe: Json) -> str:
        found: Any = recipe
        for key in keys:
            if not isinstance(found, dict):  # another kind, which has no such option
                return ""
            found = found.get(key, "")
        return value_words(found)

    return render


def _names_epochs(data: Json) -> bool:
    """Return whether some effect reads a run at an epoch of its own."""
    effects = [part["effect"] for claim in data["claims"] for part in claim["parts"]]
    return any(
        effect["axis"] == "epoch" or "epoch" in (effect["at"] or {}) or "epoch" in (effect["minus"] or {})
        for effect in effects
    )


def _kind(value: Any) -> str | None:
    """Return the name of a named thing, with options or without."""
    return str(value["kind"]) if isinstance(value, dict) else value


def _only(name: str | None) -> str:
    return f"those that input {name} keeps" if name else "all"


def _input(entry: Json) -> str:
    options = {key: value for key, value in entry.items() if key not in ("name", "kind", "of", "at", "seeds")}
    kind = code(entry["kind"]) + (
        f" ({', '.join(option_words(k, value_words(v)) for k, v in options.items())})" if options else ""
    )
    given = entry["at"] if "at" in entry else entry["of"]
    changes = ", ".join(f"{code(key)} {value_words(value)}" for key, value in given.items())
    if "at" in entry:
        return f"{kind}, computed from the run of the same seed at {changes}"
    runs = f"{counted(entry['seeds'], 'run')} of its own" if entry["seeds"] else "a run of its own for each seed"
    return f"{kind}, computed from {runs}" + (f", with {changes}" if changes else "")
