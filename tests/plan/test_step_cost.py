"""What a run is said to take on a GPU: operations, arithmetic, memory; and which devices there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lnbench import catalog, machine
from lnbench.errors import LnbenchError
from lnbench.plan import Run, seconds_of
from lnbench.plan.cost import time_of
from lnbench.plan.devices import DEVICES, device_named
from lnbench.plan.rates import Prices, kind_of, prices_of
from lnbench.plan.step_cost import (
    OPERATION,
    PREPARATION,
    SHARE,
    SHARE_OF_BANDWIDTH,
    memory,
    operations,
    training_time,
)
from tests.toys.experiment_cases import linear
from tests.toys.short_of_time import record_of
from tests.toys.small_runs import ADADELTA, SGD, recipe, seeds

H200 = DEVICES["h200"]


def run(model: str = "resnet20", data: str = "cifar10", clean: int = 12_800, **changes: Any) -> Run:
    noise = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
    dataset = {"name": data, "clean": clean, "validation": 0}
    return Run(recipe(model=model, dataset=dataset, noise=noise, **{"batch_size": 128, **changes}), seeds())


def a_step(of: Run, device: Any = H200, **how: Any) -> float:
    """Seconds of one step: what twice as many steps add, over their number."""
    twice = Run(
        {**of.recipe, "dataset": {**of.recipe["dataset"], "clean": 2 * of.recipe["dataset"]["clean"]}}, of.seeds
    )
    more = training_time(twice, device, **how).seconds - training_time(of, device, **how).seconds
    return more / (of.examples / of.recipe["batch_size"])


def test_the_counts_of_the_networks_known_from_elsewhere_are_near() -> None:
    """Counted on a prototype: ResNet-32 455, ResNet-18 283."""
    for model, count in (("resnet32", 455), ("resnet18", 283)):
        counts = [operations(run(model, precision=precision)) for precision in ("fp32", "fast")]
        assert 0.85 * counts[0] < count < 1.15 * counts[1]


def test_a_step_takes_the_largest_of_host_arithmetic_and_memory() -> None:
    small = run("mlp1", "mnist")
    assert a_step(small) == pytest.approx(operations(small) * OPERATION)
    large = run("resnet18", batch_size=512)
    flop = large.steps_flop / (large.examples / 512)
    assert a_step(large) == pytest.approx(flop / (H200.fp32 * SHARE["fp32"]))
    slow = replace(H200, bandwidth=1e9)
    assert a_step(large, slow) > 10 * a_step(large)
    assert a_step(large, replace(slow, bandwidth=2e9)) == pytest.approx(a_step(large, slow) / 2)
    # 9 MB an image of ResNet-32 in bfloat16, 128 images
    narrow = run("resnet32", precision="fast")
    assert a_step(narrow, slow) == pytest.approx(128 * 9e6 / (1e9 * SHARE_OF_BANDWIDTH), rel=0.05)


def test_a_small_network_is_no_longer_priced_by_a_millisecond_a_step() -> None:
    for model, precision in (("perceptron", "fp32"), ("mlp1", "fp32"), ("lenet", "fp32"), ("convnet4", "fast")):
        assert 1.5 < 1e-3 / a_step(run(model, "mnist", precision=precision)) < 6


def test_stacked_runs_share_the_operations_and_nothing_else() -> None:
    small, large = run("mlp1", "mnist"), run("mlp4", "mnist", batch_size=60_000, clean=60_000)
    alone, together = a_step(small), a_step(small, backend="stacked", replicas=8)
    assert 2 < alone / together < 4
    assert a_step(large, backend="stacked", replicas=8) == pytest.approx(a_step(large))
    assert a_step(small, backend="recorded") < alone / 2
    assert a_step(small, backend="recorded") / a_step(small, backend="recorded", replicas=4) > 2


def test_a_method_of_two_networks_and_two_gradients_take_twice() -> None:
    sam = {"kind": "sam", "rho": 0.05, "base": SGD, "lr": 0.1, "weight_decay": 0.0}
    assert a_step(run(optimizer=sam)) == pytest.approx(2 * a_step(run()))


def test_what_comes_to_the_steps_is_priced_too() -> None:
    once, looked = run(), run(epochs=10)
    few = Run({**looked.recipe, "dataset": {**looked.recipe["dataset"], "test": 100}}, looked.seeds)
    steps = 100 * a_step(once)
    assert training_time(once, H200).seconds > steps + PREPARATION
    assert 10 * steps + PREPARATION < training_time(few, H200).seconds < training_time(looked, H200).seconds


def test_a_gpu_with_less_takes_longer_where_it_matters() -> None:
    large = run("resnet18", batch_size=512)
    assert a_step(large, DEVICES["a100"]) / a_step(large) == pytest.approx(67 / 19.5)
    assert a_step(run("mlp1", "mnist"), DEVICES["a100"]) == pytest.approx(a_step(run("mlp1", "mnist")))


def test_several_processes_share_a_gpu_but_for_the_time_it_is_busy() -> None:
    host_bound, busy = training_time(run("mlp1", "mnist"), H200), training_time(run("resnet18", batch_size=512), H200)
    assert host_bound.device < 0.2 * host_bound.seconds and busy.device > 0.8 * busy.seconds - PREPARATION


def test_memory_grows_with_images_weights_and_batch() -> None:
    assert memory(run()) < memory(run(batch_size=4096)) < memory(run("resnet18", batch_size=4096))
    assert memory(run("mlp1", "mnist"), 8) > memory(run("mlp1", "mnist")) > 2 * 70_000 * 784


def test_an_experiment_is_priced_on_a_core_unless_it_trains_a_network_of_the_catalog() -> None:
    found = Run(linear(), seeds())
    assert time_of(found, H200).seconds == found.seconds == seconds_of(found, "cpu")
    options = {
        "experiment": "label_errors", "dataset": "fashion_mnist", "clean": 6000, "model": "lenet", "method": "standard",
        "noise": {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}, "optimizer": ADADELTA,
        "schedule": {"kind": "constant"}, "batch_size": 64, "epochs": 20, "augment": "none", "precision": "fp32",
        "pixels": None, "folds": 0,
    }  # fmt: skip
    training = Run(options, seeds())
    assert time_of(training, H200).seconds < (training.seconds or 0.0) / 5
    assert time_of(training, DEVICES["cpu"]).seconds == training.seconds


def test_a_network_without_a_table_has_a_price(monkeypatch: pytest.MonkeyPatch) -> None:
    models = catalog.entries()["model"]
    monkeypatch.setitem(models, "plugged", replace(models["mlp1"], name="plugged", layers=None, mmac=None))
    assert a_step(run("plugged", "mnist")) > a_step(run("mlp1", "mnist"))


# ---- devices


def test_devices_are_named_and_each_says_where_its_figures_are_from() -> None:
    assert {name for name, device in DEVICES.items() if device.kind == "cuda"} == {"h200", "h100", "a100"}
    assert all(device.source for device in DEVICES.values())
    assert (device_named("h200"), device_named("cpu:16").cores) == (H200, 16)
    assert H200.is_card("NVIDIA H200") and DEVICES["a100"].is_card("NVIDIA A100-SXM4-80GB")
    assert DEVICES["h100"].is_card("NVIDIA H100 80GB HBM3") and not H200.is_card("NVIDIA GH200 480GB")
    assert DEVICES["cpu"].is_card("cpu") and not H200.is_card("cpu")


@pytest.mark.parametrize(
    ("name", "gist"),
    [
        ("h20", "did you mean 'h200'"), ("", "no planning figures"), ("cpu:0", "cpu:N for N cores"),
        ("cpu:some", "cpu:N for N cores"), ("cpu:-1", "cpu:N"), ("cpu:5000", "cpu:N"), ("h200:2", "one NVIDIA H200"),
        ("cuda:x", "no planning figures"), ("H200", "did you mean 'h200'"),
    ],
)  # fmt: skip
def test_a_device_that_is_none_is_one_line(name: str, gist: str) -> None:
    with pytest.raises(LnbenchError, match=gist):
        device_named(name)


def test_this_machines_gpu_is_known_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for card, name, words in (
        ("NVIDIA A100-SXM4-80GB", "a100", "NVIDIA A100 (80 GB)"),
        ("", "h200", "NVIDIA H200"),
        ("NVIDIA L4", "nvidia l4", "NVIDIA L4 (no planning figures; those of an NVIDIA H200)"),
    ):
        monkeypatch.setattr("lnbench.plan.devices.cuda_name", lambda number, card=card: card)
        found = device_named("cuda:0")
        assert (found.name, found.words) == (name, words) and found.is_card(card or "NVIDIA H200")


class Driver:
    """A CUDA driver with two cards, of which the second has no name that can be asked for."""

    def cuDeviceGetCount(self, count: Any) -> int:
        count._obj.value = 2
        return 0

    def cuDeviceGet(self, device: Any, number: int) -> int:
        device._obj.value = number
        return 0

    def cuDeviceGetName(self, name: Any, length: int, device: Any) -> int:
        name.value = b"NVIDIA H200"
        return device.value


def test_the_driver_is_asked_for_a_cards_name(monkeypatch: pytest.MonkeyPatch) -> None:
    for driver, names in ((Driver(), ["NVIDIA H200", "", ""]), (None, ["", "", ""])):
        monkeypatch.setattr(machine, "_driver", lambda driver=driver: driver)
        machine.cuda_devices.cache_clear()
        machine.cuda_name.cache_clear()
        assert [machine.cuda_name(number) for number in range(3)] == names
    machine.cuda_devices.cache_clear()
    machine.cuda_name.cache_clear()


# ---- rates


def test_a_price_is_as_much_longer_as_records_of_its_kind_were() -> None:
    first, other, fast = run("mlp1", "mnist"), run("mlp1", "mnist", clean=1000), run("mlp1", "mnist", precision="fast")
    modelled = training_time(first, H200).seconds
    records = [record_of(first, "NVIDIA H200", factor * modelled) for factor in (2.0, 3.0, 10.0)]
    prices = prices_of(H200, records)
    assert prices.rates[kind_of(first.recipe)].factor == pytest.approx(3.0) and prices.measured(other)
    assert prices.of(other).seconds == pytest.approx(3 * training_time(other, H200).seconds)
    assert not prices.measured(fast) and prices.of(fast) == training_time(fast, H200)


def test_records_that_say_nothing_of_a_price_are_left_out() -> None:
    good = record_of(run(), "NVIDIA H200", 10.0)
    resumed = {**good, "provenance": {**good["provenance"], "resumed": True}}
    no_time = {**good, "provenance": {"device": "NVIDIA H200"}}
    other = {**good, "content": {**good["content"], "recipe": {"model": "of a plug-in that is gone"}}}
    choice = {**good, "kind": "choice"}
    cpu = record_of(run(), "cpu", 10.0)
    assert prices_of(H200, [resumed, no_time, other, choice, cpu, {"kind": "training"}]).rates == {}
    assert set(prices_of(H200, [good]).rates) == {("resnet20", "fp32")}
    assert Prices(DEVICES["cpu"]).of(run()).seconds == seconds_of(run(), "cpu")
