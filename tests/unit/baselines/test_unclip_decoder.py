"""unCLIP's decoder and upsampler: zero at first, where the embedding enters, what does not leak, any side, blur."""

import math

import pytest
import torch

from styleT2I.baselines.unclip.config import DecoderConfig, UNetConfig, UpsamplerConfig
from styleT2I.baselines.unclip.decoder import UnclipDecoder
from styleT2I.baselines.unclip.diffusion import cosine_abar
from styleT2I.baselines.unclip.prior import Caption
from styleT2I.baselines.unclip.unet import UNet
from styleT2I.baselines.unclip.upsampler import UnclipUpsampler, blur_kernel, blurred, enlarge
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.seeding import SeedNoise

NAMES = ("x", "step", "image", "given", "embedding", "states", "hidden")


def shaken(network):
    """The network with all its weights moved, zero ones too, as training would."""
    rng = torch.Generator().manual_seed(1)
    for parameter in network.parameters():
        parameter.data += 0.2 * torch.randn(parameter.shape, generator=rng)
    return network.eval().requires_grad_(False)


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    network, args = UnclipDecoder.example()
    return shaken(network), dict(zip(NAMES, args, strict=True))


def differs(network, given, **changes):
    """Which rows' outputs change with these inputs: list of bool."""
    first, second = network(**given), network(**given | changes)
    return [not torch.equal(a, b) for a, b in zip(first, second, strict=True)]


def test_a_fresh_network_answers_zero_for_both():
    for cls in (UnclipDecoder, UnclipUpsampler):
        network, args = cls.example()
        assert not network(*args).any()


def test_the_embedding_enters_through_the_step_alone_and_through_the_tokens_alone(decoder):
    network, given = decoder
    change = {"image": given["image"] + 1}
    assert differs(network, given, **change) == [True, False]
    for closed in ("image_cond", "image_tokens"):
        kept = {name: value.clone() for name, value in getattr(network, closed).state_dict().items()}
        getattr(network, closed).weight.zero_()
        assert differs(network, given, **change) == [True, False]
        getattr(network, closed).load_state_dict(kept)
    network.image_cond.weight.zero_()
    network.image_tokens.weight.zero_()
    assert differs(network, given, **change) == [False, False]


def test_a_dropped_embedding_is_the_learned_null_one(decoder):
    network, given = decoder
    nobody = torch.zeros(2, dtype=torch.bool)
    null = network.null_image * network.std + network.mean
    dropped = network(**given | {"given": nobody})
    torch.testing.assert_close(dropped, network(**given | {"image": null.expand(2, 6), "given": ~nobody}))
    assert torch.equal(dropped, network(**given | {"given": nobody, "image": given["image"] * 9}))


def test_words_count_and_padding_does_not(decoder):
    network, given = decoder
    for place in range(4):
        states = given["states"].clone()
        states[:, place] += 1
        assert differs(network, given, states=states) == (~given["hidden"][:, place]).tolist()
    assert differs(network, given, embedding=given["embedding"] + 1) == [True, True]
    assert differs(network, given, step=given["step"] + 1) == [True, True]


def test_a_learned_variance_is_never_guided(decoder):
    network, given = decoder
    caption = Caption(given["embedding"], given["states"], given["hidden"])
    null, abar = Caption(*(part[:1] for part in caption)), cosine_abar()
    asked = ((given["image"], caption, 1.0), (given["image"], caption, 3.0), (None, null.expand(2), 1.0))
    (plain, plain_variance), (guided, variance), (free, _) = (
        network.predictor(image, said, null, abar, scale)(given["x"], 300) for image, said, scale in asked
    )
    torch.testing.assert_close(guided, free + 3 * (plain - free))
    assert torch.equal(variance, plain_variance) and variance.shape == (2, 3, 8, 8)


def test_drawing_is_in_range_and_a_row_of_its_own_by_ddim_and_by_the_learned_variance(decoder):
    network, given = decoder
    caption, abar = Caption(given["embedding"], given["states"], given["hidden"]), cosine_abar()
    null = Caption(*(part[:1] for part in caption))
    for eta in (0.0, 1.0, None):

        def draw(rows, seeds, eta=eta):
            noise = SeedNoise(seeds, "test")
            said = Caption(*(part[rows] for part in caption))
            return network.draw(noise((3, 8, 8)), given["image"][rows], said, null, abar, noise, 5, eta, 2.0)

        both = draw([0, 1], [7, 8])
        assert both.abs().max() <= 1 and both.shape == (2, 3, 8, 8)
        torch.testing.assert_close(draw([1], [8]), both[1:], rtol=0, atol=1e-3)


def test_a_unet_halves_and_doubles_pixels_become_channels_and_attention_is_where_it_is_asked_for():
    config = UNetConfig((4, 6, 8), 2, (1, 2), head_width=2, patch=2, dropout=0.0)
    network = shaken(UNet(config, 3, 5, 4, 3))
    assert network(torch.randn(1, 3, 16, 24), torch.randn(1, 4), torch.randn(1, 2, 3)).shape == (1, 5, 16, 24)
    sizes = [stage.attention is not None for stage in network.down]
    assert sizes == [False, False, False, True, True, False, True, True] and config.divisor == 8
    with pytest.raises(ConfigError, match="not a multiple of head_width 4"):
        UNetConfig((4, 6), attention=(1,), head_width=4)
    with pytest.raises(ConfigError, match="resolution 20 is not a multiple of the UNet"):
        DecoderConfig(20, unet=config)
    with pytest.raises(ConfigError, match="no attention"):
        UpsamplerConfig(unet=config)
    with pytest.raises(ConfigError, match="did you mean 'epsilon'"):
        DecoderConfig(prediction="epsilom")


def test_an_upsampler_runs_at_any_side_and_sees_the_image_it_enlarges():
    torch.manual_seed(0)
    network = shaken(UnclipUpsampler.example()[0])
    step = torch.tensor([5])
    for side in (8, 16, 24):
        x, low = torch.randn(1, 3, side, side), torch.randn(1, 3, side, side)
        made = network(x, step, low)
        assert made.shape == x.shape and not torch.equal(made, network(x, step, low + 1))
    low = torch.randn(2, 3, 8, 8).tanh()
    both = network.draw(low, cosine_abar(), SeedNoise([1, 2], "test"), 3, 0.0)
    assert both.shape == (2, 3, 16, 16)
    alone = network.draw(low[1:], cosine_abar(), SeedNoise([2], "test"), 3, 0.0)
    torch.testing.assert_close(alone, both[1:], rtol=0, atol=1e-3)


def test_the_blur_is_a_gaussian_of_sigma_0_6_that_keeps_the_mean():
    kernel = blur_kernel()
    assert kernel.sum().item() == pytest.approx(1)
    assert (kernel[1, 1] / kernel[1, 0]).item() == pytest.approx(math.exp(0.5 / 0.36), rel=1e-4)
    flat = torch.full((1, 3, 6, 6), 0.3)
    torch.testing.assert_close(blurred(flat), flat)
    point = torch.zeros(1, 3, 5, 5)
    point[:, :, 2, 2] = 1
    torch.testing.assert_close(blurred(point)[0, 1, 1:4, 1:4], kernel)
    assert enlarge(flat, 12).shape == (1, 3, 12, 12)
