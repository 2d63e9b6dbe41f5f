"""Names of the catalog that belong to label noise, and their options."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from lnbench.catalog.entry import Entry, Input
from lnbench.catalog.options import NotNegative, Options


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
        Entry("noise", "pair_flip", target=f"{uniform}:PairFlip", options=PairFlip,
              words="each label replaced, at a rate, by the next class"),
        Entry("input", "confusion", target="lnbench.noise.confusion:summed_confusion", value=Input(("test_confusion",)),
              words="the test confusion matrices of some training runs, summed"),
    ]  # fmt: skip
