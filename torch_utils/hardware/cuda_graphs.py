"""CUDA graphs: the launches of a function recorded once and replayed, where they take longer than the work itself."""

import contextlib
import os
import warnings
import weakref
from collections.abc import Callable, Iterator

import torch

WARM_UPS = 3  # calls in which libraries choose their algorithms and make their workspaces, before one is recorded
MAX_RECORDINGS = 4  # of one function; each holds its input and output, all of a device share the memory between
_of_modules = weakref.WeakKeyDictionary()  # module -> {method, settings and state of a call: Graphed}
_pools = {}  # device -> memory pool; safe to share, as a result is copied before anything else is replayed
_has_warned = False
_is_on = True


class Graphed:
    """A function of tensors to one tensor, recorded for each shape and type it is called with on a GPU, then replayed.

    The function must do the same at every call: no gradients, no numbers drawn or read on the CPU. Weights are read
    where they lie, so changed values are seen; moved weights take a new Graphed. On a CPU the function is just called,
    and so it is, after one warning, where recording fails.
    """

    def __init__(self, function: Callable[..., torch.Tensor], max_shapes: int = MAX_RECORDINGS):
        """max_shapes: how many recordings are kept; the one used longest ago goes first."""
        self.function, self.max_shapes = function, max_shapes
        self._recorded, self._can_record = {}, True

    @torch.no_grad()
    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        if not (self._can_record and is_recordable(inputs)):
            return self.function(*inputs)
        key = tuple((t.shape, t.dtype, t.device) for t in inputs)
        recording = self._recorded.pop(key, None) or self._record(inputs)
        if recording is None:
            return self.function(*inputs)
        self._recorded[key] = recording  # the last one now
        graph, places, result = recording
        for place, t in zip(places, inputs, strict=True):
            place.copy_(t)
        graph.replay()
        return result.clone()

    def _record(self, inputs):
        while len(self._recorded) >= self.max_shapes:
            self._recorded.pop(next(iter(self._recorded)))
        try:
            return _record(self.function, inputs)
        except RuntimeError as error:  # out of memory, or something that a graph cannot hold
            self._can_record = False
            self._recorded.clear()
            _warn_once(f"drawing without CUDA graphs, which is slower: {next(iter(str(error).splitlines()), error)}")
            return None


def is_switched_on() -> bool:
    """Whether a GPU's work is to be recorded: not within `switched(False)`, nor with STYLET2I_GRAPHS=0 in the
    environment."""
    return _is_on and os.environ.get("STYLET2I_GRAPHS", "1") != "0"


@contextlib.contextmanager
def switched(is_on: bool) -> Iterator[None]:
    """While the block runs, a GPU's work is recorded only with is_on."""
    global _is_on
    held, _is_on = _is_on, is_on
    try:
        yield
    finally:
        _is_on = held


def is_recordable(inputs) -> bool:
    """Whether a call is on a GPU and to be recorded."""
    return inputs[0].is_cuda and is_switched_on()


def replayed(function: Callable[..., torch.Tensor], *inputs: torch.Tensor, **settings) -> torch.Tensor:
    """function(*inputs, **settings); without gradients and on a GPU it is replayed from a recording of such a call.

    function: a module or a method of one; of anything else it is just called. A recording is made anew where the
    module's weights moved, its precision changed or other settings of torch hold. settings: hashable, and none that
    draws random numbers.
    """
    is_module = isinstance(function, torch.nn.Module)
    owner, name = (
        (function, "__call__")
        if is_module
        else (getattr(function, "__self__", None), getattr(function, "__name__", None))
    )
    if not isinstance(owner, torch.nn.Module) or torch.is_grad_enabled() or not is_recordable(inputs):
        return function(*inputs, **settings)
    graphs = _of_modules.setdefault(owner, {})
    key = (name, tuple(sorted(settings.items())), *_state(owner))
    if key not in graphs:
        while len(graphs) >= MAX_RECORDINGS:
            graphs.pop(next(iter(graphs)))
        own = weakref.ref(owner)  # else the dictionary would keep its key alive
        graphs[key] = Graphed(lambda *inputs: getattr(own(), name)(*inputs, **settings))
    graphs[key] = graphs.pop(key)  # the last one now
    return graphs[key](*inputs)


def _state(module):
    """All but inputs and values of weights on which the launches of a call depend."""
    addresses = tuple(t.data_ptr() for t in (*module.parameters(), *module.buffers()))
    modes = tuple((m.training, getattr(m, "half_dtype", None)) for m in module.modules())
    cudnn = torch.backends.cudnn
    return addresses, modes, cudnn.deterministic, cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32


def _warn_once(text):
    global _has_warned
    if not _has_warned:
        _has_warned = True
        warnings.warn(text, stacklevel=4)


def _record(function, inputs):
    """Return the graph of one call, the tensors that it reads and the one that it writes."""
    device = inputs[0].device
    with torch.cuda.device(device):
        if device not in _pools:
            _pools[device] = torch.cuda.graph_pool_handle()
        places = [t.clone() for t in inputs]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                function(*places)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=_pools[device]):
            result = function(*places)
    return graph, places, result
