"""Names of the catalog that belong to data: the data sets, and how pixels are scaled."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lnbench.catalog.entry import Entry
from lnbench.catalog.options import Options, Positive
from lnbench.data.sources import SOURCES, FolderSource


class Pixels(Options):
    """What is taken off a pixel in [0, 1], and by what it is then divided: one number a channel."""

    mean: Annotated[tuple[float, ...], Field(strict=False, min_length=1)]
    std: Annotated[tuple[Positive, ...], Field(strict=False, min_length=1)]


# the others are read by torchvision, from files in the data root
OWN_READERS = {
    "digits": "digits",
    "synthetic_mnist": "synthetic",
    "synthetic_cifar10": "synthetic",
    "synthetic_other": "synthetic_other",
    "fashion_mnist_32": "resized",
}


def entries() -> list[Entry]:
    """Return the data sets, each with the code that reads it (`lnbench.data.readers` says in which form)."""
    readers = {
        name: "lnbench.data.image_folder:load_folder"
        if isinstance(source, FolderSource)
        else f"lnbench.data.readers:{OWN_READERS.get(name, 'torchvision')}"
        for name, source in SOURCES.items()
    }
    return [Entry("dataset", name, value=one, target=readers[name], words=one.describe())
            for name, one in SOURCES.items()]  # fmt: skip
