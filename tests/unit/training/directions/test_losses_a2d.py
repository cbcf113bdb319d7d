"""Losses of Attribute-to-Direction against values computed by hand."""

import math

import pytest
import torch

from styleT2I.training.losses import semantic_matching_loss, spatial_constraint_loss, verdict_keep_loss


def test_semantic_matching_is_a_hinge_on_the_difference_of_cosines():
    text = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    positive = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    negative = torch.tensor([[0.0, 1.0], [0.0, 1.0], [0.8, 0.6]])
    # cosines of w + a and w - a: (1, 0), (0, 1), (0.6, 0.8)
    expected = (max(0 - 1 + 0.3, 0) + (1 - 0 + 0.3) + (0.8 - 0.6 + 0.3)) / 3
    assert semantic_matching_loss(positive, negative, text, 0.3).item() == pytest.approx(expected, rel=1e-6)


def spatial(difference, region, has_region=None):
    positive = torch.zeros(len(difference), 3, 2, 2)
    positive[:, 0] = torch.tensor(difference)
    has = torch.ones(len(difference), dtype=torch.bool) if has_region is None else torch.tensor(has_region)
    return spatial_constraint_loss(positive, torch.zeros_like(positive), torch.tensor(region), has).item()


def test_the_spatial_constraint_is_the_cross_entropy_of_the_scaled_difference():
    difference, region = [[[0.2, 0.6], [1.0, 1.0]]], [[[0.0, 1.0], [1.0, 0.0]]]
    scaled = [1e-4, 0.5, 1 - 1e-4, 1 - 1e-4]  # (d - 0.2) / 0.8, held away from 0 and 1
    wanted = [0, 1, 1, 0]
    expected = -sum(math.log(p if y else 1 - p) for p, y in zip(scaled, wanted, strict=True)) / 4
    assert spatial(difference, region) == pytest.approx(expected, rel=1e-3)


def test_the_sign_of_a_difference_and_its_scale_do_not_matter_to_the_spatial_constraint():
    region = [[[0.0, 1.0], [1.0, 0.0]]]
    assert spatial([[[0.0, -0.1], [0.2, 0.0]]], region) == pytest.approx(spatial([[[0.0, 1.0], [-2.0, 0.0]]], region))


def test_images_without_a_region_do_not_count_in_the_spatial_constraint():
    difference, region = [[[0.0, 1.0], [0.0, 0.0]]] * 2, [[[0.0, 1.0], [0.0, 0.0]], [[1.0, 0.0], [1.0, 1.0]]]
    assert spatial(difference, region, [True, False]) == pytest.approx(spatial(difference[:1], region[:1]))
    assert spatial(difference, region, [False, False]) == 0


def test_equal_images_have_a_finite_gradient_of_the_spatial_constraint():
    image = torch.zeros(1, 3, 2, 2, requires_grad=True)
    spatial_constraint_loss(image, image.detach(), torch.ones(1, 2, 2), torch.ones(1, dtype=torch.bool)).backward()
    assert torch.isfinite(image.grad).all()


def test_the_keep_loss_counts_only_kept_attributes_and_wants_the_old_verdicts():
    before = torch.tensor([[2.0, -1.0, 3.0]])
    margins = torch.tensor([[1.0, 1.0, -5.0]], requires_grad=True)
    kept = torch.tensor([[True, True, False]])
    loss = verdict_keep_loss(margins, before, kept)
    assert loss.item() == pytest.approx((math.log1p(math.exp(-1)) + math.log1p(math.exp(1))) / 2, rel=1e-6)
    loss.backward()
    assert margins.grad[0, 0] < 0 < margins.grad[0, 1] and margins.grad[0, 2] == 0
    assert verdict_keep_loss(margins, before, torch.zeros_like(kept)).item() == 0
