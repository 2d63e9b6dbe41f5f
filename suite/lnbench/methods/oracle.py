"""The oracle: standard training on the examples whose labels are right, as one who knows them would train."""

from __future__ import annotations

from torch import Tensor

from lnbench.methods.method import Examples, Method


class Oracle(Method):
    """The AUL paper's bound (Table 1): mislabeled examples are removed, so there are fewer, and fewer steps an epoch.

    The labels must stay the same in every epoch.
    """

    def picks(self, examples: Examples) -> Tensor:
        right = examples.number[~examples.wrong]
        if not len(right):
            raise ValueError(f"oracle: all of the {len(examples.number)} labels are wrong, so nothing is left to learn")
        return right
