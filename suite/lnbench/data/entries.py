"""Names of the catalog that belong to data: the data sets, and how pixels are scaled."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lnbench.catalog.entry import Entry
from lnbench.catalog.options import Options, Positive
from lnbench.data.sources import SOURCES


class Pixels(Options):
    """What is taken off a pixel in [0, 1], and by what it is then divided: one number a channel."""

    mean: Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
    std: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]


def entries() -> list[Entry]:
    """The data sets."""
    load = "lnbench.data.images:load"
    return [Entry("dataset", one.name, value=one, target=load, words=one.describe()) for one in SOURCES.values()]
