"""lnbench: does the claim of a label-noise paper hold? One YAML a study, one verdict a claim."""

__version__ = "0.1.0"
