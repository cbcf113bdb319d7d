"""Parts of steps on tapes: recorded once for each shape, replayed with new arguments, and what a graph cannot hold."""

import copy

import pytest
import torch
from torch.nn import functional as F

from styleT2I.torch_utils.hardware import cuda_graphs, recorded_steps
from styleT2I.torch_utils.hardware.recordable_adam import make_recordable, set_rates, step_where_finite
from styleT2I.torch_utils.hardware.recorded_steps import MAX_RECORDINGS, RecordedSteps, moved, read
from tests.tape import Refused, Tape, recording

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def not_warned(monkeypatch):
    monkeypatch.setattr(recorded_steps, "_has_warned", False)


class Counter:
    """A part of a step that counts how often Python ran it."""

    def __init__(self):
        self.weight, self.calls = torch.zeros(3), 0

    def __call__(self, x, rate):
        self.calls += 1
        self.weight.add_(rate * x[0])
        return {"mean": self.weight.mean(), "last": x[1].sum()}


def test_a_part_is_warmed_up_recorded_once_and_replayed_with_new_arguments():
    with recording() as recorders:
        part, steps = Counter(), RecordedSteps(CPU)
        told = [read(steps("part", part, (torch.full((3,), float(k)), torch.ones(2)), 0.5)) for k in range(8)]
    assert told == [{"mean": sum(range(k + 1)) / 2, "last": 2.0} for k in range(8)]
    assert part.calls == cuda_graphs.WARM_UPS + 1 and len(recorders[0].tapes) == 1


def test_metrics_of_a_replay_are_the_callers_own():
    with recording():
        part, steps = Counter(), RecordedSteps(CPU)
        told = [steps("part", part, (torch.ones(3), torch.ones(2)), 1.0) for _ in range(6)]
    assert told[4]["mean"] == 5 and told[5]["mean"] == 6


def test_each_shape_type_and_setting_is_recorded_by_itself_and_not_too_many_are():
    with recording() as recorders:
        steps = RecordedSteps(CPU)
        for _ in range(5):
            for x, setting in ((torch.ones(2), "a"), (torch.ones(3), "a"), (torch.ones(2).double(), "a"),
                               (torch.ones(2), "b"), (None, "a")):  # fmt: skip
                steps("part", lambda x, setting: {"sum": torch.ones(()) if x is None else x.sum()}, x, setting)
        assert len(steps._parts) == len(recorders[0].tapes) == 5
        for num in range(MAX_RECORDINGS + 5):
            assert read(steps("part", lambda x, setting: {"sum": x.sum()}, torch.ones(num), "a")) == {"sum": num}
        assert len(steps._parts) == MAX_RECORDINGS


def test_on_a_cpu_and_without_fixed_shapes_a_part_is_just_called():
    part = Counter()
    steps = RecordedSteps(CPU, [torch.optim.SGD([torch.zeros(1)], 0.1)])
    assert not steps.is_recording and not steps.draws_own_noise
    for _ in range(6):
        steps("part", part, (torch.ones(3), torch.ones(2)), 0.5)
    assert part.calls == 6
    with recording():
        assert not RecordedSteps(CPU, is_fixed=False).is_recording and RecordedSteps(CPU).draws_own_noise


def test_nothing_is_recorded_with_graphs_switched_off_or_in_several_processes(monkeypatch):
    monkeypatch.setattr(recorded_steps, "CudaRecorder", lambda device: "recorder")
    cuda = torch.device("cuda")
    assert recorded_steps.recorder_for(cuda) == "recorder" and recorded_steps.recorder_for(CPU) is None
    with cuda_graphs.switched(False):
        assert recorded_steps.recorder_for(cuda) is None
    monkeypatch.setattr(recorded_steps, "num_processes", lambda: 2)
    assert recorded_steps.recorder_for(cuda) is None
    monkeypatch.setattr(recorded_steps, "num_processes", lambda: 1)
    monkeypatch.setenv("STYLET2I_GRAPHS", "0")
    assert recorded_steps.recorder_for(cuda) is None


def test_where_recording_fails_a_part_is_called_after_one_warning_and_others_are_still_recorded():
    with recording() as recorders:
        steps, part, weight = RecordedSteps(CPU), Counter(), torch.zeros(1)

        def reads(x):
            weight.add_(x.mean())
            return {"sum": torch.full((), weight.item())}

        with pytest.warns(UserWarning, match=r"without CUDA graphs.*\(reads: item: a value is read") as warned:
            told = [read(steps("reads", reads, torch.ones(1)))["sum"] for _ in range(7)]
            for _ in range(5):
                steps("part", part, (torch.ones(3), torch.ones(2)), 1.0)
    assert told == [1, 2, 3, 4, 5, 6, 7] and weight == 7  # the failed recording changed nothing
    assert len(warned) == 1 and part.calls == 4 and len(recorders[0].tapes) == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda x: x.sum().item(),
        lambda x: x.tolist(),
        lambda x: x if x.sum() > 0 else -x,
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x[:, [0, 1]],
        lambda x: x + torch.tensor(1.0),
        lambda x: x + torch.ones(3),
        lambda x: x[torch.arange(2)],
        lambda x: torch.randn(3, generator=torch.Generator(), device=x.device) + x,
    ],
)
def test_a_tape_refuses_what_a_graph_cannot_hold(call):
    x = torch.ones(3, 3)
    with pytest.raises(Refused):
        Tape(lambda: call(x))


def test_a_tape_shows_values_of_pythons_that_went_stale():
    """What the other tests rely on: a value that changes and is no argument is as it was when it was recorded."""
    with recording():
        steps, rate, total = RecordedSteps(CPU), [0.0], torch.zeros(())
        for k in range(6):
            rate[0] = float(k)
            steps("part", lambda x: {"total": total.add_(rate[0] * x)}, torch.ones(()))
    assert total == 0 + 1 + 2 + 3 + 3 + 3


def test_arguments_are_moved_and_read_as_they_are_nested():
    given = (torch.ones(2), 0.5, ("name", None, torch.zeros(1, dtype=torch.int64)))
    inside = moved(given, CPU)
    assert inside[1] == 0.5 and inside[2][:2] == ("name", None) and torch.equal(inside[0], given[0])
    assert read({"a": torch.tensor(0.1), "b": 2.0, "c": torch.tensor(0.1, dtype=torch.float64)}) == {
        "a": pytest.approx(0.1, rel=1e-7), "b": 2.0, "c": 0.1,
    }  # fmt: skip
    assert read({}) == {} and read({"a": 1.0}) == {"a": 1.0}


def optimised(kind, settings, is_recordable, state=None, num=3):
    torch.manual_seed(1)
    weight = torch.nn.Parameter(torch.randn(4))
    optimizer = kind([weight], lr=0.01, **settings)
    if is_recordable:
        make_recordable(optimizer)
    if state is not None:
        weight.data.copy_(state[0])
        optimizer.load_state_dict(copy.deepcopy(state[1]))
    for k in range(num):
        set_rates(optimizer, [0.1 / (k + 1)])
        weight.grad = F.normalize(weight.detach() + k, dim=0)
        optimizer.step()
    return weight.detach().clone(), optimizer.state_dict()


@pytest.mark.parametrize("kind, settings", [(torch.optim.Adam, {"betas": (0.0, 0.99)}),
                                            (torch.optim.AdamW, {"weight_decay": 0.1}),
                                            (torch.optim.Adam, {"fused": True})])  # fmt: skip
def test_states_of_recordable_optimizers_are_those_of_others(kind, settings):
    plain, recordable = (optimised(kind, settings, is_on) for is_on in (False, True))
    torch.testing.assert_close(plain[0], recordable[0])
    groups = [state["param_groups"] for _, state in (plain, recordable)]
    assert groups[0][0].keys() == groups[1][0].keys() and groups[1][0]["lr"] == 0.01  # what set_rates last set is not
    assert {k: v for k, v in groups[0][0].items() if k != "lr"} == {k: v for k, v in groups[1][0].items() if k != "lr"}
    for is_on, state in ((True, plain), (False, recordable)):
        again = optimised(kind, settings, is_on, state)
        torch.testing.assert_close(again[0], optimised(kind, settings, not is_on, state)[0])
        assert again[1]["state"][0]["step"] == 6


@pytest.mark.parametrize("is_recordable", [False, True])
def test_gradients_that_are_not_finite_change_neither_weights_nor_moments_nor_counts(is_recordable):
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([weight], lr=0.1)
    if is_recordable:
        make_recordable(optimizer)
    for gradient in (1.0, float("inf"), float("nan"), 1.0):
        before = copy.deepcopy((weight.detach(), optimizer.state_dict()["state"]))
        weight.grad = torch.tensor([gradient, 1.0, 1.0])
        step_where_finite(optimizer, [weight.grad])
        after = optimizer.state_dict()["state"]
        if gradient == 1.0:
            assert not torch.equal(weight, before[0])
        else:
            assert torch.equal(weight, before[0])
            assert all(torch.equal(after[0][name], before[1][0][name]) for name in ("step", "exp_avg", "exp_avg_sq"))
    assert after[0]["step"] == 2


def test_loading_an_optimizers_state_records_its_parts_anew():
    with recording() as recorders:
        weight = torch.nn.Parameter(torch.ones(2))
        optimizer = torch.optim.Adam([weight], lr=0.1)
        steps = RecordedSteps(CPU, [optimizer])

        def part(x):
            weight.grad = x.clone()
            optimizer.step()
            return {}

        for _ in range(5):
            assert steps("part", part, torch.ones(2)) == {}
        assert optimizer.state_dict()["state"][0]["step"] == 5
        optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
        for _ in range(5):
            steps("part", part, torch.ones(2))
    assert optimizer.state_dict()["state"][0]["step"] == 10 and len(recorders[0].tapes) == 2
