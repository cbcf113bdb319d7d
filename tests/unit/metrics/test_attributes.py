"""Attribute success, drift, agreement and balanced accuracy against counted examples and loops."""

import pytest
import torch

from styleT2I.metrics.attributes import (
    NO,
    UNDETERMINED,
    YES,
    attribute_rates,
    balanced_accuracy,
    drift_rates,
    encode_requests,
    judge_agreement,
    rare_pair_accuracy,
    success,
    verdicts,
)

NAMES = ("he", "lipstick", "black_hair", "gray_hair")
HAIR = [("black_hair", "gray_hair")]


def int8(rows):
    return torch.tensor(rows, dtype=torch.int8)


def test_verdicts_leave_the_margin_undetermined():
    logits = torch.tensor([[-3.0, -0.4, 0.0, 0.4, 3.0]])
    assert verdicts(logits).tolist() == [[NO, NO, NO, YES, YES]]
    assert verdicts(logits, margin=1.0).tolist() == [[NO, UNDETERMINED, UNDETERMINED, UNDETERMINED, YES]]


def test_requests_mark_what_is_asked_and_what_stays_free():
    requests = encode_requests([{"he": True, "lipstick": False}, {"gray_hair": True}, {}], NAMES, HAIR)
    assert requests.values.int().tolist() == [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert requests.asked.int().tolist() == [[1, 1, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert requests.free.int().tolist() == [[0, 0, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]]
    with pytest.raises(KeyError, match="lipstik"):
        encode_requests([{"lipstik": True}], NAMES)


def test_success_needs_every_asked_attribute_and_no_other():
    requests = encode_requests([{"he": True, "lipstick": True}] * 4, NAMES)
    verdict = int8([[1, 1, 0, 0], [1, 0, 1, 0], [1, UNDETERMINED, 0, 0], [1, 1, 1, 1]])
    assert success(verdict, requests).tolist() == [True, False, False, True]
    rates = attribute_rates(verdict, requests)
    assert rates[:2].tolist() == [1.0, 0.5]
    assert rates[2:].isnan().all()


def test_denied_attributes_count_when_absent():
    requests = encode_requests([{"lipstick": False}] * 2, NAMES)
    assert success(int8([[0, 0, 0, 0], [0, 1, 0, 0]]), requests).tolist() == [True, False]


def test_drift_counts_free_and_determined_attributes_only():
    requests = encode_requests([{"gray_hair": True}] * 4, NAMES, HAIR)
    before = int8([[1, 0, 1, 0], [1, 0, 1, 0], [0, 1, 1, 0], [UNDETERMINED, 1, 1, 0]])
    after = int8([[0, 0, 0, 1], [1, 1, 0, 1], [0, 1, 0, 1], [1, 1, 0, 1]])
    drift = drift_rates(before, after, requests)
    assert drift[:2].tolist() == pytest.approx([1 / 3, 1 / 4])
    assert drift[2:].isnan().all()  # asked, or tied to what was asked


def test_balanced_accuracy_equals_a_loop_and_ignores_prevalence():
    rng = torch.Generator().manual_seed(3)
    truth = torch.rand(400, 3, generator=rng) < torch.tensor([0.5, 0.05, 0.9])
    verdict = int8((truth ^ (torch.rand(400, 3, generator=rng) < 0.2)).tolist())
    expected = []
    for column in range(3):
        right = {True: [], False: []}
        for said, true in zip(verdict[:, column].tolist(), truth[:, column].tolist(), strict=True):
            right[true].append(said == int(true))
        expected.append(sum(sum(r) / len(r) for r in right.values()) / 2)
    assert balanced_accuracy(verdict, truth).tolist() == pytest.approx(expected)
    assert balanced_accuracy(int8([[0]] * 100), torch.tensor([[True]] + [[False]] * 99)).item() == 0.5
    assert balanced_accuracy(int8([[1]]), torch.tensor([[True]])).isnan().all()


def test_rare_pair_shows_a_shortcut_that_the_whole_hides():
    truth = torch.tensor([[0, 1]] * 90 + [[1, 0]] * 90 + [[1, 1]] * 10 + [[0, 0]] * 10, dtype=torch.bool)
    shortcut = truth.clone()
    shortcut[:, 1] = ~truth[:, 0]  # says lipstick exactly when it is no man
    figures = rare_pair_accuracy(shortcut.to(torch.int8), truth, [(0, True), (1, True)])
    assert balanced_accuracy(shortcut.to(torch.int8), truth)[1].item() == pytest.approx(0.9)
    assert figures == {"balanced": 0.5, "all_right": 0.0, "num": 10}
    assert rare_pair_accuracy(truth.to(torch.int8), truth, [(0, True), (1, True)])["balanced"] == 1.0


def test_agreement_by_hand():
    a = int8([[1], [1], [0], [0], [0], [0], [0], [0], [0], [0]])
    b = int8([[1], [0], [1], [0], [0], [0], [0], [0], [0], [0]])
    assert judge_agreement(a, b).item() == pytest.approx(0.8)
