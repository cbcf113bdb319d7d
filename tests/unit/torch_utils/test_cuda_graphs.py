"""Recorded calls where there is no CUDA, with a recorder that plays it; tests/gpu has the rest."""

import functools
import gc
import weakref

import pytest
import torch

from styleT2I.torch_utils.hardware import cuda_graphs
from styleT2I.torch_utils.hardware.cuda_graphs import MAX_RECORDINGS, Graphed, replayed


@pytest.fixture
def recorded(monkeypatch):
    """Let calls on the CPU be recorded by a fake; the list has the shapes of each recording."""
    shapes = []

    class Fake:
        def __init__(self, function, places):
            self.function, self.places, self.result = function, places, function(*places)

        def replay(self):
            self.result.copy_(self.function(*self.places))

    def record(function, inputs):
        shapes.append(tuple(inputs[0].shape))
        graph = Fake(function, [t.clone() for t in inputs])
        return graph, graph.places, graph.result

    monkeypatch.setattr(cuda_graphs, "is_recordable", lambda inputs: True)
    monkeypatch.setattr(cuda_graphs, "_record", record)
    monkeypatch.setattr(cuda_graphs, "_has_warned", False)
    return shapes


class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.factor = torch.nn.Parameter(torch.tensor(2.0))

    def forward(self, x, plus=0):
        return x * self.factor + plus

    def halve(self, x):
        return x / self.factor


def test_on_a_cpu_the_function_is_just_called():
    calls = []

    def function(x, y):
        calls.append(x.shape)
        return x + y

    graphed, x = Graphed(function), torch.ones(3, requires_grad=True)
    assert torch.equal(graphed(x, torch.ones(3)), torch.full((3,), 2.0)) and not graphed(x, x).requires_grad
    assert calls == [x.shape] * 2 and not graphed._recorded
    scale = Scale()
    assert replayed(scale, x, plus=1).tolist() == [3.0] * 3 and replayed(scale, x).requires_grad
    assert scale not in cuda_graphs._of_modules


def test_each_shape_and_type_is_recorded_once_and_the_one_not_used_longest_goes(recorded):
    graphed = Graphed(lambda x: x + 1, max_shapes=2)
    for num in (1, 2, 1, 3, 1, 2):
        assert torch.equal(graphed(torch.zeros(num)), torch.ones(num))
    assert recorded == [(1,), (2,), (3,), (2,)] and len(graphed._recorded) == 2
    graphed(torch.zeros(2, dtype=torch.float64))
    assert recorded[-1] == (2,) and len(recorded) == 5


def test_a_result_is_the_callers_own(recorded):
    graphed = Graphed(lambda x: x + 1)
    first, second = graphed(torch.zeros(2)), graphed(torch.ones(2))
    assert first.tolist() == [1, 1] and second.tolist() == [2, 2]


@torch.no_grad()
def test_a_module_is_recorded_for_its_settings_and_state(recorded):
    scale, x = Scale(), torch.ones(3)
    assert [replayed(scale, x, plus=plus)[0].item() for plus in (0, 1, 0, 1)] == [2, 3, 2, 3] and len(recorded) == 2
    scale.factor.mul_(2)  # where it lies
    assert replayed(scale, x, plus=0)[0] == 4 and len(recorded) == 2
    scale.factor = torch.nn.Parameter(torch.tensor(7.0))  # elsewhere
    assert replayed(scale, x, plus=0)[0] == 7 and len(recorded) == 3
    scale.eval()
    assert replayed(scale, x, plus=0)[0] == 7 and len(recorded) == 4
    with torch.backends.cudnn.flags(enabled=True, deterministic=not torch.backends.cudnn.deterministic):
        assert replayed(scale, x, plus=0)[0] == 7 and len(recorded) == 5
    for plus in range(10):
        replayed(scale, x, plus=plus)
    assert len(cuda_graphs._of_modules[scale]) == MAX_RECORDINGS


@torch.no_grad()
def test_a_method_is_recorded_and_what_is_no_module_is_called(recorded):
    scale, x = Scale(), torch.ones(3)
    assert [replayed(function, x)[0] for function in (scale.halve, scale, scale.halve)] == [0.5, 2, 0.5]
    assert len(recorded) == 2
    assert replayed(lambda x: x + 1, x)[0] == replayed(functools.partial(torch.add, x), x)[0] == 2
    assert len(recorded) == 2


def test_with_gradients_nothing_is_recorded(recorded):
    assert replayed(Scale(), torch.ones(2)).requires_grad and not recorded


@torch.no_grad()
def test_recordings_do_not_keep_their_module(recorded):
    scale = Scale()
    replayed(scale, torch.ones(1))
    gone = weakref.ref(scale)
    del scale
    gc.collect()
    assert gone() is None


@torch.no_grad()
def test_where_recording_fails_the_function_is_called_after_one_warning(recorded, monkeypatch):
    def fail(function, inputs):
        raise RuntimeError("operation not permitted when stream is capturing\nand so on")

    monkeypatch.setattr(cuda_graphs, "_record", fail)
    scale, x = Scale(), torch.ones(2)
    with pytest.warns(
        UserWarning, match="without CUDA graphs.*: operation not permitted when stream is capturing$"
    ) as w:
        results = [replayed(scale, x), replayed(scale, x), replayed(scale, x, plus=1)]
    assert [y[0].item() for y in results] == [2, 2, 3] and len(w) == 1


def test_the_environment_switches_graphs_off(monkeypatch):
    class OnGPU:
        is_cuda = True

    assert cuda_graphs.is_recordable([OnGPU()])
    monkeypatch.setenv("STYLET2I_GRAPHS", "0")
    assert not cuda_graphs.is_recordable([OnGPU()]) and not cuda_graphs.is_recordable([torch.ones(1)])
