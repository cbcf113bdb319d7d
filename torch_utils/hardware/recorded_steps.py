"""Training steps without launches: each part of a step recorded once on a GPU as a CUDA graph, then replayed.

A part is a function that computes gradients, moves weights, moments and averages where they lie, and returns metrics.
Whatever differs between two steps is one of its arguments: tensors, and floats, which it may see as tensors. It reads
no value back to the CPU and makes no tensor on it.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

import torch

from styleT2I.torch_utils.distributed import num_processes
from styleT2I.torch_utils.hardware import cuda_graphs
from styleT2I.torch_utils.hardware.recordable_adam import make_recordable

T = TypeVar("T")
Metrics = dict[str, torch.Tensor]  # of no dimension each
MAX_RECORDINGS = 24  # of one training; further shapes of arguments are computed without
_has_warned = False


class RecordedSteps:
    """Runs the parts of a task's steps: recorded on a GPU, else just called.

    >>> import torch
    >>> weight, steps = torch.ones(2), RecordedSteps(torch.device("cpu"))
    >>> def decay(x, rate):
    ...     weight.sub_(rate * (weight - x))
    ...     return {"mean": weight.mean()}
    >>> read(steps("decay", decay, torch.zeros(2), 0.5))
    {'mean': 0.5}
    """

    def __init__(
        self, device: torch.device, optimizers: Iterable[torch.optim.Optimizer] = (), *, is_fixed: bool = True
    ):
        """optimizers: all that the parts step, Adam or AdamW. is_fixed: False for a task whose shapes never repeat."""
        self.device = device
        self._recorder = recorder_for(device) if is_fixed else None
        self._parts, self._failed = {}, set()
        if self.is_recording:
            for optimizer in optimizers:
                make_recordable(optimizer, self._forget)

    @property
    def is_recording(self) -> bool:
        """Whether parts are recorded, so that arguments should come in few shapes."""
        return self._recorder is not None

    @property
    def draws_own_noise(self) -> bool:
        """Whether random numbers of every pixel are drawn where they are needed, by torch's generator of the device."""
        return self.is_recording or self.device.type != "cpu"

    def __call__(self, name: str, function: Callable[..., Metrics], *inputs) -> Metrics:
        """function(*inputs) with the tensors on the device, and what it returns.

        inputs: tensors and floats, which may differ at every call; tuples of them; anything else that can be hashed, of
        which, as of the tensors' shapes and types, each combination is recorded by itself. A name has one function. On
        a GPU the first calls run the function as it is (cuda_graphs.WARM_UPS), later ones replay it: Python's own
        effects in it happen no more.
        """
        if self._recorder is None:
            return _detached(function(*moved(inputs, self.device)))
        key = (name, _mapped(inputs, _described))
        part = self._parts.get(key)
        if part is None:
            part = _Part(function, _mapped(inputs, self._placed))
            if len(self._parts) < MAX_RECORDINGS and name not in self._failed:
                self._parts[key] = part
        else:
            part.fill(inputs)
        if part.num_calls < cuda_graphs.WARM_UPS or name in self._failed:
            part.num_calls += 1
            return _detached(self._recorder.eagerly(part.call))
        if part.replay is None and not self._record(name, part):
            return _detached(self._recorder.eagerly(part.call))
        part.replay()
        return dict(zip(part.names, part.values.clone().unbind(), strict=True))

    def _record(self, name, part):
        """Whether the part could be recorded; its arguments and the state are as before either way."""

        def call():
            metrics = part.call()
            return list(metrics), _stacked(metrics.values(), self.device)

        try:
            part.replay, (part.names, part.values) = self._recorder.record(call)
        except RuntimeError as error:  # out of memory, or something that a graph cannot hold
            self._failed.add(name)
            self._parts = {key: other for key, other in self._parts.items() if key[0] != name}
            _warn_once(f"training in part without CUDA graphs, which is slower ({name}: {_first_line(error)})")
            return False
        return True

    def _forget(self):
        """Record anew: the optimizers' state lies elsewhere."""
        self._parts.clear()

    def _placed(self, value):
        if isinstance(value, float):
            return torch.full((), value, dtype=torch.float32, device=self.device)
        return value.detach().to(self.device, copy=True)


class _Part:
    """A function, the tensors that it reads, and its recording once there is one."""

    def __init__(self, function, places):
        self.function, self.places = function, places
        self.num_calls, self.replay, self.names, self.values = 0, None, None, None

    def call(self):
        return self.function(*self.places)

    def fill(self, inputs):
        for place, value in zip(_leaves(self.places), _leaves(inputs), strict=True):
            if isinstance(value, float):
                place.fill_(value)
            else:
                place.copy_(value, non_blocking=True)


def moved(inputs: T, device: torch.device) -> T:
    """The inputs of a part with their tensors on the device."""
    return _mapped(inputs, lambda value: value if isinstance(value, float) else value.to(device, non_blocking=True))


def read(metrics: Mapping[str, torch.Tensor | float]) -> dict[str, float]:
    """The metrics as numbers, copied from their device at once."""
    tensors = {name: value for name, value in metrics.items() if isinstance(value, torch.Tensor)}
    numbers = dict(zip(tensors, _stacked(tensors.values()).tolist(), strict=True))
    return {name: numbers.get(name, value) for name, value in metrics.items()}


def recorder_for(device: torch.device) -> CudaRecorder | None:
    """What records on this device, or None where nothing is to be recorded: on a CPU, with graphs switched off, and
    where several processes share a batch, which wait for each other on the CPU."""
    if device.type != "cuda" or not cuda_graphs.is_switched_on() or num_processes() > 1:
        return None
    return CudaRecorder(device)


class CudaRecorder:
    """Runs and records calls on a stream of their own."""

    def __init__(self, device: torch.device):
        self.device = device
        with torch.cuda.device(device):
            self.stream, self.pool = torch.cuda.Stream(), torch.cuda.graph_pool_handle()

    def eagerly(self, call: Callable):
        """call() on the stream that recordings are made on."""
        with torch.cuda.device(self.device):
            current = torch.cuda.current_stream()
            self.stream.wait_stream(current)
            with torch.cuda.stream(self.stream):
                result = call()
            current.wait_stream(self.stream)
        return result

    def record(self, call: Callable) -> tuple[Callable[[], None], object]:
        """What replays call(), and its result, whose tensors each replay writes again; RuntimeError where it fails.

        Nothing is computed. The recordings share their memory: a result is to be copied before another is replayed.
        """
        with torch.cuda.device(self.device), self._restored_on_failure():
            graph = torch.cuda.CUDAGraph()
            # Another thread pins the next batches' memory meanwhile, and autograd has its own.
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
                result = call()
        return graph.replay, result

    @contextlib.contextmanager
    def _restored_on_failure(self) -> Iterator[None]:
        current = torch.cuda.current_stream()
        try:
            yield
        except RuntimeError:
            torch.cuda.set_stream(current)
            index = torch.cuda.current_device()
            with contextlib.suppress(RuntimeError, AttributeError):  # a generator may still count for the recording
                generator = torch.cuda.default_generators[index]
                generator.graphsafe_set_state(generator.clone_state())
            torch.cuda.synchronize()
            raise


def _mapped(value, change: Callable):
    """The value with change(each tensor and float in it); tuples are gone through."""
    if isinstance(value, tuple):
        parts = [_mapped(part, change) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return change(value) if isinstance(value, (torch.Tensor, float)) else value


def _leaves(value) -> Iterator[torch.Tensor | float]:
    """The tensors and floats that `_mapped` changes, in its order."""
    if isinstance(value, tuple):
        for part in value:
            yield from _leaves(part)
    elif isinstance(value, (torch.Tensor, float)):
        yield value


def _detached(metrics):
    return {name: value.detach() for name, value in metrics.items()}


def _stacked(values, device=None):
    values = [value.detach() for value in values]
    is_double = any(value.dtype == torch.float64 for value in values)
    values = [value.double() if is_double else value.float() for value in values]
    return torch.stack(values) if values else torch.zeros(0, device=device)


def _described(value):
    return "number" if isinstance(value, float) else (tuple(value.shape), value.dtype)


def _first_line(error):
    return next(iter(str(error).splitlines()), type(error).__name__)


def _warn_once(text):
    global _has_warned
    if not _has_warned:
        _has_warned = True
        warnings.warn(text, stacklevel=4)
