"""What a training takes on a GPU: a model with its assumptions, for planning. Estimated, not measured.

The time of a step is the largest of three, as they go on side by side:

- the host's: OPERATION seconds for each operation that it starts. Networks of this suite are small, so this is what
  most of their steps take. Operations were counted as torch dispatches them, without views (a test counts them again).
- arithmetic: its operations at a share of the device's peak.
- memory traffic: each value that a layer gives is read and written PASSES times, forward, backward and by what follows
  it, and each weight WEIGHT_PASSES times; at a share of the device's bandwidth.

K dense runs that are stacked share the operations, and nothing else. A step that is `recorded` has fewer; each takes
the device GAP, which K runs side by side share, and the host only fills in the batch. To the steps come the evaluation
after each epoch (in float32) and the preparation of each run. Image files are decoded meanwhile, by DECODERS processes:
a step takes no less than that. A network without a table of layers is taken for a small
ResNet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from lnbench import catalog
from lnbench.data.sources import source_of
from lnbench.models.layers import Layer, Shape
from lnbench.plan.devices import Device
from lnbench.plan.run import Run
from lnbench.training.shape import added_passes, evaluated_at_once, in_files, method_entry, passes

OPERATION = 6e-6  # seconds of host time: a planning figure, of an eager launch in torch (6 to 7 µs)
GAP = 3e-6  # seconds that a small operation of a recorded step takes the device
RECORDED = 0.6  # operations of a recorded step over those of an eager one: ResNet-32 264 of 455, ResNet-18 170 of 283
# Operations of an eager step: of each layer forward and backward; FIXED are those of batch, labels, loss and optimiser.
OF_LAYER = {"dense": 8.0, "conv": 7.5, "norm": 4.5}
OF_CAST = 2.0  # that `fast` adds for each tensor of weights or biases of a dense layer or a convolution
FIXED = 24.0
OF_NO_TABLE = 120.0  # of a network whose layers are not known
STACK, OF_MEMBER = 2.0, 4.0  # a stack of K: STACK times the operations of one, and OF_MEMBER for each run's own batch
FORWARD = 1 / 3  # of a step's operations, arithmetic and traffic
# Shares of the peak. ResNet-18 in half precision got 77 of an A100's 312 TFLOP/s (KellerJordan/cifar10-airbench); in
# float32 without TF32, and of the bandwidth, about half is assumed.
SHARE = {"fp32": 0.4, "fast": 0.25}
SHARE_OF_BANDWIDTH = 0.55
PASSES = 15.0  # fits 9 MB an image of ResNet-32 in bfloat16, and 2.3 MB of the 4-layer ConvNet
WEIGHT_PASSES = 10.0  # AdaDelta's: weights, gradients and two states, read and written
BYTES = {"fp32": 4.0, "fast": 2.0}
PREPARATION = 0.5  # seconds of a run besides its epochs: labels, first weights, the record
DECODING = 5e-3  # seconds of a core for an image file: 3.5 ms were measured for a JPEG of 500×375 pixels and 80 kB
DECODERS = 16  # cores that decode beside a GPU (data.decoding.MOST_PROCESSES)
HELD = 3.0  # bytes that are held for the backward pass and its gradients, over those of the layers' values


@dataclass(frozen=True, slots=True)
class Time:
    """How long a run takes (seconds, alone on the device), and how long of that the device itself is at work: several
    processes on one GPU share only the rest."""

    seconds: float
    device: float = 0.0

    def times(self, factor: float) -> Time:
        """Return it longer by a factor."""
        return Time(self.seconds * factor, self.device * factor)


def training_time(run: Run, device: Device, backend: str = "loop", replicas: int = 1) -> Time:
    """Return what a training takes on a GPU, one of `replicas` that train together."""
    recipe, precision = run.recipe, run.recipe["precision"]
    steps = float(-(-run.examples // recipe["batch_size"]) * run.epochs)
    work = passes(recipe) + added_passes(recipe) * FORWARD
    host = _started(operations(run) * work, backend, replicas)
    moved = work * _moved(run, precision) + passes(recipe) * _weights(run) * WEIGHT_PASSES * BYTES["fp32"]
    busy = _busy(run.steps_flop / steps, precision, moved, device)
    looks, decoding = _evaluation(run, device), recipe["batch_size"] * decoding_time(run) / DECODERS
    return Time(
        steps * max(host, busy, decoding) + run.epochs * looks.seconds + PREPARATION,
        steps * busy + run.epochs * looks.device,
    )


def trains(run: Run) -> bool:
    """Return whether an experiment is the training of a network of the catalog, and is priced as such on a GPU."""
    return {"model", "dataset", "batch_size", "epochs"} <= set(run.recipe)


def experiment_time(run: Run, device: Device) -> Time:
    """Return what an experiment that trains a network takes on a GPU, by the examples of all its steps."""
    steps, size = run.examples / run.recipe["batch_size"], run.recipe["batch_size"]
    flop = 6.0 * size * sum(layer.macs for layer in layers_of(run))
    moved = _moved(run, "fp32") + _weights(run) * WEIGHT_PASSES * BYTES["fp32"]
    busy = _busy(flop, "fp32", moved, device)
    on_a_core = catalog.find("experiment", run.recipe["experiment"]).on_a_core
    beside = on_a_core(run.recipe) if on_a_core else 0.0
    return Time(steps * max(operations(run) * OPERATION, busy) + PREPARATION + beside, steps * busy)


def operations(run: Run) -> float:
    """Return how many operations the host starts in an eager step of a training, its passes counted once."""
    found = layers_of(run)
    if not found:
        return OF_NO_TABLE
    kinds = Counter(layer.kind for layer in found)
    total = FIXED + sum(count * OF_LAYER[kind] for kind, count in kinds.items())
    if run.recipe["precision"] == "fast":
        total += OF_CAST * sum(1 + layer.bias for layer in found if layer.kind != "norm")
    return total


def memory(run: Run, replicas: int = 1) -> float:
    """Return about how many bytes a training holds on its device: images, weights, and what a step or an evaluation
    keeps of its batch."""
    if run.experiment:
        return 0.0
    source = source_of(run.recipe["dataset"])
    channels, height, width = source.shape
    held = 0 if in_files(run.recipe) else source.train + source.test
    images: float = 2.0 * float(held * channels * height * width)  # padded, too
    networks: int = replicas * method_entry(run.recipe)[0].networks
    weights = _weights(run) * WEIGHT_PASSES / 2 * BYTES["fp32"]
    batch = run.recipe["batch_size"] * _values(run) * HELD * BYTES[run.recipe["precision"]]
    looked_at = evaluated_at_once(run.recipe) * _values(run) * BYTES["fp32"]
    total: float = images + networks * (weights + max(batch, looked_at))
    return total


def _started(own: float, backend: str, replicas: int) -> float:
    """Return the seconds that a run's share of a step of `own` operations takes the host; of a recorded step, the
    device's gaps where these are longer."""
    if backend == "stacked":
        return (STACK * own + OF_MEMBER * replicas) / replicas * OPERATION
    if backend == "recorded":
        return max(own * RECORDED * GAP / replicas, OF_MEMBER * OPERATION)
    return own * OPERATION


def _busy(flop: float, precision: str, moved: float, device: Device) -> float:
    """Return the seconds that the device is at work: with arithmetic or with memory, whichever takes longer."""
    peak = device.fast if precision == "fast" else device.fp32
    return max(flop / (peak * SHARE[precision]), moved / (device.bandwidth * SHARE_OF_BANDWIDTH))


def _moved(run: Run, precision: str) -> float:
    """Return the bytes that a step moves for the values of its layers."""
    return float(run.recipe["batch_size"] * _values(run) * PASSES * BYTES[precision])


def _evaluation(run: Run, device: Device) -> Time:
    """Return what looking at all test and validation images once takes."""
    dataset = run.recipe["dataset"]
    images = (dataset.get("test") or source_of(dataset).test) + run.held_out
    networks = method_entry(run.recipe)[0].networks
    batches = -(-images // evaluated_at_once(run.recipe))
    host = batches * networks * operations(run) * FORWARD * OPERATION
    moved = images * networks * _values(run) * PASSES * FORWARD * BYTES["fp32"]
    busy = _busy((run.flop - run.steps_flop) / run.epochs, "fp32", moved, device)
    return Time(max(host, busy, images * decoding_time(run) / DECODERS), busy)


def decoding_time(run: Run) -> float:
    """Return the seconds of a core that a run's images take each to be decoded: 0 of images in memory."""
    return DECODING if run.experiment is None and in_files(run.recipe) else 0.0


def _values(run: Run) -> float:
    """Return how many numbers the layers of a network give for one image, normalisations left out."""
    found = layers_of(run)
    return float(sum(layer.outputs * layer.places for layer in found if layer.kind != "norm"))


def _weights(run: Run) -> float:
    return float(sum(layer.parameters for layer in layers_of(run)))


def layers_of(run: Run) -> tuple[Layer, ...]:
    """Return the layers of a run's network with their sizes; none for a plug-in's network without a table."""
    source = source_of({"name": run.datasets[0]} if run.experiment else run.recipe["dataset"])
    entry = catalog.find("model", run.recipe["model"])
    return _table(entry.layers, source.shape, source.classes) if entry.layers else ()


@lru_cache(maxsize=256)
def _table(layers: Callable[[Shape, int], list[Layer]], shape: Shape, classes: int) -> tuple[Layer, ...]:
    """Return a network's layers: plans and groups ask for them of each run, several times."""
    return tuple(layers(shape, classes))
