"""INCV: Co-teaching on the examples that rounds of cross-validation have selected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from lnbench.methods.co_teaching import exchanged, mean_of
from lnbench.methods.method import Beside, Examples, Method, Networks, Seen


class INCV(Method):
    """Chen et al. 2019: two networks on the selected set S. C are the candidates that are left.

    Of a batch of B selected examples, and of those that join it, each network picks the round(B · R(e)) of smallest
    cross-entropy (one at least; of equal ones the earlier), and the other steps along the mean over these. With e
    epochs finished, the estimated noise ratio ε of the first round, and c = K − 1 of K classes (`symmetric`) or 1:

        R(e) = 1 − ε_S · min(e / gradual, 1),   ε_S = ε² / (ε² + c · (1 − ε)²)

    When `warm_up` epochs are finished, min(⌊B · |C| / |S|⌋, ⌊B / 2⌋) candidates join each batch; the batch is as large
    as the recipe says, its last of an epoch may be smaller.

    The authors' code (INCV_main.py) has the candidates join one epoch later, sets warm_up by ε and the kind of noise
    (40; 80 where ε > 0.6 or the noise is not symmetric), and picks by losses in evaluation mode, in a pass of their
    own; here they are those of the step's pass, as for Co-teaching. Images are augmented in both.
    """

    networks: ClassVar[int] = 2

    def __init__(self, options: Mapping[str, Any]):
        super().__init__(dict(options))
        self.input, self.symmetric = str(options["input"]), bool(options["symmetric"])
        self.gradual, self.warm_up = int(options["gradual"]), int(options["warm_up"])
        self.mean = options["answer"] == "mean"
        self.forget_rate = 0.0

    def picks(self, examples: Examples) -> Tensor:
        selected = examples.number[examples.input(self.input, "kept")]
        if not len(selected):
            what = f"incv: the rounds up to {self.input} have selected none of {len(examples.number)} examples"
            raise ValueError(f"{what}; train their runs longer, or with another learning rate")
        return selected

    def beside(self, examples: Examples, batch_size: int) -> Beside | None:
        left = examples.number[examples.input(self.input, "candidates")]
        selected = len(self.picks(examples))
        # never an example twice in a batch
        each = min(batch_size * len(left) // selected, batch_size // 2, len(left))
        return Beside(left, each, self.warm_up) if each else None

    def begin(self, networks: Networks) -> None:
        self.forget_rate = forget_rate(
            networks.inputs[self.input]["noise_estimate"], networks.classes, symmetric=self.symmetric
        )

    def kept(self, epoch: int, count: int) -> int:
        """Return how many are learnt from of a batch of `count` selected examples when `epoch` epochs are finished."""
        share = 1 - self.forget_rate * min(epoch / self.gradual, 1.0)
        return max(1, round(share * count))

    def weights(self, losses: tuple[Tensor, ...], seen: Seen) -> tuple[Tensor, ...]:
        return exchanged(losses, self.kept(seen.epoch, len(seen.example) - seen.beside))

    def answer(self, logits: tuple[Tensor, ...]) -> Tensor:
        """Return the first network's logits; with `answer: mean`, the log of the two softmaxes' mean."""
        return mean_of(logits) if self.mean else logits[0]

    def facts(self) -> dict[str, Any]:
        return {"forget_rate": self.forget_rate}


def forget_rate(noise: float, classes: int, *, symmetric: bool) -> float:
    """Return the share of wrong labels among the selected examples, of that among all: `noise` below 1."""
    return noise**2 / (noise**2 + (classes - 1 if symmetric else 1) * (1 - noise) ** 2)
