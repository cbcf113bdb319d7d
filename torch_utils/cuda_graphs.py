"""CUDA graphs: the launches of a function recorded once and replayed, where they take longer than the work itself."""

from collections.abc import Callable

import torch

WARM_UPS = 3  # calls in which libraries choose their algorithms and make their workspaces, before one is recorded


class Graphed:
    """A function of tensors to one tensor, recorded for each shape it is called with on a GPU, then replayed.

    The function must do the same at every call: no gradients, no numbers drawn or read on the CPU. Weights are read
    where they lie, so changed values are seen; moved weights take a new Graphed. On a CPU the function is just called.
    `Graphed(lambda ws: G.synthesis(ws, noise_mode="const"))` draws single images with little delay.
    """

    def __init__(self, function: Callable[..., torch.Tensor], max_shapes: int = 4):
        """max_shapes: how many recordings are kept; each holds the memory of one call. The oldest one goes first."""
        self.function, self.max_shapes = function, max_shapes
        self._recorded = {}

    @torch.no_grad()
    def __call__(self, *inputs: torch.Tensor) -> torch.Tensor:
        if not inputs[0].is_cuda:
            return self.function(*inputs)
        key = tuple((t.shape, t.dtype, t.device) for t in inputs)
        if key not in self._recorded:
            while len(self._recorded) >= self.max_shapes:
                self._recorded.pop(next(iter(self._recorded)))
            self._recorded[key] = _record(self.function, inputs)
        graph, places, result = self._recorded[key]
        for place, t in zip(places, inputs, strict=True):
            place.copy_(t)
        graph.replay()
        return result.clone()


def _record(function, inputs):
    """Return the graph of one call, the tensors that it reads and the one that it writes."""
    with torch.cuda.device(inputs[0].device):
        places = [t.clone() for t in inputs]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                function(*places)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            result = function(*places)
    return graph, places, result
