"""The base of the options of everything that a spec may name, and the numbers they are made of. No torch here."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class Options(BaseModel):
    """The options of one named thing. All must be given: a library's default cannot change a recipe."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


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

    def training(self) -> dict[str, Any] | None:
        """Return the recipe of the classifier that a run trains, in the other form; None where it trains none."""
        return None

    def leaves_out(self, metric: str) -> str:
        """Return why a run with these options gives no such number of its experiment; "" where it does."""
        return ""
