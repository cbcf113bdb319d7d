"""Every training whose steps a GPU records, on tapes that do on the CPU what a recording does there (tests/tape.py)."""

import pytest
import torch

from styleT2I.training.checkpoints import flatten_state
from tests.shared.recorded import TRAININGS, recorded_parts, run_steps, write_parts
from tests.tape import recording


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_parts(tmp_path_factory.mktemp("tiny"))


def run(make, folder, is_on, steps, state=None):
    with recording(is_on):
        return run_steps(make, folder, "cpu", steps, state)


def assert_same(first, second):
    (metrics, state, _), (other_metrics, other_state, _) = first, second
    assert metrics == other_metrics
    (tree, tensors), (other_tree, others) = flatten_state(state), flatten_state(other_state)
    assert tree == other_tree
    assert [name for name, tensor in tensors.items() if not torch.equal(tensor, others[name])] == []


@pytest.mark.parametrize("name", TRAININGS)
def test_replayed_steps_end_where_steps_without_recordings_do(name, folder):
    """So does a run that is resumed, with or without recordings, from one of the other kind."""
    make, names, num = TRAININGS[name]
    eager = run(make, folder, False, range(num))
    replayed = run(make, folder, True, range(num))
    assert recorded_parts(replayed[2]) == names
    assert_same(eager, replayed)
    first = run(make, folder, True, range(num - 5))
    for is_on in (True, False):
        resumed = run(make, folder, is_on, range(num - 5, num), first[1])
        assert_same((eager[0][num - 5 :], *eager[1:]), resumed)
