"""The names of the tiers, in one place that costs nothing to import: command lines and plug-ins need them at once."""

from __future__ import annotations

TIERS = ("smoke", "cpu", "lite", "full")  # from seconds of training to the paper's own scale
PAPER_TIERS = TIERS[1:]  # those that say something about a paper; smoke only tests the installation
