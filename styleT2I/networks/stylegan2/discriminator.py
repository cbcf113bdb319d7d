"""The StyleGAN2 discriminator: residual, skip or plain, with minibatch standard deviation and label projection.

Sources: StyleGAN2 (section 4.1, figure 7), Progressive GAN (section 3, minibatch standard deviation), StyleGAN2-ADA.
"""

import math

import torch
from torch import nn

from styleT2I.networks.stylegan2.config import DiscriminatorConfig
from styleT2I.networks.stylegan2.gradient_scale import scaled_way_back
from styleT2I.networks.stylegan2.layers import Conv2d, FullyConnected, MappingNetwork
from styleT2I.ops.upfirdn2d import downsample2d, setup_filter
from styleT2I.torch_utils.distributed import gathered, num_processes, own_rows


class DiscriminatorBlock(nn.Module):
    """All layers of one resolution above 4: (RGB input,) two 3x3 convolutions, the second halving the size."""

    def __init__(self, resolution, config):
        super().__init__()
        width, num_out = config.num_channels(resolution), config.num_channels(resolution // 2)
        shared = {"resample_filter": config.resample_filter, "conv_clamp": config.conv_clamp}
        self.architecture = config.architecture
        self.half_dtype = None  # of the features, set by set_precision; None: the parameters' type
        self.has_rgb = resolution == config.resolution or config.architecture == "skip"
        self.register_buffer("resample_filter", setup_filter(config.resample_filter), persistent=False)
        if self.has_rgb:
            self.fromrgb = Conv2d(config.image_channels, width, 1, act=config.activation, **shared)
        self.conv0 = Conv2d(width, width, 3, act=config.activation, **shared)
        self.conv1 = Conv2d(width, num_out, 3, act=config.activation, down=2, **shared)
        if config.architecture == "resnet":
            self.skip = Conv2d(width, num_out, 1, bias=False, down=2, resample_filter=config.resample_filter)

    def forward(self, x, image):
        dtype = self.half_dtype or self.conv0.weight.dtype
        x = None if x is None else x.to(dtype)
        if self.has_rgb:
            rgb = self.fromrgb(image.to(dtype))
            x = rgb if x is None else x + rgb
        if self.architecture == "skip":
            image = downsample2d(image, self.resample_filter)
        if self.architecture != "resnet":
            return self.conv1(self.conv0(x)), image
        shortcut = self.skip(x, gain=math.sqrt(0.5))
        return shortcut + self.conv1(self.conv0(x), gain=math.sqrt(0.5)), image


class DiscriminatorEpilogue(nn.Module):
    """From the features at 4 pixels to logits [N,1]; with labels, the projection on the mapped label."""

    def __init__(self, config):
        super().__init__()
        width = config.num_channels(4)
        self.group_size, self.num_std_channels = config.mbstd_group_size, config.mbstd_num_channels
        self.label_dim = config.label_dim
        if config.architecture == "skip":
            self.fromrgb = Conv2d(config.image_channels, width, 1, act=config.activation)
        self.conv = Conv2d(
            width + config.mbstd_num_channels, width, 3, act=config.activation, conv_clamp=config.conv_clamp
        )
        self.fc = FullyConnected(width * 16, width, act=config.activation)
        self.out = FullyConnected(width, self.label_dim or 1)

    def forward(self, x, image, cmap):
        x = x.to(self.conv.weight.dtype)
        if hasattr(self, "fromrgb"):
            x = x + self.fromrgb(image)
        if self.num_std_channels:
            x = append_minibatch_std(x, self.group_size, self.num_std_channels)
        x = self.out(self.fc(self.conv(x).flatten(1)))
        return x if cmap is None else (x * cmap).sum(dim=1, keepdim=True) / math.sqrt(self.label_dim)


class Discriminator(nn.Module):
    """StyleGAN2 discriminator: image [N,image_channels,R,R] and, when conditional, c [N,c_dim] -> logits [N,1]."""

    kind = "stylegan2-discriminator"
    Config = DiscriminatorConfig

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.resolution, self.c_dim = config.resolution, config.c_dim
        self.block_resolutions = config.resolutions[:0:-1]  # the largest first, 4 left to the epilogue
        for resolution in self.block_resolutions:
            self.add_module(f"b{resolution}", DiscriminatorBlock(resolution, config))
        if config.c_dim > 0:
            self.mapping = MappingNetwork(
                0,
                config.c_dim,
                config.label_dim,
                None,
                num_layers=config.mapping_layers,
                hidden_dim=config.mapping_hidden_dim,
                embed_dim=config.mapping_embed_dim,
                lr_multiplier=config.mapping_lr_multiplier,
                act=config.mapping_activation,
            )
        self.b4 = DiscriminatorEpilogue(config)

    @classmethod
    def example(cls):
        """Return a tiny discriminator and its input image [2,3,8,8]."""
        return cls(DiscriminatorConfig(resolution=8, channel_max=8)), (torch.randn(2, 3, 8, 8),)

    def forward(self, image, c=None):
        x, image = None, image.contiguous(memory_format=torch.channels_last)
        half = [r for r in self.block_resolutions if getattr(self, f"b{r}").half_dtype == torch.float16]
        if half:
            parameters = (p for r in half for p in getattr(self, f"b{r}").parameters())
            x, image = scaled_way_back(lambda image: self._half_blocks(half, image), (image,), parameters)
        for resolution in self.block_resolutions[len(half) :]:
            x, image = getattr(self, f"b{resolution}")(x, image)
        return self.b4(x, image, self.mapping(None, c) if self.c_dim > 0 else None)

    def _half_blocks(self, resolutions, image):
        """Return the features, in float32, and the image after the largest resolutions, which compute in float16."""
        x = None
        for resolution in resolutions:
            x, image = getattr(self, f"b{resolution}")(x, image)
        return x.float(), image


def append_minibatch_std(x, group_size, num_channels):
    """Append to [N,C,H,W] feature maps that hold the mean standard deviation over a group of samples.

    Sample n shares its group with those at n +- N / G, where the group size G is the largest divisor of N up to
    `group_size` (None: N). Returns [N, C + num_channels, H, W]. In a training of several processes N counts the rows of
    all of them.
    """
    total = len(x) * num_processes()
    limit = total if group_size is None else min(group_size, total)
    group = next(g for g in range(limit, 0, -1) if total % g == 0)
    is_own = total // group % num_processes() == 0  # whole groups are this process's (torch_utils.distributed.own_rows)
    rows = x if is_own else gathered(x)
    num, _, height, width = rows.shape
    y = rows.reshape(group, num // group, num_channels, -1, height, width)  # [G, M, F, C/F, H, W]
    y = (y.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=[2, 3, 4])  # [M, F]
    y = y.reshape(num // group, num_channels, 1, 1).repeat(group, 1, height, width)  # [N, F, H, W]
    y = y if is_own else y[own_rows(num)]
    return torch.cat([x, y.to(x.dtype)], dim=1)
