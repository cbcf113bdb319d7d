"""Configurations of the StyleGAN2 generator and discriminator, and the precision that they compute in; no torch.

Half precision is that of StyleGAN2-ADA's appendix, in the highest resolutions alone: weights, styles, RGB images and
everything at lower resolutions stay in float32; weights are cast where they are used.
"""

from dataclasses import dataclass

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.ops.activations import activation

ARCHITECTURES = ("skip", "resnet", "orig")
MIN_RESOLUTION = 8
MAX_RESOLUTION = 1024
MAX_MAPPING_LAYERS = 64


@dataclass(frozen=True)
class GeneratorConfig:
    """Everything that fixes a generator's shape and arithmetic, as StyleGAN2 and StyleGAN2-ADA define it."""

    resolution: int  # side of the square image, a power of two from 8 to 1024
    z_dim: int = 512  # width of the latent z
    c_dim: int = 0  # width of the label c; 0: unconditional
    w_dim: int = 512  # width of the intermediate latent w
    image_channels: int = 3
    channel_base: int = 32768  # a resolution r has min(channel_base / r, channel_max) channels
    channel_max: int = 512
    channels: dict | None = None  # {resolution: channels} for every resolution from 4; replaces the rule above
    architecture: str = "skip"  # "skip": RGB outputs summed; "resnet": residual blocks; "orig": neither
    activation: str = "lrelu"
    resample_filter: tuple[float, ...] | tuple[tuple[float, ...], ...] = (1.0, 3.0, 3.0, 1.0)
    conv_clamp: float | None = None  # limit of |activation| after a convolution
    use_noise: bool = True  # per-pixel noise inputs exist
    num_fp16_res: int = 0  # how many of the highest resolutions were trained in half precision (set_precision)
    mapping_layers: int = 8
    mapping_hidden_dim: int | None = None  # None: w_dim
    mapping_embed_dim: int | None = None  # width of the embedded label; None: w_dim
    mapping_lr_multiplier: float = 0.01
    mapping_activation: str = "lrelu"
    w_avg_beta: float | None = 0.998  # decay of the tracked mean of w; None: not tracked, so no truncation

    def __post_init__(self):
        _check_common(self)

    def num_channels(self, resolution):
        """Return the number of feature maps at `resolution`."""
        return _num_channels(self, resolution)

    @property
    def resolutions(self):
        """The resolutions of the blocks, 4 first."""
        return _resolutions(self.resolution)

    @property
    def num_ws(self):
        """Number of style inputs: one for each 3x3 convolution and one for the last RGB output."""
        return 2 * len(self.resolutions)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Everything that fixes a discriminator's shape and arithmetic, as StyleGAN2 and StyleGAN2-ADA define it."""

    resolution: int  # side of the square image, a power of two from 8 to 1024
    c_dim: int = 0  # width of the label c; 0: unconditional
    image_channels: int = 3
    channel_base: int = 32768
    channel_max: int = 512
    channels: dict | None = None  # {resolution: channels} for every resolution from 4; replaces the rule above
    architecture: str = "resnet"  # "resnet", "skip" (the image enters at every resolution) or "orig"
    activation: str = "lrelu"
    resample_filter: tuple[float, ...] | tuple[tuple[float, ...], ...] = (1.0, 3.0, 3.0, 1.0)
    conv_clamp: float | None = None  # limit of |activation| after a convolution
    num_fp16_res: int = 0  # how many of the highest resolutions were trained in half precision (set_precision)
    mbstd_group_size: int | None = 4  # samples a minibatch standard deviation is taken over; None: the whole batch
    mbstd_num_channels: int = 1  # feature maps it adds; 0: none
    cmap_dim: int | None = None  # width of the label projection; None: the channels at 4 pixels
    mapping_layers: int = 8  # layers of the label's mapping network; 0: the embedding alone
    mapping_hidden_dim: int | None = None  # None: cmap_dim
    mapping_embed_dim: int | None = None  # None: cmap_dim
    mapping_lr_multiplier: float = 0.01
    mapping_activation: str = "lrelu"

    def __post_init__(self):
        _check_common(self)
        if self.mbstd_group_size is not None and self.mbstd_group_size < 1:
            raise ConfigError(f"mbstd_group_size is {self.mbstd_group_size}; it takes 1 or more, or null for the batch")
        if self.mbstd_num_channels and self.num_channels(4) % self.mbstd_num_channels:
            raise ConfigError(
                f"mbstd_num_channels is {self.mbstd_num_channels}, which does not divide the "
                f"{self.num_channels(4)} channels at 4 pixels"
            )

    def num_channels(self, resolution):
        """Return the number of feature maps at `resolution`."""
        return _num_channels(self, resolution)

    @property
    def resolutions(self):
        """The resolutions of the blocks, 4 first."""
        return _resolutions(self.resolution)

    @property
    def label_dim(self):
        """Width of the label projection, 0 without labels."""
        if self.c_dim == 0:
            return 0
        return self.num_channels(4) if self.cmap_dim is None else self.cmap_dim


def _check_common(config):
    resolution = config.resolution
    if not MIN_RESOLUTION <= resolution <= MAX_RESOLUTION or resolution & (resolution - 1):
        raise ConfigError(
            f"resolution is {resolution}; StyleGAN2 takes a power of two from {MIN_RESOLUTION} to {MAX_RESOLUTION}"
        )
    if config.architecture not in ARCHITECTURES:
        raise ConfigError(f"architecture is {config.architecture!r}; choose one of {', '.join(ARCHITECTURES)}")
    activation(config.activation)
    for name in ("z_dim", "w_dim", "image_channels", "channel_max"):
        if getattr(config, name, 1) < 1:
            raise ConfigError(f"{name} is {getattr(config, name)}; it starts at 1")
    fewest = 1 if isinstance(config, GeneratorConfig) else 0
    if not fewest <= config.mapping_layers <= MAX_MAPPING_LAYERS:
        raise ConfigError(f"mapping_layers is {config.mapping_layers}; it goes from {fewest} to {MAX_MAPPING_LAYERS}")
    if config.channels is None:
        return
    try:
        channels = {int(r): int(n) for r, n in sorted(config.channels.items(), key=lambda item: int(item[0]))}
    except (TypeError, ValueError):
        raise ConfigError(f"channels is {config.channels!r}; it maps each resolution to a number of channels") from None
    object.__setattr__(config, "channels", channels)  # JSON has text keys; the fields are frozen from here on
    for r in config.resolutions:
        if channels.get(r, 0) < 1:
            raise ConfigError(f"channels has no positive entry for resolution {r}")


def _num_channels(config, resolution):
    if config.channels is not None:
        return config.channels[resolution]
    return max(min(config.channel_base // resolution, config.channel_max), 1)


def _resolutions(resolution):
    return [2**i for i in range(2, resolution.bit_length())]


def check_draws_faces(config: GeneratorConfig, where) -> None:
    """Raise ConfigError unless a generator draws RGB images from latents alone, as all that edits or judges them needs.

    where: the file or whatever names it.
    """
    if config.c_dim:
        raise ConfigError(f"{where}: takes labels (c_dim {config.c_dim}); StyleT2I needs an unconditional generator")
    if config.image_channels != 3:
        raise ConfigError(
            f"{where}: draws images of {config.image_channels} channel{'s' * (config.image_channels > 1)}; StyleT2I "
            "needs a generator of RGB images, which have 3"
        )


PRECISIONS = {"fp32": None, "fp16": "float16", "bf16": "bfloat16"}  # what torch calls each
NUM_RES = 4  # resolutions in half precision where a network's configuration names none
CLAMP = 256.0  # limit of |activation| in a network trained in half precision


def set_precision(network, precision):
    """Let the highest resolutions of a Generator or Discriminator compute in `precision`, and return the network.

    precision: "fp16" or "bf16" for the config.num_fp16_res highest (NUM_RES where that is 0) above 4 pixels, "fp32" for
    none. In float16 a layer without a clamp of its own is clamped at CLAMP. ConfigError for another name.
    """
    dtype, config = half_dtype(precision), network.config
    lowest = (2 * config.resolution) >> (config.num_fp16_res or NUM_RES)
    blocks = getattr(network, "synthesis", network)
    for resolution in config.resolutions[1:]:
        getattr(blocks, f"b{resolution}").half_dtype = dtype if resolution >= lowest else None
    return network


def check_precision_name(precision):
    """Raise ConfigError unless `precision` is one of PRECISIONS."""
    if precision not in PRECISIONS:
        raise ConfigError(
            f"unknown precision {precision!r}; choose one of {', '.join(PRECISIONS)}{suggestion(precision, PRECISIONS)}"
        )


def half_dtype(precision):
    """Return the torch.dtype of "fp16" or "bf16", None for "fp32"; ConfigError for another name."""
    check_precision_name(precision)
    import torch  # not before: settings are read without it

    return getattr(torch, PRECISIONS[precision]) if PRECISIONS[precision] else None


def check_precision(precision, device):
    """Raise ConfigError unless `precision` is of use on a torch.device: half precision is for GPUs."""
    if half_dtype(precision) is not None and device.type != "cuda":
        raise ConfigError(f"precision {precision!r} is for a CUDA device, and this runs on {device}; use fp32 there")
