"""Packages that a study's runs need and that lnbench does not bring: missed before the training, not in the middle."""

from __future__ import annotations

import importlib.util

from lnbench.errors import LnbenchError
from lnbench.spec import ExperimentRecipe, Study


def missing_packages(study: Study) -> list[str]:
    """Return a line for each package that a run of the study imports and that is not here, with what installs it."""
    needed: dict[str, str] = {}
    for cell in study.cells:
        if isinstance(cell.recipe, ExperimentRecipe):
            needed |= cell.recipe.packages
    return [
        f"{study.key} needs the package {name}, which is not installed: pip install '{by}'"
        for name, by in sorted(needed.items())
        if importlib.util.find_spec(name) is None
    ]


def demand_packages(study: Study) -> None:
    """Raise LnbenchError where a package is missing that a run of the study needs."""
    if lines := missing_packages(study):
        raise LnbenchError("; ".join(lines))
