"""unCLIP's decoder: an image of a CLIP image embedding and its caption, by diffusion (paper, section 2.1).

The embedding enters twice: added to the step's vector, and as tokens beside the caption's that attention reads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from styleT2I.baselines.unclip.config import DecoderConfig, UNetConfig
from styleT2I.baselines.unclip.diffusion import guided, sample, step_grid, x0_of
from styleT2I.baselines.unclip.prior import Caption, example_caption
from styleT2I.baselines.unclip.trunk import step_features
from styleT2I.baselines.unclip.unet import UNet


class UnclipDecoder(nn.Module):
    """The network's prediction (3 channels, and 3 of a learned variance) for a noised image."""

    kind = "unclip-decoder"
    Config = DecoderConfig

    def __init__(self, config: DecoderConfig):
        super().__init__()
        self.config = config
        cond, context = config.cond_dim, config.context_dim
        self.step_in = nn.Sequential(nn.Linear(cond, cond), nn.SiLU(), nn.Linear(cond, cond))
        self.image_cond = nn.Linear(config.embed_dim, cond)
        self.text_cond = nn.Linear(config.embed_dim, cond)
        self.image_tokens = nn.Linear(config.embed_dim, config.num_image_tokens * context)
        self.text_tokens = nn.Sequential(nn.Linear(config.text_width, context), nn.LayerNorm(context))
        self.null_image = nn.Parameter(torch.zeros(config.embed_dim))
        self.unet = UNet(config.unet, 3, 6 if config.learns_variance else 3, cond, context)
        self.register_buffer("mean", torch.zeros(config.embed_dim))  # of image embeddings
        self.register_buffer("std", torch.ones(config.embed_dim))

    @classmethod
    def example(cls):
        """A tiny instance and the inputs of its forward."""
        unet = UNetConfig(widths=(4, 6), num_blocks=1, attention=(1,), head_width=3, patch=1, dropout=0.0)
        config = DecoderConfig(8, 6, 5, unet, cond_dim=8, context_dim=4, num_image_tokens=2)
        x, step, given = torch.randn(2, 3, 8, 8), torch.tensor([3, 700]), torch.tensor([True, False])
        return cls(config), (x, step, torch.randn(2, 6), given, *example_caption())

    @property
    def resolution(self) -> int:
        """Side of its images."""
        return self.config.resolution

    def forward(self, x, step, image, given, embedding, states, hidden) -> torch.Tensor:
        """x [N, 3, R, R] noised, step int64 [N], image embeddings [N, embed_dim], then a Caption's parts.

        given: bool [N], False where the row's embedding is dropped.
        """
        image = torch.where(given.unsqueeze(1), (image - self.mean) / self.std, self.null_image)
        cond = self.step_in(step_features(step, self.config.cond_dim))
        cond = cond + self.image_cond(image) + self.text_cond(embedding)
        tokens = self.image_tokens(image).unflatten(1, (self.config.num_image_tokens, -1))
        context = torch.cat([tokens, self.text_tokens(states)], dim=1)
        hidden = nn.functional.pad(hidden, (self.config.num_image_tokens, 0), value=False)
        return self.unet(x, cond, context, hidden)

    def draw(
        self,
        start: torch.Tensor,
        image: torch.Tensor | None,
        caption: Caption,
        null: Caption,
        abar: torch.Tensor,
        draw: Callable[[Sequence[int]], torch.Tensor],
        num_steps: int,
        eta: float | None,
        guidance: float,
    ) -> torch.Tensor:
        """Images [N, 3, R, R] in [-1, 1] of noise `start` of their shape.

        image: embeddings [N, embed_dim], None: the caption alone. null: the empty caption. Guidance drops both at once.
        """  # fmt: skip
        predict = self.predictor(image, caption, null, abar, guidance)
        return sample(predict, start, abar, step_grid(num_steps), eta, draw, clip=1.0)

    def predictor(self, image, caption: Caption, null: Caption, abar: torch.Tensor, guidance: float = 1.0) -> Callable:
        """The `predict` of diffusion.sample and diffusion.invert under these conditions."""
        num = len(caption.embedding)
        null = null.trimmed(caption.num_tokens).expand(num)
        given = torch.full((num,), image is not None, device=caption.embedding.device)
        image = torch.zeros_like(caption.embedding) if image is None else image

        def predict(x, step):
            steps = torch.full((num,), step, dtype=torch.int64, device=x.device)
            output, variance = self(x, steps, image, given, *caption), None
            if self.config.learns_variance:
                output, variance = output.chunk(2, dim=1)
            if guidance != 1:
                free = self(x, steps, image, torch.zeros_like(given), *null)[:, :3]
                output = guided(output, free, guidance)
            return x0_of(output, x, abar[step], self.config.prediction), variance

        return predict
