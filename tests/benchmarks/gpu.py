"""The rows that need a GPU, for the day when one is at hand: `python -m tests.benchmarks.gpu [--write]`.

Untested: no GPU has run this yet. Goals are for an H200. Times are on the clock, with the device's work awaited; the
plain loops use the same device, and a DataLoader without worker processes.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from lnbench.data.images import ImageData
from lnbench.models import resnet as residual
from lnbench.training.batches import DeviceData
from tests.benchmarks import plain_torch as theirs
from tests.benchmarks.engine_side import BATCH, SGD, Epochs, random_images, recipe
from tests.benchmarks.machine import described, load
from tests.benchmarks.ratios import FULL, Goal, Readings, Row, Size
from tests.benchmarks.table import HEAD, line, table
from tests.toys.written_page import DOCS, replaced

PAGE, MARKED = DOCS / "performance.md", ("gpu benchmarks", "tests/benchmarks/gpu.py")
DEVICE = torch.device("cuda")
STEPS = 200  # of an epoch that is timed


def seconds(run: Callable[[], object]) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    run()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def on_device(kind: str, batch: int) -> tuple[ImageData, DeviceData]:
    data = random_images(kind, STEPS * batch)
    return data, DeviceData(data, DEVICE)


def residual_epochs(name: str, batch: int, replicas: int = 1, compile: bool = False) -> Epochs:
    data, there = on_device("cifar10", batch)
    spec = recipe(data, model=name, precision="fast", optimizer=SGD, batch_size=batch, augment="crop_flip")
    return Epochs(there, spec, replicas, "recorded", compile)


def images_a_second(size: Size, *, name: str, batch: int, replicas: int = 1, compile: bool = False) -> Readings:
    """Thousands of images a second in training, all replicas together, crops included, evaluation not."""
    ours = residual_epochs(name, batch, replicas, compile)
    seconds(ours)
    return Readings([ours.examples / seconds(ours) / 1000 for _ in range(size.repeats)])


def over_eager(size: Size) -> Readings:
    """ResNet-32 against an eager float32 loop whose images are resident on the device."""
    ours = residual_epochs("resnet32", BATCH)
    data = random_images("cifar10", STEPS * BATCH)
    network = residual.build("resnet32", data.shape, data.classes).to(DEVICE)
    batches = theirs.resident(data, STEPS * BATCH, BATCH, DEVICE)
    plain = theirs.train_on(batches, network, theirs.sgd(network))
    return _turns(ours, ours.examples, plain, STEPS * BATCH, size)


def over_loader(size: Size, *, model: str, replicas: int, backend: str) -> Readings:
    """All replicas together against the DataLoader loop with one network on the device."""
    data, there = on_device("mnist", BATCH)
    ours = Epochs(there, recipe(data, model=model, precision="fast"), replicas, backend, backend == "stacked")
    examples = 24 * BATCH
    network = (theirs.convnet4(10) if model == "convnet4" else theirs.mlp(784, 512, 10)).to(DEVICE)
    loader = theirs.loader("mnist", data, examples, BATCH)
    moved = partial(_moved, loader)
    plain = theirs.train_on(moved, network, theirs.adadelta(network))
    return _turns(ours, ours.examples, plain, examples, size)


def _moved(loader: Any) -> Any:
    return ((images.to(DEVICE), labels.to(DEVICE)) for images, labels in loader)


def _turns(ours: Any, our_amount: int, plain: Any, plain_amount: int, size: Size) -> Readings:
    for side in (ours, plain):
        seconds(side)
    pairs = [(our_amount / seconds(ours), plain_amount / seconds(plain)) for _ in range(size.repeats)]
    first, second = (statistics.median(rates) for rates in zip(*pairs, strict=True))
    return Readings([a / b for a, b in pairs], f"{first:,.0f} : {second:,.0f} examples/s")


def host_syncs(size: Size) -> Readings:
    """How often an epoch makes the host wait for the device, its evaluation and record included."""
    ours = residual_epochs("resnet32", BATCH)
    ours()
    counts = []
    for _ in range(size.repeats):
        torch.cuda.synchronize()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")
            try:
                ours()
                ours.group.record()
            finally:
                torch.cuda.set_sync_debug_mode("default")
        counts.append(float(sum("synchroniz" in str(warning.message) for warning in caught)))
        ours.group.state.epoch = 0
    return Readings(counts)


ROWS = [
    Row(1, "ResNet-32", "batch 128", Goal("at least", 120, "k img/s"),
        partial(images_a_second, name="resnet32", batch=128)),
    Row(2, "ResNet-32 / eager", "batch 128, against an eager resident loop", Goal("at least", 4), over_eager),
    Row(3, "ResNet-18", "batch 128", Goal("at least", 45, "k img/s"),
        partial(images_a_second, name="resnet18", batch=128)),
    Row(4, "ResNet-18, 512", "batch 512", Goal("at least", 60, "k img/s"),
        partial(images_a_second, name="resnet18", batch=512)),
    Row(5, "MLP-512", "one run / DataLoader loop", Goal("at least", 100),
        partial(over_loader, model="mlp1", replicas=1, backend="stacked")),
    Row(6, "MLP-512, 64", "K = 64 in all / DataLoader loop", Goal("at least", 1000),
        partial(over_loader, model="mlp1", replicas=64, backend="stacked")),
    Row(7, "ConvNet-4", "one run / DataLoader loop", Goal("at least", 40),
        partial(over_loader, model="convnet4", replicas=1, backend="recorded")),
    Row(9, "ResNet-32, compiled", "batch 128", Goal("at least", 120, "k img/s"),
        partial(images_a_second, name="resnet32", batch=128, compile=True)),
    Row(10, "ResNet-32, 4", "batch 128, four side by side, compiled", Goal("at least", 120, "k img/s"),
        partial(images_a_second, name="resnet32", batch=128, replicas=4, compile=True)),
    Row(8, "host", "times an epoch waits for the device", Goal("at most", 1, "an epoch"), host_syncs),
]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write the table into docs/performance.md")
    given = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("there is no CUDA device here")
    machine = f"{torch.cuda.get_device_name()}; {described()}"
    print("\n".join([machine, "", *HEAD]), flush=True)
    lines = {}
    for row in ROWS:
        lines[row.name] = line(row, row.measure(FULL), load())
        print(lines[row.name], flush=True)
    if given.write:
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(replaced(text, *MARKED, table(lines, ROWS, machine)), encoding="utf-8")


if __name__ == "__main__":
    main()
