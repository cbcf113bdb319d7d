"""StyleGAN2 discriminator: its variants, minibatch standard deviation and label projection."""

import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.networks.stylegan2.config import DiscriminatorConfig
from styleT2I.networks.stylegan2.discriminator import Discriminator, append_minibatch_std

TINY = {"channel_base": 64, "channel_max": 6, "mapping_layers": 2}


def tiny(resolution=16, **settings):
    torch.manual_seed(0)
    return Discriminator(DiscriminatorConfig(resolution, **{**TINY, **settings}))


def images(num=4, resolution=16):
    return torch.randn(num, 3, resolution, resolution, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("architecture", ["resnet", "skip", "orig"])
@pytest.mark.parametrize("resolution", [8, 16, 32, 64])
@pytest.mark.parametrize("c_dim", [0, 3])
def test_every_variant_judges_and_gives_gradients_to_every_parameter(architecture, resolution, c_dim):
    D = tiny(resolution, architecture=architecture, c_dim=c_dim, conv_clamp=256.0)
    c = torch.eye(4)[:, :c_dim] if c_dim else None
    logits = D(images(4, resolution), c)
    assert logits.shape == (4, 1)
    (logits * torch.randn(4, 1)).sum().backward()
    for name, parameter in D.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize(
    "num, group_size, group", [(8, 4, 4), (8, None, 8), (3, 4, 3), (6, 4, 3), (5, 4, 1), (8, 1, 1)]
)
@pytest.mark.parametrize("num_channels", [1, 2])
def test_minibatch_std_matches_a_loop(num, group_size, group, num_channels):
    x = torch.randn(num, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    result = append_minibatch_std(x, group_size, num_channels)
    assert result.shape == (num, 4 + num_channels, 3, 3) and torch.equal(result[:, :4], x)
    width = 4 // num_channels
    for n in range(num):
        members = [m for m in range(num) if m % (num // group) == n % (num // group)]
        assert len(members) == group
        for f in range(num_channels):
            feature = x[members][:, f * width : (f + 1) * width]
            std = ((feature - feature.mean(dim=0)).square().mean(dim=0) + 1e-8).sqrt().mean()
            torch.testing.assert_close(result[n, 4 + f], std.expand(3, 3))


def test_without_minibatch_std_samples_are_judged_apart():
    D = tiny(mbstd_num_channels=0)
    torch.testing.assert_close(D(images())[1:2], D(images()[1:2]), atol=1e-5, rtol=1e-5)
    D = tiny()
    assert (D(images())[1:2] - D(images()[1:2])).abs().max() > 1e-4


def test_label_selects_a_projection():
    D = tiny(c_dim=3)
    image = images(1).expand(3, -1, -1, -1)
    logits = D(image, torch.eye(3))
    assert (logits[0] - logits[1]).abs() > 1e-4
    features = []
    D.b4.out.register_forward_hook(lambda *args: features.append(args[2]))
    cmap = D.mapping(None, torch.eye(3))
    logits = D(image, torch.eye(3))
    torch.testing.assert_close(logits[:, 0], (features[0] * cmap).sum(dim=1) / cmap.shape[1] ** 0.5)


def test_wrong_minibatch_settings_are_refused():
    with pytest.raises(ConfigError, match="does not divide the 6 channels"):
        tiny(mbstd_num_channels=4)
    with pytest.raises(ConfigError, match="mbstd_group_size is 0"):
        tiny(mbstd_group_size=0)
