"""Several processes that train on one batch: which rows are whose, and what the processes tell each other.

The rule: the loss of a run is the mean of the losses of its processes. So a mean over rows is taken over one's own,
whatever compares rows takes the `gathered` ones, a sum over the batch is `summed`, and gradients are averaged before an
update. All three pass gradients back to every process, second derivatives included, which makes N processes with b rows
each the same training as one with N b. Random numbers of rows are drawn for the whole batch by each process
(`draw_rows`), so that row k gets the same ones however many processes there are.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch

from styleT2I.errors import ConfigError, StyleT2IError, TrainingError
from styleT2I.torch_utils.launch import launched

T = TypeVar("T")
WAIT = "STYLET2I_WAIT"  # environment: seconds that a process waits for the others
_DEFAULT_WAIT = 600.0
_GRACE = 10.0  # seconds that a stopped process waits for the others, less than torchrun waits before it kills
_POLL = 0.02
_messages = itertools.count()


class LostProcessError(TrainingError):
    """Another process ended, or did not answer in time."""


@dataclass
class _Group:
    index: int
    count: int
    store: object  # torch.distributed.Store
    limit: float
    is_stopped: Callable[[], bool]


_group: _Group | None = None


def num_processes() -> int:
    """How many processes share a batch now; 1 outside a group."""
    return _group.count if _group else 1


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return _group is None or _group.index == 0


@contextlib.contextmanager
def group(device: torch.device, is_stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Work with the other processes that torchrun started; nothing where it started none.

    CUDA tensors go by NCCL, all else by gloo. Whoever waits longer than STYLET2I_WAIT seconds (600) for the others, or
    10 seconds once is_stopped() says that this process was told to end, gets a LostProcessError.
    """
    global _group
    place = launched()
    if place.count == 1:
        yield
        return
    import torch.distributed as dist

    limit = _wait_seconds()
    has_nccl = device.type == "cuda" and dist.is_nccl_available()
    timeout = datetime.timedelta(seconds=limit)
    with _told():
        store, _, _ = next(dist.rendezvous("env://", timeout=timeout))
        backend = "cpu:gloo,cuda:nccl" if has_nccl else "gloo"
        dist.init_process_group(backend, store=store, rank=place.index, world_size=place.count, timeout=timeout)
    _group = _Group(*place, dist.PrefixStore("styleT2I", store), limit, is_stopped)
    try:
        yield
    finally:
        _group = None
        with contextlib.suppress(RuntimeError):  # the others may be gone
            dist.destroy_process_group()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """What is done inside concerns this process only: its batches are nobody else's."""
    global _group
    held, _group = _group, None
    try:
        yield
    finally:
        _group = held


def own_rows(num: int) -> slice:
    """Which of a batch's `num` rows are this process's: every N-th of N processes, so that rows which are compared with
    each other a multiple of N apart (minibatch standard deviation) are in one process. ConfigError where they cannot be
    shared evenly."""
    if _group is None:
        return slice(0, num)
    if num % _group.count:
        raise ConfigError(
            f"{num} rows cannot be shared evenly by {_group.count} processes; choose a --batch that can, or another "
            "number of processes"
        )
    return slice(_group.index, num, _group.count)


def num_own_rows(num: int) -> int:
    """How many rows of a batch of `num` are this process's; ConfigError as `own_rows`."""
    return len(range(num)[own_rows(num)])


def draw_rows(draw: Callable[..., torch.Tensor], num: int, *shape, **options) -> torch.Tensor:
    """This process's `num` rows of draw(rows of all processes, *shape, **options), say of torch.randn."""
    if _group is None:
        return draw(num, *shape, **options)
    return draw(num * _group.count, *shape, **options)[own_rows(num * _group.count)]


def summed(tensor: torch.Tensor) -> torch.Tensor:
    """The sum of every process's tensor of this shape, differentiable any number of times."""
    return tensor if _group is None else _Sum.apply(tensor)


def averaged(tensor: torch.Tensor) -> torch.Tensor:
    """The mean of every process's tensor of this shape, differentiable any number of times."""
    return tensor if _group is None else _Sum.apply(tensor) / _group.count


def gathered(tensor: torch.Tensor) -> torch.Tensor:
    """The rows [N, ...] of every process's [n, ...] in their order in the batch, differentiable any number of times."""
    if _group is None:
        return tensor
    if tensor.dtype == torch.bool:
        return gathered(tensor.to(torch.uint8)).bool()
    none = torch.zeros_like(tensor)
    rows = [tensor if index == _group.index else none for index in range(_group.count)]
    return _Sum.apply(torch.stack(rows, dim=1).flatten(0, 1))


def rolled(tensor: torch.Tensor, shift: int) -> torch.Tensor:
    """This process's rows of the whole batch's rows rolled by `shift`: row k becomes row k + shift of all."""
    num = len(tensor) * num_processes()
    return gathered(tensor).roll(shift, dims=0)[own_rows(num)]


@torch.no_grad()
def average_gradients(parameters: Iterable[torch.nn.Parameter]) -> None:
    """Replace every gradient by its mean over the processes; one that no process has stays None."""
    if _group is None:
        return
    kinds = {}
    for parameter in parameters:
        if parameter.requires_grad:
            kinds.setdefault((parameter.device, parameter.dtype), []).append(parameter)
    for held in kinds.values():
        grads = [p.grad if p.grad is not None else torch.zeros_like(p) for p in held]
        is_there = torch.tensor([float(p.grad is not None) for p in held]).to(held[0])
        flat = torch.cat([*(grad.flatten() for grad in grads), is_there])
        _reduce(flat)
        *means, is_there = (flat / _group.count).split([*(p.numel() for p in held), len(held)])
        for parameter, mean, is_used in zip(held, means, is_there.tolist(), strict=True):
            parameter.grad = mean.view_as(parameter) if is_used else None


def agree(metrics: Mapping[str, float], is_stopped: bool = False) -> tuple[dict[str, float], bool]:
    """The mean of every process's metrics, and whether any process was stopped; all must name the same metrics."""
    if _group is None:
        return dict(metrics), is_stopped
    told = torch.tensor([*metrics.values(), float(is_stopped)], dtype=torch.float64)
    _reduce(told)
    *means, num_stopped = told.tolist()
    return {name: mean / _group.count for name, mean in zip(metrics, means, strict=True)}, num_stopped > 0


def first_does(work: Callable[[], T]) -> T:
    """What work() returns, which the first process alone does; the others wait as long as it takes, and get a copy.

    Its StyleT2IError is raised by all. The result must survive pickling, with its tensors on the CPU.
    """
    group = _group
    if group is None:
        return work()
    key = f"message-{next(_messages)}"
    if group.index:
        return _heard(group, key)
    try:
        with alone():
            value, error = work(), None
    except StyleT2IError as problem:
        value, error = None, problem
    _tell(group, key, (value, error))
    if error is not None:
        raise error
    return value


def collected(part: T) -> list[T] | None:
    """Every process's part in their order, for the first one, which waits as long as it takes; None for the others.

    A part is what JSON holds: nothing that comes over the network is unpickled here.
    """
    group = _group
    if group is None:
        return [part]
    number = next(_messages)
    keys = [f"part-{number}-{index}" for index in range(group.count)]
    with _told():
        group.store.set(keys[group.index], json.dumps(part))
        if group.index:
            return None
        _wait_for(group, keys)
        return [json.loads(group.store.get(key)) for key in keys]


def _tell(group, key, message):
    import torch.distributed as dist

    with _told():
        group.store.set(key, "")
        dist.broadcast_object_list([message], src=0, device=torch.device("cpu"))


def _heard(group, key):
    import torch.distributed as dist

    message = [None]
    with _told():
        _wait_for(group, [key])
        dist.broadcast_object_list(message, src=0, device=torch.device("cpu"))
    value, error = message[0]
    if error is not None:
        error.is_told = True  # by the first process
        raise error
    return value


def _wait_for(group, keys):
    stopped_at = None
    while not group.store.check(keys):
        time.sleep(_POLL)
        stopped_at = _check_grace(group, stopped_at)


def _reduce(tensor):
    """Sum a contiguous tensor over the processes, in place."""
    import torch.distributed as dist

    with _told():
        if not tensor.is_cuda:
            dist.all_reduce(tensor)
            return
        # NCCL says nothing of a process that is gone: look on the way, so that the GPU is never waited for in vain.
        work, end, stopped_at = dist.all_reduce(tensor, async_op=True), time.monotonic() + _group.limit, None
        while not work.is_completed():
            if time.monotonic() > end:
                raise LostProcessError(f"another process did not answer for {_group.limit:g} seconds")
            stopped_at = _check_grace(_group, stopped_at)
        work.wait()


def _check_grace(group, stopped_at):
    """Since when the process is stopped, None while it is not; LostProcessError once it has waited enough."""
    if not group.is_stopped():
        return None
    now = time.monotonic()
    if stopped_at is not None and now - stopped_at > _GRACE:
        raise LostProcessError("stopped while it waited for another process")
    return stopped_at or now


@contextlib.contextmanager
def _told():
    """What torch.distributed raises is one line: another process is lost."""
    try:
        yield
    except StyleT2IError:
        raise
    except RuntimeError as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise LostProcessError(f"another process was lost ({reason})") from error


def _wait_seconds():
    text = os.environ.get(WAIT, str(_DEFAULT_WAIT))
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e7:
        raise ConfigError(f"{WAIT}={text} in the environment is no number of seconds; give one above 0, or unset it")
    return seconds


class _Sum(torch.autograd.Function):
    """The sum over all processes; so is the way back, as every process's loss depends on it."""

    @staticmethod
    def forward(ctx, tensor):
        total = tensor.detach().clone(memory_format=torch.contiguous_format)
        _reduce(total)
        return total

    @staticmethod
    def backward(ctx, gradient):
        return summed(gradient)
