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
from styleT2I.errors import ConfigError, DataError
from styleT2I.formats.component import write_component
from styleT2I.formats.foreign.registry import read_network
from styleT2I.networks.registry import load_network_component
from styleT2I.networks.stylegan2.config import half_dtype, set_precision
from styleT2I.networks.stylegan2.discriminator import Discriminator
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.torch_utils.ahead import Ahead
from styleT2I.torch_utils.distributed import num_processes, own_rows
from styleT2I.torch_utils.hardware.recorded_steps import RecordedSteps, read
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, save_png
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, held_fixed
from styleT2I.training.stylegan2.augmentation import AugmentationStrength
from styleT2I.training.stylegan2.draws import Draws
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
        self.steps = RecordedSteps(device, [self.G_optimizer, self.D_optimizer])
        self.draws = Draws(config, self.G, with_noise=not self.steps.draws_own_noise)
        self.evaluation = self._build_evaluation(resolution)

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """Update G, then D, each followed by its regulariser when it is due; randomness comes from `rng` alone."""
        config, num, steps = self.config, self.config.batch_size, self.steps
        p = 0.0 if self.augmentation is None else self.augmentation.p
        image, c = self._real_batch(step, rng)
        metrics = {}
        is_warmup = step * num < config.d_warmup_kimg * 1000
        if not is_warmup:
            fakes = tuple(self.draws.fakes(*part, p, rng) for part in self._parts(num, c))
            metrics |= steps("generator", self._update_generator, fakes)
        if not is_warmup and config.pl_weight and step % config.pl_interval == 0:
            num_paths = max(num // config.pl_batch_shrink, 1)
            paths = tuple(self.draws.paths(*part, rng) for part in self._parts(num_paths, c))
            metrics |= steps("path length", self._regularise_generator, paths)
        pairs = tuple(self.draws.pairs(*part, p, rng) for part in self._image_parts(image, c))
        metrics |= steps("discriminator", self._update_discriminator, pairs)
        if config.r1_gamma and step % config.r1_interval == 0:
            reals = tuple(self.draws.reals(real, labels, p, rng) for real, labels, _ in self._image_parts(image, c))
            metrics |= steps("R1", self._regularise_discriminator, reals)
        if not is_warmup:
            steps("average", self._average_generator, self._weight_of_average(step))
        figures = read(metrics)
        sign_sum = figures.pop("sign_sum")
        if self.augmentation is not None:
            self.augmentation.observe(sign_sum, len(image))
            figures |= self._move_augmentation()
        return figures

    def state_dict(self) -> dict:
        state = super().state_dict() | {"mean_path_length": self.mean_path_length}
        return state if self.augmentation is None else state | {"augmentation": self.augmentation.state_dict()}

    def load_state_dict(self, state: dict) -> None:
        super().load_state_dict(state)
        self.mean_path_length.copy_(state["mean_path_length"])
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
        """This process's real images [n,3,R,R] in [-1,1], part by part, and the whole batch's labels c [N,c_dim] on
        the CPU, or None."""
        num, own = self.config.batch_size, self._own_rows()
        image = from_uint8(self.images_of(step).to(self.device, non_blocking=True))
        if self.config.mirror:
            is_mirrored = (torch.rand(num, generator=rng) < 0.5)[own].to(self.device)
            image = torch.where(is_mirrored[:, None, None, None], image.flip(3), image)
        if not self.c_dim:
            return image, None
        return image, self.data.labels_of(index_order(self.seed, len(self.data), num, step)).float()

    def _own_rows(self):
        """This process's rows of the batch, part by part."""
        return [row for rows, _ in self._rows(self.config.batch_size) for row in rows]

    def _rows(self, num):
        """Yield the rows of a batch of `num` that this process computes at a time, and the part's share of the batch.

        A part is of all processes together, so that the same rows are compared with each other as in one process.
        """
        size = self.config.micro_batch or num
        for start in range(0, num, size):
            rows = list(range(start, min(start + size, num)))
            yield rows[own_rows(len(rows))], len(rows) / num

    def _parts(self, num, c):
        """Yield as `_rows` the number of rows, their labels, and the part's share of the batch."""
        for rows, share in self._rows(num):
            yield len(rows), None if c is None else c[rows], share

    def _image_parts(self, image, c):
        """Yield as `_rows` this process's images and their labels, and the part's share of the batch."""
        start = 0
        for num, labels, share in self._parts(len(image) * num_processes(), c):
            yield image[start : start + num], labels, share
            start += num

    def _draw(self, latents, update_w_avg=False):
        """Return ws [N,num_ws,w_dim] of latents, styles mixed, and their images with random noise."""
        ws = self.G.mapping(latents.z, latents.c, update_w_avg=update_w_avg)
        if latents.other_z is not None:
            ws = torch.where(latents.is_other[:, :, None], self.G.mapping(latents.other_z, latents.c), ws)
        return ws, self.G.synthesis(ws, noise_mode="random", noise=latents.noise)

    def _shown(self, image, shown):
        return shown(image, is_whole=self.steps.draws_own_noise)

    def _descend(self, optimizer, backward):
        """Update by the gradients that backward() adds; in half precision not by those that overflowed somewhere."""
        is_half = half_dtype(self.config.precision) is not None
        return descend(optimizer, backward, None, skips_overflow=is_half)

    def _move_augmentation(self):
        mean_sign = self.augmentation.move()
        return {"augment_p": self.augmentation.p} | ({} if mean_sign is None else {"real_sign": mean_sign})

    def _update_generator(self, parts):
        def backward():
            total, logits = [], []
            for latents, shown, share in parts:
                _, image = self._draw(latents, update_w_avg=True)
                fake_logits = self.D(self._shown(image, shown), latents.c)
                loss = nonsaturating_generator_loss(fake_logits) * share
                loss.backward()
                total.append(loss.detach())
                logits.append(fake_logits.detach().mean() * share)
            return {"loss_g": sum(total), "fake_logit": sum(logits)}

        with held_fixed(self.D):
            return self._descend(self.G_optimizer, backward)

    def _regularise_generator(self, parts):
        config = self.config

        def backward():
            total = []
            for latents, noise, share in parts:
                ws, image = self._draw(latents)
                lengths = path_lengths(image, ws, noise.to(image))
                loss, mean_length = path_length_loss(lengths, self.mean_path_length, config.pl_decay)
                (loss * config.pl_weight * config.pl_interval * share).backward()
                self.mean_path_length.copy_(mean_length)
                total.append(loss.detach() * share)
            return {"loss_pl": sum(total), "path_length": self.mean_path_length}

        return self._descend(self.G_optimizer, backward)

    def _update_discriminator(self, parts):
        def backward():
            total, logits, signs = [], [], []
            for real, latents, shown_fake, shown_real, share in parts:
                with torch.no_grad():
                    _, fake = self._draw(latents)
                fake_logits = self.D(self._shown(fake, shown_fake), latents.c)
                real_logits = self.D(self._shown(real, shown_real), latents.c)
                loss = logistic_discriminator_loss(real_logits, fake_logits) * share
                loss.backward()
                total.append(loss.detach())
                logits.append(real_logits.detach().mean() * share)
                signs.append(real_logits.detach().sign().sum())
            return {"loss_d": sum(total), "real_logit": sum(logits), "sign_sum": sum(signs)}

        return self._descend(self.D_optimizer, backward)

    def _regularise_discriminator(self, parts):
        config, num = self.config, sum(len(real) for real, _, _ in parts)

        def backward():
            total = []
            for real, c, shown in parts:
                real = self._shown(real, shown).detach().requires_grad_(True)  # what D is shown, as R1 is of that
                penalty = r1_penalty(self.D(real, c), real).sum() / num
                (penalty * (config.r1_gamma / 2) * config.r1_interval).backward()
                total.append(penalty.detach())
            return {"loss_r1": sum(total)}

        return self._descend(self.D_optimizer, backward)

    def _weight_of_average(self, step):
        """That of the averaged generator beside G's, so that an image's halves every ema_kimg thousand images."""
        config = self.config
        half_life = config.ema_kimg * 1000
        if config.ema_rampup is not None:
            half_life = min(half_life, (step + 1) * config.batch_size * config.ema_rampup)
        return 0.5 ** (config.batch_size / max(half_life, 1e-8))

    @torch.no_grad()
    def _average_generator(self, keep):
        """Move G_ema towards G; keep: the weight of its old value."""
        for average, current in zip(self.G_ema.parameters(), self.G.parameters(), strict=True):
            average.copy_(current.lerp(average, keep))
        for average, current in zip(self.G_ema.buffers(), self.G.buffers(), strict=True):
            average.copy_(current)
        return {}


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
