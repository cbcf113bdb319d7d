"""Fitting a StyleGAN2 generator to the MiniFaces renderer by regression: minutes instead of hours on a CPU.

A linear scene encoder gives w for a known scene, the synthesis network learns to draw it (16, 32, then 64 pixels), the
mapping network learns the encoder's w from z, and at the end both are trained together from z to the image. The
result has StyleGAN2's architecture, but was not trained as a GAN: its W is closer to linear in the attributes than that
of a generator trained adversarially.
"""

import torch
import torch.nn.functional as F

from styleT2I.config import to_dict
from styleT2I.data.minifaces.renderer import REGIONS, render
from styleT2I.data.minifaces.scene import ATTRIBUTES, NUISANCES, Z_DIM, Scenes, scenes_from_latents
from styleT2I.formats.component import write_component
from styleT2I.networks.stylegan2.config import GeneratorConfig
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.networks.stylegan2.layers import FullyConnected
from styleT2I.torch_utils.distributed import draw_rows, num_own_rows
from styleT2I.torch_utils.images import make_grid_u8, save_png, to_uint8
from styleT2I.torch_utils.seeding import generator as seeded
from styleT2I.training.losses import pixel_fit_loss
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend
from styleT2I.training.stylegan2.renderer_fit_config import RendererFitConfig

_PIXEL_WEIGHTS = {"mouth": 5.0, "eyes": 2.0, "glasses": 2.0, "earrings": 2.0, "beard": 1.0, "hat": 1.0, "ears": 1.0}
_SCENE_DIM = len(ATTRIBUTES) + len(NUISANCES)
_MIN_PULLED_LOGIT = 0.16  # just beyond where the renderer fades an attribute out
_BETAS = (0.9, 0.99)  # of every Adam
_STAGE_SIZES = {"draw-16": 16, "draw-32": 32}


class RendererFit(NetworkTask):
    """The training task: `step` draws scenes from a seeded generator, renders them and takes one optimisation step."""

    name = "renderer-fit"
    parts = ("generator", "encoder", "draw_optimizer", "map_optimizer", "joint_optimizer")

    def __init__(self, config: RendererFitConfig):
        super().__init__(config, config.steps)
        total_steps = config.steps
        first = int(config.share_16 * total_steps)
        second = first + int(config.share_32 * total_steps)
        mapping = int((1 - config.share_joint - config.share_mapping) * total_steps)
        joint = int((1 - config.share_joint) * total_steps)
        self.stages = (  # name, first step, step after the last
            ("draw-16", 0, first),
            ("draw-32", first, second),
            ("draw", second, mapping),
            ("mapping", mapping, joint),
            ("joint", joint, total_steps),
        )
        self.mapping_lr_scale = 1 / GeneratorConfig(config.resolution).mapping_lr_multiplier

    def setup(self, device):
        """Build the networks; their initial weights depend on nothing but torch's seed."""
        config = self.config
        self.device = device
        self._build(config, Z_DIM, lambda: FullyConnected(_SCENE_DIM, config.w_dim))
        z = torch.randn(20000, Z_DIM, generator=seeded("renderer-fit", "mean"))
        vectors = scenes_from_latents(z, config.distribution).vector()
        self.mean = vectors.mean(dim=0).to(device)  # [S]

    def _build(self, config, z_dim, make_encoder):
        """The generator, the encoder of scenes to w, and the optimizer of each stage: drawing, mapping, both."""
        shape = GeneratorConfig(
            resolution=config.resolution,
            z_dim=z_dim,
            w_dim=config.w_dim,
            channels=config.channels,
            mapping_layers=config.mapping_layers,
            mapping_hidden_dim=config.mapping_hidden_dim,
        )
        self.generator = Generator(shape).to(self.device)
        for name, parameter in self.generator.named_parameters():
            parameter.requires_grad_(not name.endswith("noise_strength"))  # scenes have none; a finish may train it
        self.encoder = make_encoder().to(self.device)
        drawing = [p for p in self.generator.synthesis.parameters() if p.requires_grad]
        mapping = list(self.generator.mapping.parameters())
        self.draw_optimizer = torch.optim.Adam([*drawing, *self.encoder.parameters()], lr=config.lr, betas=_BETAS)
        self.map_optimizer = torch.optim.Adam(mapping, lr=config.mapping_lr * self.mapping_lr_scale, betas=_BETAS)
        groups = [
            {"params": drawing, "base_lr": config.joint_lr},
            {"params": mapping, "base_lr": 0.05 * config.mapping_lr * self.mapping_lr_scale},
        ]
        self.joint_optimizer = torch.optim.Adam(groups, betas=_BETAS)

    def step(self, step, generator):
        """Take one step of the stage that `step` falls into; returns its losses."""
        stage, start, stop = next(s for s in self.stages if step < s[2])
        if stage == "mapping":
            return self._map(generator, (step - start) / (stop - start))
        if stage == "joint":
            return self._joint(generator, (step - start) / (stop - start))
        resolution = _STAGE_SIZES.get(stage, self.config.resolution)
        return self._draw(resolution, generator, step / self.stages[2][2])

    def _draw(self, resolution, generator, progress):
        num = num_own_rows(self.config.batch * max(1, min(4, self.config.resolution // resolution)))
        scenes = scenes_from_latents(draw_rows(torch.randn, num, Z_DIM, generator=generator), self.config.distribution)
        vector, scenes = self._truncated(scenes, draw_psi(num, self.config.min_truncation_psi, generator))
        image, weight = self._target(scenes, resolution)
        drawn = self._synthesize(self._encode(vector), resolution)
        loss = pixel_fit_loss(drawn, image, weight)
        descend(self.draw_optimizer, loss, cosine(progress) * self.config.lr)
        return {"loss": loss.item(), "psnr": psnr(drawn, image)}

    def _map(self, generator, progress):
        num = num_own_rows(self.config.mapping_batch)
        z = draw_rows(torch.randn, num, Z_DIM, generator=generator).to(self.device)
        vector = scenes_from_latents(z.cpu(), self.config.distribution).vector().to(self.device)
        with torch.no_grad():
            target = self._encode(vector)
            weight = self.encoder.weight * self.encoder.weight_gain  # [w_dim, S]
            # Ridge, since some factors hardly move w: their noise would drown the rest.
            inverse = torch.linalg.solve(weight.t() @ weight + torch.eye(_SCENE_DIM, device=self.device), weight.t())
        error = self.generator.mapping(z)[:, 0] - target  # [N, w_dim]
        attribute_error = (error @ inverse.t())[:, : len(ATTRIBUTES)]  # in units of the logits
        loss = error.square().mean() + 2 * attribute_error.square().mean()
        descend(self.map_optimizer, loss, cosine(progress) * self.config.mapping_lr * self.mapping_lr_scale)
        unexplained = error.square().sum() / (target - target.mean(0)).square().sum()
        return {"loss": loss.item(), "unexplained": unexplained.item()}

    def _joint(self, generator, progress):
        z = draw_rows(torch.randn, num_own_rows(self.config.batch), Z_DIM, generator=generator)
        psi = draw_psi(len(z), self.config.min_truncation_psi, generator).to(self.device)
        _, scenes = self._truncated(scenes_from_latents(z, self.config.distribution), psi.cpu())
        image, weight = self._target(scenes, self.config.resolution)
        w = self.generator.mapping(z.to(self.device))[:, 0]
        with torch.no_grad():
            w_avg = self._encode(self.mean[None])
        drawn = self._synthesize(w_avg.lerp(w, psi), self.config.resolution)
        loss = pixel_fit_loss(drawn, image, weight)
        rates = [cosine(progress) * group["base_lr"] for group in self.joint_optimizer.param_groups]
        descend(self.joint_optimizer, loss, rates)
        return {"loss": loss.item(), "psnr": psnr(drawn, image)}

    def _encode(self, vector):
        return self.encoder(vector - self.mean)

    def _truncated(self, scenes, psi):
        """Pull scenes towards the mean scene: the vector [N, S] that w is made of, and the scene it must still show."""
        vector = self.mean.cpu().lerp(scenes.vector(), psi)
        num = len(ATTRIBUTES)
        pulled = vector[:, :num]
        logits = torch.where(scenes.labels, pulled.clamp_min(_MIN_PULLED_LOGIT), pulled.clamp_max(-_MIN_PULLED_LOGIT))
        return vector.to(self.device), Scenes(logits, vector[:, num:])

    def _target(self, scenes, resolution):
        """Renders [N, 3, R, R] and the weight of their pixels [N, 1, R, R]: small parts count more."""
        image, masks = render(scenes, resolution, with_masks=True)
        gains = torch.tensor([_PIXEL_WEIGHTS.get(name, 0.0) for name in REGIONS])
        weight = 1 + torch.einsum("nrhw,r->nhw", masks.float(), gains)
        return image.to(self.device), weight.unsqueeze(1).to(self.device)

    def _synthesize(self, w, resolution):
        """Images [N, 3, R, R] of w [N, w_dim] from the blocks up to R = `resolution`, without noise."""
        synthesis = self.generator.synthesis
        ws = w.unsqueeze(1).expand(-1, synthesis.num_ws, -1)
        x = image = None
        for size in synthesis.resolutions:
            if size <= resolution:
                block = getattr(synthesis, f"b{size}")
                x, image = block(x, image, ws[:, : block.num_convs + 1], "none", None)
        return image

    @torch.no_grad()
    def evaluate(self, step):
        """Peak signal-to-noise ratio of unseen scenes, drawn from their vectors and (once it is trained) from z."""
        image, drawn, from_z = self._compare(256, "evaluate")
        return {"psnr_scene": psnr(drawn, image), "psnr_z": psnr(from_z, image)}

    @torch.no_grad()
    def snapshot(self, step, outdir):
        """A grid: renders, the same scenes from their vectors, and from z."""
        views = self._compare(16, "snapshot")
        rows = torch.cat([to_uint8(view[k : k + 8]) for k in (0, 8) for view in views])
        save_png(outdir / f"fit-{step:06d}.png", make_grid_u8(rows, ncol=8, scale=2))

    def _compare(self, num, purpose):
        """Renders of `num` unseen scenes, what is drawn from their vectors, and from z; [N, 3, R, R] on the CPU."""
        z = torch.randn(num, Z_DIM, generator=seeded("renderer-fit", purpose))
        scenes = scenes_from_latents(z, self.config.distribution)
        image, _ = render(scenes, self.config.resolution)
        drawn = self._synthesize(self._encode(scenes.vector().to(self.device)), self.config.resolution)
        from_z = self._synthesize(self.generator.mapping(z.to(self.device))[:, 0], self.config.resolution)
        return image, drawn.cpu(), from_z.cpu()

    def about(self) -> dict:
        """What the generator's component records of its training."""
        return {
            "training": "fitted by regression to the MiniFaces renderer",
            "distribution": self.config.distribution,
        }

    @torch.no_grad()
    def export(self, outdir, step):
        """Write the generator with the mean of w over 100,000 latents for truncation."""
        generator, mapping = self.generator, self.generator.mapping
        z = torch.randn(100_000, generator.config.z_dim, generator=seeded("renderer-fit", "w_avg"))
        mapping.w_avg.copy_(torch.cat([mapping(part.to(self.device))[:, 0] for part in z.split(10_000)]).mean(dim=0))
        info = {**self.about(), **self.evaluate(step)}
        config, weights = to_dict(generator.config), generator.state_dict()
        write_component(outdir, "generator", Generator.kind, config, weights, step=step, info=info)


def draw_psi(num, low, generator):
    """Truncation psi [num, 1]: 1 for about half of the scenes, uniform in [low, 1] for the others."""
    psi = low + (1 - low) * draw_rows(torch.rand, num, 1, generator=generator)
    return torch.where(draw_rows(torch.rand, num, 1, generator=generator) < 0.5, psi, torch.ones(()))


def cosine(progress):
    """Learning rate factor: half a cosine from 1 to a small rest, over progress 0 ... 1, in single precision."""
    return 0.5 * (1 + torch.cos(torch.tensor(progress * torch.pi)).item()) + 0.002


def psnr(drawn, image):
    """Peak signal-to-noise ratio in dB."""
    mse = F.mse_loss(drawn.clamp(-1, 1), image).item() / 4  # of pixels in [0, 1]
    return -10 * torch.log10(torch.tensor(mse)).item()
