"""R-precision: the candidate table, the ties rule, and a loop as oracle."""

import pytest
import torch

from styleT2I.metrics.r_precision import draw_candidates, r_precision
from styleT2I.torch_utils.seeding import generator


def test_candidates_are_mismatched_distinct_and_repeatable():
    meanings = [frozenset({name, index % 3}) for index, name in enumerate("abcdeabcde" * 4)]
    table = draw_candidates(meanings, 8, generator("r", 0))
    assert table.shape == (40, 8)
    assert table[:, 0].tolist() == list(range(40))
    for row in table.tolist():
        assert len(set(row)) == 8
        assert all(meanings[other] != meanings[row[0]] for other in row[1:])
    assert torch.equal(table, draw_candidates(meanings, 8, generator("r", 0)))
    assert not torch.equal(table, draw_candidates(meanings, 8, generator("r", 1)))


def test_too_few_mismatched_captions_are_refused():
    with pytest.raises(ValueError, match="caption 0 has 2 captions of another meaning, 3 are needed"):
        draw_candidates(["same", "same", "b", "c"], 4, generator(0))


def test_captions_that_hold_for_the_image_too_are_no_candidates():
    also_true = torch.rand(40, 40, generator=generator("truth")) < 0.5
    table = draw_candidates(range(40), 8, generator("r", 0), also_true)
    rows = torch.arange(40).unsqueeze(1)
    assert not also_true[rows, table[:, 1:]].any() and table[:, 0].tolist() == list(range(40))
    with pytest.raises(ValueError, match="caption 0 has 0 captions of another meaning"):
        draw_candidates(range(4), 2, generator(0), torch.ones(4, 4, dtype=torch.bool))


def test_equals_a_loop_over_cosines():
    rng = generator("features")
    image, text = torch.randn(30, 6, generator=rng), torch.randn(30, 6, generator=rng)
    text = text + image  # so that some are right
    table = draw_candidates(range(30), 10, rng)
    expected = []
    for row, candidates in enumerate(table.tolist()):
        cosines = [torch.cosine_similarity(image[row], text[index], dim=0).item() for index in candidates]
        expected.append(float(max(cosines) == cosines[0]))
    result = r_precision(image * 5, text * 3, table)  # cosine: lengths do not matter
    assert result.tolist() == expected
    assert 0 < sum(expected) < 30


def test_ties_count_what_chance_would_give():
    table = draw_candidates(range(100), 100, generator(0))
    constant = r_precision(torch.randn(100, 4, generator=generator(1)), torch.ones(100, 4), table)
    assert constant.tolist() == [0.01] * 100
    image, text = torch.eye(3)[:1], torch.eye(3)[[0, 0, 1]]
    assert r_precision(image, text, torch.tensor([[0, 1, 2]])).tolist() == [0.5]
    assert r_precision(image, text, torch.tensor([[2, 0, 1]])).tolist() == [0.0]
