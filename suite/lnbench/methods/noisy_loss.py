"""The noisy loss H_alpha: on clean labels, the mean of what dilution with alpha random labels an image gives."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from lnbench.methods.method import Loss


class NoisyLoss(Loss):
    """H_alpha of Rolnick et al. 2018 (equation 3), for p = softmax(logits), the true class c of m and each example:

        H_alpha = -1/(1 + alpha) · log p_c  -  alpha/(m·(1 + alpha)) · sum over k of log p_k

    It is the cross-entropy against the label law of uniform dilution, so its minimum is at that law:
    p_c = 1/(1 + alpha) + alpha/(m·(1 + alpha)). `form: proportional` is (1 + alpha) times that, the equation's second
    line, which has lost its sign of proportionality.
    """

    def __init__(self, options: dict[str, Any]):
        super().__init__(options)
        alpha = float(options["alpha"])
        whole = 1.0 if options["form"] == "proportional" else 1.0 / (1.0 + alpha)
        self.of_label, self.of_all = whole, whole * alpha

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        logs = F.log_softmax(logits, dim=1)
        own = F.nll_loss(logs, labels, reduction="none")
        return self.of_label * own - self.of_all * logs.mean(dim=1)
