"""AUL and AUM are the sums that they say they are."""

from __future__ import annotations

import numpy as np
import pytest

from lnbench.loss_curves.scores import area_under_loss, area_under_margin, aul, running_sums
from tests.toys.planted_losses import planted_losses

LOSSES = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 7.0]], dtype=np.float32)


def test_aul_is_the_sum_up_to_the_epoch_and_may_leave_the_first_out() -> None:
    assert area_under_loss(LOSSES, 2).tolist() == [4.0, 6.0]
    assert area_under_loss(LOSSES, 3, skip_first=True).tolist() == [8.0, 11.0]


def test_aum_is_the_mean_margin() -> None:
    assert area_under_margin(LOSSES, 3).tolist() == pytest.approx([3.0, 13 / 3])
    assert area_under_margin(LOSSES, 3, skip_first=True).tolist() == [4.0, 5.5]


@pytest.mark.parametrize("epoch", [0, -1, 4])
def test_an_epoch_that_is_not_there_is_refused(epoch: int) -> None:
    with pytest.raises(ValueError, match="there is no epoch"):
        area_under_loss(LOSSES, epoch)


def test_one_epoch_without_its_first_is_refused() -> None:
    with pytest.raises(ValueError, match="no AUL"):
        area_under_loss(LOSSES, 1, skip_first=True)


def test_the_mode_says_which_losses_are_summed() -> None:
    arrays = planted_losses(n=20)
    assert np.array_equal(aul(arrays, 5), arrays["example_loss"][:5].sum(axis=0, dtype=np.float64))
    assert np.array_equal(aul(arrays, 5, mode="eval"), arrays["example_loss_eval"][:5].sum(axis=0, dtype=np.float64))
    with pytest.raises(ValueError, match="mode"):
        aul(arrays, 5, mode="train")


def test_long_sums_are_exact() -> None:
    losses = np.full((10_000, 1), 0.1, dtype=np.float32)
    assert area_under_loss(losses, 10_000)[0] == pytest.approx(10_000 * float(np.float32(0.1)), rel=1e-12)


def test_running_sums_are_the_auls_of_their_epochs() -> None:
    losses = planted_losses(n=30)["example_loss"]
    epochs = [1, 2, 7, 20]
    for t, total in zip(epochs, running_sums(losses, epochs), strict=True):
        assert total == pytest.approx(area_under_loss(losses, t), rel=1e-14)
