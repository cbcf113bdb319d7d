"""Finishing a generator that was fitted to renders: a discriminator of patches asks for what the mean leaves out.

Scenes whose render is known are drawn by way of the fit's scene encoder: their images must stay near the renders, in
pixels and features, and be crisp. Others come from new latents, half of them pulled towards the mean of W, as
truncation does: of these the discriminator alone judges, so that half a pair of glasses, the mean of with and without,
is drawn as one or the other. The mapping network stays as it is. What is exported lies between the fit and its finish,
weight by weight, which keeps most of the detail and drops most of what the discriminator puts there by mistake (fringes
of colour). Sources: as of `networks.stylegan2.patch_discriminator`; network interpolation, ESRGAN (Wang et al. 2018,
arXiv 1809.00219, section 3.4).
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from torch import Tensor

from styleT2I.config import to_dict
from styleT2I.data.dataset import index_order
from styleT2I.errors import ConfigError
from styleT2I.formats.component import write_component
from styleT2I.networks.faces.feature_distance import feature_distances, trunk_maps
from styleT2I.networks.registry import load_alike, load_network_component
from styleT2I.networks.stylegan2.config import half_dtype, set_precision
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.networks.stylegan2.patch_discriminator import (
    PatchDiscriminator,
    PatchDiscriminatorConfig,
    image_logits,
    map_distance,
    patch_logits,
)
from styleT2I.torch_utils.distributed import draw_rows, num_own_rows, own_rows
from styleT2I.torch_utils.images import make_grid_u8, save_png, to_uint8
from styleT2I.torch_utils.seeding import derive_seed
from styleT2I.torch_utils.seeding import generator as seeded
from styleT2I.training.losses import pixel_fit_loss
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, held_fixed, move_average, schedule
from styleT2I.training.stylegan2.losses import (
    logistic_discriminator_loss,
    nonsaturating_generator_loss,
    r1_penalty,
)
from styleT2I.training.stylegan2.rendered_fit import (
    ENCODER,
    fitted_networks,
)
from styleT2I.training.stylegan2.rendered_scenes import RenderedScenes
from styleT2I.training.stylegan2.renderer_fit import draw_psi, psnr
from styleT2I.training.stylegan2.renderer_fit_config import PairedFinishConfig

_BETAS = (0.0, 0.99)
_DISCRIMINATOR = "patch_discriminator"  # the component's name
_SHOWN_PSI = 0.7


class PairedFinish(NetworkTask):
    """The training task: a step updates the discriminator, then the synthesis network against it."""

    name = "paired-finish"
    parts = ("generator", "average", "discriminator", "optimizer", "d_optimizer")

    def __init__(self, config: PairedFinishConfig):
        super().__init__(config, config.steps)

    def setup(self, device: torch.device) -> None:
        """Load the generator, open the data; ConfigError or DataError where they do not belong together."""
        config, self.device = self.config, device
        self.generator, self.encoder = fitted_networks(config.init, device)
        self.encoder.requires_grad_(False)
        resolution = self.generator.resolution
        self.data = RenderedScenes(config.data, resolution)
        self.eval_data = RenderedScenes([config.eval_data], resolution)
        if self.data.vectors([0]).shape[1] != self.encoder.config.in_dim:
            raise ConfigError(f"{config.init}: was fitted to other scenes than those of {config.data[0]}")
        self.judge = load_network_component(config.judge, device) if config.judge else None
        if self.judge is not None and self.judge.config.resolution != resolution:
            size = self.judge.config.resolution
            raise ConfigError(f"{config.judge}: looks at {size} pixels, the generator draws {resolution}; leave it out")
        self.generator.mapping.requires_grad_(False)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.discriminator = self._open_discriminator().to(device)
        set_precision(self.generator, config.precision)  # but not of the average, which is measured and exported
        synthesis = self.generator.synthesis.requires_grad_(True)  # its noise too, which a fit leaves at 0
        self.optimizer = torch.optim.Adam(synthesis.parameters(), lr=config.lr, betas=_BETAS)
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), lr=config.d_lr, betas=_BETAS)

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One update of each network; its randomness comes from `rng` alone."""
        config, synthesis = self.config, self.generator.synthesis
        indices = index_order(derive_seed(self.name), len(self.data), config.batch, step)[own_rows(config.batch)]
        image, weight, vector = self.data.half_mirrored(indices, self.generator.resolution, self.device, rng)
        w = torch.cat([self.encoder(vector), self._unpaired(num_own_rows(config.unpaired), rng)])
        noise = synthesis.draw_noises(len(w), rng)
        drawn = synthesis(w, "random", noise=noise)
        factor = schedule("cosine", step, self.num_steps)

        loss, figures = self._discriminator_loss(image, drawn.detach(), is_regular=step % config.r1_interval == 0)
        descend(self.d_optimizer, loss, factor * config.d_lr)
        with held_fixed(self.discriminator):
            loss, parts = self._loss(drawn, image, weight)
            descend(self.optimizer, loss, factor * config.lr)
        move_average(self.average, self.generator, 0.5 ** ((config.batch + config.unpaired) / (1000 * config.ema_kimg)))
        return {"loss": loss.item(), **figures, **parts}

    def evaluate(self, step: int) -> dict[str, float]:
        """How near unseen renders are (dB), and how much detail they and images of new latents have beside renders."""
        return self._figures(self.average)

    def snapshot(self, step: int, outdir: Path) -> None:
        """Write a grid: unseen renders, the same scenes drawn, and new latents at psi 0.7."""
        views = self._compare(self.average, 16, psi=_SHOWN_PSI)
        rows = torch.cat([to_uint8(view[k : k + 8]) for k in (0, 8) for view in views])
        save_png(Path(outdir) / f"finish-{step:06d}.png", make_grid_u8(rows, ncol=8, scale=2))

    def export(self, outdir: Path, step: int) -> None:
        """Write the averaged generator, part of the way back to the fit, and what another finish goes on from."""
        config, (exported, _) = self.config, fitted_networks(self.config.init, self.device)
        move_average(exported, self.average, 1 - config.finished_share)
        training = "fitted by regression to rendered portraits, finished with a discriminator of patches"
        info = {"training": training, "data": ", ".join(config.data), **self._figures(exported.eval())}
        shape, weights = to_dict(exported.config), exported.state_dict()
        write_component(outdir, "generator", Generator.kind, shape, weights, step=step, info=info)
        further = {ENCODER: self.encoder, _DISCRIMINATOR: self.discriminator}  # what another finish goes on from
        for name, network in further.items():
            write_component(outdir, name, network.kind, to_dict(network.config), network.state_dict(), step=step)

    def _open_discriminator(self):
        """The discriminator of the finish that this one goes on from, or a new one."""
        shape = PatchDiscriminatorConfig(tuple(self.config.d_widths))
        path = Path(self.config.init) / f"{_DISCRIMINATOR}.json"
        if not path.exists():
            return PatchDiscriminator(shape)
        return load_alike(path, PatchDiscriminator.kind, shape).train().requires_grad_(True)

    def _maps(self, image):
        """The discriminator's maps of images, in single precision, computed in the training's."""
        with self._precision():
            maps = self.discriminator(image)
        return [[each.float() for each in size] for size in maps]

    def _features(self, image):
        """The judge's maps of images, likewise."""
        with self._precision():
            maps = trunk_maps(self.judge.trunk, image)
        return [each.float() for each in maps]

    def _precision(self):
        half = half_dtype(self.config.precision)
        return torch.autocast(self.device.type, half, enabled=half is not None)

    @torch.no_grad()
    def _unpaired(self, num, rng):
        """w [num, w_dim] of new latents, half of them pulled towards the mean."""
        mapping = self.generator.mapping
        z = draw_rows(torch.randn, num, self.generator.z_dim, generator=rng).to(self.device)
        psi = draw_psi(num, self.config.min_truncation_psi, rng).to(self.device)
        return mapping.w_avg.lerp(mapping(z)[:, 0], psi)

    def _discriminator_loss(self, image, drawn, is_regular):
        """The discriminator's loss, with its penalty where it is the penalty's turn, and their figures by name."""
        config, image = self.config, image.requires_grad_(is_regular)
        real, fake = self._maps(image), self._maps(drawn)
        loss = logistic_discriminator_loss(patch_logits(real), patch_logits(fake))
        figures = {"loss_discriminator": loss.item()}
        if is_regular:
            penalty = r1_penalty(image_logits(real), image).mean()
            loss = loss + config.r1_gamma / 2 * config.r1_interval * penalty
            figures["r1_penalty"] = penalty.item()
        return loss, figures

    def _loss(self, drawn, image, weight):
        """The generator's loss, and its parts by name."""
        config, paired, image = self.config, drawn[: len(image)], image.detach()
        with torch.no_grad():
            real = self._maps(image)
        fake = self._maps(drawn)
        known = [[each[: len(image)] for each in maps] for maps in fake]
        parts = {
            "loss_pixels": pixel_fit_loss(paired, image, weight),
            "loss_matching": map_distance(real, known),
            "loss_adversarial": nonsaturating_generator_loss(patch_logits(fake)),
        }
        weights = {"loss_matching": config.matching_weight, "loss_adversarial": config.adversarial_weight}
        if self.judge is not None:
            parts["loss_features"] = feature_distances(self._features(paired), self._features(image)).mean()
            weights["loss_features"] = config.feature_weight
        loss = torch.stack([weights.get(name, 1.0) * part for name, part in parts.items()]).sum()
        return loss, {name: part.item() for name, part in parts.items()}

    def _figures(self, network):
        image, drawn, new = self._compare(network, 256, psi=1.0)
        known = detail(image)
        return {"psnr_scene": psnr(drawn, image), "detail": detail(drawn) / known, "detail_new": detail(new) / known}

    @torch.no_grad()
    def _compare(self, network, num, psi):
        """Unseen renders, their scenes drawn, and as many new latents: [N, 3, R, R] by a generator."""
        indices = range(min(num, len(self.eval_data)))
        image, _, vector = self.eval_data.renders(indices, self.generator.resolution, self.device)
        w = self.encoder(vector)
        z = torch.randn(len(image), self.generator.z_dim, generator=seeded(self.name, "compared")).to(self.device)
        new = network.mapping(z, truncation_psi=psi)[:, 0]
        drawn, drawn_new = (torch.cat([network.synthesis(part) for part in each.split(16)]) for each in (w, new))
        return image, drawn, drawn_new


def detail(image: Tensor) -> float:
    """Mean absolute difference of neighbouring pixels of images [N, 3, R, R]: what a blur takes away.

    Example:
        >>> detail(torch.tensor([0.0, 1.0]).repeat(4).view(1, 1, 2, 4))
        0.5
    """
    return (sum(image.diff(dim=dim).abs().mean() for dim in (2, 3)) / 2).item()
