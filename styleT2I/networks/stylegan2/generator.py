"""The StyleGAN2 generator: latents to styles (mapping), styles to an image (synthesis).

Sources: StyleGAN (Karras et al. 2019), StyleGAN2 (2020, section 2 and figure 7), StyleGAN2-ADA (2020, appendix).
"""

import math
from collections.abc import Iterator

import torch
from torch import nn

from styleT2I.errors import ConfigError
from styleT2I.networks.stylegan2.config import GeneratorConfig
from styleT2I.networks.stylegan2.frozen import compiled_form
from styleT2I.networks.stylegan2.layers import Conv2d, FullyConnected, MappingNetwork, clamp_in
from styleT2I.ops.activations import activation
from styleT2I.ops.bias_act import bias_act, is_one_pass
from styleT2I.ops.modulated_conv2d import modulated_conv2d, modulated_layer
from styleT2I.ops.upfirdn2d import setup_filter, upsample2d

NOISE_MODES = ("const", "random", "none")


class SynthesisLayer(nn.Module):
    """Modulated 3x3 convolution, noise, bias, activation: x [N,in,H,W], w [N,w_dim] -> [N, out, H*up, W*up].

    The result has x's type; w, parameters and buffers stay in float32.
    """

    def __init__(self, num_in, num_out, resolution, config, *, up=1):
        super().__init__()
        self.resolution, self.up = resolution, up
        self.act, self.conv_clamp, self.use_noise = config.activation, config.conv_clamp, config.use_noise
        self.act_gain = activation(config.activation).gain
        self.affine = FullyConnected(config.w_dim, num_in, bias_init=1)
        self.weight = nn.Parameter(torch.randn(num_out, num_in, 3, 3))
        self.bias = nn.Parameter(torch.zeros(num_out))
        self.register_buffer("resample_filter", setup_filter(config.resample_filter), persistent=False)
        if config.use_noise:
            self.register_buffer("noise_const", torch.randn(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.zeros([]))

    def forward(self, x, w, noise_mode="const", generator=None, gain=1.0, *, next_styles=None, scaled_by=None):
        """Compute the layer; next_styles is modulated_layer's, scaled_by the styles that x comes multiplied by."""
        styles = self.affine(w) if scaled_by is None else scaled_by
        clamp = clamp_in(x.dtype, self.conv_clamp, gain)
        resampling = {"up": self.up, "resample_filter": self.resample_filter}
        epilogue = {"noise": self.noise(x, noise_mode, generator), "act": self.act, "clamp": clamp}
        passing = {"next_styles": next_styles, "is_scaled": scaled_by is not None}
        gain = self.act_gain * gain
        return modulated_layer(x, self.weight, styles, self.bias, gain=gain, **resampling, **epilogue, **passing)

    def noise(self, x, noise_mode, generator):
        """Return what is added to the pixels, [H,W] or [N,1,H,W], or None; x gives N, the device and the precision."""
        if not self.use_noise or noise_mode == "none":
            return None
        if noise_mode == "const":
            return self.noise_const * self.noise_strength
        return draw_noise(len(x), self.resolution, generator, x.device).to(x) * self.noise_strength


class ToRGB(nn.Module):
    """Modulated 1x1 convolution without demodulation: x [N,in,H,W], w [N,w_dim] -> [N,image_channels,H,W].

    The result has the parameters' type: RGB images add up in float32.
    """

    def __init__(self, num_in, config):
        super().__init__()
        self.conv_clamp = config.conv_clamp
        self.affine = FullyConnected(config.w_dim, num_in, bias_init=1)
        self.weight = nn.Parameter(torch.randn(config.image_channels, num_in, 1, 1))
        self.bias = nn.Parameter(torch.zeros(config.image_channels))
        self.weight_gain = 1 / math.sqrt(num_in)

    def forward(self, x, w):
        styles = self.affine(w) * self.weight_gain
        y = modulated_conv2d(x, self.weight, styles, demodulate=False).to(self.weight.dtype)
        return bias_act(y, self.bias, clamp=clamp_in(x.dtype, self.conv_clamp))


class SynthesisBlock(nn.Module):
    """All layers of one resolution: one 3x3 convolution on the learned constant at 4 pixels, two above."""

    def __init__(self, resolution, config):
        super().__init__()
        num_out = config.num_channels(resolution)
        self.architecture = config.architecture
        self.is_first, self.is_last = resolution == 4, resolution == config.resolution
        self.has_rgb = self.is_last or config.architecture == "skip"
        self.num_convs = 1 if self.is_first else 2
        self.half_dtype = None  # of the features, set by set_precision; None: the parameters' type
        self.register_buffer("resample_filter", setup_filter(config.resample_filter), persistent=False)
        if self.is_first:
            self.const = nn.Parameter(torch.randn(num_out, 4, 4))
        else:
            num_in = config.num_channels(resolution // 2)
            self.conv0 = SynthesisLayer(num_in, num_out, resolution, config, up=2)
        self.conv1 = SynthesisLayer(num_out, num_out, resolution, config)
        if self.has_rgb:
            self.torgb = ToRGB(num_out, config)
        if config.architecture == "resnet" and not self.is_first:
            self.skip = Conv2d(num_in, num_out, 1, bias=False, up=2, resample_filter=config.resample_filter)

    def forward(self, x, image, ws, noise_mode, generator):
        """Return the features and the image so far; ws [N, num_convs + 1, w_dim], the last one for the RGB output."""
        if not self.is_first:
            x = x.to(self.half_dtype or self.conv0.weight.dtype)
        if self.is_first:
            x = self.const.unsqueeze(0).expand(ws.shape[0], -1, -1, -1)  # tracers take len(ws) for a constant
            x = self.conv1(x.contiguous(memory_format=torch.channels_last), ws[:, 0], noise_mode, generator)
        elif self.architecture == "resnet":
            shortcut = self.skip(x, gain=math.sqrt(0.5))
            x = shortcut + self.convolve(x, ws, noise_mode, generator, gain=math.sqrt(0.5))
        else:
            x = self.convolve(x, ws, noise_mode, generator)
        if image is not None:
            image = upsample2d(image, self.resample_filter)
        if self.has_rgb:
            rgb = self.torgb(x, ws[:, self.num_convs])
            image = rgb if image is None else image + rgb
        return x, image

    def convolve(self, x, ws, noise_mode, generator, gain=1.0):
        """Return conv1 of conv0 of x; conv1 alone reads conv0's result, so that CUDA kernels scale it as they write."""
        styles = self.conv1.affine(ws[:, 1]) if is_one_pass(x) else None
        x = self.conv0(x, ws[:, 0], noise_mode, generator, next_styles=styles)
        return self.conv1(x, ws[:, 1], noise_mode, generator, gain, scaled_by=styles)


class SynthesisNetwork(nn.Module):
    """From styles ws [N,num_ws,w_dim] (or w [N,w_dim], broadcast) to an image [N,image_channels,R,R] around [-1,1]."""

    def __init__(self, config):
        super().__init__()
        self.w_dim, self.num_ws = config.w_dim, config.num_ws
        self.resolutions = config.resolutions
        for resolution in self.resolutions:
            self.add_module(f"b{resolution}", SynthesisBlock(resolution, config))

    def forward(self, ws, noise_mode="const", generator=None, noise=None):
        """Draw the image of `ws`.

        noise_mode: "const" (the stored noise), "random" (drawn from `generator`, a CPU torch.Generator or one for each
        sample; None: torch's own of the device) or "none". noise: what `draw_noises` returned, for "random".
        """
        if noise_mode not in NOISE_MODES:
            raise ConfigError(f"noise_mode is {noise_mode!r}; choose one of {', '.join(NOISE_MODES)}")
        generator = generator if noise is None else iter(noise)
        if ws.ndim == 2:
            ws = ws.unsqueeze(1).expand(-1, self.num_ws, -1)  # [N, num_ws, w_dim]
        if ws.shape[1:] != (self.num_ws, self.w_dim):
            raise ConfigError(f"ws has shape {tuple(ws.shape)}; this generator takes [N, {self.num_ws}, {self.w_dim}]")
        compiled = compiled_form(self, ws)
        if compiled is not None:
            return compiled.draw(ws, noise_mode, generator)
        num_plain = next((i for i, r in enumerate(self.resolutions) if self._is_fp16(r)), len(self.resolutions))
        plain, half = self.resolutions[:num_plain], self.resolutions[num_plain:]
        x, image = self._draw_blocks(plain, None, None, ws, noise_mode, generator)
        if not half:
            return image
        from styleT2I.networks.stylegan2.gradient_scale import scaled_way_back  # what a face in float32 does not need

        parameters = (p for r in half for p in getattr(self, f"b{r}").parameters())
        return scaled_way_back(
            lambda x, image, ws: self._draw_blocks(half, x, image, ws, noise_mode, generator)[1:],
            (x, image, ws),
            parameters,
        )[0]

    def draw_noises(self, num, generator):
        """Draw the noise of `num` images from a CPU generator, as they would take it: [N,1,H,W] for each layer."""
        blocks = [getattr(self, f"b{resolution}") for resolution in self.resolutions]
        layers = [getattr(block, name) for block in blocks for name in ("conv0", "conv1") if hasattr(block, name)]
        return tuple(draw_noise(num, layer.resolution, generator) for layer in layers if layer.use_noise)

    def _is_fp16(self, resolution):
        return getattr(self, f"b{resolution}").half_dtype == torch.float16

    def _draw_blocks(self, resolutions, x, image, ws, noise_mode, generator):
        """Return the features and the image after blocks that follow each other; ws [N,num_ws,w_dim] is all blocks'."""
        for resolution in resolutions:
            block = getattr(self, f"b{resolution}")
            start = max(2 * self.resolutions.index(resolution) - 1, 0)
            x, image = block(x, image, ws[:, start : start + block.num_convs + 1], noise_mode, generator)
        return x, image


class Generator(nn.Module):
    """StyleGAN2 generator: `mapping` from z (and labels c) to ws, `synthesis` from ws to the image."""

    kind = "stylegan2-generator"
    Config = GeneratorConfig

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.z_dim, self.c_dim, self.w_dim = config.z_dim, config.c_dim, config.w_dim
        self.num_ws, self.resolution = config.num_ws, config.resolution
        self.mapping = MappingNetwork(
            config.z_dim,
            config.c_dim,
            config.w_dim,
            config.num_ws,
            num_layers=config.mapping_layers,
            hidden_dim=config.mapping_hidden_dim,
            embed_dim=config.mapping_embed_dim,
            lr_multiplier=config.mapping_lr_multiplier,
            act=config.mapping_activation,
            w_avg_beta=config.w_avg_beta,
        )
        self.synthesis = SynthesisNetwork(config)

    @classmethod
    def example(cls):
        """Return a tiny generator and its input z [2,8]."""
        config = GeneratorConfig(resolution=8, z_dim=8, w_dim=8, mapping_layers=2, channel_max=8)
        return cls(config), (torch.randn(2, 8),)

    def forward(self, z, c=None, truncation_psi=1.0, truncation_cutoff=None, noise_mode="const", generator=None):
        """Draw the images [N,image_channels,R,R] of z [N,z_dim] and, for a conditional generator, c [N,c_dim]."""
        ws = self.mapping(z, c, truncation_psi=truncation_psi, truncation_cutoff=truncation_cutoff)
        return self.synthesis(ws, noise_mode=noise_mode, generator=generator)


def draw_noise(num, resolution, generator=None, device="cpu"):
    """Draw [num,1,resolution,resolution] normal noise, each sample from its own generator if given many.

    With CPU generators, which give the same noise for every device, it is drawn on the CPU; with None on `device`. An
    iterator has the noise that was drawn before.
    """
    from styleT2I.torch_utils.distributed import draw_rows

    shape = (num, 1, resolution, resolution)
    if isinstance(generator, Iterator):
        return next(generator)
    if generator is None:
        return draw_rows(torch.randn, *shape, device=device)
    if isinstance(generator, torch.Generator):
        return draw_rows(torch.randn, *shape, generator=generator)
    if len(generator) != num:
        raise ValueError(f"{len(generator)} noise generators for {num} samples")
    return torch.cat([torch.randn(1, 1, resolution, resolution, generator=g) for g in generator])


def mix_styles(ws, other_ws, generator, probability=0.9):
    """Replace, with the given probability, the styles of each sample from a random layer on by those of `other_ws`.

    ws, other_ws: [N,num_ws,w_dim]; the first style always stays. Source: StyleGAN, section 3.1 (mixing regularisation).
    """
    is_other = draw_mixing(len(ws), ws.shape[1], generator, probability).to(ws.device)
    return torch.where(is_other[:, :, None], other_ws, ws)


def draw_mixing(num, num_ws, generator, probability):
    """Which of its styles each of `num` samples takes from another latent by `mix_styles`: bool [num,num_ws]."""
    from styleT2I.torch_utils.distributed import draw_rows

    crossover = draw_rows(lambda num: torch.randint(1, num_ws, (num,), generator=generator), num)
    is_mixed = draw_rows(torch.rand, num, generator=generator) < probability
    crossover = torch.where(is_mixed, crossover, torch.full_like(crossover, num_ws))
    return torch.arange(num_ws)[None, :] >= crossover[:, None]
