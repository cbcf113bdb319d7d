"""A convolution with its batch norm, folded into one in evaluation mode."""

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
