"""What a training is said to take."""

import dataclasses

import pytest
import torch

from styleT2I.torch_utils.hardware.memory import memory_in_use, memory_left
from styleT2I.training.directions.estimate import Estimate, measure

MB = 10**6
COSTS = Estimate(
    steps=1000, batch_size=40, seconds_of_row=0.5, seconds_of_step=1.0, bytes_of_row=100 * MB, bytes_besides=2000 * MB,
    bytes_left=20_000 * MB, bytes_in_use=1000 * MB, bytes_of_weights=300 * MB,
)  # fmt: skip


def test_a_batch_that_fits_takes_one_line():
    (line,) = COSTS.lines()
    assert line == (
        "1000 steps of 40 take about 6 hours here (21 s a step, without evaluations), 7.2 GB of memory and 3.0 GB of "
        "disk"
    )


def test_a_batch_that_does_not_fit_is_offered_parts_that_do():
    small = dataclasses.replace(COSTS, bytes_left=3000 * MB)
    assert not small.fits() and small.fits(small.largest_micro_batch())
    assert small.lines()[1] == (
        "only 4.0 GB of memory are available: add --micro-batch 13 (3.7 GB, 28 s a step, the same gradients)"
    )
    assert small.lines(13) == [small.lines(13)[0]] and "3.7 GB" in small.lines(13)[0]
    none = dataclasses.replace(COSTS, bytes_left=1000 * MB)
    assert none.largest_micro_batch() is None and "a machine with more is needed" in none.lines()[1]


def test_a_disk_too_small_is_told():
    assert len(COSTS.lines(disk_left=3000 * MB)) == 1
    assert "only 2.9 GB are free on the disk" in COSTS.lines(disk_left=2900 * MB)[1]


def test_where_the_system_does_not_tell_everything_fits():
    assert dataclasses.replace(COSTS, bytes_left=None).lines() == COSTS.lines()


def test_the_bytes_of_a_row_are_what_its_graph_keeps():
    network = torch.nn.Linear(1000, 1000, bias=False)

    def forward(num):
        return (network(torch.ones(num, 1000)).sigmoid(),)  # keeps its input and the sigmoid: 8000 bytes a row

    before = [p.clone() for p in network.parameters()]
    costs = measure(forward, network, steps=10, batch_size=4)
    assert costs.bytes_of_row == 8000
    assert costs.bytes_of_weights == 4 * MB and costs.disk == 40 * MB
    assert costs.bytes_besides == costs.bytes_in_use + 3 * 4 * MB
    assert 0 < costs.seconds_of_row < costs.seconds() < costs.seconds(1)
    assert network.weight.grad is None and torch.equal(network.weight, before[0])


@pytest.mark.skipif(not memory_in_use(torch.device("cpu")), reason="the system does not tell a process its memory")
def test_memory_in_use_grows_with_what_is_allocated():
    before = memory_in_use(torch.device("cpu"))
    block = torch.ones(64 * MB)  # 256 MB, beside which what else the process frees or takes meanwhile is little
    grown = memory_in_use(torch.device("cpu")) - before
    assert 190 * MB < grown < 320 * MB and len(block) == 64 * MB
    left = memory_left(torch.device("cpu"))
    assert left is None or left >= 0
