"""What label noise does to labels, and what a loss makes of them: counted and minimised, nothing is trained.

The noise draws the labels of a balanced set of images, by the very code that trainings draw by, and the method's loss
is minimised over the predictions p(label | true class), by the very code that trainings step along. So the identities
of Rolnick et al. 2018 are statements about this implementation: 11 of 101 labels right at alpha 100, the shares of
structured noise (§3.2), and H_alpha (equation 3), whose minimum on clean labels is what dilution's labels give.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from lnbench.experiments.draws import Floats
from lnbench.experiments.running import attend
from lnbench.training.hooks import Hooks, Progress, State

CHUNK = 1 << 18  # examples at a time
NEWTON_STEPS = 50
SMALLEST = 1e-12  # for the gradient at the minimum


def run(
    options: dict[str, Any], seeds: dict[str, int], data_root: Path | None, *, state: Any = None, hooks: Any = None
) -> dict[str, Any]:
    """Do one draw. It is too short for checkpoints: `state` is not read."""
    shares, images = _label_shares(options, seeds["noise"], hooks or Hooks())
    best = _best_predictions(options["method"], shares)
    right = shares.diagonal()
    alpha, delta = float(options["noise"].get("alpha", 0.0)), float(options["noise"].get("delta", 0.0))
    by_rank = np.take_along_axis(shares, _ranks(options, seeds["noise"]), axis=1).mean(axis=0)
    metrics = {
        "correct_labels": float(right.mean()) * images,
        "label_accuracy_above_chance": float(right.mean()) - 1 / options["classes"],
        "correct_share": float(by_rank[0]),
        "likeliest_wrong_excess": float(by_rank[1] - by_rank[0]),
        "share_misfit": float(np.abs(by_rank - _printed_shares(alpha, delta, options["classes"])).max()),
        "best_prediction": float(best.diagonal().mean()),
    }
    curves = {"share_by_rank": by_rank.tolist()}
    return {"status": "ok", "diverged_at": None, "metrics": metrics, "curves": curves, "steps": [0]}


def _noise(options: dict[str, Any], seed: int) -> Any:
    from lnbench import catalog

    kind = catalog.find("noise", options["noise"]["kind"]).load()
    return kind(options["images"], options["classes"], seed, options["noise"])


def _label_shares(options: dict[str, Any], seed: int, hooks: Any) -> tuple[Floats, float]:
    """Return (shares (m, m), labels per image): row y, the labels that images of the true class y carry."""
    m, n = options["classes"], options["images"]
    noise = _noise(options, seed)
    counts = np.zeros(m * m, dtype=np.int64)
    for start in range(0, noise.size, CHUNK):
        example = np.arange(start, min(start + CHUNK, noise.size), dtype=np.int64)
        image = noise.images(example)
        clean = image % m
        counts += np.bincount(clean * m + noise.labels(example, clean, image), minlength=m * m)
        attend(hooks, Progress(0, 1, start, noise.size), State)
    table = counts.reshape(m, m)
    return table / table.sum(axis=1, keepdims=True), noise.size / n


def _ranks(options: dict[str, Any], seed: int) -> np.ndarray[Any, Any]:
    """Return (m, m): row y, the true class and then the wrong ones, from the one that the noise likes best."""
    m = options["classes"]
    ranks: np.ndarray[Any, Any] | None = getattr(_noise(options, seed), "by_rank", None)
    return (np.arange(m)[:, None] + np.arange(m)) % m if ranks is None else ranks


def _printed_shares(alpha: float, delta: float, m: int) -> Floats:
    """Return the shares by the paper's three properties: e = 1/(1 + alpha) over any other class at delta 0, a bias that
    is linear in rank and sums to 0, and at delta 1 the likeliest wrong label as likely as the correct one."""
    e = 1 / (1 + alpha)
    u = (1 - e) / m
    return np.array([e + u, *(u + delta * e * np.linspace(1, -1, m - 1))])


def _best_predictions(method: Any, shares: Floats) -> Floats:
    """Return (m, m): row y, the p = softmax(z) that minimise the method's mean loss over labels with those shares.

    The losses are convex in z; Newton's steps in float64, the direction along which p does not change left out.
    """
    import torch

    from lnbench.methods.method import Loss
    from lnbench.training.batches import method_of

    trained, m = method_of({"method": method}), len(shares)
    assert isinstance(trained, Loss)  # the options allow no other
    labels = torch.arange(m)
    best = []
    for row in torch.from_numpy(np.ascontiguousarray(shares)):
        z = torch.zeros(m, dtype=torch.float64)
        for _ in range(NEWTON_STEPS):
            z.requires_grad_()
            mean_loss = torch.dot(row, trained.loss(z.expand(m, m), labels))
            (gradient,) = torch.autograd.grad(mean_loss, z, create_graph=True)
            if gradient.abs().max() < SMALLEST:
                break
            curved = torch.stack([torch.autograd.grad(part, z, retain_graph=True)[0] for part in gradient])
            step = torch.linalg.pinv(curved, hermitian=True) @ gradient.detach()
            z = z.detach() - step
            z = (z - z.mean()).clamp(-50, 50)
        best.append(torch.softmax(z.detach(), dim=0).numpy())
    return np.array(best)
