"""Names of the catalog that belong to label noise, and their options."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from lnbench.catalog.entry import Entry, Input
from lnbench.catalog.options import NotNegative, Options
from lnbench.data.label_sets import LABEL_SETS
from lnbench.data.sources import SOURCES, Source
from lnbench.errors import did_you_mean
from lnbench.noise.class_conditional import law_of
from lnbench.yamlfile.problems import Misfit

Share = Annotated[float, Field(ge=0, le=1)]
OWN, WHITE = "own", "white"  # sources of images that are no data sets
ROUNDING = 1e-6  # by which a row of shares, as somebody writes it, may miss 1


class NoNoise(Options):
    """The labels as they are."""

    kind: Literal["none"]


class DiluteUniform(Options):
    """Every clean pair once, and `alpha` copies of each image with a uniform random label (Rolnick et al. 2018)."""

    kind: Literal["dilute_uniform"]
    alpha: NotNegative
    include_true_class: bool


class ReplaceUniform(Options):
    """Each label is, with probability `rate`, replaced by a uniform random one."""

    kind: Literal["replace_uniform"]
    rate: Annotated[float, Field(ge=0, le=1)]
    include_true_class: bool


class ReplaceCount(Options):
    """Of all images of the data set, before it is split, exactly floor(rate times their number) get a uniform random
    label."""

    kind: Literal["replace_count"]
    rate: Annotated[float, Field(ge=0, le=1)]
    include_true_class: bool


class ResampleUniform(Options):
    """Each time an example is visited its label is, with probability `rate`, a uniform random one, drawn again each
    time."""

    redraws: ClassVar[bool] = True  # so no label of an example stays what it was

    kind: Literal["resample_uniform"]
    rate: Annotated[float, Field(ge=0, le=1)]
    include_true_class: bool

    def identity(self) -> dict[str, Any]:
        """Return the options that decide a run: at rate 0 there is no noise, so it shares the runs of `none`."""
        return self.model_dump(mode="json") if self.rate else {"kind": "none"}


class DiluteNovel(Options):
    """Every clean pair once, and `alpha` other images of the data set for each, with a uniform random label."""

    kind: Literal["dilute_novel"]
    alpha: NotNegative
    include_true_class: bool

    def novel(self, clean: int) -> int:
        """Return the number of images beyond the clean ones."""
        return round(self.alpha * clean)


class DiluteForeign(Options):
    """Every clean pair once, and `alpha` images from elsewhere for each, with a uniform random label: the training
    images of the data set `source`, or `white` noise with the mean and spread of each channel (Rolnick et al. 2018,
    Figure 6). `own` are the clean images themselves, for comparison: the same runs as those of `dilute_uniform`."""

    kind: Literal["dilute_foreign"]
    alpha: NotNegative
    source: str

    @property
    def foreign(self) -> bool:
        """Return whether some training images are none of the data set's."""
        return self.source != OWN and self.alpha > 0

    @property
    def reads_images(self) -> bool:
        """Return whether it needs the images themselves, in memory."""
        return self.foreign

    @property
    def datasets(self) -> tuple[str, ...]:
        """Return the data sets that a run with this noise reads beside its own."""
        return (self.source,) if self.foreign and self.source != WHITE else ()

    def misfit(self, source: Source) -> tuple[str, str] | None:
        """Return (key, what is wrong) where there is no such source, or its images are of another form."""
        if self.source in (OWN, WHITE):
            return None
        other = SOURCES.get(self.source)
        if other is None:
            return "source", f"source: no data set '{self.source}'; {did_you_mean(self.source, [OWN, WHITE, *SOURCES])}"
        if other.name == source.name:
            return "source", f"source: {source.name} is the study's own data set; write `own`"
        if (other.shape, other.scale) != (source.shape, source.scale):
            theirs, ours = (f"{'×'.join(map(str, one.shape))}, up to {one.scale:g}" for one in (other, source))
            return "source", f"source: {other.name} has images of {theirs}, and {source.name} of {ours}"
        return None

    def identity(self) -> dict[str, Any]:
        """Return the options that decide a run: without foreign images it shares the run of uniform dilution."""
        if self.foreign:
            return self.model_dump(mode="json")
        return {"kind": "dilute_uniform", "alpha": self.alpha, "include_true_class": True}


class DiluteStructured(Options):
    """Dilution in which some wrong classes are likelier than others, by `delta` (Rolnick et al. 2018, Figure 5)."""

    kind: Literal["dilute_structured"]
    alpha: NotNegative
    delta: Annotated[float, Field(ge=0, le=1)]
    order: Literal["confusing", "reverse", "random"]  # of the wrong classes, from the likeliest on

    @property
    def needs(self) -> tuple[str, ...]:
        """Return the inputs that a run with this noise reads."""
        return ("confusion",) if self.delta and self.order != "random" else ()

    def identity(self) -> dict[str, Any]:
        """Return the options that decide a run: at delta 0 there is no order, so it shares the runs of uniform
        dilution."""
        if self.delta:
            return self.model_dump(mode="json")
        return {"kind": "dilute_uniform", "alpha": self.alpha, "include_true_class": True}


class PairFlip(Options):
    """Each label y is, with probability `rate`, the next class, (y + 1) mod m."""

    kind: Literal["pair_flip"]
    rate: Annotated[float, Field(ge=0, le=1)]


def _human_problem(labels: str, dataset: str) -> str:
    """Return why a data set has no human labels of that name; "" where it has."""
    if dataset not in LABEL_SETS:
        return f"{dataset} has no human labels; {' and '.join(LABEL_SETS)} have some"
    known = LABEL_SETS[dataset].labels
    if labels not in known:
        has = f"{dataset} has {', '.join(known)}"
        return f"'{labels}' are no human labels of {dataset}; {has if len(known) == 1 else did_you_mean(labels, known)}"
    return ""


class Human(Options):
    """Labels that people gave to the training images (CIFAR-10N and CIFAR-100N, Wei et al. 2022): the same for every
    seed."""

    kind: Literal["human"]
    labels: Literal["aggregate", "random1", "random2", "random3", "worst", "noisy"]

    def misfit(self, source: Source) -> tuple[str, str] | None:
        """Return (key, what is wrong) where the data set has no such labels."""
        problem = _human_problem(self.labels, source.name)
        return ("labels", f"labels: {problem}") if problem else None


class LabelsFile(Options):
    """Labels from a file of your own, known by its sha256; `path` is relative to the study's folder, and no part of a
    run. `key` names the labels in a file that has several. `check_order: false` allows labels that agree with the true
    ones no more often than shuffled ones would."""

    kind: Literal["labels_file"]
    path: Annotated[str | None, Field(min_length=1, exclude=True)] = None
    sha256: str | None = None  # the rules of a study ask for it, and print it
    key: str | None = None
    check_order: bool = True

    @field_validator("sha256")
    @classmethod
    def _hexadecimal(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[0-9a-f]{64}", value):
            raise ValueError("sha256: a file's sha256 has 64 digits, 0 to 9 and a to f; `sha256sum FILE` prints it")
        return value

    def identity(self) -> dict[str, Any]:
        """Return the options that decide a run: what is in the file, and not where it lies."""
        return {
            "kind": self.kind,
            "sha256": self.sha256,
            **({} if self.key is None else {"key": self.key}),
            **({} if self.check_order else {"check_order": False}),
        }


class ClassConditional(Options):
    """Each label y is redrawn from row y of `matrix`, or of the matrix of a human label set (`like`); `rate`, where it
    is given, is the share of wrong labels that the matrix is brought to, its classes counted alike."""

    kind: Literal["class_conditional"]
    matrix: (
        Annotated[
            tuple[Annotated[tuple[Share, ...], Field(strict=False)], ...],
            Field(strict=False, min_length=2, max_length=1000),
        ]
        | None
    ) = None
    like: str | None = None
    rate: Share | None = None

    @model_validator(mode="after")
    def _one_law(self) -> ClassConditional:
        if (self.matrix is None) == (self.like is None):
            what = "give `matrix`, rows of shares, or `like`, the human labels whose matrix is taken"
            raise Misfit("kind" if self.matrix is None else "like", what)
        if self.matrix is None:
            return self
        for number, row in enumerate(self.matrix):
            if len(row) != len(self.matrix):
                what = f"row {number} has {len(row)} numbers; the matrix needs {len(self.matrix)}, one for each class"
                raise Misfit("matrix", f"matrix: {what}")
            if abs(math.fsum(row) - 1) > ROUNDING:
                raise Misfit("matrix", f"matrix: row {number} sums to {math.fsum(row):.6g}; its shares must sum to 1")
        try:
            law_of(self.matrix, self.rate)
        except ValueError as error:
            raise Misfit("rate", f"rate: {error}") from None
        return self

    def misfit(self, source: Source) -> tuple[str, str] | None:
        """Return (key, what is wrong) where the matrix is not one of the data set's."""
        if self.like is not None:
            problem = _human_problem(self.like, source.name)
            return ("like", f"like: {problem}") if problem else None
        assert self.matrix is not None, "one of the two is given"
        if len(self.matrix) != source.classes:
            what = f"a matrix of {len(self.matrix)} classes, but {source.name} has {source.classes}"
            return "matrix", f"matrix: {what}"
        return None

    def identity(self) -> dict[str, Any]:
        """Return the options that decide a run, without those that are not used."""
        return self.model_dump(mode="json", exclude_none=True)


class HardImages(Options):
    """Of all images of the data set, before it is split, exactly floor(rate times their number), those that look most
    like another class, get that class's label."""

    reads_images: ClassVar[bool] = True  # itself, so they must be in memory

    kind: Literal["hard_images"]
    rate: Share


def entries() -> list[Entry]:
    """Return the kinds of label noise, and what structured noise reads."""
    uniform = "lnbench.noise.uniform"
    return [
        Entry("noise", "none", target=f"{uniform}:NoNoise", options=NoNoise, words="the labels as they are"),
        Entry("noise", "dilute_uniform", target=f"{uniform}:DiluteUniform", options=DiluteUniform,
              words="alpha copies of each image with a uniform random label"),
        Entry("noise", "replace_uniform", target=f"{uniform}:ReplaceUniform", options=ReplaceUniform,
              words="each label replaced, at a rate, by a uniform random one"),
        Entry("noise", "replace_count", target=f"{uniform}:ReplaceCount", options=ReplaceCount,
              words="an exact number of all labels replaced by uniform random ones"),
        Entry("noise", "resample_uniform", target=f"{uniform}:ResampleUniform", options=ResampleUniform,
              words="each label, at every visit and at a rate, drawn again from the uniform law"),
        Entry("noise", "dilute_structured", target="lnbench.noise.structured:DiluteStructured",
              options=DiluteStructured,
              words="alpha copies of each image, some wrong classes likelier than others"),
        Entry("noise", "dilute_novel", target=f"{uniform}:DiluteNovel", options=DiluteNovel,
              words="alpha other images for each, with a uniform random label"),
        Entry("noise", "dilute_foreign", target="lnbench.noise.foreign:DiluteForeign", options=DiluteForeign,
              words="alpha images from elsewhere for each, with a uniform random label"),
        Entry("noise", "pair_flip", target=f"{uniform}:PairFlip", options=PairFlip,
              words="each label replaced, at a rate, by the next class"),
        Entry("noise", "human", target="lnbench.noise.tables:Human", options=Human,
              words="labels that people gave"),
        Entry("noise", "labels_file", target="lnbench.noise.tables:LabelsFile", options=LabelsFile,
              words="labels from a file, known by its sha256"),
        Entry("noise", "class_conditional", target="lnbench.noise.class_conditional:ClassConditional",
              options=ClassConditional, words="each label redrawn from its class's row of a matrix"),
        Entry("noise", "hard_images", target="lnbench.noise.hard_images:HardImages", options=HardImages,
              words="the images that look most like another class get its label"),
        Entry("input", "confusion", target="lnbench.noise.confusion:summed_confusion", value=Input(("test_confusion",)),
              words="the test confusion matrices of some training runs, summed"),
    ]  # fmt: skip
