"""StyleGAN2 generator: its variants, its noise, truncation and style mixing, and a second way to compute it."""

import pytest
import torch

import styleT2I.networks.stylegan2.generator as stylegan2
from styleT2I.config import from_dict, to_dict
from styleT2I.errors import ConfigError
from styleT2I.networks.stylegan2.config import GeneratorConfig
from styleT2I.networks.stylegan2.generator import Generator, draw_noise, mix_styles
from styleT2I.ops.kernels import default_impl

TINY = {"z_dim": 5, "w_dim": 6, "mapping_layers": 2, "channel_base": 64, "channel_max": 6}


def tiny(resolution=16, **settings):
    torch.manual_seed(0)
    G = Generator(GeneratorConfig(resolution, **{**TINY, **settings}))
    for name, parameter in G.named_parameters():
        if name.endswith(("noise_strength", "bias")):
            parameter.data += torch.randn(parameter.shape) * 0.3
    G.mapping.w_avg.normal_()
    return G


def latents(num=3, seed=0):
    return torch.randn(num, 5, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
@pytest.mark.parametrize("resolution", [8, 16, 32, 64])
@pytest.mark.parametrize("c_dim", [0, 3])
def test_every_variant_draws_and_gives_gradients_to_every_parameter(architecture, resolution, c_dim):
    G = tiny(resolution, architecture=architecture, c_dim=c_dim, conv_clamp=256.0)
    c = torch.eye(3)[:, :c_dim] if c_dim else None
    image = G(latents(), c)
    assert image.shape == (3, 3, resolution, resolution)
    assert G.num_ws == 2 * len(G.config.resolutions) == {8: 4, 16: 6, 32: 8, 64: 10}[resolution]
    (image * torch.randn(image.shape)).sum().backward()
    for name, parameter in G.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("architecture", ["skip", "resnet", "orig"])
def test_image_and_gradients_match_the_ops_as_published(architecture):
    G = tiny(32, architecture=architecture).double()
    z = latents().double()

    def image_and_gradients():
        G.zero_grad()
        image = G(z)
        image.square().sum().backward()
        return [image.detach()] + [p.grad.clone() for p in G.parameters()]

    ours = image_and_gradients()
    with default_impl("ref"):
        twin = image_and_gradients()
    for ours_one, twin_one in zip(ours, twin, strict=True):
        torch.testing.assert_close(ours_one, twin_one, rtol=1e-7, atol=1e-9)


def test_skip_image_is_the_sum_of_enlarged_rgb_outputs():
    G = tiny(16)
    outputs = []
    for block in ("b4", "b8", "b16"):
        getattr(G.synthesis, block).torgb.register_forward_hook(lambda *args: outputs.append(args[2]))
    image = G(latents())
    for rgb in outputs[:-1]:
        rgb = rgb.double()
        while rgb.shape[2] < 16:  # bilinear enlargement with a black border, as [1,3,3,1] with zero padding gives
            padded = torch.nn.functional.pad(rgb, (1, 1, 1, 1))
            rgb = torch.nn.functional.interpolate(padded, scale_factor=2, mode="bilinear")[:, :, 2:-2, 2:-2]
        image = image - rgb.float()
    torch.testing.assert_close(image, outputs[-1], atol=1e-5, rtol=1e-5)


def test_noise_modes():
    G = tiny()
    ws = G.mapping(latents())
    const = G.synthesis(ws)
    assert torch.equal(const, G.synthesis(ws, noise_mode="const"))
    first = G.synthesis(ws, noise_mode="random", generator=torch.Generator().manual_seed(1))
    again = G.synthesis(ws, noise_mode="random", generator=torch.Generator().manual_seed(1))
    other = G.synthesis(ws, noise_mode="random", generator=torch.Generator().manual_seed(2))
    assert torch.equal(first, again) and not torch.equal(first, other) and not torch.equal(first, const)
    silent = G.synthesis(ws, noise_mode="none")
    for name, parameter in G.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.zero_()
    torch.testing.assert_close(G.synthesis(ws), silent)
    with pytest.raises(ConfigError, match="noise_mode is 'off'"):
        G.synthesis(ws, noise_mode="off")


def test_random_noise_of_a_sample_depends_on_its_own_generator_alone():
    G = tiny()
    ws = G.mapping(latents())

    def generators(*seeds):
        return [torch.Generator().manual_seed(seed) for seed in seeds]

    together = G.synthesis(ws, noise_mode="random", generator=generators(7, 8, 9))
    alone = G.synthesis(ws[1:2], noise_mode="random", generator=generators(8))
    torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="2 noise generators for 3 samples"):
        draw_noise(3, 4, generators(1, 2))


def test_noise_that_was_drawn_before_is_what_the_generator_would_draw():
    G = tiny()
    ws = G.mapping(latents())
    drawn = G.synthesis(ws, noise_mode="random", generator=torch.Generator().manual_seed(3))
    noises = G.synthesis.draw_noises(len(ws), torch.Generator().manual_seed(3))
    assert torch.equal(G.synthesis(ws, noise_mode="random", noise=noises), drawn)
    assert len(noises) == 2 * len(G.synthesis.resolutions) - 1 and not torch.equal(drawn, G.synthesis(ws))


def test_a_generator_without_noise_inputs_has_no_noise():
    G = tiny(use_noise=False)
    assert G.synthesis.draw_noises(3, torch.Generator()) == ()
    assert not any("noise" in name for name in G.state_dict())
    torch.testing.assert_close(G(latents()), G(latents(), noise_mode="random"))


def test_truncation_moves_towards_the_mean_up_to_the_cutoff():
    G = tiny()
    ws, w_avg = G.mapping(latents()), G.mapping.w_avg
    torch.testing.assert_close(G.mapping(latents(), truncation_psi=0.3), w_avg + 0.3 * (ws - w_avg))
    part = G.mapping(latents(), truncation_psi=0.3, truncation_cutoff=2)
    torch.testing.assert_close(part[:, :2], w_avg + 0.3 * (ws[:, :2] - w_avg))
    assert torch.equal(part[:, 2:], ws[:, 2:])
    torch.testing.assert_close(G.mapping(latents(), truncation_psi=0.0)[1, 3], w_avg)
    torch.testing.assert_close(G(latents(), truncation_psi=0.3), G.synthesis(w_avg + 0.3 * (ws - w_avg)))


def test_mean_of_w_follows_the_batches_only_when_asked():
    G = tiny(w_avg_beta=0.9)
    before = G.mapping.w_avg.clone()
    w = G.mapping(latents())[:, 0]
    assert torch.equal(G.mapping.w_avg, before)
    G.mapping(latents(), update_w_avg=True)
    torch.testing.assert_close(G.mapping.w_avg, 0.9 * before + 0.1 * w.mean(dim=0).detach())


def test_w_is_w_plus_with_all_styles_equal():
    G = tiny()
    ws = G.mapping(latents())
    assert torch.equal(ws, ws[:, :1].expand(-1, G.num_ws, -1))
    assert torch.equal(G.synthesis(ws[:, 0]), G.synthesis(ws))
    with pytest.raises(ConfigError, match=r"takes \[N, 6, 6\]"):
        G.synthesis(ws[:, :4])


def test_each_style_reaches_the_image():
    G = tiny()
    ws = G.mapping(latents()).detach().requires_grad_()
    G.synthesis(ws).square().sum().backward()
    assert (ws.grad.abs().amax(dim=2) > 0).all()


def test_latents_of_any_length_give_the_same_w():
    G = tiny()
    torch.testing.assert_close(G.mapping(latents() * 3), G.mapping(latents()))


def test_labels_change_the_image_and_are_required():
    G = tiny(c_dim=3)
    same = latents(1).expand(3, -1)
    ws = G.mapping(same, torch.eye(3))
    assert (ws[0] - ws[1]).abs().max() > 1e-3 and (ws[1] - ws[2]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="pass labels c"):
        G(latents())


def test_style_mixing_takes_late_styles_of_the_other_latent():
    ws, other = torch.zeros(4000, 10, 2), torch.ones(4000, 10, 2)
    mixed = mix_styles(ws, other, torch.Generator().manual_seed(0), probability=0.9)
    assert torch.equal(mixed[..., 0], mixed[..., 1])
    steps = mixed[:, 1:, 0] - mixed[:, :-1, 0]
    assert steps.min() >= 0 and mixed[:, 0].max() == 0  # once switched, switched; the first style always stays
    share = mixed[:, -1, 0].mean().item()
    assert share == pytest.approx(0.9, abs=0.02)
    counts = steps.sum(dim=0)
    assert counts.min() > 0.8 * counts.mean()  # every crossover is as likely
    assert torch.equal(mix_styles(ws, other, torch.Generator().manual_seed(0), 0.0), ws)


def test_clamp_limits_every_convolution():
    G = tiny(conv_clamp=0.05)
    peaks = []
    for module in G.modules():
        if isinstance(module, stylegan2.SynthesisLayer):
            module.register_forward_hook(lambda *args: peaks.append(args[2].abs().max().item()))
    G(latents())
    assert len(peaks) == 5 and max(peaks) == pytest.approx(0.05)


def test_config_survives_json_and_names_what_is_wrong():
    config = GeneratorConfig(16, channels={16: 4, 4: 7, 8: 5})
    assert from_dict(GeneratorConfig, to_dict(config)) == config
    assert [config.num_channels(r) for r in config.resolutions] == [7, 5, 4]
    assert GeneratorConfig(1024).num_channels(1024) == 32 and GeneratorConfig(1024).num_channels(4) == 512
    for settings, message in [({"resolution": 48}, "a power of two"), ({"resolution": 2048}, "from 8 to 1024"),
                              ({"resolution": 8, "architecture": "res"}, "choose one of skip"),
                              ({"resolution": 8, "mapping_layers": 0}, "mapping_layers is 0"),
                              ({"resolution": 8, "channels": {"4": 2}}, "entry for resolution 8"),
                              ({"resolution": 8, "channels": {"a": 2}}, "maps each resolution")]:  # fmt: skip
        with pytest.raises(ConfigError, match=message):
            from_dict(GeneratorConfig, settings)
