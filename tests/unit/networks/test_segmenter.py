"""The part segmenter: sizes, its loss, its measure and its pictures."""

import pytest
import torch
from torch.nn import functional as F

from styleT2I.errors import ConfigError
from styleT2I.networks.faces.segmenter import Segmenter, SegmenterConfig
from styleT2I.training.judges.config import SegmenterTrainingConfig
from styleT2I.training.judges.segmenter import dice_loss, measure_segmenter, paint_regions_u8


def tiny():
    torch.manual_seed(0)
    return Segmenter(SegmenterConfig(("hair", "skin", "hat"), resolution=16, widths=(4, 6, 8))).eval()


def test_logits_come_at_the_size_of_the_image():
    network = tiny()
    image = torch.rand(2, 3, 40, 40) * 2 - 1
    small = F.interpolate(image, size=(16, 16), mode="bilinear", antialias=True)
    assert network(small).shape == (2, 3, 16, 16) and network(image).shape == (2, 3, 40, 40)
    expected = F.interpolate(network(small), size=(40, 40), mode="bilinear")
    assert torch.allclose(network(image), expected, atol=1e-5)


def test_single_pixels_reach_the_output():
    """Two opposite checkerboards look alike after any maximum pooling: only the path beside it tells them apart."""
    torch.manual_seed(0)
    network = Segmenter(SegmenterConfig(("hair",), resolution=64, widths=(4, 6, 8))).eval()
    board = (torch.arange(64).view(-1, 1) + torch.arange(64)).remainder(2).float().expand(1, 3, 64, 64) * 2 - 1
    difference = (network(board) - network(-board)).abs()[:, :, 28:36, 28:36]  # far from the border
    assert difference.min() > 1e-3


def test_dice_loss_by_hand():
    target = torch.tensor([[[[1.0, 1.0, 0.0, 0.0]], [[0.0, 0.0, 0.0, 0.0]]]])
    sure = 40.0
    assert dice_loss(sure * (2 * target - 1), target).item() == pytest.approx(0.0, abs=1e-6)
    logits = torch.tensor([[[[sure, -sure, sure, -sure]], [[-sure, -sure, -sure, sure]]]])
    # region 0: overlap 1, sizes 2 + 2; region 1: overlap 0, sizes 1 + 0
    assert dice_loss(logits, target).item() == pytest.approx(1 - ((2 + 1) / (4 + 1) + (0 + 1) / (1 + 1)) / 2)


class FixedData:
    names = ("a", "b")

    def __init__(self, masks):
        self.masks = masks

    def in_order(self, batch_size, num=None):
        for start in range(0, len(self.masks), 2):
            yield torch.zeros(2, 3, 4, 4) + start, self.masks[start : start + 2], None


def test_intersection_over_union_equals_a_loop():
    rng = torch.Generator().manual_seed(1)
    masks, found = (torch.rand(4, 2, 4, 4, generator=rng) < 0.5 for _ in range(2))

    class Fixed(torch.nn.Linear):
        def forward(self, image):
            start = int(image[0, 0, 0, 0])
            return found[start : start + 2].float() - 0.5

    expected = {}
    for region, name in enumerate("ab"):
        pairs = list(zip(found[:, region].flatten().tolist(), masks[:, region].flatten().tolist(), strict=True))
        expected[name] = sum(a and b for a, b in pairs) / sum(a or b for a, b in pairs)
    measured = measure_segmenter(Fixed(1, 1), FixedData(masks))
    assert measured["num"] == 4
    assert measured["iou"] == pytest.approx(expected)


def test_painted_regions_have_distinct_colours_and_later_ones_lie_on_top():
    masks = torch.zeros(1, 10, 1, 12, dtype=torch.bool)
    for region in range(10):
        masks[0, region, 0, region] = True
    masks[0, 0, 0, 3] = True
    picture = paint_regions_u8(masks)[0, :, 0].T.tolist()
    assert len({tuple(colour) for colour in picture[:10]}) == 10
    assert picture[10] == [0, 0, 0]
    assert picture[3] != picture[0]


def test_wrong_settings_are_one_line():
    with pytest.raises(ConfigError, match="region_names is empty"):
        SegmenterConfig(())
    with pytest.raises(ConfigError, match="resolution 20 is not divisible by 8"):
        SegmenterConfig(("hair",), resolution=20)
    with pytest.raises(ConfigError, match="lr of segmenter training must be above 0"):
        SegmenterTrainingConfig(lr=0.0)
