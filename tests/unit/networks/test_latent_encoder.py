"""The encoder of images into W+: near W at first, each layer by its level, and deltas let in one after the other."""

import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.networks.latent_encoder import LatentEncoder, LatentEncoderConfig


def tiny(**changes):
    torch.manual_seed(0)
    config = {"w_dim": 6, "num_ws": 6, "resolution": 32, "widths": (4, 4, 4, 4), "pyramid_dim": 4, "hidden_dim": 5}
    return LatentEncoder(LatentEncoderConfig(**config | changes)).eval()


def test_only_deltas_that_are_let_in_leave_w():
    encoder, image = tiny(), torch.rand(2, 3, 32, 32) * 2 - 1
    for delta in encoder.deltas:
        torch.nn.init.ones_(delta.bias)
    ws = encoder(image, 2)
    assert ws.shape == (2, 6, 6)
    assert torch.equal(ws[:, 3:], ws[:, :1].expand(-1, 3, -1)) and (ws[:, 1:3] - ws[:, :1]).abs().min() > 0.5
    assert torch.equal(encoder(image), encoder(image, 5))
    assert torch.equal(encoder(image, 0), ws[:, :1].expand(-1, 6, -1))


def test_estimates_begin_at_the_mean_of_w_and_count_in_its_spread():
    encoder, image = tiny(), torch.rand(1, 3, 32, 32)
    w = 3 + 2 * torch.randn(4000, 6, generator=torch.Generator().manual_seed(0))
    before = encoder(image)
    encoder.set_w_statistics(w)
    assert (encoder.w_mean - 3).abs().max() < 0.2 and encoder.w_spread == pytest.approx(2, abs=0.1)
    assert torch.allclose(encoder(image), encoder.w_mean + encoder.w_spread * before, atol=1e-5)


def test_layers_read_three_levels_and_images_of_any_size():
    encoder = tiny()
    assert [encoder.level_of(index) for index in range(6)] == [0, 0, 1, 1, 2, 2]
    assert encoder(torch.rand(1, 3, 50, 50)).shape == (1, 6, 6)


@pytest.mark.parametrize("changes", [{"widths": (4, 4)}, {"resolution": 48}, {"resolution": 16}, {"hidden_dim": 0}])
def test_shapes_that_cannot_be_are_one_line(changes):
    with pytest.raises(ConfigError):
        tiny(**changes)
