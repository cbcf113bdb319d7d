"""Small image towers, for images of small sides, and the convolution with batch norm that they are made of.

open_clip's towers begin by dividing the resolution by 4 (ResNet) or 8 and more (ViT); the lips and earrings of a
64-pixel face are a few pixels wide and are learnt late there, or never. These begin at full resolution.
"""

import torch
import torch.nn.functional as F
from torch import nn


class ConvNorm(nn.Sequential):
    """A convolution without bias (key "0") and its batch norm ("1"); the stride divides the size.

    In evaluation mode the norm is folded into the convolution's weight, which saves a pass over the map.
    """

    def __init__(self, in_dim: int, out_dim: int, kernel_size: int = 3, stride: int = 1):
        conv = nn.Conv2d(in_dim, out_dim, kernel_size, stride, kernel_size // 2, bias=False)
        super().__init__(conv, nn.BatchNorm2d(out_dim))

    def forward(self, x):
        conv, norm = self
        if norm.training:
            return super().forward(x)
        scale = norm.weight * (norm.running_var + norm.eps).rsqrt()  # [O]
        bias = norm.bias - norm.running_mean * scale
        return F.conv2d(x, conv.weight * scale[:, None, None, None], bias, conv.stride, conv.padding)


class SmallTower(nn.Module):
    """Convolutions from full resolution on, halved after every width; the image as a vector [N, embed_dim].

    What is pooled: the mean and the maximum of the last map, and a few channels that keep their place. `pool` says how
    a map is halved, "stride" (by its convolution) or "max" (by its maximum): two towers that make different errors.
    """

    def __init__(self, embed_dim: int, image_size: int, widths: tuple[int, ...], pool: str):
        super().__init__()
        stages, in_dim = [], 3
        for index, width in enumerate(widths):
            halve = index > 0
            stages.append(_ConvNormReLU(in_dim, width, stride=2 if halve and pool == "stride" else 1))
            stages.append(_ConvNormReLU(width, width))
            if pool == "max" and index < len(widths) - 1:
                stages.append(nn.MaxPool2d(2))
            in_dim = width
        self.stages = nn.Sequential(*stages)
        side = image_size >> (len(widths) - 1)
        self.place = _ConvNormReLU(in_dim, 8, kernel_size=1)
        self.proj = nn.Linear(2 * in_dim + 8 * side * side, embed_dim)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stages(image)
        placed = self.place(x).flatten(1)
        return self.proj(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3)), placed], dim=1))


class _ConvNormReLU(ConvNorm):
    def forward(self, x):
        return F.relu(super().forward(x), inplace=True)
