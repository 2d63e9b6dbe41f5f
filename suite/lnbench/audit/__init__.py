"""Runs of a report trained again, and held against their records."""

from lnbench.audit.again import Audit, Audited, audit, draw_runs
from lnbench.audit.compare import FRACTION, Fate

__all__ = ["FRACTION", "Audit", "Audited", "Fate", "audit", "draw_runs"]
