"""The UNet of unCLIP's decoder and upsampler: residual blocks under a condition, attention over image and context."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.baselines.unclip.config import UNetConfig

_MAX_GROUPS = 32


class UNet(nn.Module):
    """Images to images of one side, given a condition vector and, where it attends, context vectors."""

    def __init__(self, config: UNetConfig, in_channels: int, out_channels: int, cond_dim: int, context_dim: int = 0):
        super().__init__()
        self.config = config
        pixels, widths = config.patch**2, config.widths

        def block(in_dim, out_dim, resample=None):
            return ResidualBlock(in_dim, out_dim, cond_dim, config.dropout, resample)

        def attend(level):
            is_attending = level in config.attention
            return Attention(widths[level], config.head_width, context_dim) if is_attending else None

        self.conv_in = nn.Conv2d(in_channels * pixels, widths[0], 3, padding=1)
        self.down, kept, width = nn.ModuleList(), [widths[0]], widths[0]
        for level, out_dim in enumerate(widths):
            for _ in range(config.num_blocks):
                self.down.append(Stage(block(width, out_dim), attend(level)))
                width = out_dim
                kept.append(width)
            if level < len(widths) - 1:
                self.down.append(Stage(block(width, width, "down"), None))
                kept.append(width)
        attention = Attention(width, config.head_width, context_dim) if config.attention else None
        self.middle = nn.ModuleList([Stage(block(width, width), attention), Stage(block(width, width), None)])
        self.up = nn.ModuleList()
        for level in reversed(range(len(widths))):
            for _ in range(config.num_blocks + 1):
                self.up.append(Stage(block(width + kept.pop(), widths[level]), attend(level)))
                width = widths[level]
            if level:  # fewer channels before the side doubles: half the work of doing it behind
                self.up.append(Stage(block(width, widths[level - 1], "up"), None))
                width = widths[level - 1]
        self.norm_out = group_norm(width)
        self.conv_out = zeroed(nn.Conv2d(width, out_channels * pixels, 3, padding=1))

    def forward(self, x, cond, context=None, hidden=None) -> torch.Tensor:
        """x [N, in, H, W], cond [N, cond_dim], context [N, T, context_dim], hidden bool [N, T] -> [N, out, H, W].

        hidden: True where a context vector is not to be read.
        """
        h = self.conv_in(F.pixel_unshuffle(x, self.config.patch))
        kept = [h]
        for stage in self.down:
            h = stage(h, cond, context, hidden)
            kept.append(h)
        for stage in self.middle:
            h = stage(h, cond, context, hidden)
        for stage in self.up:
            joins = stage.block.resample != "up"
            h = stage(torch.cat([h, kept.pop()], dim=1) if joins else h, cond, context, hidden)
        return F.pixel_shuffle(self.conv_out(F.silu(self.norm_out(h))), self.config.patch)


class Stage(nn.Module):
    """A residual block, and attention behind it where there is some."""

    def __init__(self, block: ResidualBlock, attention: Attention | None):
        super().__init__()
        self.block, self.attention = block, attention

    def forward(self, x, cond, context, hidden) -> torch.Tensor:
        h = self.block(x, cond)
        return h if self.attention is None else self.attention(h, context, hidden)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions, the second's input scaled and shifted by the condition; may halve or double the side."""

    def __init__(self, in_dim: int, out_dim: int, cond_dim: int, dropout: float, resample: str | None = None):
        super().__init__()
        self.resample = resample
        self.norm1, self.conv1 = group_norm(in_dim), nn.Conv2d(in_dim, out_dim, 3, padding=1)
        self.cond = nn.Linear(cond_dim, 2 * out_dim)
        self.norm2, self.dropout = group_norm(out_dim), nn.Dropout(dropout)
        self.conv2 = zeroed(nn.Conv2d(out_dim, out_dim, 3, padding=1))
        self.skip = nn.Identity() if in_dim == out_dim else nn.Conv2d(in_dim, out_dim, 1)

    def forward(self, x: torch.Tensor, cond: torch.Tensor) -> torch.Tensor:
        """x [N, in, H, W], cond [N, cond_dim] -> [N, out, H', W']."""
        h = self.conv1(self._resampled(F.silu(self.norm1(x))))
        scale, shift = self.cond(F.silu(cond))[:, :, None, None].chunk(2, dim=1)
        h = self.conv2(self.dropout(F.silu(self.norm2(h) * (1 + scale) + shift)))
        return self.skip(self._resampled(x)) + h

    def _resampled(self, x):
        if self.resample == "down":
            return F.avg_pool2d(x, 2)
        return F.interpolate(x, scale_factor=2, mode="nearest") if self.resample == "up" else x


class Attention(nn.Module):
    """Attention of every position to all positions and to the context's vectors."""

    def __init__(self, width: int, head_width: int, context_dim: int):
        super().__init__()
        self.num_heads = width // head_width
        self.norm = group_norm(width)
        self.qkv = nn.Conv1d(width, 3 * width, 1)
        self.context_kv = nn.Linear(context_dim, 2 * width) if context_dim else None
        self.out = zeroed(nn.Conv1d(width, width, 1))

    def forward(self, x, context, hidden) -> torch.Tensor:
        """x [N, width, H, W] -> as x; context [N, T, context_dim] or None, hidden bool [N, T] or None."""
        flat = x.flatten(2)
        query, key, value = self._heads(self.qkv(self.norm(flat)).transpose(1, 2), 3)
        allowed = None
        if self.context_kv is not None:
            further_key, further_value = self._heads(self.context_kv(context), 2)
            key, value = torch.cat([further_key, key], dim=2), torch.cat([further_value, value], dim=2)
            if hidden is not None:
                allowed = ~F.pad(hidden, (0, flat.shape[2]), value=False)[:, None, None, :]
        read = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        return (flat + self.out(read.transpose(1, 2).flatten(2).transpose(1, 2))).view_as(x)

    def _heads(self, rows, num):
        """[N, L, num * width] -> num of [N, heads, L, head_width]."""
        return rows.unflatten(2, (num, self.num_heads, -1)).permute(2, 0, 3, 1, 4)


def group_norm(width: int) -> nn.GroupNorm:
    """Group norm of as many groups, up to 32, as divide the channels, with four channels in each if there are four."""
    most = min(_MAX_GROUPS, max(width // 4, 1))
    return nn.GroupNorm(next(num for num in range(most, 0, -1) if width % num == 0), width)


def zeroed(layer: nn.Module) -> nn.Module:
    """The layer with its weights at 0, so that its branch adds nothing at first."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    return layer
