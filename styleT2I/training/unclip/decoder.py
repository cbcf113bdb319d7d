"""Trainings of unCLIP's decoder, from embeddings and captions to images, and of its upsampler."""

from __future__ import annotations

from pathlib import Path

import torch
from torch.nn import functional as F

from styleT2I.baselines.unclip.decoder import UnclipDecoder
from styleT2I.baselines.unclip.diffusion import (
    NUM_TRAIN_STEPS,
    abar_table,
    add_noise,
    learned_range_loss,
    target_of,
    x0_of,
)
from styleT2I.baselines.unclip.upsampler import UnclipUpsampler, blurred, enlarge
from styleT2I.data.training.augment import drop_rows
from styleT2I.errors import ConfigError
from styleT2I.evaluation.measures.embedded_data import resized
from styleT2I.torch_utils.distributed import draw_rows
from styleT2I.torch_utils.images import make_grid_u8, save_png, to_uint8
from styleT2I.torch_utils.seeding import SeedNoise, generator
from styleT2I.training.unclip.task import UnclipTask, training_steps, write_stack

NUM_SHOWN = 8  # images of a row of samples
VARIANCE_WEIGHT = NUM_TRAIN_STEPS / 1000  # of the bound beside the squared error (Nichol and Dhariwal 2021)


class UnclipDecoderTask(UnclipTask):
    """Embedding and caption are dropped independently; the log compares the loss under the own, no and another's z_i.

    A decoder that uses the embedding has own < none < another's.
    """

    name = "unclip"
    keeps_images = True

    def build(self) -> torch.nn.Module:
        network = UnclipDecoder(self.fitted(self.config.network))
        mean, std = self.data.statistics()
        network.mean.copy_(mean)
        network.std.copy_(std)
        self.abar = abar_table(network.config.schedule)
        return network

    @property
    def is_recordable(self) -> bool:
        """Not with a learned variance, whose bound is found on the CPU."""
        return not self.network.config.learns_variance

    def inputs(self, indices: list[int], told: list[int], rng: torch.Generator) -> tuple:
        config = self.network.config
        x0 = self.data.image_batch(indices, config.resolution)
        caption, _ = self.captions(told, rng)
        given = drop_rows(len(indices), self.config.image_drop, rng).to(self.device)
        step = training_steps(len(indices), rng)
        noise = draw_rows(torch.randn, *x0.shape, generator=rng).to(x0)
        xt = add_noise(x0, noise, self.abar[step])
        target = target_of(x0, noise, self.abar[step], config.prediction)
        read = (xt, step, self.data.embedding_batch(indices), given, *caption)
        return read, target, x0 if config.learns_variance else None

    def loss(self, read: tuple[torch.Tensor, ...], target: torch.Tensor, x0: torch.Tensor | None):
        output, config = self.network(*read), self.network.config
        if x0 is None:
            return F.mse_loss(output, target), {}
        xt, step = read[0], read[1].cpu()
        output, variance = output.chunk(2, dim=1)
        error = F.mse_loss(output, target)
        mean_x0 = x0_of(output, xt, self.abar[step], config.prediction)
        bound = learned_range_loss(x0, xt, mean_x0, variance, step, self.abar)
        return error + VARIANCE_WEIGHT * bound, {"squared_error": error, "bits_per_number": bound}

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        metrics = super().evaluate(step)
        if self.eval_data is None:
            return metrics
        num = min(self.config.eval_num, len(self.eval_data))
        sums = {"own": 0.0, "none": 0.0, "another": 0.0}
        for start in range(0, num, self.config.batch_size):
            rows = list(range(start, min(start + self.config.batch_size, num)))
            for name, error in self._errors(rows).items():
                sums[name] += error.sum().item() / num
        return metrics | {f"error_{name}_embedding": value for name, value in sums.items()}

    @torch.no_grad()
    def snapshot(self, step: int, outdir: Path) -> None:
        """Write unseen images above the averaged decoder's images of their embeddings, without captions."""
        data = self.eval_data or self.data
        rows, side = list(range(min(NUM_SHOWN, len(data)))), self.average.resolution
        noise = SeedNoise(rows, "decoder", self.device)
        caption = self.null.expand(len(rows))
        config = self.config
        made = self.average.draw(
            noise((3, side, side)), data.embedding_batch(rows), caption, self.null, self.abar, noise,
            config.eval_steps, 1.0, 1.0,
        )  # fmt: skip
        images = torch.cat([data.image_batch(rows, side), made])
        grid = make_grid_u8(to_uint8(images), len(rows), scale=-(-96 // side))
        save_png(Path(outdir) / f"samples-{step:06d}.png", grid)

    def export(self, outdir: Path, step: int) -> None:
        """Write the decoder, and a model.json that joins it with the CLIP and the other networks that are named."""
        super().export(outdir, step)
        config = self.config
        given = {"unclip_prior": config.prior, "unclip_ar_prior": config.ar_prior, "unclip_upsampler": config.upsampler}
        write_stack(outdir, self.name, {role: path for role, path in given.items() if path}, config.clip, config.data)

    def _errors(self, rows):
        """Squared errors [N] of unseen images by the embedding given, on the same steps and noise, without words."""
        network, data = self.average, self.eval_data
        rng = generator("decoder evaluation", rows[0])
        x0, z = data.image_batch(rows, network.resolution), data.embedding_batch(rows)
        step = torch.randint(NUM_TRAIN_STEPS, (len(rows),), generator=rng)
        noise = torch.randn(x0.shape, generator=rng).to(x0)
        xt = add_noise(x0, noise, self.abar[step])
        target = target_of(x0, noise, self.abar[step], network.config.prediction)
        everyone = torch.ones(len(rows), dtype=torch.bool, device=self.device)
        asked = {"own": (z, everyone), "none": (z, ~everyone), "another": (z.roll(1, dims=0), everyone)}
        caption = self.null.expand(len(rows))
        answers = {
            name: network(xt, step.to(self.device), *given, *caption)[:, :3] for name, given in asked.items()
        }  # fmt: skip
        return {name: (answer - target).square().mean(dim=(1, 2, 3)) for name, answer in answers.items()}


class UnclipUpsamplerTask(UnclipTask):
    """Learns on random crops; the smaller image is blurred in half of the rows, before it is enlarged."""

    name = "unclip_upsampler"
    keeps_images = True
    keeps_embeddings = False

    def build(self) -> torch.nn.Module:
        network = UnclipUpsampler(self.config.network)
        sizes = network.config
        if self.config.crop % sizes.unet.divisor or not 1 <= self.config.crop <= sizes.resolution:
            raise ConfigError(
                f"crop is a multiple of {sizes.unet.divisor} up to {sizes.resolution} for this UNet, "
                f"got {self.config.crop}"
            )
        self.abar = abar_table(sizes.schedule)
        return network

    def inputs(self, indices: list[int], told: list[int], rng: torch.Generator) -> tuple:
        sizes, crop = self.network.config, self.config.crop
        image = self.data.image_batch(indices, sizes.resolution)
        low = resized(image, sizes.low_resolution)
        is_sharp = drop_rows(len(indices), self.config.blur_rate, rng).to(self.device)
        low = torch.where(is_sharp.view(-1, 1, 1, 1), low, blurred(low))
        places = _places(len(indices), sizes.resolution - crop + 1, rng)
        x0, enlarged = (_crops(rows, places, crop) for rows in (image, enlarge(low, sizes.resolution)))
        step = training_steps(len(indices), rng)
        noise = draw_rows(torch.randn, *x0.shape, generator=rng).to(x0)
        target = target_of(x0, noise, self.abar[step], sizes.prediction)
        return add_noise(x0, noise, self.abar[step]), step, enlarged, target

    def loss(self, xt: torch.Tensor, step: torch.Tensor, enlarged: torch.Tensor, target: torch.Tensor):
        return F.mse_loss(self.network(xt, step, enlarged), target), {}

    @torch.no_grad()
    def snapshot(self, step: int, outdir: Path) -> None:
        """Write unseen images: small ones enlarged, made larger by the averaged network, and the true ones."""
        data, sizes = self.eval_data or self.data, self.network.config
        rows = list(range(min(NUM_SHOWN, len(data))))
        image = data.image_batch(rows, sizes.resolution)
        low = resized(image, sizes.low_resolution)
        noise = SeedNoise(rows, "upsampler", self.device)
        made = self.average.draw(low, self.abar, noise, self.config.eval_steps, 0.0)
        images = torch.cat([enlarge(low, sizes.resolution), made, image])
        scale = -(-96 // sizes.resolution)
        save_png(Path(outdir) / f"samples-{step:06d}.png", make_grid_u8(to_uint8(images), len(rows), scale=scale))

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Mean square distance of the averaged network's images and of bicubic ones to the true ones, unseen."""
        metrics = super().evaluate(step)
        if self.eval_data is None:
            return metrics
        sizes, rows = self.network.config, list(range(min(self.config.eval_num, len(self.eval_data))))
        image = self.eval_data.image_batch(rows, sizes.resolution)
        low = resized(image, sizes.low_resolution)
        made = self.average.draw(low, self.abar, SeedNoise(rows, "upsampler", self.device), self.config.eval_steps, 0.0)
        bicubic = enlarge(low, sizes.resolution).clamp(-1, 1)
        return metrics | {"error": F.mse_loss(made, image).item(), "error_bicubic": F.mse_loss(bicubic, image).item()}


def _places(num, count, rng):
    """Of each image a (top, left) below `count`."""
    return draw_rows(lambda num: torch.randint(count, (num, 2), generator=rng), num).tolist()


def _crops(images, places, side):
    """From each image the square at its (top, left)."""
    return torch.stack([
        image[:, top : top + side, left : left + side] for image, (top, left) in zip(images, places, strict=True)
    ])  # fmt: skip
