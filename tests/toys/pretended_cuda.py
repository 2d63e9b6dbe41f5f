"""A CUDA device that is not there: code for one runs on the CPU's bits, and what a real one would refuse is an error.

    with PretendedCuda() as gpu:                       # torch.device("cuda") may be asked for from here on
        group = Group(recipes, seeds, DeviceData(data, torch.device("cuda")))
        with gpu.watched("an epoch"):                  # here the host may not wait for the device
            group.epoch()

A tensor on this device is a plain CPU tensor whose *storage* is marked. (FakeTensorMode and the meta device refuse
`parameter.data = a view of another device`, which flat.py needs, and give no numbers.) So views, autograd, torch.func
and `out=` work as they are, and every number has the bits of a run on the CPU. What is found:

  mixed devices  an operation on tensors of both sides, except copies, CPU scalars, and indices        RuntimeError
  numpy          of a tensor on the device                                                              TypeError
  waits          item, tolist, bool, float, nonzero, masks as indices, bincount, unique, and each copy between the sides
                 that is not from pinned memory without blocking: counted in `waits`, and inside `watched`    HostWaits
  captures       torch.cuda.graph and CUDAGraph: what is recorded does not run; a replay does it again, on the memory
                 and with the Python numbers of the recording. Waits and host work in a recording          CaptureError
  determinism    operations that torch refuses on CUDA under deterministic algorithms: `undeterministic`

It cannot find errors of a real device's arithmetic, memory, streams or races. It does not look into code that
torch.compile has compiled: run that code uncompiled.
"""

from __future__ import annotations

import contextlib
import traceback
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest import mock

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_map_only

CUDA, CPU = torch.device("cuda", 0), torch.device("cpu")

WAITING = frozenset({
    "_local_scalar_dense", "is_nonzero", "equal", "nonzero", "masked_select", "_unique", "_unique2", "unique_dim",
    "unique_consecutive", "bincount", "repeat_interleave", "allclose", "histc", "argwhere",
})  # fmt: skip

# what torch 2.14 refuses on CUDA under torch.use_deterministic_algorithms (its list of alertNotDeterministic)
REFUSED = frozenset({
    "_adaptive_avg_pool2d_backward", "_adaptive_avg_pool3d_backward", "adaptive_max_pool2d_backward",
    "avg_pool3d_backward", "fractional_max_pool2d_backward", "fractional_max_pool3d_backward", "max_unpool2d",
    "max_unpool3d", "max_pool3d_with_indices_backward", "upsample_linear1d_backward", "upsample_bilinear2d_backward",
    "upsample_bicubic2d_backward", "upsample_trilinear3d_backward", "reflection_pad1d_backward",
    "reflection_pad2d_backward", "reflection_pad3d_backward", "replication_pad1d_backward",
    "replication_pad2d_backward", "replication_pad3d_backward", "nll_loss2d_forward", "nll_loss2d_backward",
    "_ctc_loss_backward", "_embedding_bag_dense_backward", "put_", "put", "histc", "bincount", "median", "nanmedian",
    "kthvalue", "grid_sampler_2d_backward", "grid_sampler_3d_backward", "scatter_reduce", "cumsum",
})  # fmt: skip
WHOLE_NUMBERS = frozenset({"cumsum", "bincount", "put_", "put"})  # refused for floating-point numbers only
INDEXED = frozenset({"index", "index_put", "index_put_", "_index_put_impl_"})
# each of these writes its running statistics, of which its schema says nothing
SILENT_WRITES = {"native_batch_norm": slice(3, 5), "cudnn_batch_norm": slice(3, 5)}


class HostWaits(RuntimeError):
    """The host would wait for the device, where it may not."""


class CaptureError(RuntimeError):
    """Not to be recorded in a CUDA graph."""


class PretendedCuda(contextlib.ExitStack):
    """While it is entered, there is one CUDA device.

    `waits`: (phase, operation, place) of each time that the host waited; `undeterministic`: how often an operation that
    torch would refuse was called, by its name and place; `kernels`: the operations on the device; `chosen`: the devices
    that torch.cuda.set_device was told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[tuple[str, str, str]] = []
        self.undeterministic: Counter[tuple[str, str]] = Counter()
        self.kernels: Counter[str] = Counter()
        self.chosen: list[Any] = []
        self.phase, self.may_wait = "", True
        self.recording: Recording | None = None
        self.copies = 0  # how many copies that name a device are under way
        self.calls: list[bool] = []  # of each torch function under way: whether it was given a tensor of the device
        self._marked: dict[
            int, StorageWeakRef
        ] = {}  # by the address of a storage, which the reference keeps from reuse
        self._pinned: dict[int, StorageWeakRef] = {}

    def __enter__(self) -> PretendedCuda:
        super().__enter__()
        nothing = lambda *given, **named: None  # noqa: E731
        pretended: dict[str, Any] = {
            "is_available": lambda: True,
            "device_count": lambda: 1,
            "current_device": lambda: 0,
            "get_device_name": lambda *given: "pretended",
            "is_bf16_supported": lambda *given, **named: True,
            "is_current_stream_capturing": lambda: self.recording is not None,
            "_lazy_init": nothing,
            "synchronize": nothing,
            "empty_cache": nothing,
            "set_device": self.chosen.append,
            "Stream": lambda *given, **named: mock.MagicMock(),
            "current_stream": lambda *given: mock.MagicMock(),
            "stream": lambda stream: contextlib.nullcontext(),
            "graph_pool_handle": nothing,
            "CUDAGraph": lambda: Recording(self),
            "graph": lambda graph, **named: graph.recorded(),
        }
        for name, value in pretended.items():
            self.enter_context(mock.patch.object(torch.cuda, name, value))
        autocast = torch.autocast
        as_cpu = lambda kind, *given, **named: autocast("cpu", *given, **named)  # noqa: E731
        self.enter_context(mock.patch.object(torch, "autocast", as_cpu))
        self.enter_context(_Functions(self))
        self.enter_context(_Operations(self))
        return self

    @contextlib.contextmanager
    def watched(self, phase: str) -> Iterator[None]:
        """Raise HostWaits wherever the host would wait for the device inside this context."""
        before = self.phase, self.may_wait
        self.phase, self.may_wait = phase, False
        try:
            yield
        finally:
            self.phase, self.may_wait = before

    def holds(self, tensor: torch.Tensor) -> bool:
        """Return whether a tensor lies on the device."""
        while torch._C._functorch.is_functorch_wrapped_tensor(tensor):  # inside torch.func
            tensor = torch._C._functorch.get_unwrapped(tensor)
        return tensor.untyped_storage()._cdata in self._marked

    def mark(self, tensor: torch.Tensor) -> torch.Tensor:
        """Put a tensor on the device, with all that shares its storage."""
        return _entered(tensor, self._marked)

    def pin(self, tensor: torch.Tensor) -> torch.Tensor:
        """Say that a tensor on the host lies in pinned memory."""
        return _entered(tensor, self._pinned)

    def is_pinned(self, tensor: torch.Tensor) -> bool:
        """Return whether a tensor lies in pinned memory."""
        return tensor.untyped_storage()._cdata in self._pinned

    def wait(self, operation: str) -> None:
        """Note that the host waits here. Raises CaptureError inside a recording, HostWaits inside `watched`."""
        place = innermost()
        self.waits.append((self.phase, operation, place))
        if self.recording is not None:
            raise CaptureError(f"{operation} inside a capture, at {place}")
        if not self.may_wait:
            raise HostWaits(f"{operation} in {self.phase}, at {place}")


def tensors_of(tree: Any) -> list[torch.Tensor]:
    """Return the tensors in what an operation takes or gives. torch's own tree_flatten took a third of all time."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, tuple | list):
        return []
    return [each for branch in tree for each in tensors_of(branch)]


def innermost() -> str:
    """Return the innermost line of lnbench's own code, as `training/engine.py:120`."""
    for frame in reversed(traceback.extract_stack()):
        if "lnbench/" in frame.filename:
            return f"{frame.filename.rpartition('lnbench/')[2]}:{frame.lineno}"
    return "?"


def _entered(tensor: torch.Tensor, table: dict[int, StorageWeakRef]) -> torch.Tensor:
    if len(table) % 4096 == 4095:
        for address in [address for address, storage in table.items() if storage.expired()]:
            del table[address]
    storage = tensor.untyped_storage()
    table.setdefault(storage._cdata, StorageWeakRef(storage))
    return tensor


class _Functions(TorchFunctionMode):
    """What is decided before an operation reaches the dispatcher, or never reaches it."""

    def __init__(self, gpu: PretendedCuda):
        super().__init__()
        self.gpu = gpu

    def __torch_function__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        named, gpu, name = dict(named or {}), self.gpu, getattr(function, "__name__", "")
        first = given[0] if given and isinstance(given[0], torch.Tensor) else None
        on_device = first is not None and gpu.holds(first)
        if name == "__get__" and first is not None:
            asked = getattr(function, "__self__", None)
            if asked is torch.Tensor.device:
                return CUDA if on_device else CPU
            if asked is torch.Tensor.is_cuda:
                return on_device
        if on_device and name in ("numpy", "__array__"):
            raise TypeError(f"can't convert a cuda:0 tensor to numpy, at {innermost()}")
        if on_device and name == "tolist":
            gpu.wait("tolist")
            with _disable_current_modes():
                return first.detach().tolist()
        if on_device and name == "new_tensor":
            gpu.wait("new_tensor, a copy from the host")
            return gpu.mark(function(*given, **{key: value for key, value in named.items() if key != "device"}))
        if name == "pin_memory" and first is not None:
            return gpu.pin(first.clone())
        if function in (torch.Tensor.cuda, torch.Tensor.cpu):
            return self._moved(first, torch.device(name), None, False, False, None)
        if function is torch.Tensor.to and not (len(given) > 1 and isinstance(given[1], torch.Tensor)):
            copy = named.pop("copy", False)
            device, dtype, free, memory = torch._C._nn._parse_to(*given[1:], **named)
            return self._moved(first, device, dtype, free, copy, memory)
        if function in (torch.tensor, torch.as_tensor) and torch.device(named.get("device") or "cpu").type == "cuda":
            gpu.wait("tensor, a copy from the host")
            return gpu.mark(function(*given, **{**named, "device": "cpu"}))
        gpu.calls.append(any(map(gpu.holds, tensors_of((given, named)))))
        try:
            return function(*given, **named)
        finally:
            gpu.calls.pop()

    def _moved(self, tensor: Any, device: Any, dtype: Any, free: bool, copy: bool, memory: Any) -> Any:
        here = CUDA if self.gpu.holds(tensor) else CPU
        there = here if device is None else device
        if there.type == here.type and not copy and dtype in (None, tensor.dtype) and memory is None:
            return tensor
        memory = torch.preserve_format if memory is None else memory
        self.gpu.copies += 1
        try:
            return torch.ops.aten._to_copy(tensor, dtype=dtype, device=there, non_blocking=free, memory_format=memory)
        finally:
            self.gpu.copies -= 1


class _Operations(TorchDispatchMode):
    """Every operation that reaches a kernel."""

    def __init__(self, gpu: PretendedCuda):
        super().__init__()
        self.gpu = gpu

    def __torch_dispatch__(self, function: Any, types: Any, given: Any = (), named: Any = None) -> Any:
        gpu, named = self.gpu, dict(named or {})
        name, schema = function.overloadpacket.__name__, function._schema
        tensors = tensors_of((given, named))
        there = [each for each in tensors if gpu.holds(each)]
        wanted = named.get("device")
        if wanted is not None:
            named["device"] = CPU
            if name == "_to_copy" and there and not gpu.copies:
                wanted = None  # autograd's own copy: it knows a tensor's real device only
        named.pop("pin_memory", None)
        on_device = wanted.type == "cuda" if wanted is not None else bool(there)
        # made by a function of torch's own for what it was given: it asks a tensor for its real device
        on_device = on_device or (not tensors and bool(gpu.calls) and gpu.calls[-1])
        looks = bool(schema.returns) and all(r.alias_info and not r.alias_info.is_write for r in schema.returns)
        written = _written(function, name, given, named)
        if name in ("_to_copy", "copy_"):
            self._check_copy(name, given, wanted, named)
        elif there:
            self._check(function, name, given, [each for each in tensors if not gpu.holds(each)], written)
        if not on_device and not there:
            if gpu.recording is not None and tensors and not looks:
                raise CaptureError(f"{name} on the host inside a capture, at {innermost()}: no replay does it again")
            return function(*given, **named)
        if not looks:
            gpu.kernels[name] += 1
            if name in REFUSED and not (name in WHOLE_NUMBERS and not tensors[0].is_floating_point()):
                gpu.undeterministic[name, innermost()] += 1
        if gpu.recording is not None:
            gpu.recording.keep(written)
        out = function(*given, **named)
        if on_device:
            known = {each.untyped_storage()._cdata for each in tensors}
            for each in tensors_of(out):
                if each.untyped_storage()._cdata not in known:
                    gpu.mark(each)
        if gpu.recording is not None and not looks:
            gpu.recording.add(function, given, named, out, in_place=bool(written) and name not in SILENT_WRITES)
        return out

    def _check_copy(self, name: str, given: Any, wanted: Any, named: Any) -> None:
        """A copy between the sides makes the host wait, unless it is from pinned memory and told not to block."""
        gpu = self.gpu
        source = given[0] if name == "_to_copy" else given[1]
        if name == "copy_":
            target, free = gpu.holds(given[0]), bool(named.get("non_blocking") or (len(given) > 2 and given[2]))
        else:
            target = wanted.type == "cuda" if wanted is not None else gpu.holds(source)
            free = bool(named.get("non_blocking"))
        if gpu.holds(source) != target and not (free and target and gpu.is_pinned(source)):
            gpu.wait("a copy to the device" if target else "a copy to the host")

    def _check(self, function: Any, name: str, given: Any, here: list[Any], written: list[Any]) -> None:
        """Check an operation on tensors of the device; `here`: those of its tensors that lie on the host."""
        gpu = self.gpu
        if name in INDEXED:
            indices = [each for each in given[1] if each is not None]
            fills = len(given) > 2 and given[2].numel() == 1 and not given[2].dim()  # becomes masked_fill
            if any(each.dtype in (torch.bool, torch.uint8) for each in indices) and not fills:
                gpu.wait(f"{name} by a mask")
            if gpu.holds(given[0]) and any(not gpu.holds(each) for each in indices):
                gpu.wait(f"{name} by indices on the host")
            here = [each for each in here if not any(each is index for index in indices)]
        if any(each.dim() for each in here):
            shapes = [tuple(each.shape) for each in here]
            raise RuntimeError(f"{function}: tensors on cuda:0 and, of shapes {shapes}, on the cpu, at {innermost()}")
        if any(not gpu.holds(each) for each in written):
            raise RuntimeError(f"{function} writes to the cpu what is on cuda:0, at {innermost()}")
        if name in WAITING:
            gpu.wait(name)


def _written(function: Any, name: str, given: Any, named: Any) -> list[torch.Tensor]:
    """Return the tensors that an operation writes to."""
    arguments = function._schema.arguments
    values = {about.name: value for about, value in zip(arguments, given, strict=False)} | named
    into = [values[a.name] for a in arguments if a.alias_info and a.alias_info.is_write and a.name in values]
    found = tensors_of(into)
    if name in SILENT_WRITES and given[5]:
        found += [each for each in given[SILENT_WRITES[name]] if each is not None]
    return found


class Recording:
    """What stands for a torch.cuda.CUDAGraph: the operations of a capture, and the memory that they work on."""

    def __init__(self, gpu: PretendedCuda):
        self.gpu = gpu
        self._steps: list[tuple[Any, Any, Any, Any]] = []
        self._before: dict[int, tuple[Any, Any]] = {}

    @contextlib.contextmanager
    def recorded(self) -> Iterator[None]:
        """Record what is done on the device inside this context; afterwards all memory is as it was before."""
        self.gpu.recording = self
        try:
            yield
        finally:
            self.gpu.recording = None
            with _disable_current_modes(), torch.no_grad():
                for storage, before in self._before.values():
                    storage.copy_(before)
                self._before = {}

    def keep(self, written: list[torch.Tensor]) -> None:
        """Keep what stands where a recorded operation is about to write."""
        with _disable_current_modes():
            for each in written:
                storage = each.untyped_storage()
                if storage._cdata not in self._before:
                    self._before[storage._cdata] = (storage, storage.clone())

    def add(self, function: Any, given: Any, named: Any, out: Any, *, in_place: bool) -> None:
        """Add an operation. The results of one that is not in place are written again where they lie now."""
        with _disable_current_modes():
            detached = [tree_map_only(torch.Tensor, lambda each: each.detach(), tree) for tree in (given, named, out)]
            self._steps.append((function, *detached[:2], None if in_place else detached[2]))

    def replay(self) -> None:
        """Do the recorded operations again."""
        with _disable_current_modes(), torch.no_grad():
            for function, given, named, out in self._steps:
                found = function(*given, **named)
                if out is not None:
                    for place, value in zip(tensors_of(out), tensors_of(found), strict=True):
                        place.copy_(value)

    def reset(self) -> None:
        """Forget everything."""
        self._steps = []
