"""Figures of single images: realism by the neighbours' own distances, sharpness, and both of an image alone."""

import pytest
import torch
from torch.nn import functional as F

from styleT2I.data.dataset import Batch, open_dataset
from styleT2I.errors import ConfigError
from styleT2I.fairness.analysis.image_quality import ImageQuality, sharpness
from styleT2I.metrics.precision_recall import local_realism, neighbour_radii


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_realism_of_a_line_of_points_by_hand():
    points = torch.arange(8.0).double()[:, None]
    radii = neighbour_radii(points, 2)
    assert radii.tolist() == [4, 1, 1, 1, 1, 1, 1, 4]
    found = local_realism(torch.tensor([[3.5], [6.0]], dtype=torch.float64), points, radii, 2)
    assert found.exp().tolist() == pytest.approx([1 / 0.5, 1.0])


def test_realism_falls_with_distance_and_a_sparse_region_is_judged_by_its_own_density():
    dense, sparse = normal(900, 4), 10 * normal(100, 4, seed=1) + 200  # a rare kind of image, ten times as spread
    points = torch.cat([dense, sparse])
    radii = neighbour_radii(points, 5)
    rows = {"dense": normal(200, 4, seed=2), "sparse": 10 * normal(200, 4, seed=3) + 200}
    rows["far"] = rows["dense"] + 5
    found = {name: float(local_realism(each, points, radii).mean()) for name, each in rows.items()}
    assert found["far"] < found["dense"] - 0.5
    assert found["sparse"] == pytest.approx(found["dense"], abs=0.15)


def test_sharpness_falls_with_blur_and_counts_no_brightness():
    image = (normal(2, 3, 32, 32).abs() * 60).clamp(0, 200).to(torch.uint8)
    blurred = F.avg_pool2d(image.double(), 3, 1, 1).to(torch.uint8)
    plain, soft = sharpness(image), sharpness(blurred)
    assert (soft < plain - 0.5).all()
    assert torch.allclose(sharpness(image + 50), plain)
    assert sharpness(torch.full((1, 3, 8, 8), 9, dtype=torch.uint8)).exp() == pytest.approx(0.01)


class Images:
    """A reference of N random images."""

    resolution = 16

    def __init__(self, num):
        self.images = (normal(num, 3, 16, 16, seed=4) * 40 + 128).clamp(0, 255).to(torch.uint8)

    def __len__(self):
        return len(self.images)

    def batch(self, indices):
        return Batch(self.images[list(indices)], [()] * len(indices))


def means(images_u8):
    return images_u8.float().mean(dim=(2, 3))


def test_figures_of_a_image_do_not_depend_on_its_company():
    quality = ImageQuality(means, Images(80))
    images = Images(6).images
    whole, parts = quality.measure(images), [quality.measure(images[i : i + 1]) for i in range(6)]
    assert whole.keys() == {"sharpness", "realism", "naturalness"}
    for name, values in whole.items():
        assert values == [value for part in parts for value in part[name]]
    mixed = quality.measure([images[0], F.pad(images[1], (2, 2, 2, 2))])
    assert mixed["sharpness"][0] == whole["sharpness"][0] and len(mixed["realism"]) == 2


def test_without_a_reference_there_is_sharpness_alone():
    assert ImageQuality(None).measure(Images(2).images).keys() == {"sharpness"}


def test_what_cannot_be_compared_is_one_line():
    with pytest.raises(ConfigError, match="no features"):
        ImageQuality(None, Images(20))
    with pytest.raises(ConfigError, match="has 5 images"):
        ImageQuality(means, Images(5))


@pytest.fixture(scope="module")
def real():
    """Quality by 300 drawings, and 64 others."""
    data = (open_dataset(f"minifaces:balanced/{split}:300", 32, with_masks=False) for split in ("val", "test"))
    reference, other = data
    quality = ImageQuality(lambda images: F.adaptive_avg_pool2d(images.float(), 8).flatten(1), reference)
    return quality, other.batch(range(64)).images_u8


def test_real_images_are_usual_and_negatives_noise_and_blur_are_not(real):
    quality, images = real

    def mean(images, figure):
        return float(torch.tensor(quality.measure(images)[figure]).mean())

    assert mean(images, "realism") == pytest.approx(0.0, abs=0.25)
    assert mean(255 - images, "realism") < mean(images, "realism") - 0.15
    assert mean(images, "naturalness") == pytest.approx(0.0, abs=0.4)
    noisy = (images.double() + 12 * normal(*images.shape, seed=5)).clamp(0, 255).to(torch.uint8)
    blurred = F.avg_pool2d(images.double(), 3, 1, 1).to(torch.uint8)
    for spoilt in (noisy, blurred):
        assert mean(spoilt, "naturalness") < mean(images, "naturalness") - 0.2
    assert mean(blurred, "sharpness") < mean(images, "sharpness") < mean(noisy, "sharpness")


def test_images_of_another_size_are_compared_at_the_size_of_the_reference(real):
    quality, images = real
    larger = F.interpolate(images.float(), scale_factor=2, mode="nearest").to(torch.uint8)
    assert quality.measure(larger)["naturalness"] == quality.measure(images)["naturalness"]
