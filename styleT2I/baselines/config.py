"""Sizes of the baselines' networks, read and checked without torch; those of unCLIP are in unclip/config.py."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError

TRUNKS = ("small", "inception")  # of DAMSM's image encoder


class _WidthPerHalving:
    """A network with one width per halving of its image down to 4 px, or per doubling up from there."""

    @property
    def resolution(self) -> int:
        return 4 << len(self.widths)


class _WidthPerSide:
    """A network with one width per side of its image, of which 4 px is the smallest."""

    @property
    def resolution(self) -> int:
        return 4 << (len(self.widths) - 1)


def _check_layers(config, network):
    if not config.widths:
        raise ConfigError(f"{network} needs widths of at least one layer")


@dataclass(frozen=True)
class GanIntClsConfig(_WidthPerHalving):
    """Sizes of GAN-INT-CLS's generator; the defaults are the paper's."""

    text_dim: int = 1024
    z_dim: int = 100
    cond_dim: int = 128  # width of the compressed sentence
    widths: tuple[int, ...] = (1024, 512, 256, 128)  # at 4 px, then after each doubling but the last (RGB)
    num_residual: int = 2  # resolutions, from 4 px on, with a bottleneck residual

    def __post_init__(self):
        if not 0 <= self.num_residual <= len(self.widths) or not self.widths:
            raise ConfigError(f"GAN-INT-CLS needs widths, and residuals at no more than their {len(self.widths)} sizes")


@dataclass(frozen=True)
class GanIntClsDiscriminatorConfig(_WidthPerHalving):
    """Sizes of GAN-INT-CLS's discriminator; the defaults are the paper's."""

    text_dim: int = 1024
    cond_dim: int = 128
    widths: tuple[int, ...] = (64, 128, 256, 512)  # after each halving, down to 4 px

    def __post_init__(self):
        _check_layers(self, "a discriminator")


@dataclass(frozen=True)
class StyleEncoderConfig(_WidthPerHalving):
    """Sizes of the style encoder, which inverts GAN-INT-CLS's generator."""

    z_dim: int = 100
    widths: tuple[int, ...] = (64, 128, 256, 512)  # after each halving, down to 4 px

    def __post_init__(self):
        _check_layers(self, "a style encoder")


@dataclass(frozen=True)
class StageTwoConfig:
    """Sizes of StackGAN's Stage-II; the defaults are those of the published COCO weights."""

    encoder_widths: tuple[int, ...] = (192, 384, 768)  # of Stage-I's image, halved by each but the first
    num_residual: int = 2
    widths: tuple[int, ...] = (768, 384, 192, 96, 48)  # of the joined map, then after each doubling

    def __post_init__(self):
        if not self.encoder_widths or not self.widths:
            raise ConfigError("Stage-II needs encoder_widths and widths of at least one layer each")


@dataclass(frozen=True)
class StackGANConfig:
    """Sizes of StackGAN's generator; the defaults are those of the published COCO weights."""

    text_dim: int = 1024
    z_dim: int = 100
    cond_dim: int = 128  # of the condition that each stage draws
    widths: tuple[int, ...] = (1536, 768, 384, 192, 96)  # of Stage-I at 4 px, then after each doubling
    stage2: StageTwoConfig | None = StageTwoConfig()  # None: Stage-I alone

    def __post_init__(self):
        _check_layers(self, "Stage-I")
        if self.stage2 and self.stage1_resolution % 2 ** (len(self.stage2.encoder_widths) - 1):
            raise ConfigError(f"Stage-I's {self.stage1_resolution} px cannot be halved by all of Stage-II's encoder")

    @property
    def stage1_resolution(self) -> int:
        return 4 << (len(self.widths) - 1)

    @property
    def resolution(self) -> int:
        """Side of the final image."""
        if self.stage2 is None:
            return self.stage1_resolution
        return (self.stage1_resolution >> (len(self.stage2.encoder_widths) - 1)) << (len(self.stage2.widths) - 1)


@dataclass(frozen=True)
class StackGANDiscriminatorConfig(_WidthPerHalving):
    """Sizes of the discriminator of one of StackGAN's stages; the defaults are those of the published Stage-I."""

    cond_dim: int = 128
    widths: tuple[int, ...] = (96, 192, 384, 768)  # after each halving, down to 4 px
    narrow_widths: tuple[int, ...] = ()  # of the 3x3 convolutions that follow at 4 px (Stage-II)
    is_unconditional: bool = False  # whether it also judges the image without the sentence (Stage-II)

    def __post_init__(self):
        _check_layers(self, "a discriminator")


@dataclass(frozen=True)
class TextEncoderConfig:
    """Sizes of DAMSM's text encoder; the defaults are the paper's."""

    words: tuple[str, ...] = ()  # of the ids 1, 2, ...; id 0 pads. Empty: ids only, for num_rows of them
    num_rows: int | None = None  # of the table, None: one more than there are words
    embedding_dim: int = 300
    text_dim: int = 256  # of word and sentence features, half from each direction
    dropout: float = 0.5  # of word vectors, in training

    def __post_init__(self):
        if self.num_rows is None and not self.words:
            raise ConfigError("DAMSM's text encoder needs at least one word in `words`")
        if self.words and self.num_rows not in (None, len(self.words) + 1):
            raise ConfigError(f"num_rows is {self.num_rows}, but there are {len(self.words)} words and the padding")
        if self.text_dim < 2 or self.text_dim % 2 or self.embedding_dim < 1:
            raise ConfigError(f"text_dim is an even number and embedding_dim at least 1, not {self.text_dim} and "
                              f"{self.embedding_dim}")  # fmt: skip


@dataclass(frozen=True)
class ImageEncoderConfig:
    """The trunk of DAMSM's image encoder, and the size of the common space."""

    trunk: str = "small"  # one of TRUNKS
    text_dim: int = 256
    resolution: int = 64  # "small": images of another size are resized to this
    widths: tuple[int, ...] = (32, 64, 128, 192)  # "small": channels at full, half, quarter ... size
    align_corners: bool = True  # "inception": resize as the released code did under torch 0.3

    def __post_init__(self):
        if self.trunk not in TRUNKS:
            raise ConfigError(f"unknown image trunk {self.trunk!r}{suggestion(self.trunk, TRUNKS)}")
        if self.text_dim < 1 or not self.widths or self.resolution % 2 ** len(self.widths):
            raise ConfigError(f"resolution {self.resolution} cannot be halved {len(self.widths)} times (`widths`)")


@dataclass(frozen=True)
class AttnGANConfig:
    """Sizes of AttnGAN's generator; the defaults are those of the published weights for birds."""

    text_dim: int = 256  # of word and sentence features
    z_dim: int = 100
    cond_dim: int = 100  # of the condition drawn for the sentence
    width: int = 32  # channels that every stage ends with
    num_stages: int = 3
    first_resolution: int = 64  # of the first stage's image; doubled by each further stage
    num_residual: int = 2  # blocks of a further stage
    legacy_mask: bool = False  # hide the padding of another sentence of the batch, as the released code does

    def __post_init__(self):
        if self.first_resolution < 8 or self.first_resolution & (self.first_resolution - 1):
            raise ConfigError(f"first_resolution is a power of two from 8 on, not {self.first_resolution}")
        if min(self.text_dim, self.z_dim, self.cond_dim, self.width, self.num_stages) < 1 or self.num_residual < 0:
            raise ConfigError("the sizes of AttnGAN's generator start at 1, num_residual at 0")

    @property
    def resolutions(self) -> tuple[int, ...]:
        """Sides of the stages' images."""
        return tuple(self.first_resolution << stage for stage in range(self.num_stages))


@dataclass(frozen=True)
class DFGANConfig(_WidthPerSide):
    """Sizes of DF-GAN's generator; the defaults are those of the published weights."""

    text_dim: int = 256
    z_dim: int = 100
    widths: tuple[int, ...] = (256, 256, 256, 256, 128, 64, 32)  # at 4 px, then after each UpBlock, which doubles

    def __post_init__(self):
        _check_layers(self, "DF-GAN")


@dataclass(frozen=True)
class DFGANDiscriminatorConfig(_WidthPerSide):
    """Sizes of DF-GAN's discriminator; the defaults are those of the published weights."""

    text_dim: int = 256
    widths: tuple[int, ...] = (32, 64, 128, 256, 256, 256, 256)  # at full size, then after each halving, down to 4 px
    head_width: int = 64

    def __post_init__(self):
        _check_layers(self, "DF-GAN's discriminator")
