"""Every network of the suite, by family, with its arithmetic; no torch."""

from __future__ import annotations

from functools import partial

from lnbench.catalog.entry import Entry
from lnbench.models import densenet, plain, resnet, vgg
from lnbench.models.layers import mmac

FAMILIES = (plain, resnet, densenet, vgg)


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
