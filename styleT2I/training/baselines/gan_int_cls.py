"""Training of GAN-INT-CLS (Reed et al. 2016): matching-aware loss, interpolated texts, then the style encoder."""

from __future__ import annotations

import torch

from styleT2I.baselines.gan_int_cls import GanIntClsDiscriminator, GanIntClsGenerator, StyleEncoder, style_loss
from styleT2I.config import override
from styleT2I.torch_utils.distributed import gathered, num_own_rows, num_processes, own_rows
from styleT2I.torch_utils.hardware.recorded_steps import Metrics
from styleT2I.training.baselines.losses import draw_pairs, matching_aware_loss, midpoint_texts
from styleT2I.training.baselines.task import BaselineTask
from styleT2I.training.stylegan2.losses import nonsaturating_generator_loss


class GanIntClsTask(BaselineTask):
    """D, then G, in every step; in the last steps only the style encoder S, on images of the averaged generator."""

    name = "gan_int_cls"

    def build(self, text_dim: int) -> dict[str, torch.nn.Module]:
        config = self.config
        return {
            "G": GanIntClsGenerator(override(config.generator, text_dim=text_dim)),
            "D": GanIntClsDiscriminator(override(config.discriminator, text_dim=text_dim)),
            "S": StyleEncoder(override(config.style_encoder, z_dim=config.generator.z_dim)),
        }

    def update(self, step: int, batch, rng: torch.Generator) -> Metrics:
        noise = self.noise(len(batch.text), rng)
        if step >= self.num_steps * (1 - self.config.style_share):
            return self.run_part("style", self._update_style, step, batch, noise)
        pairs, further_noise = None, None
        if self.config.interpolation_weight:
            num = len(batch.text) * num_processes()
            pairs = draw_pairs(num, rng)
            further_noise = self.noise(num_own_rows(num // 2), rng)
        return self.run_part("GAN", self._update_gan, step, batch, noise, pairs, further_noise)

    def _update_gan(self, rates, batch, noise, pairs, further_noise):
        G, D = self.networks["G"], self.networks["D"]
        fake = G(noise, batch.text)
        h = D.encode(batch.image)
        real = D.matching(h, batch.text)
        d_loss = matching_aware_loss(real, D.matching(h, batch.wrong), D(fake.detach(), batch.text))
        self.descend("D", d_loss, rates)
        fake_logits = D(fake, batch.text)
        g_loss = nonsaturating_generator_loss(fake_logits)
        metrics = {"loss_d": d_loss, "real_logit": real.mean(), "fake_logit": fake_logits.mean()}
        if pairs is not None:
            midpoints = midpoint_texts(gathered(batch.text), self.config.beta, pairs)
            midpoints = midpoints[own_rows(len(midpoints))]
            between = nonsaturating_generator_loss(D(G(further_noise, midpoints), midpoints))
            g_loss = g_loss + self.config.interpolation_weight * between
            metrics["loss_interpolation"] = between
        self.descend("G", g_loss, rates)
        self.average()
        return {"loss_g": g_loss, **metrics}

    def export_parts(self, outdir, step: int) -> dict[str, str]:
        """The style encoder is a part of the model."""
        return {"style_encoder": self.write(outdir, "style_encoder", "S", step, {"training": {"model": self.name}})}

    def learning_rate(self, name: str) -> float:
        return self.config.style_lr if name == "S" else super().learning_rate(name)

    def _update_style(self, rates, batch, noise):
        with torch.no_grad():
            image = self.networks["G_ema"](noise, batch.text)
        loss = style_loss(noise, self.networks["S"](image))
        self.descend("S", loss, rates)
        return {"loss_style": loss}
