"""Every network of the suite, by family, with its arithmetic; no torch."""

from __future__ import annotations

from functools import partial

from lnbench.catalog.entry import Entry
from lnbench.models import densenet, plain, resnet
from lnbench.models.layers import Shape, mmac

FAMILIES = (plain, resnet, densenet)


def names() -> list[str]:
    """Return the names of all networks, in the catalog's order."""
    return [name for family in FAMILIES for name in family.NETWORKS]


def mmac_of(name: str, shape: Shape, classes: int) -> float:
    """Return the multiply-accumulates, in millions, of one image's forward pass. Raises KeyError for an unknown name,
    ValueError for images that are too small."""
    family = next((family for family in FAMILIES if name in family.NETWORKS), None)
    if family is None:
        raise KeyError(name)
    return mmac(family.layers, name, shape, classes)


def entries() -> list[Entry]:
    """Return the networks."""
    parity = {"convnet4": "parity_convnet4-full"}
    return [
        Entry(
            "model",
            name,
            target=f"{family.__name__}:build",
            mmac=partial(mmac, family.layers, name),
            layers=partial(family.layers, name),
            initial=network.initial,
            fast_parity=parity.get(name, ""),
            words=network.words,
        )
        for family in FAMILIES
        for name, network in family.NETWORKS.items()
    ]
