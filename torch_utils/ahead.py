"""Batches made by worker processes ahead of the steps that take them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import torch

from styleT2I.errors import StyleT2IError
from styleT2I.torch_utils.launch import launched_here

T = TypeVar("T")
MOST_WORKERS = 8  # unless more are asked for
_PREFETCHED = 2  # batches for each worker
_DIES_WITH_PARENT = 1  # Linux's PR_SET_PDEATHSIG

_num_workers, _is_pinned, _open = 0, False, []


def default_workers(device: torch.device) -> int:
    """How many workers a training has unless told: none on a CPU, which they would take from the training itself;
    beside a GPU as many as this process has cores of its own, at most MOST_WORKERS."""
    if device.type != "cuda":
        return 0
    return max(1, min(MOST_WORKERS, num_cores() // launched_here().count - 1))


def num_cores() -> int:
    """The processor's cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def workers(num: int, device: torch.device) -> Iterator[None]:
    """Every `Ahead` that is made inside has `num` worker processes, which end when this does; 0: none.

    For a CUDA device tensors arrive in pinned memory, from which they are copied while the GPU computes.
    """
    global _num_workers, _is_pinned
    held = _num_workers, _is_pinned
    _num_workers, _is_pinned = num, device.type == "cuda"
    try:
        yield
    finally:
        _num_workers, _is_pinned = held
        while _open:
            _open.pop().close()


class Ahead(Generic[T]):
    """make(step) for one step after the other, each made before it is asked for where there are workers.

    make: a pure function of the step, of CPU tensors in tuples; it draws from no random state. It is copied to the
    workers when the first batch is asked for. What it raises is raised here, of a StyleT2IError the same.
    """

    def __init__(self, make: Callable[[int], T]):
        self.make, self.num_workers, self.is_pinned = make, _num_workers, _is_pinned
        self._next, self._batches = None, None
        if self.num_workers:
            _open.append(self)

    def __call__(self, step: int) -> T:
        if not self.num_workers:
            return self.make(step)
        if step != self._next:
            self._begin(step)
        self._next = step + 1
        batch, error = next(self._batches)
        if error is not None:
            raise error
        return batch

    def close(self) -> None:
        """End the workers."""
        self._next = self._batches = None  # the loader's iterator ends them when it goes

    def _begin(self, step):
        self.close()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of more workers than cores, which is for the user to say
            loader = torch.utils.data.DataLoader(
                _Made(self.make), batch_size=None, sampler=range(step, sys.maxsize), num_workers=self.num_workers,
                prefetch_factor=_PREFETCHED, pin_memory=self.is_pinned, worker_init_fn=_start_worker,
                multiprocessing_context="fork" if sys.platform == "linux" else None,
                generator=torch.Generator(),  # torch's own is the training's
            )  # fmt: skip
            self._batches = iter(loader)


class _Made(torch.utils.data.Dataset):
    """(make(step), None), or (None, error) for one that a user can mend."""

    def __init__(self, make):
        self.make = make

    def __getitem__(self, step):
        try:
            return self.make(step), None
        except StyleT2IError as error:
            return None, error


def _start_worker(index):
    """A signal to a training's processes is for the training, which ends its workers itself; they die with it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
