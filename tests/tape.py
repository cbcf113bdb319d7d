"""What a CUDA graph does, on the CPU: a call is logged kernel by kernel, then replayed without its Python.

A value of Python's that changes between two calls is as stale in a replay as it would be on a GPU, and what a recording
on a GPU refuses is refused here: values read on the host, shapes that depend on values, tensors made of Python's
numbers, factories without a device (tensors of the host, here on "meta"), random numbers of another generator.
"""

import contextlib

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from styleT2I.ops.kernels import default_impl
from styleT2I.torch_utils.hardware import cuda_graphs, recorded_steps

_REFUSED = {
    "aten._local_scalar_dense.default": "a value is read on the host",
    "aten.nonzero.default": "a shape depends on values",
    "aten.masked_select.default": "a shape depends on values",
    "aten._unique2.default": "a shape depends on values",
    "aten.lift_fresh.default": "a tensor is made of Python's numbers",
}
_READS = {"tolist", "numpy", "__array__", "item"}


class Refused(RuntimeError):
    """What CUDA would say of a call that a graph cannot hold."""


class Tape:
    """One call of a function of no arguments: its result, and `replay`, which writes it again."""

    def __init__(self, function):
        """Recording computes nothing: what the call changed is put back, and what it made holds no numbers yet."""
        state, log = torch.get_rng_state(), _Log()
        self.log = log.calls
        try:
            with torch.device("meta"), _NoReads(), log:
                self.result = function()
        finally:
            torch.set_rng_state(state)
            log.undo()

    @torch.no_grad()
    def replay(self):
        for function, args, kwargs, outputs in self.log:
            for old, new in zip(outputs, tree_leaves(function(*args, **kwargs)), strict=True):
                if isinstance(old, torch.Tensor) and old is not new:
                    assert old.shape == new.shape
                    old.copy_(new)


class _Log(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.calls = []
        self.before = {}  # memory -> (the tensor that lies in it, its bytes before the call)
        self.made = {}  # memory -> the tensor

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        _check(function, args, kwargs)
        for tensor in _on_device((args, kwargs)):
            if _memory(tensor) not in self.before and _memory(tensor) not in self.made:
                self.before[_memory(tensor)] = tensor, tensor.untyped_storage().clone()
        result = function(*args, **kwargs)
        if not _is_view(function, args, kwargs, result):
            self.calls.append((function, args, kwargs, tree_leaves(result)))
        for tensor in _on_device(result):
            if _memory(tensor) not in self.before:
                self.made[_memory(tensor)] = tensor
        return result

    def undo(self):
        for tensor, bytes_before in self.before.values():
            tensor.untyped_storage().copy_(bytes_before)
        for tensor in self.made.values():
            tensor.untyped_storage().fill_(255)  # NaN


class _NoReads(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") in _READS:
            raise Refused(f"{function.__name__}: a value is read on the host")
        return function(*args, **(kwargs or {}))


def _check(function, args, kwargs):
    name = str(function)
    if name in _REFUSED:
        raise Refused(f"{name}: {_REFUSED[name]}")
    leaves = tree_leaves((args, kwargs))
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    if len({t.device.type for t in tensors}) > 1:
        raise Refused(f"{name}: a tensor of the host meets one of the device")
    if "index" in name and any(t.dtype == torch.bool for t in tensors[1:]):
        raise Refused(f"{name}: a shape depends on values")
    if any(isinstance(leaf, torch.Generator) for leaf in leaves):
        raise Refused(f"{name}: draws from a generator that the recording does not know")


def _is_view(function, args, kwargs, result):
    """Whether nothing is computed: the result lies in an argument's memory, which a replay fills."""
    if function._schema.is_mutable or not isinstance(result, (torch.Tensor, list, tuple)):
        return False
    given, made = ({_memory(t) for t in _on_device(tree)} for tree in ((args, kwargs), result))
    return bool(made) and made <= given


def _on_device(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor) and leaf.device.type == "cpu"]


def _memory(tensor):
    return tensor.untyped_storage()._cdata


class TapeRecorder:
    """In place of recorded_steps.CudaRecorder: keeps what it recorded in `tapes`."""

    def __init__(self):
        self.tapes = []

    def eagerly(self, call):
        return call()

    def record(self, call):
        self.tapes.append(Tape(call))
        return self.tapes[-1].replay, self.tapes[-1].result


@contextlib.contextmanager
def recording(is_on=True):
    """Trainings that are set up inside record their parts on tapes after some calls, or with is_on=False run the same
    functions without, on PyTorch's own operations. Yields the list of their recorders."""
    recorders = []

    def recorder_for(device):
        recorders.append(TapeRecorder())
        return recorders[-1]

    with pytest.MonkeyPatch.context() as patch, default_impl("torch"):
        patch.setattr(recorded_steps, "recorder_for", recorder_for)
        if not is_on:
            patch.setattr(cuda_graphs, "WARM_UPS", 1 << 30)
        yield recorders
