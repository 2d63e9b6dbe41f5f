"""How well a network fits the clean and the noisy members of the batches that it trains on."""

from __future__ import annotations

import torch
from torch import Tensor

from lnbench.training.probes.looks import Looks
from lnbench.training.probes.probe import StepView


class MemberAccuracy(Looks):
    """The share of a batch's noisy members that get the label given, and of its clean ones, at every k-th step: the
    measurement of the batch-size report (its section 4.3).

    From the logits of the step's own forward pass, in training mode, before its update. A member is noisy if its label
    as given is not the true one. A network that has learnt the classes and no wrong label gets less than a class's
    share of the noisy ones right, as it gives them their true class. A batch without a noisy (clean) member has no
    number.
    """

    curves = ("noisy_member_accuracy", "clean_member_accuracy")
    once_stepped = True
    needs_logits = True
    needs_network = False

    def numbers(self, view: StepView) -> tuple[Tensor, ...]:
        right = view.logits.argmax(-1) == view.labels
        return tuple(_share(right, members) for members in (~view.clean, view.clean))


def _share(right: Tensor, members: Tensor) -> Tensor:
    """Return (K,): the share of the members (K, B) bool that are right; NaN where there is none."""
    return (right & members).sum(1) / members.sum(1).to(torch.float32)
