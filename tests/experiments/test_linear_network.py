"""The linear network: its kernel against a reference, the reduction to d + 1 neurons, and what runs say."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from lnbench import experiments, randomness
from lnbench.experiments import linear_kernel, linear_network
from lnbench.randomness import Stream
from lnbench.training.hooks import Stopped
from tests.toys.experiment_cases import NOTHING, Interrupting, linear, reference_steps, seeds


def run(own: dict[str, int] | None = None, hooks: Any = NOTHING, state: Any = None, **changes: Any) -> dict[str, Any]:
    return experiments.run(linear(**changes), own or seeds(), None, state=state, hooks=hooks)


# ---- randomness


def test_the_kernels_hash_is_lnbenchs_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    numbers = [*rng.integers(0, 2**32, (200, 4)).tolist(), [0, 0, 0, 0], [2**32 - 1] * 4, [2**32 - 1, 3, 1, 0]]
    for seed, stream, epoch, counter in numbers:
        ours = linear_kernel.u32(np.uint64(seed), np.uint64(stream), np.uint64(epoch), np.uint64(counter))
        assert int(ours) == randomness.u32(seed, stream, epoch, counter)


def test_the_kernels_sample_of_a_step_is_lnbenchs() -> None:
    for step in (0, 1, 999, 2**31, 2**32 - 1):
        expected = randomness.below(randomness.u32(7, Stream.ORDER, 0, step), 200)
        assert linear_kernel.index_at(np.uint64(7), np.uint64(step), 200) == expected


@pytest.mark.parametrize("gaussian", [False, True])
def test_label_noise_has_mean_0_and_variance_1(gaussian: bool) -> None:
    drawn = np.array([linear_kernel.noise_at(np.uint64(3), np.uint64(i), gaussian) for i in range(20_000)])
    assert abs(drawn.mean()) < 4 / np.sqrt(len(drawn))
    assert abs(drawn.var() - 1) < 4 * np.sqrt(2 / len(drawn))
    assert (set(drawn) == {-1.0, 1.0}) is not gaussian


def test_first_weights_have_their_scales_and_grow_with_the_network() -> None:
    W, a = linear_network.first_weights(linear(neurons=4000), 5)
    assert (W.shape, a.shape) == ((20, 4000), (4000,))
    assert abs(W.var() * 20 - 1) < 0.02
    assert abs(a.var() * 4000 - 1) < 0.1
    assert np.array_equal(linear_network.first_weights(linear(neurons=50), 5)[0], W[:, :50])


# ---- the kernel


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"noise": "gaussian"}, {"noisy": False}, {"noise_period": 100}, {"rho": 0.1}, {"batch": "all"},
        {"batch": "all", "rho": 0.5, "noisy": False, "neurons": 1000, "lr": 0.001},
        {"neurons": 7}, {"neurons": 21}, {"neurons": 22}, {"neurons": 1000, "lr": 0.001, "sigma": 4.0},
    ],
    ids=str,
)  # fmt: skip
def test_a_thousand_steps_agree_with_a_reference_that_reduces_nothing(changes: dict[str, Any]) -> None:
    options, own = linear(steps=1000, **changes), seeds(4, noise=9, order=2)
    network = linear_network._Network(options, own, None)
    network.finish(NOTHING)
    W, a = network._neurons()
    expected_W, expected_a = reference_steps(options, own, 1000)
    assert np.linalg.norm(W - expected_W) <= 1e-10 * np.linalg.norm(expected_W)
    assert np.linalg.norm(a - expected_a) <= 1e-10 * np.linalg.norm(expected_a)


def test_the_reduced_network_is_the_whole_one_after_long_training() -> None:
    """Both by the same kernel: only the rotation of neurons differs, and 40,000 noisy steps do not amplify it."""
    options, own = linear(steps=40_000), seeds(1)
    problem = linear_network.Problem(options, own["split"])
    W, a = linear_network.first_weights(options, own["init"])
    small_W, small_a, basis = linear_network.reduced(W, a)
    assert small_W.shape == (20, 21) and basis is not None
    for weights in ((W, a), (small_W, small_a)):
        done = linear_kernel.advance(
            *weights, problem.X, problem.y, problem.second, problem.target, 0.01, 2.0, 0, 0.0, False, False,
            np.uint64(own["order"]), np.uint64(own["noise"]), 0, 40_000, 0.0, np.uint64(0),
        )  # fmt: skip
        assert done == 0
    assert np.linalg.norm(small_W @ basis - W) <= 1e-9 * np.linalg.norm(W)
    assert np.linalg.norm(small_a @ basis - a) <= 1e-9 * np.linalg.norm(a)


def test_equal_runs_give_equal_bits() -> None:
    assert json.dumps(run()) == json.dumps(run())


@pytest.mark.parametrize("stream", ["split", "noise", "order", "init"])
def test_each_stream_changes_the_run(stream: str) -> None:
    assert run(seeds(0, **{stream: 1}))["curves"] != run()["curves"]


# ---- resuming


@pytest.mark.parametrize("questions", [1, 40, 300])
@pytest.mark.parametrize("changes", [{}, {"noise_period": 500}], ids=str)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(questions: int, changes: dict[str, Any]) -> None:
    hooks = Interrupting(questions)
    with pytest.raises(Stopped):
        run(hooks=hooks, **changes)
    assert 0 < hooks.saved.step < 2000
    assert run(state=hooks.saved, **changes) == run(**changes)


def test_half_lives_survive_an_interruption() -> None:
    """So noisy that some neurons halve their norm before it, some after."""
    options, hooks = linear(sigma=6.0), Interrupting(300)
    with pytest.raises(Stopped):
        run(hooks=hooks, sigma=6.0)
    whole, resumed = (linear_network._Network(options, seeds(), state) for state in (None, hooks.saved))
    for network in (whole, resumed):
        network.finish(NOTHING)
    early = (whole.hits > 0) & (whole.hits < hooks.saved.step)
    assert early.any() and (whole.hits > hooks.saved.step).any()
    assert np.array_equal(whole.hits, resumed.hits)


def test_a_state_of_another_run_is_not_used() -> None:
    hooks = Interrupting(40)
    with pytest.raises(Stopped):
        run(hooks=hooks, neurons=50)
    assert run(state=hooks.saved) == run()


def test_the_outside_is_asked_often() -> None:
    hooks = Interrupting(-1)
    run(hooks=hooks, steps=1_000_000)
    done = [0, *(progress.examples_done for progress in hooks.seen)]
    assert max(np.diff(done)) <= linear_network.CHUNK
    assert done[-1] == hooks.seen[-1].examples_total == 1_000_000


# ---- divergence


def test_too_large_a_step_ends_as_diverged_with_its_step() -> None:
    outcome = run(lr=1.0)
    assert outcome["status"] == "diverged"
    assert 1 < outcome["diverged_at"] < 1000
    assert set(outcome["metrics"].values()) == {None}
    assert all(len(curve) == len(outcome["steps"]) for curve in outcome["curves"].values())
    json.dumps(outcome, allow_nan=False)


def test_the_step_of_divergence_does_not_hang_on_where_the_run_was_interrupted() -> None:
    steps = {run(lr=1.0, points=points)["diverged_at"] for points in (2, 40, 1000)}
    assert len(steps) == 1


# ---- what the paper sees


def test_without_noise_nothing_moves_much() -> None:
    found = run(noisy=False, steps=20_000)["metrics"]
    assert found["norm_ratio_end"] > 0.97
    assert found["relative_movement"] < 0.1
    assert abs(found["alignment_change"]) < 0.05
    assert found["half_life_steps"] is None
    assert found["phase_lag"] is None


def test_noise_halves_the_norms_after_about_1_2_over_lr2_sigma2() -> None:
    """PAPERS 7.0 measured 1.1 to 1.2 for wide networks; two step sizes and two noises."""
    for lr, sigma in ((0.002, 4.0), (0.004, 2.0), (0.004, 4.0)):
        scaled = run(seeds(2), lr=lr, sigma=sigma, neurons=400, steps=60_000)["metrics"]["half_life_scaled"]
        assert 0.9 < scaled < 1.5, (lr, sigma)


def test_noise_in_periods_shrinks_norms_only_while_it_is_on() -> None:
    outcome = run(steps=8000, noise_period=2000)
    found = outcome["metrics"]
    assert found["norm_change_on"] < -0.02
    assert found["norm_change_off"] < 0.005
    assert found["second_weights_sd_on"] > 10 * found["second_weights_sd_off"]
    assert len(outcome["switches"]["mean_norm"]) == 4


def test_sam_with_one_sample_a_step_aligns_without_noise_and_with_all_samples_does_not() -> None:
    one = run(noisy=False, rho=0.3, steps=20_000)["metrics"]
    everything = run(noisy=False, rho=0.3, steps=20_000, batch="all")["metrics"]
    assert one["norm_ratio_end"] < 0.5 and one["alignment_end"] > 0.9
    assert everything["alignment_change"] < 0.2


def test_the_slowest_neuron_is_the_last_of_all() -> None:
    assert linear_network.slowest_of(np.array([5.0, 2.0, 9.0, 3.0])) == 9.0
    assert linear_network.slowest_of(np.array([5.0, 2.0, 0.0, 3.0])) is None  # one never got there
    assert linear_network.slowest_of(np.array([4.0])) == 4.0


def test_the_share_of_neurons_by_a_step_counts_those_that_never_got_there() -> None:
    hits = np.array([5.0, 2.0, 0.0, 9.0])
    assert linear_network.share_by(hits, 5.0, last=10) == 0.5
    assert linear_network.share_by(hits, 11.0, last=10) is None  # nobody looked for so long
    assert linear_network.share_by(hits, None, last=10) is None


def test_escapes_are_noted_by_norm_and_by_movement_of_each_neuron() -> None:
    """Against all neurons stepped by the same kernel without the reduction, and looked at after the same steps."""
    options, own = linear(steps=6000, sigma=4.0), seeds(3)
    network = linear_network._Network(options, own, None)
    network.finish(NOTHING)
    problem = linear_network.Problem(options, own["split"])
    W, a = linear_network.first_weights(options, own["init"])
    W0, norms0, expected, done = W.copy(), np.linalg.norm(W, axis=0), np.zeros((2, 101)), 0
    for step in sorted(network.watched):
        linear_kernel.advance(
            W, a, problem.X, problem.y, problem.second, problem.target, 0.01, 4.0, 0, 0.0, False, False,
            np.uint64(own["order"]), np.uint64(own["noise"]), done, step, 0.0, np.uint64(0),
        )  # fmt: skip
        done = step
        norms, moved = np.linalg.norm(W, axis=0), np.linalg.norm(W - W0, axis=0)
        halved = [*(norms <= norms0 / 2), norms.mean() <= norms0.mean() / 2]
        now = np.array([halved, [*(moved >= norms0 / 2), np.linalg.norm(W - W0) >= np.linalg.norm(W0) / 2]])
        expected[now & (expected == 0)] = step
    assert np.array_equal(network.hits, expected)
    assert 0 < (expected[0, :-1] > 0).sum() < 100 and (expected[1, :-1] > 0).all()
    assert not np.array_equal(expected[0], expected[1])


def test_a_neuron_that_turns_round_has_moved_and_its_norm_has_not_halved() -> None:
    found = run(seeds(2), sigma=4.0, steps=20_000)["metrics"]
    assert found["slowest_moved_steps"] is not None
    assert found["slowest_halved_steps"] is None or found["slowest_halved_steps"] > found["slowest_moved_steps"]
    bound = 384 * np.sqrt(np.log(100)) / (0.01**2 * 4.0**2 * np.sqrt(100))
    assert found["slowest_moved_of_bound"] == pytest.approx(found["slowest_moved_steps"] / bound)


def test_curves_are_read_before_the_first_step_and_at_log_spaced_ones() -> None:
    outcome = run(points=30)
    assert outcome["steps"][:3] == [0, 1, 2]
    assert outcome["steps"][-1] == 2000
    assert set(outcome["curves"]) == set(linear_network.CURVES)
    assert len(outcome["neurons"]["steps"]) == len(outcome["neurons"]["norm"]) <= linear_network.SHOWN_AT
    assert len(outcome["neurons"]["cosine"][0]) == 50


def test_losses_are_those_of_the_samples() -> None:
    options, own = linear(), seeds(3)
    problem = linear_network.Problem(options, own["split"])
    W, a = reference_steps(options, own, 500)
    expected = [0.5 * np.mean(((X @ W) @ a - X @ problem.teacher) ** 2) for X in (problem.X, problem.X_test)]
    assert problem.losses(W @ a) == pytest.approx(expected, rel=1e-12)
    assert np.linalg.norm(problem.teacher) == pytest.approx(1.0)
