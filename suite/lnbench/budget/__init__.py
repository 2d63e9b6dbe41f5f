"""What to verify when time is short: the most verdicts for each minute, at what cost, in which order."""

from lnbench.budget.budget import ESTIMATED, MEASURED, PARTLY, TOO_SHORT, Budget, Row, budget_of
from lnbench.budget.known import prices_here
from lnbench.budget.obstacles import Machine
from lnbench.budget.wants import About, Left

__all__ = [
    "ESTIMATED",
    "MEASURED",
    "PARTLY",
    "TOO_SHORT",
    "About",
    "Budget",
    "Left",
    "Machine",
    "Row",
    "budget_of",
    "prices_here",
]
