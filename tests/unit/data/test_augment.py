"""Random damage to training pictures: against loops and scipy, and repeatable."""

import pytest
import scipy.ndimage
import torch

from styleT2I.data.training.augment import blur, random_degrade, random_shift
from styleT2I.data.training.degrade_config import DegradeConfig
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.seeding import generator

NOTHING = {"shift": 0, "blur": 0.0, "noise": 0.0, "brightness": 0.0, "contrast": 0.0, "tint": 0.0}


def images(num=4, size=8):
    return torch.rand(num, 3, size, size, generator=generator("images")) * 2 - 1


def test_shift_moves_pictures_and_masks_alike():
    image = images(64)
    masks = image[:, :1] > 0
    moved, moved_masks = random_shift([image, masks], generator(1), 2)
    assert torch.equal(moved[:, :1] > 0, moved_masks)
    offsets = set()
    for before, after in zip(image, moved, strict=True):
        padded = torch.nn.functional.pad(before[None], (2, 2, 2, 2), mode="replicate")[0]
        found = [
            (dy, dx) for dy in range(5) for dx in range(5) if torch.equal(padded[:, dy : dy + 8, dx : dx + 8], after)
        ]
        assert len(found) == 1
        offsets.add(found[0])
    assert len(offsets) > 15  # of 25: every picture draws its own


def test_blur_is_the_binomial_kernel_with_repeated_borders():
    image = images(2)
    kernel = torch.tensor([1.0, 2.0, 1.0]).outer(torch.tensor([1.0, 2.0, 1.0])).numpy() / 16
    for picture, result in zip(image.flatten(0, 1), blur(image).flatten(0, 1), strict=True):
        expected = scipy.ndimage.convolve(picture.numpy(), kernel, mode="nearest")
        assert torch.allclose(result, torch.from_numpy(expected), atol=1e-6)


def test_about_half_of_the_pictures_stay_sharp_and_the_others_lie_between_sharp_and_twice_blurred():
    image = images(200)
    result = random_degrade(image, generator(2), DegradeConfig(**{**NOTHING, "blur": 2.0}))
    changed = (result - image).flatten(1).abs().amax(dim=1)
    assert 70 < (changed < 1e-6).sum() < 130
    most = (blur(blur(image)) - image).flatten(1).norm(dim=1)
    assert ((result - image).flatten(1).norm(dim=1) <= most * 1.001).all()


def test_nothing_asked_for_changes_nothing():
    assert torch.allclose(random_degrade(images(), generator(3), DegradeConfig(**NOTHING)), images())
    assert torch.equal(random_shift([images()], generator(3), 0)[0], images())


@pytest.mark.parametrize("name, value", [("noise", 0.1), ("brightness", 0.2), ("contrast", 0.2), ("tint", 0.2)])
def test_each_change_acts_alone_stays_in_range_and_repeats(name, value):
    config = DegradeConfig(**{**NOTHING, name: value})
    result = random_degrade(images(), generator(4), config)
    assert not torch.allclose(result, images(), atol=1e-3)
    assert result.abs().max() <= 1
    assert torch.equal(result, random_degrade(images(), generator(4), config))
    assert not torch.equal(result, random_degrade(images(), generator(5), config))


def test_amounts_below_zero_are_refused():
    with pytest.raises(ConfigError, match="noise of the training damage is -0.1"):
        DegradeConfig(noise=-0.1)
