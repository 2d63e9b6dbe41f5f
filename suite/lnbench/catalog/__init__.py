"""The one registry: every name that a spec may use, its options, its cost, and where its code is."""

from lnbench.catalog.entry import Entry, Input, Metric, with_metrics
from lnbench.catalog.options import ExperimentRecipe, Options, Part
from lnbench.catalog.registry import ENGINE_VERSION, entries, find, name_and_options, names, packages, used, versions

__all__ = [
    "ENGINE_VERSION", "Entry", "ExperimentRecipe", "Input", "Metric", "Options", "Part", "entries", "find",
    "name_and_options", "names", "packages", "used", "versions", "with_metrics",
]  # fmt: skip
