"""Fitting a StyleGAN2 generator by regression to rendered images and the latents of their scenes.

An encoder gives w for a known scene and the synthesis network learns to draw it (16 pixels first, then twice as many);
the mapping network learns the encoder's w from z on scenes that nobody renders; at the end both are trained together
from z to the image. Scenes do not determine strands and pores, so their mean is learnt: an adversarial finish
(`paired_finish`, or `train_stylegan2 --init`) restores them.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from styleT2I.config import to_dict
from styleT2I.data.dataset import index_order
from styleT2I.data.portraits.scenes.sampling import sample_scene
from styleT2I.data.portraits.scenes.streams import Z_DIM
from styleT2I.data.portraits.scenes.vector import VECTOR_SIZE, scene_vector
from styleT2I.errors import ConfigError
from styleT2I.formats.component import write_component
from styleT2I.networks.faces.feature_distance import feature_distance
from styleT2I.networks.registry import load_network_component, load_strict
from styleT2I.networks.scene_encoder import SceneEncoder, SceneEncoderConfig
from styleT2I.networks.stylegan2.config import GeneratorConfig, set_precision
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.torch_utils.distributed import own_rows
from styleT2I.torch_utils.seeding import derive_seed
from styleT2I.training.losses import pixel_fit_loss
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend
from styleT2I.training.stylegan2.rendered_scenes import RenderedScenes
from styleT2I.training.stylegan2.renderer_fit import RendererFit, cosine, psnr
from styleT2I.training.stylegan2.renderer_fit_config import RenderedFitConfig

ENCODER = "scene_encoder"  # the component's name


class RenderedFit(RendererFit):
    """The training task: a step takes rendered images by their seeded order and one optimisation step."""

    name = "rendered-fit"

    def __init__(self, config: RenderedFitConfig):
        NetworkTask.__init__(self, config, config.steps)
        sizes = [size for size in (16, 32, 64) if size < config.resolution]
        names = [*(f"draw-{size}" for size in sizes), "draw", "mapping", "joint"]
        shares = [*(getattr(config, f"share_{size}") for size in sizes), 0.0, config.share_mapping, config.share_joint]
        shares[len(sizes)] = 1 - sum(shares)
        ends = [round(config.steps * sum(shares[: k + 1])) for k in range(len(shares))]
        self.stages = tuple(zip(names, [0, *ends[:-1]], ends, strict=True))  # name, first step, step after the last
        self.sizes = dict(zip(names, sizes, strict=False))
        self.draw_end = ends[len(sizes)]
        self.mapping_lr_scale = 1 / GeneratorConfig(config.resolution).mapping_lr_multiplier

    def setup(self, device):
        """Open the data and build the networks; DataError where the data are no portraits."""
        config, self.device = self.config, device
        self.data = RenderedScenes(config.data, config.resolution)
        self.eval_data = RenderedScenes([config.eval_data], config.resolution)
        self.judge = load_network_component(config.judge, device) if config.judge else None
        shape = SceneEncoderConfig(VECTOR_SIZE, config.encoder_hidden_dim, config.w_dim)
        self._build(config, Z_DIM, lambda: SceneEncoder(shape))
        if config.init:
            generator, encoder = fitted_networks(config.init, device)
            load_strict(self.generator, generator.state_dict(), Path(config.init))
            load_strict(self.encoder, encoder.state_dict(), Path(config.init))
            self.encoder.requires_grad_(config.train_encoder)
        else:
            self.encoder.mean.copy_(self.data.vectors(range(min(len(self.data), 4000))).mean(dim=0))
        self.latents = self.targets = None  # of the mapping stage, made when it begins

    def step(self, step, generator):
        """Take one step of the stage that `step` falls into; returns its losses."""
        set_precision(self.generator, self.config.precision)
        stage, start, stop = next(s for s in self.stages if step < s[2])
        progress = (step - start) / (stop - start)
        if stage == "mapping":
            return self._map(generator, progress)
        if stage == "joint":
            return self._joint(step, progress)
        return self._draw_rendered(step, self.sizes.get(stage, self.config.resolution), generator)

    def _draw_rendered(self, step, resolution, generator):
        num = self.config.batch * max(1, min(4, self.config.resolution // (2 * resolution)))
        indices = index_order(derive_seed("rendered-fit"), len(self.data), num, step)[own_rows(num)]
        known = self.data.half_mirrored(indices, resolution, self.device, generator)
        drawn = self._synthesize(self._encode(known.vector), resolution)
        loss, figures = self._loss(drawn, known)
        descend(self.draw_optimizer, loss, cosine(step / self.draw_end) * self.config.lr)
        return figures

    def _map(self, generator, progress):
        if self.latents is None:
            self.latents, self.targets = scenes_without_images(self.config.num_latents)
        num = self.config.mapping_batch
        rows = torch.randint(len(self.latents), (num,), generator=generator)[own_rows(num)]
        z, vector = self.latents[rows].to(self.device), self.targets[rows].to(self.device)
        with torch.no_grad():
            target = self._encode(vector)
        error = self.generator.mapping(z)[:, 0] - target
        loss = error.square().mean()
        descend(self.map_optimizer, loss, cosine(progress) * (self.config.mapping_lr * self.mapping_lr_scale))
        unexplained = error.square().sum() / (target - target.mean(0)).square().sum()
        return {"loss": loss.item(), "unexplained": unexplained.item()}

    def _joint(self, step, progress):
        num = self.config.batch
        indices = index_order(derive_seed("rendered-fit", "joint"), len(self.data), num, step)[own_rows(num)]
        known = self.data.renders(indices, self.config.resolution, self.device)
        w = self.generator.mapping(self.data.latents(indices).to(self.device))[:, 0]
        loss, figures = self._loss(self._synthesize(w, self.config.resolution), known)
        rates = [cosine(progress) * group["base_lr"] for group in self.joint_optimizer.param_groups]
        descend(self.joint_optimizer, loss, rates)
        return figures

    def _loss(self, drawn, known):
        image, weight, _ = known
        loss = pixel_fit_loss(drawn, image, weight)
        figures = {"psnr": psnr(drawn, image)}
        if self.judge is not None and drawn.shape[-1] == self.judge.config.resolution:
            distance = feature_distance(self.judge.trunk, drawn, image)
            loss, figures["loss_features"] = loss + self.config.feature_weight * distance, distance.item()
        return loss, {"loss": loss.item(), **figures}

    def about(self) -> dict:
        """What the generator's component records of its training."""
        return {"training": "fitted by regression to rendered portraits", "data": ", ".join(self.config.data)}

    def _encode(self, vector):
        return self.encoder(vector)

    def export(self, outdir, step):
        """Write the generator, and the scene encoder, from which a later fit can go on."""
        super().export(outdir, step)
        encoder = self.encoder
        write_component(outdir, ENCODER, encoder.kind, to_dict(encoder.config), encoder.state_dict(), step=step)

    def _compare(self, num, purpose):
        """Unseen renders, what is drawn from their scenes, and from their z; [N, 3, R, R] on the CPU."""
        set_precision(self.generator, "fp32")  # as it is used
        indices = range(min(num, len(self.eval_data)))
        image, _, vector = self.eval_data.renders(indices, self.config.resolution, self.device)
        drawn = self._synthesize(self._encode(vector), self.config.resolution)
        w = self.generator.mapping(self.eval_data.latents(indices).to(self.device))[:, 0]
        return image.cpu(), drawn.cpu(), self._synthesize(w, self.config.resolution).cpu()


def fitted_networks(folder: str | Path, device) -> tuple[Generator, SceneEncoder]:
    """The generator and the scene encoder that a fit wrote; ConfigError where the folder holds others."""
    found = []
    for name, kind in (("generator", Generator), (ENCODER, SceneEncoder)):
        network = load_network_component(Path(folder) / f"{name}.json", device)
        if not isinstance(network, kind):
            raise ConfigError(f"{folder}/{name}.json: is no {kind.kind}; --init names the folder of a fit")
        found.append(network)
    return tuple(found)


def scenes_without_images(num: int) -> tuple[Tensor, Tensor]:
    """Latents [num, Z_DIM] and the vectors [num, VECTOR_SIZE] of their scenes under the biased distribution."""
    z = torch.randn(num, Z_DIM, generator=torch.Generator().manual_seed(derive_seed("rendered-fit", "latents")))
    vectors = [torch.from_numpy(scene_vector(sample_scene(0, "biased", z=row))) for row in z.tolist()]
    return z, torch.stack(vectors)
