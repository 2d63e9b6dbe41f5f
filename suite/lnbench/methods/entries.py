"""Names of the catalog that belong to methods, and their options."""

from __future__ import annotations

from typing import Any, Literal

from lnbench.catalog.entry import Entry
from lnbench.catalog.options import NotNegative, Options


class NoisyLoss(Options):
    """The noisy loss H_alpha (Rolnick et al. 2018, equation 3): on clean labels, what dilution is on average.

    form: `definition`, as the equation's first line has it, or `proportional`, (1 + alpha) times that, its second.
    """

    kind: Literal["noisy_loss"]
    alpha: NotNegative
    form: Literal["definition", "proportional"]

    def identity(self) -> dict[str, Any] | str:
        """At alpha 0 it is the cross-entropy, and shares its runs."""
        return self.model_dump(mode="json") if self.alpha else "standard"


def entries() -> list[Entry]:
    """The methods."""
    return [
        Entry("method", "standard", target="lnbench.methods.standard:Standard", words="cross-entropy"),
        Entry("method", "noisy_loss", target="lnbench.methods.noisy_loss:NoisyLoss", options=NoisyLoss,
              words="H_alpha, the mean of what dilution gives"),
    ]  # fmt: skip
