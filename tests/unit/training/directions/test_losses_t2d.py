"""The two losses of Text-to-Direction against sums worked out by hand."""

import math

import pytest
import torch

from styleT2I.training.losses import attribute_flip_loss, clip_contrastive_loss, norm_penalty_loss

IMAGES = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
TEXTS = torch.tensor([[1.0, 0.0], [0.6, 0.8]])  # cosines with the images: [[1, .6], [0, .8]]


def cross_entropy(logits: list[float], target: int) -> float:
    return math.log(sum(math.exp(x) for x in logits)) - logits[target]


def test_contrastive_loss_is_image_to_text_cross_entropy_with_the_exponentiated_temperature():
    expected = (cross_entropy([10.0, 6.0], 0) + cross_entropy([0.0, 8.0], 1)) / 2
    assert clip_contrastive_loss(IMAGES, TEXTS, 10.0).item() == pytest.approx(expected, rel=1e-5)


def test_symmetric_contrastive_loss_averages_both_readings_of_the_table():
    image_to_text = (cross_entropy([10.0, 6.0], 0) + cross_entropy([0.0, 8.0], 1)) / 2
    text_to_image = (cross_entropy([10.0, 0.0], 0) + cross_entropy([6.0, 8.0], 1)) / 2
    loss = clip_contrastive_loss(IMAGES, TEXTS, 10.0, symmetric=True)
    assert loss.item() == pytest.approx((image_to_text + text_to_image) / 2, rel=1e-5)


def test_captions_that_are_also_true_are_no_wrong_answers():
    also_true = torch.tensor([[True, True], [False, True]])  # a true diagonal must not remove the right answer
    loss = clip_contrastive_loss(IMAGES, TEXTS, 10.0, also_true=also_true)
    assert loss.item() == pytest.approx((0.0 + cross_entropy([0.0, 8.0], 1)) / 2, rel=1e-4)


def test_contrastive_gradient_pulls_an_image_to_its_own_caption():
    features = torch.tensor([[0.6, 0.8], [0.8, 0.6]], requires_grad=True)
    clip_contrastive_loss(features, torch.eye(2), 1.0).backward()
    assert features.grad[0, 0] < 0 < features.grad[0, 1]


def test_norm_penalty_counts_only_what_exceeds_theta_over_the_flattened_direction():
    s = torch.zeros(3, 2, 2)
    s[0, 0, 0], s[0, 1, 1] = 3.0, 4.0  # norm 5 over both layers
    s[1, 0, 0] = 1.0
    assert norm_penalty_loss(s, 2.0).item() == pytest.approx((5 - 2) / 3)
    assert norm_penalty_loss(s, 5.0).item() == 0


def test_norm_penalty_has_a_finite_gradient_for_a_direction_of_zeros():
    s = torch.zeros(1, 2, 2, requires_grad=True)
    norm_penalty_loss(s, 0.0).backward()
    assert torch.isfinite(s.grad).all()


def test_flip_loss_is_the_cross_entropy_between_the_own_and_the_flipped_sentence():
    flipped = torch.tensor([[0.8, 0.6], [0.0, 1.0], [-1.0, 0.0]])
    owner = torch.tensor([0, 0, 1])
    cosines = [(1.0, 0.8), (1.0, 0.0), (0.8, 0.0)]  # own caption, flipped
    expected = sum(cross_entropy([5 * own, 5 * wrong], 0) for own, wrong in cosines) / len(IMAGES)
    loss = attribute_flip_loss(IMAGES, TEXTS, flipped, owner, 5.0)
    assert loss.item() == pytest.approx(expected, rel=1e-5)
    filled_up = torch.cat([flipped, flipped[:2]]), torch.cat([owner, owner.new_zeros(2)])
    weight = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0])
    assert attribute_flip_loss(IMAGES, TEXTS, *filled_up, 5.0, weight).item() == pytest.approx(expected, rel=1e-5)


def test_flip_loss_of_sentences_that_state_nothing_is_zero_with_a_gradient():
    features = torch.eye(2, requires_grad=True)
    loss = attribute_flip_loss(features, TEXTS, torch.empty(0, 2), torch.empty(0, dtype=torch.int64), 5.0)
    loss.backward()
    assert loss.item() == 0 and torch.equal(features.grad, torch.zeros(2, 2))
