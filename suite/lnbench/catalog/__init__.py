"""The one registry: every name that a spec may use, its options, its cost, and where its code is."""

from lnbench.catalog.entry import Entry, Metric, with_metrics
from lnbench.catalog.options import ExperimentRecipe, Options, Part
from lnbench.catalog.registry import ENGINE_VERSION, entries, find, name_and_options, names, versions

__all__ = [
    "ENGINE_VERSION", "Entry", "ExperimentRecipe", "Metric", "Options", "Part", "entries", "find", "name_and_options",
    "names", "versions", "with_metrics",
]  # fmt: skip
