"""Training of DF-GAN (Tao et al. 2022): hinge loss with mismatched texts and the matching-aware gradient penalty."""

from __future__ import annotations

import torch

from styleT2I.baselines.dfgan import DFGANDiscriminator, DFGANGenerator
from styleT2I.config import override
from styleT2I.torch_utils.hardware.recorded_steps import Metrics
from styleT2I.training.baselines.losses import hinge_matching_loss, matching_gradient_penalty
from styleT2I.training.baselines.task import BaselineTask


class DFGANTask(BaselineTask):
    """D, with its penalty, then G in every step.

    D learns max(0, 1 - D(x, s)) + (max(0, 1 + D(G(z, s), s)) + max(0, 1 + D(x, s'))) / 2, s' a text that is not the
    image's, plus k * (||grad_x D(x, s)|| + ||grad_s D(x, s)||)^p on real pairs (eq. 2; k, p: `penalty_weight`,
    `penalty_power`); G learns -D(G(z, s), s).
    """

    name = "dfgan"

    def build(self, text_dim: int) -> dict[str, torch.nn.Module]:
        config = self.config
        return {
            "G": DFGANGenerator(override(config.generator, text_dim=text_dim)),
            "D": DFGANDiscriminator(override(config.discriminator, text_dim=text_dim)),
        }

    def update(self, step: int, batch, rng: torch.Generator) -> Metrics:
        return self.run_part("GAN", self._update, step, batch, self.noise(len(batch.text), rng))

    def _update(self, rates, batch, noise):
        config, G, D = self.config, self.networks["G"], self.networks["D"]
        fake = G(noise, batch.text)
        image, text = (t.detach().requires_grad_(True) for t in (batch.image, batch.text))
        h = D.features(image)
        real = D.matching(h, text)
        hinge = hinge_matching_loss(real, D.matching(h, batch.wrong), D(fake.detach(), batch.text))
        penalty = matching_gradient_penalty(real, image, text, config.penalty_weight, config.penalty_power)
        self.descend("D", hinge + penalty, rates)
        g_loss = -D(fake, batch.text).mean()
        self.descend("G", g_loss, rates)
        self.average()
        return {"loss_g": g_loss, "loss_d": hinge, "loss_penalty": penalty, "real_logit": real.mean()}
