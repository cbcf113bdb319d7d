"""Which captions R-precision can rank, and that blind and perfect encoders score what they must."""

import pytest
import torch

from styleT2I.evaluation.measures.ranking import Ranking, agreeing_captions
from styleT2I.metrics.attributes import encode_requests


def draw():
    return torch.Generator().manual_seed(0)


def test_captions_agree_unless_they_contradict_each_other():
    requests = [{"black": True}, {"blond": True}, {"hat": True}, {"black": True, "hat": False}]
    agreeing = agreeing_captions(encode_requests(requests, ("black", "blond", "hat"), [("black", "blond")]))
    expected = [[1, 0, 1, 1], [0, 1, 1, 0], [1, 1, 1, 0], [1, 0, 0, 1]]
    assert torch.equal(agreeing, torch.tensor(expected, dtype=torch.bool))


def test_only_captions_with_an_image_and_enough_mismatches_are_ranked():
    also_true = torch.eye(12, dtype=torch.bool)
    also_true[2] = True  # everything holds for image 2
    ranking = Ranking(range(12), draw(), also_true, num_images=6, num_candidates=10)
    assert ranking.rows.tolist() == [0, 1, 3, 4, 5] and ranking.candidates.shape == (5, 10)
    assert ranking.candidates[:, 0].tolist() == ranking.rows.tolist()


def test_a_perfect_encoder_finds_all_a_blind_one_the_tenth_part_and_a_permuted_one_little():
    features = torch.eye(40)
    ranking = Ranking(range(40), draw(), num_candidates=10)
    assert ranking.found(features, features).mean() == 1
    assert ranking.found(features, torch.ones(40, 40)).mean() == pytest.approx(0.1)
    assert ranking.found(features, features, torch.arange(40).roll(1)).mean() < 0.5


def test_nothing_is_found_where_nothing_can_be_ranked():
    ranking = Ranking(["same"] * 5, draw(), num_candidates=3)
    assert len(ranking) == 0 and ranking.found(torch.eye(5), torch.eye(5)).shape == (0,)
