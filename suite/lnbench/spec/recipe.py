"""A recipe: everything that decides a run but its seeds, every default spelled out. And its names' checks.

There are two forms: `Recipe`, the training of a classifier of images, and `ExperimentRecipe`, with one class of
options for each experiment of the catalog. A mapping with the key `experiment` is of the second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)

from lnbench import catalog
from lnbench.catalog.options import ExperimentRecipe as ExperimentRecipe
from lnbench.catalog.options import MayReadInput, required
from lnbench.data.entries import Pixels as Pixels
from lnbench.errors import did_you_mean
from lnbench.training.probes.entries import method_problem, probe_problem
from lnbench.training.shape import examples_an_epoch
from lnbench.yamlfile.model import Strict
from lnbench.yamlfile.problems import Misfit

Scalar = str | int | float | bool | None


def items(kind: Any) -> Any:
    """Return the type of a tuple in the object, a list in the file."""
    return Annotated[tuple[kind, ...], Field(strict=False, min_length=1)]


def known(kind: str) -> Any:
    """Return a validator: the text is a name of the catalog."""

    def check(cls: type, value: str) -> str:
        if value not in catalog.names(kind):
            raise ValueError(f"{kind}: '{value}' is not known; {did_you_mean(value, catalog.names(kind))}")
        return value

    return classmethod(check)


def name_of(kind: str) -> Any:
    """Say in the JSON Schema that a text is a name of the catalog, so that editors complete it."""
    return Field(json_schema_extra=lambda schema: schema.update(enum=[*catalog.names(kind)]))


def _union(kind: str) -> Any:
    options = tuple(entry.options for entry in catalog.entries()[kind].values() if entry.options)
    return Annotated[Union[options], Field(discriminator="kind")] if len(options) > 1 else options[0]  # noqa: UP007


if TYPE_CHECKING:
    NoiseOptions = catalog.Options
    MethodOptions = catalog.Options
    OptimizerOptions = catalog.Options
    ScheduleOptions = catalog.Options
    AverageOptions = catalog.Options
    Texts = tuple[str, ...]
    Scalars = tuple[Scalar, ...]
else:
    NoiseOptions, MethodOptions, OptimizerOptions, ScheduleOptions, AverageOptions = map(
        _union, ("noise", "method", "optimizer", "schedule", "average")
    )
    Texts, Scalars = items(str), items(Scalar)


class Dataset(Strict):
    """The data: `clean` training images of it, and `validation` more that no training sees.

    `test`: on how many test images a run is tested, the same in every run; without it, on all. `only`: the name of an
    input (`runs.inputs`) that says on which of the training examples a run trains; without it, on all.
    """

    name: Annotated[str, name_of("dataset")]
    clean: Annotated[int, Field(gt=0)]
    validation: Annotated[int, Field(ge=0)] = 0
    test: Annotated[int, Field(gt=0)] | None = None
    only: str | None = None

    _name = field_validator("name")(known("dataset"))

    @model_validator(mode="after")
    def _enough_images(self) -> Dataset:
        have = catalog.find("dataset", self.name).value.train
        if self.clean + self.validation > have:
            wanted = f"{self.clean} clean" + (f" + {self.validation} validation" if self.validation else "")
            raise Misfit("clean", f"clean: {wanted} images, but {self.name} has {have} for training")
        have = catalog.find("dataset", self.name).value.test
        if self.test is not None and self.test > have:
            raise Misfit("test", f"test: {self.test} images, but {self.name} has {have} for testing")
        return self


def _name(kind: str, key: str) -> Any:
    """Return the type of a text under `key` that is a name of the catalog and takes no options; the JSON Schema lists
    these."""
    bare: list[Any] = [name for name, entry in catalog.entries()[kind].items() if entry.options is None]

    def check(name: str) -> str:
        if name not in catalog.names(kind):
            raise ValueError(f"{key}: '{name}' is not known; {did_you_mean(name, catalog.names(kind))}")
        options = catalog.find(kind, name).options
        if options is not None:
            told = ", ".join(f"{option}: …" for option in required(options))
            raise ValueError(f"{key}: {name} takes options; write {{kind: {name}, {told}}}")
        return name

    return Annotated[str, Field(json_schema_extra={"enum": bare}), AfterValidator(check), Tag("name")]


_name_or_options = Discriminator(lambda value: "options" if isinstance(value, Mapping | catalog.Options) else "name")


if TYPE_CHECKING:
    Method = str | catalog.Options
    Probe = str | catalog.Options
else:
    Method = Annotated[  # a name; of a method with options, a mapping
        _name("method", "method") | Annotated[_union("method"), Tag("options")], _name_or_options
    ]
    Probe = Annotated[_name("probe", "probes") | Annotated[_union("probe"), Tag("options")], _name_or_options]


# probes that pass training images through the network by their numbers in the data set
OF_OWN = frozenset({
    "example_loss_eval", "suspects", "left_out", "final_predictions", "full_clean_cosine", "fixed_gradient",
    "noise_gradient", "effective_batch",
})  # fmt: skip


class Recipe(Strict):
    """Everything that decides a training but its seeds. Every default is spelled out in the file.

    `pixels`, `probes`, `average`, `repeat`, `start`, `dataset.test` and `dataset.only` came later than the first
    records: where they are not used they are no part of a run's identity, so that these stay what they are. `start`
    names the input whose weights the network begins with; without it they are drawn. `repeat` asks for the same
    training once more: it changes nothing but the seeds of the streams that arms do not share (`seeds.pair`). `arm`
    names a place of the grid, so that `vary` can go over arms that differ in several keys (`set` gives them); it is no
    part of the identity either.
    """

    dataset: Dataset
    noise: NoiseOptions
    model: Annotated[str, name_of("model")]
    method: Method
    optimizer: OptimizerOptions
    schedule: ScheduleOptions
    batch_size: Annotated[int, Field(ge=1)]
    epochs: Annotated[int, Field(ge=1)]
    augment: Literal["none", "crop_flip"]
    precision: Literal["fp32", "fast"]
    selection: Literal["last_epoch", "best_test", "best_validation"]
    pixels: Pixels | None = None
    probes: Annotated[tuple[Probe, ...], Field(strict=False)] = ()
    average: AverageOptions | None = None
    repeat: Annotated[int, Field(ge=0)] = 0
    start: str | None = None
    arm: str | None = None

    _model = field_validator("model")(known("model"))

    @model_validator(mode="after")
    def _fits(self) -> Recipe:
        if self.batch_size > self.dataset.clean:
            what = f"batch_size: {self.batch_size} is larger than the data, {self.dataset.clean} clean images"
            raise Misfit("batch_size", what)
        if self.selection == "best_validation" and not self.dataset.validation:
            what = "selection: best_validation needs dataset.validation, a number of held-out images"
            raise Misfit("selection", what)
        if getattr(self.schedule, "momentum", None) is not None and not getattr(self.optimizer, "has_momentum", False):
            what = "schedule: its momentum needs an optimizer that has one; write `momentum: null`"
            raise Misfit("schedule", what)
        method: str = self.method if isinstance(self.method, str) else getattr(self.method, "kind", "")
        probes = [_plain(probe) for probe in self.probes]
        if wrong := probe_problem(probes) or method_problem(method, probes):
            raise Misfit("probes", wrong)
        if getattr(self.noise, "redraws", False) and (method == "oracle" or isinstance(self.method, MayReadInput)):
            what = f"method: {method} needs labels that stay, and this noise draws them again in each epoch"
            raise Misfit("method", what)
        source = catalog.find("dataset", self.dataset.name).value
        if self.pixels and not len(self.pixels.mean) == len(self.pixels.std) == source.shape[0]:
            what = f"pixels: {self.dataset.name} has {source.shape[0]} channels; give mean and std one number for each"
            raise Misfit("pixels", what)
        if getattr(self.noise, "foreign", False) and (unfit := [name for name in self.probe_names if name in OF_OWN]):
            what = (
                f"probes: {unfit[0]} looks at the training images of {self.dataset.name}, and this noise shows others"
            )
            raise Misfit("probes", what)
        if hasattr(self.noise, "misfit") and (problem := self.noise.misfit(source)):
            raise Misfit(f"noise.{problem[0]}", problem[1])
        self._enough_novel_images(source.train)
        self._average_begins()
        self._rho_moves()
        mmac = catalog.find("model", self.model).mmac
        if mmac is not None:
            try:
                mmac(source.shape, source.classes)
            except ValueError as error:  # the images are too small for it
                raise Misfit("model", f"model: {self.model} on {self.dataset.name}: {error}") from None
        return self

    def _enough_novel_images(self, have: int) -> None:
        novel = self.noise.novel(self.dataset.clean) if hasattr(self.noise, "novel") else 0
        held = self.dataset.clean + self.dataset.validation
        if novel and held + novel > have:
            what = f"{novel} novel images beside {held} others, but {self.dataset.name} has {have} for training"
            raise Misfit("noise.alpha", f"alpha: {what}")

    def _average_begins(self) -> None:
        """Check that an average of weights begins before the end: else the plain network would be measured as one."""
        start, unit = getattr(self.average, "start", 0), getattr(self.average, "unit", "epochs")
        length = self._length(unit) if start else self.epochs
        if start > length:
            what = f"average: it begins after {start} {unit}, but the training ends after {length}"
            raise Misfit("average.start", what)

    def _rho_moves(self) -> None:
        """Check that every milestone of a `rho_schedule` is reached: else another schedule than it says would be
        measured."""
        schedule = getattr(self.optimizer, "rho_schedule", None)
        last: int = max(getattr(schedule, "milestones", ()), default=0)
        unit: str = getattr(schedule, "unit", "epochs")
        if last and last >= (length := self._length(unit)):
            what = f"rho_schedule: its milestone {last} is never reached, as the training ends after {length} {unit}"
            raise Misfit("optimizer.rho_schedule.milestones", what)

    def _length(self, unit: str) -> int:
        """Return the length of the training, in `epochs` or in `steps`."""
        if unit == "epochs":
            return self.epochs
        return self.epochs * -(-examples_an_epoch(self.identity()) // self.batch_size)

    @property
    def reads(self) -> tuple[tuple[str, str], ...]:
        """Return the inputs that a run of this recipe reads: (the recipe's key that asks for one, the input's name)."""
        noise: tuple[str, ...] = getattr(self.noise, "needs", ())
        of_method = self.method.input if isinstance(self.method, MayReadInput) else None
        named = (("dataset.only", self.dataset.only), ("start", self.start), ("method", of_method))
        return (*(("noise", name) for name in noise), *((key, name) for key, name in named if name is not None))

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the inputs, by name, that a run of this recipe reads, each once."""
        return tuple(dict.fromkeys(name for _, name in self.reads))

    @property
    def probe_names(self) -> tuple[str, ...]:
        """Return the names of what is measured beside the curves, whatever its options."""
        return tuple(catalog.name_and_options(_plain(probe))[0] for probe in self.probes)

    def identity(self) -> dict[str, Any]:
        """Return the recipe as plain data, without `selection`: how a curve is read changes no training.

        Options that come to the same thing (a noise of strength 0) have one identity.
        """
        unused = {name for name in ("pixels", "probes", "average", "repeat", "start") if not getattr(self, name)}
        recipe = self.model_dump(mode="json", exclude={"selection", "arm", *unused})
        for name in ("test", "only"):
            if recipe["dataset"][name] is None:
                del recipe["dataset"][name]
        for name in ("noise", "method", "optimizer"):
            option = getattr(self, name)
            if hasattr(option, "identity"):
                recipe[name] = option.identity()
        return recipe

    @property
    def datasets(self) -> tuple[str, ...]:
        """Return the image data that a run reads: its own first, and what its noise shows of others."""
        return (self.dataset.name, *getattr(self.noise, "datasets", ()))


def _plain(named: str | catalog.Options) -> str | dict[str, Any]:
    """Return a name, or a mapping with its `kind` and options, as plain data."""
    return named if isinstance(named, str) else named.model_dump(mode="json")


def _form(recipe: Any) -> str:
    """Return which of the two forms a mapping or an object has: the name of its class."""
    is_experiment = isinstance(recipe, ExperimentRecipe) or (isinstance(recipe, Mapping) and "experiment" in recipe)
    return ExperimentRecipe.__name__ if is_experiment else Recipe.__name__


def _experiments() -> Any:
    options = tuple(entry.options for entry in catalog.entries()["experiment"].values())
    return Annotated[Union[options], Field(discriminator="experiment"), AfterValidator(_trainable)]  # noqa: UP007


def _trainable(recipe: ExperimentRecipe) -> ExperimentRecipe:
    """Check that an experiment that trains a classifier keeps the rules of any training. Raises Misfit or
    ValueError."""
    training = recipe.training()
    if training is None:
        return recipe
    try:
        Recipe.model_validate(training)
    except ValidationError as error:
        inner = error.errors()[0].get("ctx", {}).get("error")
        if isinstance(inner, Misfit):
            raise Misfit(inner.key, str(inner)) from None
        raise ValueError(str(inner or error)) from None
    return recipe


if TYPE_CHECKING:
    AnyRecipe = Recipe | ExperimentRecipe
else:
    AnyRecipe = Annotated[
        Annotated[Recipe, Tag(Recipe.__name__)] | Annotated[_experiments(), Tag(ExperimentRecipe.__name__)],
        Discriminator(_form),
    ]

_any_recipe: TypeAdapter[Recipe | ExperimentRecipe] = TypeAdapter(AnyRecipe)


def recipe_of(tree: Any) -> Recipe | ExperimentRecipe:
    """Return the recipe in a mapping, of whichever form. Raises pydantic's ValidationError."""
    return _any_recipe.validate_python(tree)
