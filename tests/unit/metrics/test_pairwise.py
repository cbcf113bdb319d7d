"""CLIP score, paired cosine and distances of pairs by hand."""

import math

import pytest
import torch

from styleT2I.metrics.pairwise import clip_score, mean_and_error, pair_distances, paired_cosine
from styleT2I.torch_utils.seeding import generator


def test_clip_score_by_hand():
    image = torch.tensor([[3.0, 4.0], [1.0, 0.0], [1.0, 0.0]])
    text = torch.tensor([[4.0, 3.0], [0.0, 2.0], [-5.0, 0.0]])
    assert clip_score(image, text).tolist() == pytest.approx([2.5 * 24 / 25, 0, 0])  # a negative cosine counts 0


def test_paired_cosine_by_hand_whatever_the_lengths():
    first = torch.tensor([[3.0, 4.0], [1.0, 1.0], [0.0, 0.0]])
    second = torch.tensor([[30.0, 40.0], [-2.0, 0.0], [1.0, 0.0]])
    assert paired_cosine(first, second).tolist() == pytest.approx([1, -1 / math.sqrt(2), 0])


def test_mean_and_error_by_hand():
    found = mean_and_error(torch.tensor([1.0, 2.0, 6.0]))
    assert found.value == 3 and found.standard_error == pytest.approx(math.sqrt(7) / math.sqrt(3))
    assert math.isnan(mean_and_error(torch.tensor([4.0])).standard_error)
    with pytest.raises(ValueError, match="no values"):
        mean_and_error(torch.zeros(0))


def test_pairs_are_disjoint_and_as_many_as_fit():
    seen = []

    def distance(a, b):
        seen.extend([*a.tolist(), *b.tolist()])
        return (a - b).abs()

    rows = torch.arange(101.0)
    assert len(pair_distances(rows, distance, generator("pairs"))) == 50
    assert len(seen) == len(set(seen)) == 100
    assert len(pair_distances(rows, distance, generator("pairs"), max_pairs=7)) == 7
    with pytest.raises(ValueError, match="two rows"):
        pair_distances(rows[:1], distance, generator("pairs"))


def test_equal_rows_have_no_distance_and_a_known_spread_is_found():
    gap = pair_distances(torch.tensor([[0.0, 0.0], [3.0, 4.0]]), lambda a, b: (a - b).norm(dim=1), generator("pairs"))
    assert gap.tolist() == [5]
    equal = pair_distances(torch.ones(10, 3), lambda a, b: (a - b).norm(dim=1), generator("pairs"))
    assert equal.tolist() == [0] * 5
