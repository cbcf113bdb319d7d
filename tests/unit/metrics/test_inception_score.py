"""Inception score of softmaxes whose score is known by hand."""

import math

import numpy as np
import pytest
import torch

from styleT2I.metrics.inception_score import inception_score
from styleT2I.torch_utils.seeding import generator


def score(rows, num_splits=1):
    return inception_score(torch.as_tensor(rows, dtype=torch.float64), generator("test"), num_splits)


def test_known_softmaxes():
    assert score(torch.eye(5).repeat(4, 1)).value == pytest.approx(5)  # every class, each sure
    assert score([[1.0, 0, 0]] * 6).value == pytest.approx(1)  # sure of one class alone
    assert score([[0.2, 0.5, 0.3]] * 6).value == pytest.approx(1)  # varied nowhere
    # Two kinds of images, mean (0.5, 0.5): KL = 0.9 ln 1.8 + 0.1 ln 0.2 for either.
    expected = math.exp(0.9 * math.log(1.8) + 0.1 * math.log(0.2))
    assert score([[0.9, 0.1], [0.1, 0.9]] * 3).value == pytest.approx(expected)


def test_divergences_of_independent_questions_add_up():
    first, second = ([[0.9, 0.1], [0.1, 0.9]] * 4), ([[0.7, 0.3], [0.7, 0.3], [0.2, 0.8], [0.2, 0.8]] * 2)
    both = score(np.stack([first, second], axis=1)).value
    assert both == pytest.approx(score(first).value * score(second).value)
    joint = [[p * q for p in a for q in b] for a, b in zip(first, second, strict=True)]
    assert both == pytest.approx(score(joint).value)  # here the questions are independent over the images too


def test_splits_average_and_their_spread_is_reported():
    rows = torch.rand(200, 6, generator=generator("rows")).softmax(dim=1)
    found = score(rows, num_splits=10)
    order = torch.randperm(200, generator=generator("test"))
    parts = [score(part).value for part in rows[order].tensor_split(10)]
    assert found.value == pytest.approx(np.mean(parts)) and found.split_std == pytest.approx(np.std(parts))
    assert found.standard_error == pytest.approx(np.std(parts, ddof=1) / math.sqrt(10))


def test_equals_torch_fidelitys():
    metric = pytest.importorskip("torch_fidelity.metric_isc", reason="the extra 'metrics' is not installed")
    logits = torch.randn(60, 9, generator=generator("logits")).double()
    theirs = metric.isc_features_to_metric(logits, splits=1)["inception_score_mean"]
    assert score(logits.softmax(dim=1)).value == pytest.approx(theirs, rel=1e-9)


def test_refuses_rows_that_are_no_probabilities_and_too_many_splits():
    with pytest.raises(ValueError, match="probabilities"):
        score([[0.5, 0.7]])
    with pytest.raises(ValueError, match="split"):
        score([[0.5, 0.5]], num_splits=2)
