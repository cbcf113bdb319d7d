"""The wrapper of CUDA graphs where there is no CUDA; tests/gpu has the rest."""

import torch

from styleT2I.torch_utils.cuda_graphs import Graphed


def test_on_a_cpu_the_function_is_just_called():
    calls = []

    def function(x, y):
        calls.append(x.shape)
        return x + y

    graphed, x = Graphed(function), torch.ones(3, requires_grad=True)
    assert torch.equal(graphed(x, torch.ones(3)), torch.full((3,), 2.0)) and not graphed(x, x).requires_grad
    assert calls == [x.shape] * 2 and not graphed._recorded
