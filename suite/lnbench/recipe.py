"""A recipe: everything that decides a training but its seeds, every default spelled out. And its names' checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Field, field_validator, model_validator

from lnbench import catalog
from lnbench.references import Strict
from lnbench.tree import did_you_mean
from lnbench.validation import Misfit

Scalar = str | int | float | bool | None


def items(kind: Any) -> Any:
    """A tuple in the object, a list in the file."""
    return Annotated[tuple[kind, ...], Field(strict=False, min_length=1)]


def known(kind: str) -> Any:
    """A validator: the text is a name of the catalog."""

    def check(cls: type, value: str) -> str:
        if value not in catalog.names(kind):
            raise ValueError(f"{kind}: '{value}' is not known; {did_you_mean(value, catalog.names(kind))}")
        return value

    return classmethod(check)


def name_of(kind: str) -> Any:
    """How the JSON Schema says that a text is a name of the catalog, so that editors complete it."""
    return Field(json_schema_extra=lambda schema: schema.update(enum=[*catalog.names(kind)]))


def _union(kind: str) -> Any:
    options = tuple(entry.options for entry in catalog.entries()[kind].values() if entry.options)
    return Annotated[Union[options], Field(discriminator="kind")] if len(options) > 1 else options[0]  # noqa: UP007


if TYPE_CHECKING:
    NoiseOptions = catalog.Options
    OptimizerOptions = catalog.Options
    ScheduleOptions = catalog.Options
    Texts = tuple[str, ...]
    Scalars = tuple[Scalar, ...]
else:
    NoiseOptions, OptimizerOptions, ScheduleOptions = map(_union, ("noise", "optimizer", "schedule"))
    Texts, Scalars = items(str), items(Scalar)


class Dataset(Strict):
    """The data: `clean` training images of it, and `validation` more that no training sees."""

    name: Annotated[str, name_of("dataset")]
    clean: Annotated[int, Field(gt=0)]
    validation: Annotated[int, Field(ge=0)] = 0

    _name = field_validator("name")(known("dataset"))

    @model_validator(mode="after")
    def _enough_images(self) -> Dataset:
        have = catalog.find("dataset", self.name).value.train
        if self.clean + self.validation > have:
            wanted = f"{self.clean} clean" + (f" + {self.validation} validation" if self.validation else "")
            raise Misfit("clean", f"clean: {wanted} images, but {self.name} has {have} for training")
        return self


class Recipe(Strict):
    """Everything that decides a training but its seeds. Every default is spelled out in the file."""

    dataset: Dataset
    noise: NoiseOptions
    model: Annotated[str, name_of("model")]
    method: Annotated[str, name_of("method")]
    optimizer: OptimizerOptions
    schedule: ScheduleOptions
    batch_size: Annotated[int, Field(ge=1)]
    epochs: Annotated[int, Field(ge=1)]
    augment: Literal["none"]
    precision: Literal["fp32", "fast"]
    selection: Literal["last_epoch", "best_test", "best_validation"]

    _model = field_validator("model")(known("model"))
    _method = field_validator("method")(known("method"))

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if self.batch_size > self.dataset.clean:
            what = f"batch_size: {self.batch_size} is larger than the data, {self.dataset.clean} clean images"
            raise Misfit("batch_size", what)
        if self.selection == "best_validation" and not self.dataset.validation:
            what = "selection: best_validation needs dataset.validation, a number of held-out images"
            raise Misfit("selection", what)
        source = catalog.find("dataset", self.dataset.name).value
        mmac = catalog.find("model", self.model).mmac
        if mmac is not None:
            try:
                mmac(source.shape, source.classes)
            except ValueError as error:  # the images are too small for it
                raise Misfit("model", f"model: {self.model} on {self.dataset.name}: {error}") from None
        return self

    def identity(self) -> dict[str, Any]:
        """The recipe as plain data, without `selection`: how a curve is read changes no training."""
        return self.model_dump(mode="json", exclude={"selection"})
