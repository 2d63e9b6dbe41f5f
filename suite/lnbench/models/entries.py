"""Every network of the suite, by family, with its arithmetic; no torch."""

from __future__ import annotations

from lnbench.models import densenet, plain, resnet
from lnbench.models.layers import Shape, mmac

FAMILIES = (plain, resnet, densenet)


def names() -> list[str]:
    """All networks, in the catalog's order."""
    return [name for family in FAMILIES for name in family.NETWORKS]


def mmac_of(name: str, shape: Shape, classes: int) -> float:
    """Million multiply-accumulates of one image's forward pass. KeyError for an unknown name, ValueError for images
    that are too small."""
    family = next((family for family in FAMILIES if name in family.NETWORKS), None)
    if family is None:
        raise KeyError(name)
    return mmac(family.layers, name, shape, classes)
