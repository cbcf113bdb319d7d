"""Training of StackGAN (Zhang et al. 2017) stage by stage: Stage-I first; frozen, it then feeds Stage-II."""

from __future__ import annotations

import copy

import torch
from torch.nn import functional as F

from styleT2I.baselines.stackgan import StackGANDiscriminator, StackGANGenerator
from styleT2I.config import override
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.distributed import rolled
from styleT2I.torch_utils.hardware.recorded_steps import Metrics
from styleT2I.training.baselines.losses import kl_to_standard_normal, matching_aware_loss, two_headed_discriminator_loss
from styleT2I.training.baselines.task import BaselineTask
from styleT2I.training.stylegan2.losses import nonsaturating_generator_loss


class StackGANTask(BaselineTask):
    """G has both stages; D1 judges Stage-I, D2 Stage-II."""

    name = "stackgan"

    def build(self, text_dim: int) -> dict[str, torch.nn.Module]:
        config = self.config
        G = StackGANGenerator(override(config.generator, text_dim=text_dim))
        networks = {"G": G}
        sizes = (config.generator.stage1_resolution, config.generator.resolution)
        for number, discriminator in enumerate((config.discriminator1, config.discriminator2), start=1):
            if discriminator.resolution != sizes[number - 1]:
                raise ConfigError(
                    f"Stage {number} draws {sizes[number - 1]} px, its discriminator takes {discriminator.resolution}"
                )
            networks[f"D{number}"] = StackGANDiscriminator(
                override(discriminator, cond_dim=config.generator.cond_dim, is_unconditional=number == 2)
            )
        return networks

    @property
    def stage1_steps(self) -> int:
        return round(self.num_steps * self.config.stage1_share)

    def update(self, step: int, batch, rng: torch.Generator) -> Metrics:
        is_first = step < self.stage1_steps
        self._set_stage(is_first)
        if step == self.stage1_steps:  # what follows refines the averaged Stage-I
            self.networks["G"].stage1.load_state_dict(self.networks["G_ema"].stage1.state_dict())
        noise = self.noise(len(batch.text), rng)
        update = self._update_first if is_first else self._update_second
        return self.run_part("Stage-I" if is_first else "Stage-II", update, step, batch, noise)

    def sampler(self, step: int) -> torch.nn.Module:
        """Stage-I alone while it learns, as Stage-II is still random."""
        if step > self.stage1_steps:
            return self.networks["G_ema"]
        whole = self.networks["G_ema"]
        alone = StackGANGenerator(override(whole.config, stage2=None)).to(self.device).eval().requires_grad_(False)
        alone.stage1 = copy.deepcopy(whole.stage1)
        return alone

    def _set_stage(self, is_first):
        G = self.networks["G"].train()
        G.stage1.train(is_first).requires_grad_(is_first)
        G.stage2.requires_grad_(not is_first)

    def _update_first(self, rates, batch, noise):
        config, G, D = self.config.generator, self.networks["G"], self.networks["D1"]
        image = F.adaptive_avg_pool2d(batch.image, config.stage1_resolution)
        made = G.stage1(noise[:, : config.z_dim], noise[:, config.z_dim :][:, : config.cond_dim], batch.text)
        mu, h = made.mu.detach(), D.encode(image)
        real = D.matching(h, mu)
        (fake,) = D(made.image.detach(), mu)
        d_loss = matching_aware_loss(real, D.matching(h, rolled(mu, 1)), fake)
        self.descend("D1", d_loss, rates)
        g_loss = nonsaturating_generator_loss(D(made.image, mu)[0])
        return self._descend_generator(rates, made, d_loss, g_loss, real)

    def _update_second(self, rates, batch, noise):
        G, D = self.networks["G"], self.networks["D2"]
        made = G.draw(noise, batch.text)
        mu, h = made.mu.detach(), D.encode(batch.image)
        real = D.matching(h, mu)
        fake, fake_alone = D(made.image.detach(), mu)
        wrong = D.matching(h, rolled(mu, 1))
        d_loss = two_headed_discriminator_loss(real, wrong, fake, D.uncond_head(h).flatten(), fake_alone)
        self.descend("D2", d_loss, rates)
        g_loss = sum(nonsaturating_generator_loss(logits) for logits in D(made.image, mu))
        return self._descend_generator(rates, made, d_loss, g_loss, real)

    def _descend_generator(self, rates, made, d_loss, g_loss, real):
        kl = kl_to_standard_normal(made.mu, made.logvar)
        loss = g_loss + self.config.kl_weight * kl
        self.descend("G", loss, rates)
        self.average()
        return {"loss_g": loss, "loss_d": d_loss, "loss_kl": kl, "real_logit": real.mean()}
