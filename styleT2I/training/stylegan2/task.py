"""StyleGAN2's adversarial training as a task of training.engine.

Non-saturating loss, lazy R1 and path-length regularisation, style mixing, moving average of the generator
(StyleGAN2, sections 3 and appendix B; the schedule of phases is StyleGAN2-ADA's).
"""

from __future__ import annotations

import copy
import functools
from dataclasses import replace
from pathlib import Path

import torch

from styleT2I.config import override, to_dict
from styleT2I.data.dataset import index_order, open_dataset
from styleT2I.data.training.augment import augment_for_clip
from styleT2I.errors import ConfigError, DataError
from styleT2I.formats.component import write_component
from styleT2I.formats.foreign.registry import read_network
from styleT2I.networks.registry import load_network_component
from styleT2I.networks.stylegan2.config import half_dtype, set_precision
from styleT2I.networks.stylegan2.discriminator import Discriminator
from styleT2I.networks.stylegan2.generator import Generator, mix_styles
from styleT2I.torch_utils.ahead import Ahead
from styleT2I.torch_utils.distributed import average_gradients, draw_rows, num_processes, own_rows
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, save_png
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.stylegan2.augmentation import AugmentationStrength, augment
from styleT2I.training.stylegan2.evaluation import JudgeFeatures, PixelFeatures, SampleEvaluation, seeds_grid
from styleT2I.training.stylegan2.losses import (
    logistic_discriminator_loss,
    nonsaturating_generator_loss,
    path_length_loss,
    path_lengths,
    r1_penalty,
)

ADAM_BETAS = (0.0, 0.99)


class StyleGAN2Task(NetworkTask):
    """Generator G, discriminator D and the averaged generator G_ema, which is what a run is for."""

    name = "stylegan2"
    parts = ("G", "D", "G_ema", "G_optimizer", "D_optimizer")

    def setup(self, device: torch.device) -> None:
        """Open the data and build the networks; DataError or ConfigError where something does not fit."""
        config = self.config
        self.device = device
        resolution = config.generator.resolution
        self.data = open_dataset(config.data, resolution, with_masks=False)
        self.images_of = Ahead(functools.partial(_images, self.data, self.seed, config.batch_size, self._own_rows()))
        self.c_dim = len(self.data.attribute_names) if config.use_labels else 0
        if config.use_labels and not self.c_dim:
            raise DataError(f"{config.data}: has no attributes to condition on; leave --labels out")
        self.G = self._build(Generator, config.generator, config.init_generator, "G_ema")
        self.D = self._build(Discriminator, config.discriminator, config.init_discriminator, "D")
        for network in (self.G, self.D):
            set_precision(network, config.precision)
        self.G_ema = copy.deepcopy(self.G).eval().requires_grad_(False)
        self.G_optimizer = _adam(self.G, config.g_lr, config.pl_interval if config.pl_weight else None)
        self.D_optimizer = _adam(self.D, config.d_lr, config.r1_interval if config.r1_gamma else None)
        self.mean_path_length = torch.zeros([], device=device)
        self.augmentation = _augmentation(config)
        self.evaluation = self._build_evaluation(resolution)

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """Update G, then D, each followed by its regulariser when it is due; randomness comes from `rng` alone."""
        config = self.config
        image, c = self._real_batch(step, rng)
        figures = {}
        is_warmup = step * config.batch_size < config.d_warmup_kimg * 1000
        if not is_warmup:
            figures.update(self._update_generator(c, rng))
            if config.pl_weight and step % config.pl_interval == 0:
                figures.update(self._regularise_generator(c, rng))
        figures.update(self._update_discriminator(image, c, rng))
        if config.r1_gamma and step % config.r1_interval == 0:
            figures.update(self._regularise_discriminator(image, c, rng))
        if self.augmentation is not None:
            figures.update(self._move_augmentation())
        if not is_warmup:
            self._average_generator(step)
        return figures

    def state_dict(self) -> dict:
        state = super().state_dict() | {"mean_path_length": self.mean_path_length}
        return state if self.augmentation is None else state | {"augmentation": self.augmentation.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.mean_path_length = state["mean_path_length"].to(self.device)
        if self.augmentation is not None:
            self.augmentation.load_state_dict(state["augmentation"])

    def evaluate(self, step: int) -> dict[str, float]:
        """Distances of the averaged generator's samples to the data."""
        return {"kimg": step * self.config.batch_size / 1000, **self.evaluation.measure(self.G_ema)}

    def snapshot(self, step: int, outdir: Path) -> None:
        """Write a grid of fixed seeds, and once a grid of real images."""
        outdir = Path(outdir)
        grid = seeds_grid(self.G_ema, self.device, self.evaluation.c)
        save_png(outdir / f"samples-{step:07d}.png", grid)
        if not (outdir / "reals.png").exists():
            images_u8 = self.data.batch(list(range(min(32, len(self.data))))).images_u8
            save_png(outdir / "reals.png", make_grid_u8(images_u8, 8, scale=-(-96 // self.G.resolution)))

    def export(self, outdir: Path, step: int) -> None:
        """Write the components generator (the averaged one) and discriminator."""
        info = {"kimg": step * self.config.batch_size / 1000, "training": to_dict(self.config)}
        for name, network in (("generator", self.G_ema), ("discriminator", self.D)):
            config, state = to_dict(network.config), network.state_dict()
            write_component(outdir, name, network.kind, config, state, step=step, info=info)

    def _build(self, cls, config, init, which):
        if init is None:
            return cls(override(config, c_dim=self.c_dim)).to(self.device)
        component = read_network(init, which)
        if half_dtype(self.config.precision) is not None:
            changes = {"num_fp16_res": config.num_fp16_res, "conv_clamp": config.conv_clamp}
            component = replace(component, config=component.config | changes)
        network = load_network_component(component, self.device)
        if network.c_dim != self.c_dim:
            raise ConfigError(f"{init}: takes {network.c_dim} labels, this run gives {self.c_dim}; see --labels")
        return network.train().requires_grad_(True)

    def _build_evaluation(self, resolution):
        config = self.config
        data = self.data
        if config.eval_data is not None:
            data = open_dataset(config.eval_data, resolution, with_masks=False)
        extractor = PixelFeatures()
        if config.judge is not None:
            extractor = JudgeFeatures(load_network_component(config.judge, self.device))
        c = None
        if self.c_dim:
            c = data.batch(list(range(min(config.eval_num, len(data))))).attributes.float()
        return SampleEvaluation(extractor, data, config.eval_num, self.device, c)

    def _real_batch(self, step, rng):
        """This process's real images [n,3,R,R] in [-1,1], part by part, and the whole batch's labels c [N,c_dim] or
        None."""
        num, own = self.config.batch_size, self._own_rows()
        image = from_uint8(self.images_of(step).to(self.device, non_blocking=True))
        if self.config.mirror:
            is_mirrored = (torch.rand(num, generator=rng) < 0.5)[own].to(self.device)
            image = torch.where(is_mirrored[:, None, None, None], image.flip(3), image)
        if not self.c_dim:
            return image, None
        return image, self.data.labels_of(index_order(self.seed, len(self.data), num, step)).float().to(self.device)

    def _own_rows(self):
        """This process's rows of the batch, part by part."""
        return [row for rows, _ in self._parts(self.config.batch_size) for row in rows]

    def _parts(self, num):
        """Yield the rows of a batch of `num` that this process computes at a time, and the part's share of the batch.

        A part is of all processes together, so that the same rows are compared with each other as in one process.
        """
        size = self.config.micro_batch or num
        for start in range(0, num, size):
            rows = list(range(start, min(start + size, num)))
            yield rows[own_rows(len(rows))], len(rows) / num

    def _image_parts(self, image, c):
        """Yield as `_parts` this process's images and their labels, and the part's share of the batch."""
        start = 0
        for rows, share in self._parts(len(image) * num_processes()):
            yield image[start : start + len(rows)], None if c is None else c[rows], share
            start += len(rows)

    def _draw(self, num, c, rng, update_w_avg=False):
        """Return ws [num,num_ws,w_dim] of new latents, styles mixed, and their images with random noise."""

        def latents():
            return draw_rows(torch.randn, num, self.G.z_dim, generator=rng).to(self.device)

        ws = self.G.mapping(latents(), c, update_w_avg=update_w_avg)
        if self.config.style_mixing:
            ws = mix_styles(ws, self.G.mapping(latents(), c), rng, self.config.style_mixing)
        # A GPU draws its own noise, from torch's generator that the engine seeds for each step: the CPU is too slow.
        return ws, self.G.synthesis(ws, noise_mode="random", generator=rng if self.device.type == "cpu" else None)

    def _descend(self, optimizer):
        """Update; in half precision not by gradients that overflowed somewhere."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        average_gradients(parameters)
        grads = [p.grad for p in parameters if p.grad is not None]
        if half_dtype(self.config.precision) is None or torch.nn.utils.get_total_norm(grads).isfinite():
            optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    def _discriminate(self, image, c, rng):
        return self.D(self._augment(image, rng), c)

    def _augment(self, image, rng):
        if self.augmentation is not None:
            image = augment(image, self.augmentation.p, rng)
        return augment_for_clip(image, rng, jitter=self.config.jitter, translate=self.config.translate)

    def _move_augmentation(self):
        mean_sign = self.augmentation.move()
        return {"augment_p": self.augmentation.p} | ({} if mean_sign is None else {"real_sign": mean_sign})

    def _update_generator(self, c, rng):
        num = self.config.batch_size
        total, logits = 0.0, 0.0
        self.D.requires_grad_(False)
        for rows, share in self._parts(num):
            labels = None if c is None else c[rows]
            _, image = self._draw(len(rows), labels, rng, update_w_avg=True)
            fake_logits = self._discriminate(image, labels, rng)
            loss = nonsaturating_generator_loss(fake_logits) * share
            loss.backward()
            total, logits = total + loss.item(), logits + fake_logits.mean().item() * share
        self.D.requires_grad_(True)
        self._descend(self.G_optimizer)
        return {"loss_g": total, "fake_logit": logits}

    def _regularise_generator(self, c, rng):
        config = self.config
        num = max(config.batch_size // config.pl_batch_shrink, 1)
        total = 0.0
        for rows, share in self._parts(num):
            ws, image = self._draw(len(rows), None if c is None else c[rows], rng)
            noise = draw_rows(torch.randn, *image.shape, generator=rng).to(image)
            lengths = path_lengths(image, ws, noise)
            loss, self.mean_path_length = path_length_loss(lengths, self.mean_path_length, config.pl_decay)
            (loss * config.pl_weight * config.pl_interval * share).backward()
            total += loss.item() * share
        self._descend(self.G_optimizer)
        return {"loss_pl": total, "path_length": self.mean_path_length.item()}

    def _update_discriminator(self, image, c, rng):
        total, logits = 0.0, 0.0
        for real, labels, share in self._image_parts(image, c):
            with torch.no_grad():
                _, fake = self._draw(len(real), labels, rng)
            fake_logits = self._discriminate(fake, labels, rng)
            real_logits = self._discriminate(real, labels, rng)
            if self.augmentation is not None:
                self.augmentation.observe(real_logits)
            loss = logistic_discriminator_loss(real_logits, fake_logits) * share
            loss.backward()
            total, logits = total + loss.item(), logits + real_logits.mean().item() * share
        self._descend(self.D_optimizer)
        return {"loss_d": total, "real_logit": logits}

    def _regularise_discriminator(self, image, c, rng):
        config = self.config
        num, total = len(image), 0.0
        for real, labels, _ in self._image_parts(image, c):
            real = self._augment(real, rng).detach().requires_grad_(True)  # what D is shown, as R1 is of that
            penalty = r1_penalty(self.D(real, labels), real).sum() / num
            (penalty * (config.r1_gamma / 2) * config.r1_interval).backward()
            total += penalty.item()
        self._descend(self.D_optimizer)
        return {"loss_r1": total}

    @torch.no_grad()
    def _average_generator(self, step):
        """Move G_ema towards G so that the weight of an image halves every ema_kimg thousand images."""
        config = self.config
        half_life = config.ema_kimg * 1000
        if config.ema_rampup is not None:
            half_life = min(half_life, (step + 1) * config.batch_size * config.ema_rampup)
        beta = 0.5 ** (config.batch_size / max(half_life, 1e-8))
        for average, current in zip(self.G_ema.parameters(), self.G.parameters(), strict=True):
            average.copy_(current.lerp(average, beta))
        for average, current in zip(self.G_ema.buffers(), self.G.buffers(), strict=True):
            average.copy_(current)


def _images(data, seed, batch_size, rows, step):
    """Images, uint8 [n, 3, R, R], of some rows of a step's batch."""
    indices = index_order(seed, len(data), batch_size, step)
    return data.batch([indices[row] for row in rows]).images_u8


def _augmentation(config):
    """The strength of what D's images go through, None where they are left alone."""
    if config.augment == "none":
        return None
    if config.augment == "fixed":
        return AugmentationStrength(None, 1.0, p=config.augment_p)
    return AugmentationStrength(config.augment_target, config.augment_kimg * 1000)


def _adam(network, lr, interval):
    """Adam whose rate and decay account for one more update in every `interval` (None: none), StyleGAN2 appendix B."""
    ratio = 1.0 if interval is None else interval / (interval + 1)
    betas = tuple(beta**ratio for beta in ADAM_BETAS)
    return torch.optim.Adam(network.parameters(), lr=lr * ratio, betas=betas, eps=1e-8)
