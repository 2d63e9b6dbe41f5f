"""The base of the options of everything that a spec may name, and the numbers they are made of. No torch here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from lnbench.yamlfile.problems import Fault, Location


class Options(BaseModel):
    """The options of one named thing. All must be given: a library's default cannot change a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def required(options: type[Options]) -> list[str]:
    """Return the names of the options that must be given, `kind` left out."""
    return [name for name, field in options.model_fields.items() if name != "kind" and field.is_required()]


class MayReadInput(Options):
    """The options of a method that can build on a record of other runs: `input` names it (`runs.inputs`), or is null.

    `gives`: what that input must give (`catalog.Input.gives`).
    """

    gives: ClassVar[str] = "trust"
    input: Annotated[str, Field(min_length=1)] | None


class ReadsInput(MayReadInput):
    """The options of a method that always builds on such a record."""

    input: Annotated[str, Field(min_length=1)]


Positive = Annotated[float, Field(gt=0)]


NotNegative = Annotated[float, Field(ge=0)]


BelowOne = Annotated[float, Field(ge=0, lt=1)]


Count = Annotated[int, Field(ge=1)]


class ExperimentRecipe(Options):
    """Everything that decides a run of an experiment but its seeds.

    `arm` names a place of the grid, so that `vary` can go over arms that differ in several options (`set` gives
    them): it is not part of a run's identity, and two arms with the same options share their runs.
    """

    experiment: str
    arm: str | None = None

    def identity(self) -> dict[str, Any]:
        """Return the recipe as plain data, without the name of its arm."""
        return self.model_dump(mode="json", exclude={"arm"})

    @property
    def datasets(self) -> tuple[str, ...]:
        """Return the names of the image data sets that a run reads."""
        return ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the names of the inputs that a run reads: none."""
        return ()

    @property
    def packages(self) -> dict[str, str]:
        """Return the packages that a run imports and that lnbench does not install by itself: the name that is
        imported -> what pip installs it by."""
        return {}

    def training(self) -> dict[str, Any] | None:
        """Return the recipe of the classifier that a run trains, in the other form; None where it trains none."""
        return None

    def leaves_out(self, metric: str) -> str:
        """Return why a run with these options gives no such number of its experiment; "" where it does."""
        return ""


# what of a printed number's estimand may differ from ours (spec/comparable.py)
Differs = Literal["dataset", "noise", "level", "true_class", "selection", "epochs", "split", "best_of"]


class Part(Options):
    """One check of one effect: the base of the options of every kind of check.

    A kind adds `kind`, a Literal of its names, and its own options, and says here which effects it fits. How it judges
    stands in its `judge.kinds` file, the `target` of its catalog entry. `ours`: our reading or a digitised value, not
    the paper's own sentence: shown, never the claim.

    Effects are `spec.Effect` and grounds `spec.bounds.Ground`, of a room above: this module imports neither, so that a
    plug-in's options can be imported before the specs that they become a part of.
    """

    effect: str
    ours: bool = False
    because: str | None = None
    despite: dict[Differs, str] = {}  # what of the printed number's estimand differs from ours -> why it is compared
    kind: str

    judges: ClassVar[str] = "number"  # what its effect must be: a number, a ratio, a shift or a correlation
    each: ClassVar[bool] = False  # whether every member is held against a printed number of its own

    def effects(self, effect: Any) -> list[Any]:
        """Return the effects that are checked: the one that is named, or that one at each cell of a table."""
        return [effect]

    def references(self) -> tuple[str, ...]:
        """Return the names of the printed numbers it is held against: none, one, or one per member (`each`)."""
        name = getattr(self, "reference", None)
        return (name,) if name else ()

    def judged(self, effect: Any) -> Any:
        """Return the effect as it is judged: the one that is named, unless the kind itself compares it with another
        point."""
        return effect

    def bound(self, baseline: Any) -> Any:
        """Return the part with what it must know of the paper's file (`spec.Baseline`): itself, unless what is printed
        decides what there is to check."""
        return self

    def numbers(self, baseline: Any) -> tuple[Any, ...]:
        """Return the printed numbers (`spec.Number`) of its references, in their order; of one that prints a word, none
        here, and None where each member has a reference of its own."""
        found = [baseline.references[name].number() for name in self.references()]
        return tuple(number for number in found if number is not None)

    def place_of(self, reference: str) -> Location:
        """Return the keys under which the file names the reference."""
        return ("reference",)

    def said(self) -> dict[str, Any]:
        """Return what the file says beside effect, region and reference: a threshold, a margin, a rate."""
        known = (*Part.model_fields, "region", "reference")
        return {key: getattr(self, key) for key in type(self).model_fields if key not in known}

    def misfit(self, effect: Any) -> str:
        """Return what the effect lacks for this kind, and what to write; "" where they fit."""
        return ""

    def misplaced(self, ground: Any) -> Iterator[Fault]:
        """Yield what is wrong with the places that it names, whether or not the effect fits."""
        yield from ()

    def problems(self, ground: Any) -> Iterator[Fault]:
        """Yield what is wrong with its numbers where the effect fits: a region that no run could miss, or meet."""
        yield from ()
