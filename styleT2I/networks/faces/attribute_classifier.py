"""The judge: a small attribute classifier that also regresses what should stay when attributes change.

Two architectures so that two judges can disagree: `resnet` (residual, strided, average and maximum pooling: the guide)
and `plain` (straight convolutions, maximum pooling, a position-aware head: the held-out judge). Both see the first
layers at full resolution, since lips and earrings are a few pixels wide at 64 px.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.networks.small import ConvNorm

__all__ = ["ARCHITECTURES", "AttributeClassifier", "ClassifierConfig", "readable_nuisances"]

_MIN_READABILITY = 0.5  # R^2 from which on a nuisance that a judge regresses can be believed


@dataclass(frozen=True)
class ClassifierConfig:
    """A judge's shape, and the meaning of its outputs."""

    attribute_names: tuple[str, ...]  # order of the logits
    nuisance_names: tuple[str, ...] = ()  # order of the regressed quantities (pose, light, colours ...)
    nuisance_mean: tuple[float, ...] = ()  # their mean over the training data, in the data's own units
    nuisance_std: tuple[float, ...] = ()  # their standard deviation over the training data, > 0
    architecture: str = "resnet"  # a key of ARCHITECTURES
    resolution: int = 64  # images of another size are resized to this, antialiased
    widths: tuple[int, ...] = (24, 32, 64, 128)  # channels at full, half, quarter ... resolution
    feature_dim: int = 128  # length of the feature vector both heads read
    mirrored: bool = False  # attributes are read from the mean features of an image and its mirror image

    def __post_init__(self):
        if self.architecture not in ARCHITECTURES:
            raise ConfigError(
                f"unknown judge architecture {self.architecture!r}{suggestion(self.architecture, ARCHITECTURES)}"
            )
        if not self.attribute_names:
            raise ConfigError("attribute_names is empty; a judge needs at least one attribute")
        if not len(self.nuisance_names) == len(self.nuisance_mean) == len(self.nuisance_std):
            raise ConfigError("nuisance_names, nuisance_mean and nuisance_std differ in length")
        if any(std <= 0 for std in self.nuisance_std):
            raise ConfigError("nuisance_std holds a value <= 0; leave constant quantities out")
        if self.resolution % 2 ** len(self.widths):
            raise ConfigError(f"resolution {self.resolution} is not divisible by {2 ** len(self.widths)}")


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a projected skip (He et al. 2016), the skip halved by averaging."""

    def __init__(self, in_dim: int, out_dim: int, stride: int):
        super().__init__()
        self.conv0 = ConvNorm(in_dim, out_dim, stride=stride)
        self.conv1 = ConvNorm(out_dim, out_dim)
        self.skip = nn.Identity() if in_dim == out_dim and stride == 1 else nn.Sequential(
            nn.AvgPool2d(stride), ConvNorm(in_dim, out_dim, kernel_size=1)
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.conv1(F.relu(self.conv0(x), inplace=True)) + self.skip(x), inplace=True)


class ResNetTrunk(nn.Module):
    """A stem at full resolution, a residual block per halving and one more at the end; pooled by mean and maximum,
    beside a few channels that keep their position, which pose needs."""

    def __init__(self, config: ClassifierConfig):
        super().__init__()
        widths = config.widths
        self.stem = ConvNorm(3, widths[0])
        self.blocks = nn.Sequential(
            *(ResidualBlock(a, b, stride=2) for a, b in zip(widths, widths[1:], strict=False)),
            ResidualBlock(widths[-1], widths[-1], stride=1),
        )
        size = config.resolution >> (len(widths) - 1)
        self.squeeze = ConvNorm(widths[-1], 8, kernel_size=1)
        self.out_dim = 2 * widths[-1] + 8 * size * size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.blocks(F.relu(self.stem(x), inplace=True))
        placed = F.relu(self.squeeze(x)).flatten(1)
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3)), placed], dim=1)  # [N, out_dim]


class PlainTrunk(nn.Module):
    """Two convolutions and a maximum pooling per resolution (Simonyan and Zisserman 2015); the last map is flattened,
    so that the head sees positions."""

    def __init__(self, config: ClassifierConfig):
        super().__init__()
        layers, in_dim = [], 3
        for width in config.widths:
            layers += [ConvNorm(in_dim, width), nn.LeakyReLU(0.1), ConvNorm(width, width), nn.LeakyReLU(0.1)]
            layers += [nn.MaxPool2d(2)]
            in_dim = width
        size = config.resolution >> len(config.widths)
        squeeze_dim = max(in_dim // 2, 8)  # keeps the flattened vector, hence the first linear layer, small
        self.layers = nn.Sequential(*layers, ConvNorm(in_dim, squeeze_dim, kernel_size=1), nn.LeakyReLU(0.1))
        self.out_dim = squeeze_dim * size * size

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x).flatten(1)  # [N, out_dim]


ARCHITECTURES = {"resnet": ResNetTrunk, "plain": PlainTrunk}


class AttributeClassifier(nn.Module):
    """Attribute logits, a feature vector and nuisances of an image [N, 3, H, W] in [-1, 1] of any size.

    A logit above 0 means yes. `features` serve Frechet distances, and `logits_of` reads them; `observe` gives them and
    the nuisances, which a mirror image would change, without running the trunk more often than needed.
    """

    kind = "judge"
    Config = ClassifierConfig

    def __init__(self, config: ClassifierConfig):
        super().__init__()
        self.config = config
        self.attribute_names = tuple(config.attribute_names)
        self.nuisance_names = tuple(config.nuisance_names)
        self.trunk = ARCHITECTURES[config.architecture](config)
        self.embed = nn.Linear(self.trunk.out_dim, config.feature_dim)
        self.attribute_head = nn.Linear(config.feature_dim, len(self.attribute_names))
        self.nuisance_head = nn.Linear(config.feature_dim, len(self.nuisance_names)) if self.nuisance_names else None
        self.register_buffer("nuisance_mean", torch.tensor(config.nuisance_mean), persistent=False)
        self.register_buffer("nuisance_std", torch.tensor(config.nuisance_std), persistent=False)

    @classmethod
    def example(cls):
        """A tiny judge and the inputs its forward takes."""
        config = ClassifierConfig(("he", "smiling"), resolution=16, widths=(4, 6), feature_dim=5)
        return cls(config), (torch.rand(2, 3, 20, 20) * 2 - 1,)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Attribute logits [N, A]."""
        return self.logits_of(self.features(image))

    def features(self, image: torch.Tensor) -> torch.Tensor:
        """Features [N, F], non-negative."""
        return self._with_mirrored(self.features_of_view(image), image)

    def observe(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features [N, F] and nuisances [N, K] of an image, as `features` and `nuisances`."""
        view = self.features_of_view(image)
        return self._with_mirrored(view, image), self.nuisances_of(view)

    def features_of_view(self, image: torch.Tensor) -> torch.Tensor:
        """Features [N, F] of the image as it is, which trainings and nuisances read."""
        size = self.config.resolution
        if image.shape[-2:] != (size, size):
            image = F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
        image = image.contiguous(memory_format=torch.channels_last)  # about 1.5x faster than NCHW on a CPU
        return F.relu(self.embed(self.trunk(image)))

    def _with_mirrored(self, features, image):
        return (features + self.features_of_view(image.flip(3))) / 2 if self.config.mirrored else features

    def logits_of(self, features: torch.Tensor) -> torch.Tensor:
        """Attribute logits [N, A] of features [N, F]."""
        return self.attribute_head(features)

    def nuisances_of(self, features: torch.Tensor, standardised: bool = False) -> torch.Tensor:
        """Nuisances [N, K] of features of a view, in the data's units, or in standard deviations from their mean."""
        if self.nuisance_head is None:
            return features.new_zeros(len(features), 0)
        values = self.nuisance_head(features)
        return values if standardised else values * self.nuisance_std + self.nuisance_mean

    def nuisances(self, image: torch.Tensor, standardised: bool = False) -> torch.Tensor:
        """Nuisances [N, K] of an image, as `nuisances_of`."""
        return self.nuisances_of(self.features_of_view(image), standardised)


def readable_nuisances(network: AttributeClassifier, info: Mapping) -> dict[str, float]:
    """The nuisances that a judge reads well enough, in its order, and how well: R^2 on unseen images.

    info: of its component, in which its training recorded that; {} without such a record.
    """
    measured = info.get("measured", {}).get("nuisances", {})
    return {name: measured[name] for name in network.nuisance_names if measured.get(name, 0) > _MIN_READABILITY}
