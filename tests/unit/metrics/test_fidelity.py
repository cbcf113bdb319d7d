"""PSNR against its closed form; structural similarity against the formula computed window by window."""

import math

import numpy as np
import pytest
import torch

from styleT2I.errors import DataError
from styleT2I.metrics.fidelity import psnr, structural_similarity
from styleT2I.torch_utils.seeding import generator


@pytest.fixture
def pair():
    images = torch.rand(2, 3, 16, 20, generator=generator("fidelity", 0)) * 2 - 1
    return images, (images + 0.2 * torch.randn(images.shape, generator=generator("fidelity", 1))).clamp(-1, 1)


def test_psnr_of_a_constant_difference_is_its_closed_form():
    images = torch.zeros(2, 3, 8, 8)
    assert psnr(images, images + 0.02).tolist() == pytest.approx([10 * math.log10(4 / 0.0004)] * 2)
    assert psnr(images, images).tolist() == [math.inf] * 2


def test_structural_similarity_is_the_paper_s_formula_in_gaussian_windows(pair):
    images, others = (each.double().numpy() for each in pair)
    offset = np.arange(-5, 6)
    window = np.exp(-(offset[:, None] ** 2 + offset[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2
    for index, found in enumerate(structural_similarity(*pair).tolist()):
        values = []
        for channel, top, left in np.ndindex(3, 16 - 10, 20 - 10):
            a = images[index, channel, top : top + 11, left : left + 11]
            b = others[index, channel, top : top + 11, left : left + 11]
            ma, mb = (window * a).sum(), (window * b).sum()
            va, vb = (window * a * a).sum() - ma**2, (window * b * b).sum() - mb**2
            cov = (window * a * b).sum() - ma * mb
            values.append((2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2)))
        assert found == pytest.approx(np.mean(values), abs=1e-9)


def test_equal_images_are_wholly_similar_and_noise_is_less(pair):
    images, others = pair
    assert structural_similarity(images, images).tolist() == pytest.approx([1, 1])
    assert (structural_similarity(images, others) < 0.99).all()


def test_shapes_that_differ_and_images_too_small_are_refused(pair):
    with pytest.raises(DataError, match="give two of"):
        psnr(pair[0], pair[1][:1])
    with pytest.raises(DataError, match="at least 11"):
        structural_similarity(pair[0][..., :8, :8], pair[1][..., :8, :8])
