"""Micro-batches of one size: no row is lost, repeated or mixed with another."""

import pytest
import torch

from styleT2I.torch_utils.batching import in_micro_batches


@pytest.mark.parametrize("num", [1, 3, 4, 5, 11])
def test_every_row_comes_back_in_order_from_batches_of_one_size(num):
    sizes = []

    def add(a, b):
        sizes.append((len(a), len(b)))
        return a + b.unsqueeze(1)

    a, b = torch.arange(2.0 * num).view(num, 2), torch.arange(num)
    assert torch.equal(in_micro_batches(add, 4, a, b), a + b.unsqueeze(1))
    assert set(sizes) == {(4, 4)}
