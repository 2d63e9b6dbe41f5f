"""Networks on a GPU, some steps at a time as one CUDA graph: the host fills slots and replays.

untested: no GPU has run this yet, so nothing uses it unless it is asked for by name (`execute/groups.py` has the rule
that would choose it).

What an eager step of a small network costs on a GPU is its launches: the host needs about as long for one as the device
for its work. So

- STEPS steps are one graph. What they see of each example lies in fixed slots, which the host fills step by step; their
  rates, and what they drop out, come from tables that are moved to the device once an epoch.
- the gradient comes from autograd.grad and goes to the flat vector in one or two launches; `.grad +=` is one for each
  parameter. Batch normalisations count no batches, which is one for each of them.
- `fast` keeps one bfloat16 copy of all weights that are multiplied, cast once a step; autocast casts layer by layer.
- forward pass and loss may be compiled. What was compiled takes the weights as arguments, so that all runs of one shape
  in a process use it in turn.
- K runs are K branches of the graph, each on a stream of its own: a step of a small network does not fill a GPU.

Whoever looks at a network sees all steps done (`settle`). An epoch's last, smaller batch is trained on eagerly.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lnbench.identity import canonical_json
from lnbench.methods.method import Loss, Method, Seen
from lnbench.models.torch_dropout import Dropout
from lnbench.training.backends.compiling import compiled_or_eager
from lnbench.training.backends.loop import Loop
from lnbench.training.backends.network import Network
from lnbench.training.backends.protocol import Losses, Pass, Rates, built, precision_of
from lnbench.training.batches import Batch, Held, TrainingSet, method_of
from lnbench.training.optimisers import GradientAt

STEPS = 8  # a graph
WARM_UP = 3  # steps that libraries need to choose and allocate before a capture; their effects are undone
KEPT = 16  # shapes whose compiled passes a process keeps
Answers = Callable[[dict[str, Tensor], Tensor, Tensor], tuple[Tensor, Tensor]]


class Recorded:
    """K networks of one shape, each trained as `Loop` would: the same arithmetic, but a rate is a tensor here."""

    def __init__(self, members: list[tuple[dict[str, Any], TrainingSet]], compile: bool):
        (recipe, data), *_ = members
        self.device = data.device
        if self.device.type != "cuda":
            raise ValueError("the recorded backend needs a CUDA device")
        if not isinstance(method_of(recipe), Loss):  # what a step of another method does may differ from step to step
            raise ValueError(f"{recipe['method']}: the recorded backend is for methods that are a loss; use loop")
        if recipe["augment"] != "none":
            _ = data.on_device.padded  # made now, and not by one of several streams
        self.size, self.classes = recipe["batch_size"], data.on_device.classes
        self.members = [_Member([member], compile) for member in members]
        self.compiled = self.members[0].compiled
        self.keeps_logits = False
        self.first, self.filled = 0, 0  # the step of the epoch that waits in the first slot; how many wait
        self.last_losses: Tensor | None = None  # (STEPS, K, B) float32, of the last replay
        self.last_logits: Tensor | None = None  # (STEPS, K, B, classes) float32
        self.graphs: dict[int, torch.cuda.CUDAGraph] = {}  # by their steps
        self.streams = [torch.cuda.Stream(self.device) for _ in members]  # type: ignore[no-untyped-call]
        self.pool: Any = None  # of memory; all graphs share it, as none of them keeps anything there
        self.stacked: dict[str, Tensor] = {}  # what `tensors` gave last

    @property
    def method(self) -> Method:
        return self.members[0].method

    @property
    def parameters(self) -> int:
        return self.members[0].parameters

    def begin(self, rates: Rates, *, afresh: bool) -> None:
        for run, member in enumerate(self.members):
            member.begin(_of_run(rates, run), afresh=afresh)

    def step(self, batches: list[Batch], number: int) -> list[Pass]:
        if len(batches[0]) < self.size:
            told = self.settle()
            seen = [member.eager_step(batch, number) for member, batch in zip(self.members, batches, strict=True)]
            losses = torch.cat([each.losses for each in seen])
            return [*told, Pass(losses, torch.cat([each.logits for each in seen if each.logits is not None]))]
        if self.filled == 0:
            self.first = number
        for member, batch in zip(self.members, batches, strict=True):
            member.fill(self.filled, batch)
        self.filled += 1
        return self.settle() if self.filled == STEPS else []

    def settle(self) -> list[Pass]:
        steps, self.filled = self.filled, 0
        if steps == 0:
            return []
        for member in self.members:
            member.move_rates(self.first, steps)
        if steps not in self.graphs:
            self.graphs[steps] = self._captured(steps)
        self.graphs[steps].replay()
        assert self.last_losses is not None
        return [
            Pass(self.last_losses[at], None if self.last_logits is None else self.last_logits[at])
            for at in range(steps)
        ]

    def _captured(self, steps: int) -> torch.cuda.CUDAGraph:
        """Record the first `steps` slots; the warm-up's steps leave no trace."""
        if self.last_losses is None:
            shape = (STEPS, len(self.members), self.size)
            self.last_losses = torch.zeros(shape, device=self.device)
            self.last_logits = torch.zeros((*shape, self.classes), device=self.device) if self.keeps_logits else None
            self.pool = torch.cuda.graph_pool_handle()
            here = torch.cuda.current_stream(self.device)
            changed = [tensor for member in self.members for tensor in member.tensors().values()]
            before = [tensor.clone() for tensor in changed]
            beside = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
            beside.wait_stream(here)
            with torch.cuda.stream(beside):
                for _ in range(WARM_UP):
                    self._slots(1)
            here.wait_stream(beside)
            for tensor, old in zip(changed, before, strict=True):
                tensor.copy_(old)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            self._slots(steps)
        return graph

    def _slots(self, steps: int) -> None:
        """Take the first `steps` slots' steps of every network: several networks side by side."""
        if len(self.members) == 1:
            self._take(0, steps)
            return
        here = torch.cuda.current_stream(self.device)
        for run, stream in enumerate(self.streams):
            stream.wait_stream(here)
            with torch.cuda.stream(stream):
                self._take(run, steps)
        for stream in self.streams:
            here.wait_stream(stream)

    def _take(self, run: int, steps: int) -> None:
        assert self.last_losses is not None
        for slot in range(steps):
            seen = self.members[run].slot_step(slot)
            self.last_losses[slot, run].copy_(seen.losses[0])
            if self.last_logits is not None:
                assert seen.logits is not None
                self.last_logits[slot, run].copy_(seen.logits[0])

    # ---- looks, between two steps

    def sums(self) -> Tensor:
        return torch.cat([member.sums() for member in self.members])

    def evaluate(self, held: list[Held], each: Tensor | None = None) -> Tensor:
        rows = [None] * len(held) if each is None else list(each.unsqueeze(1))
        return torch.cat(
            [member.evaluate([one], row) for member, one, row in zip(self.members, held, rows, strict=True)]
        )

    def logits(self, held: list[Held]) -> list[Tensor]:
        return [member.logits([one])[0] for member, one in zip(self.members, held, strict=True)]

    def close(self, epoch: int) -> None:
        """Do nothing: a loss of logits and labels changes no network."""

    def gradients(self, held: list[Held], losses: Losses, members: list[Tensor] | None = None) -> Tensor:
        counted = [None] * len(held) if members is None else [[each] for each in members]
        found = zip(self.members, held, counted, strict=True)
        return torch.cat([member.gradients([one], losses, counts) for member, one, counts in found])

    def example_gradients(self, held: list[Held], losses: Losses) -> Iterator[Tensor]:
        each = (member.example_gradients([one], losses) for member, one in zip(self.members, held, strict=True))
        return map(torch.cat, zip(*each, strict=True))

    def snapshot(self) -> list[Tensor]:
        return [part for member in self.members for part in member.snapshot()]

    def weights(self) -> list[Tensor]:
        return [part for member in self.members for part in member.weights()]

    def norms(self) -> list[Tensor]:
        return [part for member in self.members for part in member.norms()]

    def estimate_norms(self, batches: Iterator[list[Batch]]) -> None:
        (member,) = self.members  # an average is of one run (`check_group`)
        member.estimate_norms(batches)

    def connections(self) -> list[Tensor]:
        (member,) = self.members  # as above: whoever writes there looks at one run
        return member.connections()

    def tensors(self) -> dict[str, Tensor]:
        """Return copies, a run's at its place along the first axis; `restored` takes in what was written there."""
        each = [member.tensors() for member in self.members]
        self.stacked = {name: torch.stack([one[name] for one in each]) for name in each[0]}
        return self.stacked

    def restored(self) -> None:
        for run, member in enumerate(self.members):
            for name, tensor in member.tensors().items():
                tensor.copy_(self.stacked[name][run])


class _Member(Loop):
    """One of the networks: a `Loop` whose step is a function of tensors with fixed places, and can be recorded."""

    def __init__(self, members: list[tuple[dict[str, Any], TrainingSet]], compile: bool):
        super().__init__(members, compile=False)
        (self.network,) = self.networks
        self.flat, device = self.network.flat, self.device
        self.shadow = self.flat.weights.to(torch.bfloat16) if self.recipe["precision"] == "fast" else None
        self.in_shadow = {
            f"{name}.{own}"
            for name, layer in self.model.named_modules()
            if isinstance(layer, nn.Conv2d | nn.Linear) and self.shadow is not None
            for own, _ in layer.named_parameters(recurse=False)
        }
        self.eager = _Pass(self.recipe, self.data.on_device.shape, self.data.on_device.classes, device)
        self.compiled = compile and not self.network.dropouts
        self.whole: Answers = self.eager
        if self.compiled:
            about = (self.recipe["model"], self.recipe["precision"], self.recipe["method"], self.recipe["batch_size"])
            self.whole = _compiled(
                canonical_json(about), self.data.on_device.shape, self.data.on_device.classes, str(device)
            )
        slot = (STEPS, self.recipe["batch_size"])
        example, image, label = (torch.zeros(slot, dtype=torch.int64, device=device) for _ in range(3))
        crops = self.recipe["augment"] != "none"
        shift = torch.zeros((*slot, 3), dtype=torch.int64, device=device) if crops else None
        self.slots = Batch(example, image, label, shift)
        self.table: Tensor  # (1 to 3, S) float32 of an epoch's S steps: rates; momenta and rho where a schedule has any
        self.drops: Tensor  # (layers that drop out, S) int64
        self.now: Tensor | None = None  # of the slots: (1 to 3, STEPS)
        self.drops_now = torch.zeros((len(self.network.dropouts), STEPS), dtype=torch.int64, device=device)

    # ---- what the host does

    def begin(self, rates: Rates, *, afresh: bool) -> None:
        super().begin(rates, afresh=afresh)
        columns = [each[:, 0] for each in (rates.lr, rates.momentum, rates.rho) if each is not None]
        self.table = _moved(np.stack(columns).astype(np.float32), self.device)
        if self.now is None:
            self.now = torch.zeros((len(columns), STEPS), device=self.device)
        first, count = rates.epoch * self.data.steps_an_epoch, len(rates.lr)
        keys = [layer.keys(first, count) for layer in self.network.dropouts]
        self.drops = _moved(np.array(keys, dtype=np.int64).reshape(len(keys), count), self.device)

    def fill(self, slot: int, batch: Batch) -> None:
        """Put a batch into a slot."""
        torch._foreach_copy_([each[slot] for each in _tensors(self.slots)], _tensors(batch))

    def move_rates(self, first: int, steps: int) -> None:
        """Put into the slots what the steps from number `first` of the epoch on have beside their batches."""
        assert self.now is not None
        self.now[:, :steps].copy_(self.table[:, first : first + steps])
        if len(self.drops):
            self.drops_now[:, :steps].copy_(self.drops[:, first : first + steps])

    # ---- what the device does

    def slot_step(self, slot: int) -> Pass:
        """Take the step that lies in a slot."""
        assert self.now is not None
        return self._timed_step(_in_slot(self.slots, slot), 0, self.now[:, slot], self.drops_now[:, slot])

    def eager_step(self, batch: Batch, number: int) -> Pass:
        """Take step `number` of the epoch at once."""
        return self._timed_step(batch, number, self.table[:, number], self.drops[:, number])

    def _timed_step(self, batch: Batch, number: int, rates: Tensor, drops: Tensor) -> Pass:
        for layer, own in zip(self.eager.dropouts, drops, strict=True):
            layer.key = own
        lr, *moved = rates
        momentum = moved.pop(0) if self.rates.momentum is not None else None
        return self._step(batch, number, lr, momentum, moved.pop(0) if self.rates.rho is not None else None)

    def _answers(self, network: Network, inputs: Tensor, labels: Tensor, seen: Seen) -> tuple[Tensor, Tensor]:
        self.leaves = self._leaves(self.flat.weights)
        return self._pass(self.leaves, dict(self.model.named_buffers()), inputs, labels)

    def _pass(
        self, leaves: dict[str, Tensor], buffers: dict[str, Tensor], inputs: Tensor, labels: Tensor
    ) -> tuple[Tensor, Tensor]:
        answers = self.whole if len(labels) == self.recipe["batch_size"] else self.eager
        return answers({**leaves, **self.eager.of_buffers(buffers)}, inputs, labels)

    def _leaves(self, weights: Tensor) -> dict[str, Tensor]:
        """Return the parameters as a pass at `weights` (V,) reads them, for gradients of their own."""
        parts = self.flat.views(weights.detach())
        if self.shadow is not None:
            self.shadow.copy_(weights.detach())
            low = self.flat.views(self.shadow)
            parts = {name: low[name] if name in self.in_shadow else part for name, part in parts.items()}
        return {name: part.detach().requires_grad_() for name, part in parts.items()}

    def _gradient_at(
        self, network: Network, losses: Tensor, inputs: Tensor, labels: Tensor, seen: Seen, weights: Tensor | None
    ) -> GradientAt:
        made: tuple[dict[str, Tensor], Tensor] | None = (self.leaves, losses)

        def gradient_at(at: Tensor) -> Tensor:
            nonlocal made
            if made is not None and at is self.flat.weights:
                (leaves, now), made = made, None
            else:
                leaves = self._leaves(at)
                untaught = {name: buffer.clone() for name, buffer in self.model.named_buffers()}
                _, now = self._pass(leaves, untaught, inputs, labels)
            found = torch.autograd.grad(now.mean(), list(leaves.values()), allow_unused=True)
            self._put(dict(zip(leaves, found, strict=True)))
            return self.flat.gradient

        return gradient_at

    @torch.no_grad()
    def _put(self, gradients: dict[str, Tensor | None]) -> None:
        """Write the parameters' gradients into the flat one, as many at once as have one type."""
        places = self.flat.views(self.flat.gradient)
        for dtype in (torch.float32, torch.bfloat16):
            of_it = {name: each for name, each in gradients.items() if each is not None and each.dtype == dtype}
            if of_it:
                torch._foreach_copy_([places[name] for name in of_it], list(of_it.values()))
        for name, each in gradients.items():
            if each is None:
                places[name].zero_()


class _Pass:
    """A forward pass in training mode and its losses, as a function of weights, buffers, inputs and labels: of any
    network of one shape."""

    def __init__(self, recipe: dict[str, Any], shape: tuple[int, int, int], classes: int, device: torch.device):
        self.recipe, self.device = recipe, device
        method = method_of(recipe)
        assert isinstance(method, Loss)  # `Recorded` has seen to it
        self.method = method
        self.network = built(recipe, shape, classes).train()
        for layer in self.network.modules():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.num_batches_tracked = None  # its momentum is a number: nobody reads the count
        self.buffers = [name for name, _ in self.network.named_buffers()]
        self.dropouts = [layer for layer in self.network.modules() if isinstance(layer, Dropout)]
        for layer in self.dropouts:
            layer.seed = 0  # each step sets its key

    def of_buffers(self, buffers: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return those of a network's buffers that a pass reads."""
        return {name: buffers[name] for name in self.buffers}

    def __call__(self, tensors: dict[str, Tensor], inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return (B, classes) float32, the logits, and (B,) float32, the losses."""
        with precision_of(self.recipe, self.device):
            logits = torch.func.functional_call(self.network, tensors, (inputs,)).float()
        return logits, self.method.loss(logits, labels)


@functools.lru_cache(maxsize=KEPT)
def _compiled(about: str, shape: tuple[int, int, int], classes: int, device: str) -> Answers:
    """Return a `_Pass`, compiled, which all runs of one shape in this process use. about: (model, precision, method,
    batch size), as JSON."""
    model, precision, method, _ = json.loads(about)
    recipe = {"model": model, "precision": precision, "method": method}
    return compiled_or_eager(_Pass(recipe, shape, classes, torch.device(device)).__call__, forget=False)


def _of_run(rates: Rates, run: int) -> Rates:
    """Return the rates of one of K runs."""
    part = slice(run, run + 1)
    momentum, rho = (None if each is None else each[:, part] for each in (rates.momentum, rates.rho))
    return Rates(rates.epoch, rates.lr[:, part], momentum, rho)


def _moved(values: np.ndarray[Any, Any], device: torch.device) -> Tensor:
    """Return an array on the device, which the host does not wait for."""
    return torch.from_numpy(values).pin_memory().to(device, non_blocking=True)


def _in_slot(slots: Batch, slot: int) -> Batch:
    example, image, label = (each[slot] for each in (slots.example, slots.image, slots.label))
    return Batch(example, image, label, None if slots.shift is None else slots.shift[slot])


def _tensors(batch: Batch) -> list[Tensor]:
    return [batch.example, batch.image, batch.label, *([] if batch.shift is None else [batch.shift])]
