"""Training of GAN-INT-CLS (Reed et al. 2016): matching-aware loss, interpolated texts, then the style encoder."""

from __future__ import annotations

import torch

from styleT2I.baselines.gan_int_cls import GanIntClsDiscriminator, GanIntClsGenerator, StyleEncoder, style_loss
from styleT2I.config import override
from styleT2I.torch_utils.distributed import gathered, own_rows
from styleT2I.training.baselines.losses import matching_aware_loss, midpoint_texts
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

    def update(self, step: int, batch, rng: torch.Generator) -> dict[str, float]:
        if step >= self.num_steps * (1 - self.config.style_share):
            return self._update_style(step, batch, rng)
        G, D = self.networks["G"], self.networks["D"]
        fake = G(self.noise(len(batch.text), rng), batch.text)
        h = D.encode(batch.image)
        real = D.matching(h, batch.text)
        d_loss = matching_aware_loss(real, D.matching(h, batch.wrong), D(fake.detach(), batch.text))
        self.descend("D", d_loss, step)
        fake_logits = D(fake, batch.text)
        g_loss = nonsaturating_generator_loss(fake_logits)
        figures = {"loss_d": d_loss.item(), "real_logit": real.mean().item(), "fake_logit": fake_logits.mean().item()}
        if self.config.interpolation_weight:
            midpoints = midpoint_texts(gathered(batch.text), self.config.beta, rng)
            midpoints = midpoints[own_rows(len(midpoints))]
            between = nonsaturating_generator_loss(D(G(self.noise(len(midpoints), rng), midpoints), midpoints))
            g_loss = g_loss + self.config.interpolation_weight * between
            figures["loss_interpolation"] = between.item()
        self.descend("G", g_loss, step)
        self.average()
        return {"loss_g": g_loss.item(), **figures}

    def export_parts(self, outdir, step: int) -> dict[str, str]:
        """The style encoder is a part of the model."""
        return {"style_encoder": self.write(outdir, "style_encoder", "S", step, {"training": {"model": self.name}})}

    def learning_rate(self, name: str) -> float:
        return self.config.style_lr if name == "S" else super().learning_rate(name)

    def _update_style(self, step, batch, rng):
        noise = self.noise(len(batch.text), rng)
        with torch.no_grad():
            image = self.networks["G_ema"](noise, batch.text)
        loss = style_loss(noise, self.networks["S"](image))
        self.descend("S", loss, step)
        return {"loss_style": loss.item()}
