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
    SerializerFunctionWrapHandler,
    Tag,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from lnbench import catalog
from lnbench.catalog.options import ExperimentRecipe as ExperimentRecipe
from lnbench.catalog.options import MayReadInput, required
from lnbench.data.entries import Pixels as Pixels
from lnbench.data.sources import FolderSource, Source, source_of
from lnbench.errors import did_you_mean
from lnbench.training.probes.entries import TOP, method_problem, probe_problem
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


def _below_the_data_root(path: str) -> str:
    """Return a path as it is. Raises ValueError where it leads out of the data root."""
    parts = path.split("/")
    if not all(parts) or any(part in (".", "..") or part.startswith(".lnbench") for part in parts) or "\\" in path:
        what = "is no path below the data root; write it like birds, or photos/birds, and put a link there"
        raise ValueError(f"path: '{path}' {what}")
    return path


class OwnFolder(Strict):
    """A folder of image files, for the data set `image_folder`: where it is below the data root, and what is in it.

    A run is of just these files: with other counts it is not begun.
    """

    path: Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_below_the_data_root)]
    classes: Annotated[int, Field(ge=2)]
    train: Annotated[int, Field(gt=0)]
    test: Annotated[int, Field(gt=0)]


class Dataset(Strict):
    """The data: `clean` training images of it, and `validation` more that no training sees.

    `test`: on how many test images a run is tested, the same in every run; without it, on all. `only`: the name of an
    input (`runs.inputs`) that says on which of the training examples a run trains; without it, on all. Of a data set in
    image files: `size`, the width and height in pixels that images are brought to; `folder`, which one, where it is
    one's own.
    """

    name: Annotated[str, name_of("dataset")]
    clean: Annotated[int, Field(gt=0)]
    validation: Annotated[int, Field(ge=0)] = 0
    test: Annotated[int, Field(gt=0)] | None = None
    only: str | None = None
    size: Annotated[int, Field(ge=8, le=1024)] | None = None
    folder: OwnFolder | None = None

    _name = field_validator("name")(known("dataset"))

    @property
    def source(self) -> Source:
        """Return what the data set holds, with the options given here."""
        return source_of(self.model_dump(mode="json"))

    @model_serializer(mode="wrap")
    def _as_before(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what came later and is not used: reports and records show a recipe as they did."""
        found: dict[str, Any] = whole(self)
        return {key: value for key, value in found.items() if value is not None or key not in ("size", "folder")}

    @model_validator(mode="after")
    def _folder_fits(self) -> Dataset:
        source = catalog.find("dataset", self.name).value
        in_files = isinstance(source, FolderSource)
        if self.size is not None and not in_files:
            what = f"size: the images of {self.name} have their size; leave it out"
            raise Misfit("size", what)
        if self.folder is not None and not (in_files and not source.folder):
            raise Misfit("folder", f"folder: {self.name} has its place; leave it out, or write `name: image_folder`")
        if self.folder is None and in_files and not source.folder:
            what = "folder: say which: {path: birds, classes: 10, train: 5000, test: 1000}, below the data root"
            raise Misfit("name", what)
        return self

    @model_validator(mode="after")
    def _enough_images(self) -> Dataset:
        have = self.source.train
        if self.clean + self.validation > have:
            wanted = f"{self.clean} clean" + (f" + {self.validation} validation" if self.validation else "")
            raise Misfit("clean", f"clean: {wanted} images, but {self.name} has {have} for training")
        have = self.source.test
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
    augment: Literal["none", "crop_flip", "resized_crop_flip"]
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
        source = self.dataset.source
        self._images_in_files(source)
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

    def _images_in_files(self, source: Source) -> None:
        """Check what is asked of images that are decoded batch by batch, and only of those."""
        in_files, name = isinstance(source, FolderSource), self.dataset.name
        if self.augment == "crop_flip" and in_files:
            what = f"augment: crop_flip is for images in memory; of {name} take resized_crop_flip, or none"
            raise Misfit("augment", what)
        if self.augment == "resized_crop_flip" and not in_files:
            what = f"augment: resized_crop_flip is for image files; of {name} take crop_flip, or none"
            raise Misfit("augment", what)
        if in_files and getattr(self.noise, "reads_images", False):
            raise Misfit("noise", f"noise: this kind needs all images in memory, and those of {name} are files")
        if in_files and (unfit := [probe for probe in self.probe_names if probe in OF_OWN]):
            raise Misfit("probes", f"probes: {unfit[0]} needs all images in memory, and those of {name} are files")
        if "top5" in self.probe_names and source.classes <= TOP:
            raise Misfit("probes", f"probes: top5 says nothing of {source.classes} classes; leave it out")

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


def data_of(recipe: Recipe | ExperimentRecipe) -> list[dict[str, Any]]:
    """Return the image data that a run reads, each as a recipe's `dataset` names it: `name`, `size`, `folder`."""
    found: list[dict[str, Any]] = [{"name": name} for name in recipe.datasets]
    if isinstance(recipe, Recipe):
        own = recipe.dataset.model_dump(mode="json")
        found[0] = {key: own[key] for key in ("name", "size", "folder") if key in own}
    return found


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
