"""Sizes of unCLIP's networks, read and checked without torch."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError

PREDICTIONS = ("x0", "epsilon", "v")


@dataclass(frozen=True)
class PriorConfig:
    """Sizes of the diffusion prior; the defaults are those of Karlo's weights."""

    embed_dim: int = 768  # of z_i and z_t
    text_width: int = 768  # of token states
    num_tokens: int = 77
    width: int = 2048
    num_heads: int = 32
    num_layers: int = 20
    schedule: str = "cosine"

    def __post_init__(self):
        check_trunk(self)


@dataclass(frozen=True)
class ARPriorConfig:
    """Sizes of the autoregressive prior; the defaults are the paper's, over the CLIP of Karlo's weights."""

    embed_dim: int = 768
    text_width: int = 768
    num_tokens: int = 256
    width: int = 2048
    num_heads: int = 32
    num_layers: int = 24
    num_components: int = 319
    num_buckets: int = 1024
    num_dots: int = 64  # buckets of the dot product, an equal number of pairs in each

    def __post_init__(self):
        check_trunk(self)
        if not 1 <= self.num_components <= self.embed_dim or min(self.num_buckets, self.num_dots) < 2:
            raise ConfigError(
                f"num_components is from 1 to embed_dim {self.embed_dim}, num_buckets and num_dots start at 2"
            )


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of a UNet; the defaults are the paper's for the 64 px decoder."""

    widths: tuple[int, ...] = (512, 1024, 1536, 2048)  # channels per side, halved from one to the next
    num_blocks: int = 3  # residual blocks per side on the way down, one more on the way up
    attention: tuple[int, ...] = (1, 2, 3)  # which of the sides attend, counted from the largest, 0
    head_width: int = 64
    patch: int = 1  # side of the squares of pixels that become channels first
    dropout: float = 0.1

    def __post_init__(self):
        if not self.widths or min(self.widths) < 1 or min(self.num_blocks, self.head_width, self.patch) < 1:
            raise ConfigError("a UNet's widths, num_blocks, head_width and patch start at 1")
        if any(not 0 <= level < len(self.widths) for level in self.attention) or not 0 <= self.dropout < 1:
            raise ConfigError(f"attention names sides from 0 to {len(self.widths) - 1}, dropout is a rate below 1")
        if wrong := [self.widths[level] for level in self.attended if self.widths[level] % self.head_width]:
            raise ConfigError(f"{wrong[0]} channels that attend are not a multiple of head_width {self.head_width}")

    @property
    def attended(self) -> tuple[int, ...]:
        """Sides with attention; the smallest has it in the middle wherever any has."""
        return (*self.attention, len(self.widths) - 1) if self.attention else ()

    @property
    def divisor(self) -> int:
        """What an image's side must be a multiple of."""
        return self.patch << (len(self.widths) - 1)


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of the decoder; the defaults are the paper's, over the CLIP of Karlo's weights."""

    resolution: int = 64
    embed_dim: int = 768  # of z_i and z_t
    text_width: int = 768  # of token states
    unet: UNetConfig = UNetConfig()
    cond_dim: int = 2048  # of the vector that residual blocks are scaled by
    context_dim: int = 1536  # of the vectors that attention reads
    num_image_tokens: int = 4  # that the image embedding becomes
    schedule: str = "cosine"
    prediction: str = "epsilon"
    learns_variance: bool = True

    def __post_init__(self):
        check_diffusion(self)
        if not self.unet.attention or min(self.embed_dim, self.text_width, self.num_image_tokens) < 1:
            raise ConfigError("a decoder reads its captions by attention: name a side in attention; sizes start at 1")
        if min(self.cond_dim, self.context_dim) < 2 or self.cond_dim % 2:
            raise ConfigError(f"cond_dim is even and context_dim at least 2, not {self.cond_dim}, {self.context_dim}")


@dataclass(frozen=True)
class UpsamplerConfig:
    """Sizes of an upsampler; the defaults are the paper's from 64 to 256 px."""

    resolution: int = 256  # of its images
    low_resolution: int = 64  # of those it is given
    unet: UNetConfig = UNetConfig((320, 640, 960, 1280), 3, ())
    cond_dim: int = 1280
    schedule: str = "cosine"
    prediction: str = "epsilon"

    def __post_init__(self):
        check_diffusion(self)
        if self.unet.attention:
            raise ConfigError("an upsampler learns on crops and runs on whole images, so it has no attention")
        if not 1 <= self.low_resolution < self.resolution or self.cond_dim < 2 or self.cond_dim % 2:
            raise ConfigError("an upsampler's low_resolution is below its resolution, its cond_dim even")


def check_trunk(config) -> None:
    """ConfigError unless a prior's sizes are such as a transformer can have."""
    sizes = (config.embed_dim, config.text_width, config.num_tokens, config.width, config.num_heads, config.num_layers)
    if min(sizes) < 1 or config.width % (2 * config.num_heads):
        raise ConfigError(
            "a prior's sizes start at 1, and its width is a multiple of twice num_heads, "
            f"not {config.width} with {config.num_heads} heads"
        )


def check_diffusion(config) -> None:
    """ConfigError unless a UNet fits its resolution and its prediction is known."""
    if config.resolution < 1 or config.resolution % config.unet.divisor:
        raise ConfigError(f"resolution {config.resolution} is not a multiple of the UNet's {config.unet.divisor}")
    if config.prediction not in PREDICTIONS:
        raise ConfigError(f"unknown prediction {config.prediction!r}{suggestion(config.prediction, PREDICTIONS)}")
