"""The rows of the table, as data: what is compared, what it should come to, and what bounds it where it does not.

Each `measure` sets both sides up, lets them run in turn, and gives one value a repeat. Goals are those of the design,
for two cores. One thread, batch 128, unless a row says otherwise.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lnbench import catalog
from lnbench.execute.local import execute
from lnbench.given import Given
from lnbench.plan import plan_study
from lnbench.spec import load_study
from lnbench.store import Store
from lnbench.training.backends import bfloat
from lnbench.training.batches import BATCHES_A_DRAW, DeviceData, Pixels, TrainingSet
from tests.benchmarks import plain_torch as theirs
from tests.benchmarks import scale_out
from tests.benchmarks.contention import contended_over_quiet
from tests.benchmarks.engine_side import ADADELTA, BATCH, SGD, Epochs, narrow_mlp, random_images, recipe, seeds
from tests.benchmarks.memory import peak_of
from tests.benchmarks.ratios import Goal, Readings, Row, Side, Size, interleaved, times_as_fast
from tests.toys import small_runs

DRAW = BATCH * BATCHES_A_DRAW  # examples that are drawn at a time: whole ones are timed
CPU = torch.device("cpu")


def normal(kind: str) -> dict[str, list[float]]:
    """The normalisation that the plain loop has, for a recipe."""
    mean, deviation = theirs.NORMAL[kind]
    return {"mean": list(mean), "std": list(deviation)}


def pipeline(size: Size) -> Readings:
    """CIFAR-like batches, cropped, flipped and normalised; nothing is trained."""
    data = random_images("cifar10", size.of(DRAW, BATCH))
    spec = recipe(data, 1.0, augment="crop_flip", pixels=normal("cifar10"))
    on_device = DeviceData(data, CPU)
    made = TrainingSet(on_device, spec, seeds(0))
    numbers = Pixels.of(spec, on_device)

    def ours() -> None:
        for batch in made.batches(0, BATCH):
            numbers(made.pictures(batch.image, batch.shift))

    examples = size.of(32 * BATCH, BATCH)
    plain = theirs.loader("cifar10", data, examples, BATCH, augment=True)

    def each() -> None:
        for _ in plain:
            pass

    return times_as_fast(interleaved(Side(ours, made.examples), Side(each, examples), size.repeats), "examples/s")


def mlp(size: Size, *, width: int, replicas: int, precision: str = "fp32") -> Readings:
    """The engine, whole step compiled where that is allowed, against the DataLoader loop with one network."""
    data = random_images("mnist", size.of(DRAW, BATCH))
    with narrow_mlp() as narrow:
        model = {512: "mlp1", 32: narrow}[width]
        spec = recipe(data, 1.0, model=model, precision=precision, pixels=normal("mnist"))
        ours = Epochs(data, spec, min(replicas, size.of(replicas, 2)), "stacked", size.compile)
    examples = size.of(24 * BATCH, BATCH)
    network = theirs.mlp(28 * 28, width, data.classes)
    batches = theirs.loader("mnist", data, examples, BATCH)
    plain = theirs.train_on(partial(iter, batches), network, theirs.adadelta(network))
    return times_as_fast(interleaved(Side(ours, ours.examples), Side(plain, examples), size.repeats), "examples/s")


def convnet(size: Size) -> Readings:
    """`fast` as lnbench runs it, against an eager loop in float32, NCHW, whose images are resident."""
    examples = size.of(6 * BATCH, 32)
    data = random_images("mnist", examples)
    ours = Epochs(data, recipe(data, model="convnet4", precision="fast"), 1, "loop", False)
    network = theirs.convnet4(data.classes)
    plain = theirs.train_on(theirs.resident(data, examples, BATCH), network, theirs.adadelta(network))
    return times_as_fast(interleaved(Side(ours, examples), Side(plain, examples), size.repeats), "examples/s")


def resnet(size: Size) -> Readings:
    """The engine's fastest setting against an eager loop in float32, NCHW, whose images are resident."""
    from lnbench.models import resnet as residual

    batch = size.of(BATCH, 8)
    data = random_images("cifar10", 2 * batch)
    spec = recipe(data, model="resnet32", precision="fast", optimizer=SGD, batch_size=batch)
    ours = Epochs(data, spec, 1, "loop", size.compile)
    network = residual.build("resnet32", data.shape, data.classes)
    plain = theirs.train_on(theirs.resident(data, 2 * batch, batch), network, theirs.sgd(network))
    return times_as_fast(interleaved(Side(ours, 2 * batch), Side(plain, 2 * batch), size.repeats), "images/s")


def convolutions_share(size: Size, *, model: str, kind: str, optimizer: dict[str, Any], compile: bool) -> Readings:
    """How much of a step in `fast` its convolutions are, which nothing but another library can make faster: time of
    them alone over the time of whole steps."""
    batch = size.of(BATCH, 8)
    data = random_images(kind, 2 * batch)
    spec = recipe(data, model=model, precision="fast", optimizer=optimizer, batch_size=batch)
    whole = Epochs(data, spec, 1, "loop", compile and size.compile)
    network = catalog.find("model", model).load()(model, data.shape, data.classes)
    dtype = torch.bfloat16 if bfloat.has_kernels() else torch.float32
    alone = theirs.convolutions_alone(network, torch.rand(batch, *data.shape), dtype)

    def epoch() -> None:
        for _ in range(2):  # steps of an epoch
            alone()

    return times_as_fast(interleaved(Side(whole, 2 * batch), Side(epoch, 2 * batch), size.repeats), "images/s")


ALPHA, MNIST = 100.0, 60_000


def dilution_labels(size: Size) -> Readings:
    """A draw's labels computed, against the same labels gathered from an array of one byte an example."""
    images = size.of(MNIST, 1000)
    data = random_images("mnist", images)
    made = TrainingSet(DeviceData(data, CPU), recipe(data, ALPHA), seeds(0))

    def labels_of(example: torch.Tensor) -> torch.Tensor:
        image = made.noise.images(example)
        return made.noise.labels(example, made.labels[image], made.identity[image])

    every = torch.arange(made.examples)
    kept = torch.cat([labels_of(part) for part in every.split(1 << 18)]).to(torch.uint8)
    draws = torch.randint(0, made.examples, (20, DRAW))
    if not torch.equal(labels_of(draws[0]), kept[draws[0]].long()):
        raise AssertionError("the computed labels are not those of the array")

    def compute() -> None:
        for draw in draws:
            labels_of(draw)

    def gather() -> None:
        for draw in draws:
            kept[draw].long()

    pairs = interleaved(Side(compute, draws.numel()), Side(gather, draws.numel()), size.repeats)
    computed, gathered = (
        sorted(1e9 / rate for rate in column)[size.repeats // 2] for column in zip(*pairs, strict=True)
    )
    return Readings([second / first for first, second in pairs], f"{computed:.1f} : {gathered:.1f} ns an example")


def dilution_memory(size: Size) -> Readings:
    """Peak memory of a process at α = 100 less that of one at α = 0."""
    images = size.of(MNIST, 1000)
    repeats = min(3, size.repeats)
    pairs = [(peak_of(ALPHA, images), peak_of(0.0, images)) for _ in range(repeats)]
    words = f"{max(high for high, _ in pairs) / 1e6:,.0f} against {min(low for _, low in pairs) / 1e6:,.0f} MB in all"
    return Readings([(high - low) / 1e6 for high, low in pairs], words)


def probe_overhead(size: Size) -> Readings:
    """What it costs to keep the loss of every example: MLP-512, one run, the same one with its probe on and off."""
    data = random_images("mnist", size.of(DRAW, BATCH))
    probed = Epochs(data, recipe(data, probes=["example_loss"]), 1, "stacked", size.compile)
    (losses,) = probed.group.probes

    def without() -> None:
        probed.group.probes = []
        probed()
        probed.group.probes = [losses]

    probed()
    if not losses.rows[0, 0, :-1].all():  # now, as after many epochs a loss may well be 0
        raise AssertionError("not every example's loss was kept")
    turns = size.of(15) * size.repeats  # short ones: what is looked for is smaller than one turn differs from the next
    pairs = interleaved(Side(probed, probed.examples), Side(without, probed.examples), turns)
    rates = times_as_fast(pairs, "examples/s")
    return Readings([100 * (1 / ratio - 1) for ratio in rates.values], rates.words)


METHODS: dict[str, tuple[float, dict[str, Any]]] = {  # with the most that a step may cost, in steps of `standard`
    "co_teaching": (2.1, {"forget_rate": 0.4, "gradual": 10, "answer": "first"}),
    "reweighted": (1.05, {"input": "aul"}),
    "mentornet_pd": (1.05, {"percentile": 0.75, "decay": 0.5, "dropout_first": 0.5, "dropout": 0.05}),
    "random_weights": (1.05, {}),
    "reed_hard": (1.05, {"beta": 0.8}),
    "gce": (1.05, {"q": 0.7}),
    "elr": (1.05, {"memory": 0.7, "strength": 3.0}),
}


def method_step(size: Size, method: str) -> Readings:
    """The time of an epoch of a method over that of standard training, which has the same network, images and order."""
    images = random_images("cifar10", size.of(8 * BATCH, BATCH))
    data = DeviceData(images, CPU)
    options = METHODS[method][1]
    noise = {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
    spec = recipe(images, model="resnet8_aum", optimizer=SGD, noise=noise)
    sha = TrainingSet(data, spec, seeds(0)).noise_facts["labels_sha256"]
    trust = torch.rand(len(images.train_labels), generator=torch.Generator().manual_seed(0)).numpy()
    aul = Given({"status": "ok", "labels_sha256": sha}, {"trust": trust})
    given = {"aul": aul} if "input" in options else None
    plain = Epochs(data, spec, 1, "loop", False)
    ours = Epochs(data, {**spec, "method": {"kind": method, **options}}, 1, "loop", False, given)
    pairs = interleaved(Side(plain, plain.examples), Side(ours, ours.examples), size.repeats)
    return times_as_fast(pairs, "examples/s, standard first")


LOOKED = 50  # steps from one look to the next


def step_probe(size: Size) -> Readings:
    """The time of a training whose batches' gradients are looked at every 50 steps over that of the same without: two
    looks in a hundred steps."""
    every = size.of(LOOKED)
    images = random_images("cifar10", 2 * every * BATCH)
    data, noise = DeviceData(images, CPU), {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
    spec = recipe(images, model="resnet8_aum", optimizer=SGD, noise=noise)
    plain = Epochs(data, spec, 1, "loop", False)
    asked = [{"kind": "batch_gradient", "every": every}]
    ours = Epochs(data, {**spec, "probes": asked}, 1, "loop", False)
    pairs = interleaved(Side(plain, plain.examples), Side(ours, ours.examples), size.repeats)
    (probe,) = ours.group.probes
    if probe.values.isnan().any() or probe.values.shape[1] != 2:
        raise AssertionError("a look is missing")
    return times_as_fast(pairs, "examples/s, without a look first")


def steps_with(size: Size, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Readings:
    """The time of an epoch's steps of a training that is changed over that of SGD's, with the same network, images and
    order. Neither side evaluates."""
    images = random_images("cifar10", size.of(8 * BATCH, BATCH))
    data, noise = DeviceData(images, CPU), {"kind": "replace_uniform", "rate": 0.4, "include_true_class": False}
    spec = recipe(images, model="resnet8_aum", optimizer=SGD, noise=noise)
    plain, ours = (Epochs(data, each, 1, "loop", False) for each in (spec, change(spec)))
    pairs = interleaved(Side(plain, plain.examples), Side(ours, ours.examples), size.repeats)
    return times_as_fast(pairs, "examples/s, SGD first")


def with_sam(spec: dict[str, Any]) -> dict[str, Any]:
    """SAM around the same SGD."""
    stepping = {key: SGD[key] for key in ("lr", "weight_decay")}
    base = {key: value for key, value in SGD.items() if key not in stepping}
    return {**spec, "optimizer": {"kind": "sam", **stepping, "rho": 0.1, "base": base}}


def with_swa(spec: dict[str, Any]) -> dict[str, Any]:
    """An average that the weights enter after each step: more often than any study lets them, which says an epoch."""
    return {**spec, "average": {"kind": "swa", "start": 1, "every": 1, "unit": "steps"}}


class Silent:
    """A watcher that tells nobody."""

    def planned(self, runs: object, reused: int) -> None: ...

    def started(self, run: object) -> None: ...

    def report(self, report: object) -> None: ...

    def finished(self, run: object, how: str, message: str) -> None: ...

    def note(self, line: str) -> None: ...


def reload(size: Size) -> Readings:
    """Milliseconds a run from the study's file to the outcomes, when all is in the store."""
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        study = small_runs.write_study(Path(folder), seeds=size.of(20, 2), epochs=size.of(20, 2))
        values = []
        for repeat in range(size.repeats + 1):  # the first trains
            began = time.perf_counter()
            plan = plan_study(load_study(study).tiers["smoke"])
            came = execute([plan], Store(Path(folder, "store")), Silent(), workers=0)
            values.append(1000 * (time.perf_counter() - began) / len(came.outcomes))
            if repeat and (came.trained or came.failures):
                raise AssertionError(f"{came.trained} runs were trained again, {len(came.failures)} failed")
    torch.set_num_threads(threads)
    return Readings(values[1:], f"{len(came.outcomes)} runs")


ROWS = [
    Row(1, "1", "pipeline with crop and flip / DataLoader, CIFAR shape", Goal("at least", 25), pipeline),
    Row(2, "2", "MLP-512, one run / DataLoader loop", Goal("at least", 4), partial(mlp, width=512, replicas=1),
        bound="Four fifths are matrix products in float32 at the core's rate of 100 GFLOP/s."),
    Row(3, "3 fp32", "MLP-512, K = 8 in all / DataLoader loop, fp32", Goal("at least", 5),
        partial(mlp, width=512, replicas=8),
        bound="Four fifths are matrix products in float32 at the core's rate of 100 GFLOP/s."),
    Row(3, "3 fast", "MLP-512, K = 8 in all / DataLoader loop, `fast`", Goal("at least", 9),
        partial(mlp, width=512, replicas=8, precision="fast"),
        bound="56 % are matrix products at the core's bfloat16 rate of 200 GFLOP/s, twice its float32 rate (the goal "
        "was set on a core with AMX); 20 % AdaDelta on 45 MB of weights and state, more than the cache holds."),
    Row(4, "4", "MLP-32, K = 8 in all / DataLoader loop", Goal("at least", 25), partial(mlp, width=32, replicas=8),
        bound="Half are matrix products; the rest is AdaDelta, gathering images and calling the step."),
    Row(5, "5", "ConvNet-4, `fast` / fp32 NCHW eager, resident", Goal("at least", 3), convnet,
        bound="72 % are oneDNN's convolutions, at the core's bfloat16 rate: 190 to 230 GFLOP/s against 90 to 105 in "
        "float32 (the goal was set on a core with AMX); 10 % pooling and ReLU. The loop, too, has lnbench's memory "
        "settings here; without, it is a fifth slower."),
    Row(5, "5 share", "ConvNet-4, `fast`: time of its convolutions alone / of whole steps", Goal("at least", 0.65),
        partial(convolutions_share, model="convnet4", kind="mnist", optimizer=ADADELTA, compile=False),
        bound="Pooling, ReLU, the dense layers and AdaDelta are the rest."),
    Row(6, "6", "ResNet-32, `fast`, compiled / fp32 NCHW eager, resident", Goal("at least", 2.5), resnet,
        bound="62 % are oneDNN's convolutions, at the core's bfloat16 rate: 180 to 240 GFLOP/s against 65 to 110 in "
        "float32 (no AMX); a quarter is what is compiled: batch normalisation, ReLU and sums, bound by memory."),
    Row(6, "6 share", "ResNet-32, `fast`: time of its convolutions alone / of whole steps", Goal("at least", 0.6),
        partial(convolutions_share, model="resnet32", kind="cifar10", optimizer=SGD, compile=True),
        bound="Batch normalisation, ReLU and sums are the rest, bound by memory."),
    Row(7, "7 time", "dilution: time of computed labels / of a gather from an array", Goal("at most", 1),
        dilution_labels,
        bound="The hash is some twenty operations on 64-bit integers, each a pass of its own; compiled into one it "
        "takes 10 ns. A step of MLP-512 takes over 20,000 ns an example."),
    Row(7, "7 memory", "dilution: extra memory at α = 100 on MNIST", Goal("at most", 10, "MB"), dilution_memory,
        bound="Not the training: the labels' checksum and counts go through all labels in blocks of 2^18, 2 MB an "
        "array."),
    Row(8, "8", "overhead of keeping every example's loss, MLP-512", Goal("at most", 2, "%"), probe_overhead),
    Row(9, "9", "sweep, one process a core: with a competing process / quiet", Goal("at least", 0.45),
        contended_over_quiet),
    Row(10, "10", "reload of a finished sweep, nothing trained", Goal("below", 50, "ms a run"), reload),
    *(
        Row(11, f"11 {name}", f"`{name}`: time of a step / of standard training's, ResNet-8", Goal("at most", most),
            partial(method_step, method=name))
        for name, (most, _) in METHODS.items()
    ),
    Row(12, "12", "`batch_gradient` every 50 steps: time of training / without, ResNet-8", Goal("at most", 1.1),
        step_probe),
    Row(13, "13 sam", "`sam`: time of a step / of SGD's, ResNet-8", Goal("at most", 2.1),
        partial(steps_with, change=with_sam)),
    Row(13, "13 swa", "`swa`, an iterate each step: time of an epoch's steps / of SGD's, ResNet-8, no evaluation",
        Goal("at most", 1.02), partial(steps_with, change=with_swa)),
    Row(14, "14 recognised", "10,000 finished runs: from the study's file to nothing to train", Goal("below", 5, "s"),
        scale_out.recognised),
    Row(14, "14 share", "`--shard 1/50` of 10,000 runs: from the study's file to its first task", Goal("below", 3, "s"),
        scale_out.share_planned),
    Row(14, "14 ray", "200 runs of half a second: time by a Ray crew / by the local pool, same cores",
        Goal("at most", 1.15), scale_out.ray_over_pool),
]  # fmt: skip
