"""unCLIP's upsampler: diffusion of a larger image given a smaller one, without any text (paper, section 2.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.baselines.unclip.config import UNetConfig, UpsamplerConfig
from styleT2I.baselines.unclip.diffusion import sample, step_grid, x0_of
from styleT2I.baselines.unclip.trunk import step_features
from styleT2I.baselines.unclip.unet import UNet

BLUR_SIGMA = 0.6  # pixels, of a kernel of side 3 (SR3's, which the paper takes over)


class UnclipUpsampler(nn.Module):
    """The network's prediction for a noised image [N, 3, H, W], given the smaller one enlarged to its side."""

    kind = "unclip-upsampler"
    Config = UpsamplerConfig

    def __init__(self, config: UpsamplerConfig):
        super().__init__()
        self.config = config
        cond = config.cond_dim
        self.step_in = nn.Sequential(nn.Linear(cond, cond), nn.SiLU(), nn.Linear(cond, cond))
        self.unet = UNet(config.unet, 6, 3, cond)

    @classmethod
    def example(cls):
        """A tiny instance and the inputs of its forward."""
        config = UpsamplerConfig(16, 8, UNetConfig((4, 6), 1, (), dropout=0.0), cond_dim=4)
        return cls(config), (torch.randn(2, 3, 8, 8), torch.tensor([3, 700]), torch.randn(2, 3, 8, 8).tanh())

    @property
    def resolution(self) -> int:
        """Side of its images."""
        return self.config.resolution

    def forward(self, x: torch.Tensor, step: torch.Tensor, enlarged: torch.Tensor) -> torch.Tensor:
        """x and enlarged [N, 3, H, W] of any side that the UNet can halve, step int64 [N] -> [N, 3, H, W]."""
        return self.unet(torch.cat([x, enlarged], dim=1), self.step_in(step_features(step, self.config.cond_dim)))

    def draw(
        self,
        low: torch.Tensor,
        abar: torch.Tensor,
        draw: Callable[[Sequence[int]], torch.Tensor],
        num_steps: int,
        eta: float,
    ) -> torch.Tensor:
        """Images [N, 3, resolution, resolution] of smaller ones [N, 3, r, r], both in [-1, 1]."""  # fmt: skip
        side = self.config.resolution
        enlarged = enlarge(low, side)

        def predict(x, step):
            steps = torch.full((len(x),), step, dtype=torch.int64, device=x.device)
            return x0_of(self(x, steps, enlarged), x, abar[step], self.config.prediction), None

        return sample(predict, draw((3, side, side)), abar, step_grid(num_steps), eta, draw, clip=1.0)


def enlarge(low: torch.Tensor, side: int) -> torch.Tensor:
    """Images [N, 3, r, r] at another side, bicubic."""
    return F.interpolate(low, size=(side, side), mode="bicubic", align_corners=False)


def blur_kernel() -> torch.Tensor:
    """The 3x3 Gaussian that low-resolution images are blurred with in training; it sums to 1."""
    taps = torch.exp(-0.5 * (torch.tensor([-1.0, 0.0, 1.0]) / BLUR_SIGMA).square())
    taps = taps / taps.sum()
    return torch.outer(taps, taps)


def blurred(image: torch.Tensor) -> torch.Tensor:
    """Images [N, 3, H, W] under `blur_kernel`, edges repeated."""
    kernel = blur_kernel().to(image).expand(3, 1, 3, 3)
    return F.conv2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), kernel, groups=3)
