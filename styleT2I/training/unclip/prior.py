"""Training of unCLIP's diffusion prior: the image embedding out of its noised state and the caption (equation 2)."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from styleT2I.baselines.unclip.diffusion import abar_table, add_noise
from styleT2I.baselines.unclip.prior import Caption, UnclipPrior
from styleT2I.config import override
from styleT2I.evaluation.measures.embeddings import evaluation_of
from styleT2I.torch_utils.distributed import draw_rows
from styleT2I.torch_utils.seeding import SeedNoise
from styleT2I.training.unclip.task import UnclipTask, training_steps


class UnclipPriorTask(UnclipTask):
    """Step, noise and dropped captions are drawn per row; the loss is the mean square over standardised numbers."""

    name = "unclip_prior"

    def build(self) -> torch.nn.Module:
        network = UnclipPrior(override(self.fitted(self.config.network), num_tokens=self.encoder.num_tokens))
        mean, std = self.data.statistics()
        network.mean.copy_(mean)
        network.std.copy_(std)
        self.abar = abar_table(network.config.schedule)
        has_labels = self.eval_data is not None
        self.evaluation = evaluation_of(self.data, self.eval_data, self.config.eval_num) if has_labels else None
        return network

    def inputs(self, indices: list[int], told: list[int], rng: torch.Generator) -> tuple:
        x0 = self.network.standardised(self.data.embedding_batch(indices))
        caption, _ = self.captions(told, rng)
        step = training_steps(len(indices), rng)
        noise = draw_rows(torch.randn, *x0.shape, generator=rng).to(x0)
        return x0, add_noise(x0, noise, self.abar[step]), step, caption

    def loss(self, x0: torch.Tensor, xt: torch.Tensor, step: torch.Tensor, caption: Caption):
        return F.mse_loss(self.network(xt, step, *caption), x0), {}

    def evaluate(self, step: int) -> dict[str, float]:
        metrics = super().evaluate(step)
        if self.evaluation is None:
            return metrics
        num_steps = self.config.eval_steps

        def draw(caption, seeds):
            noise = SeedNoise(seeds, "prior 0", self.device)
            return self.average.draw(caption, self.null, self.abar, noise, num_steps, eta=1.0, guidance=1.0)

        return metrics | self.evaluation.measure(draw)
