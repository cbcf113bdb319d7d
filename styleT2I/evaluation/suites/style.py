"""Suite "style": what GAN-INT-CLS's style encoder recovers of z, and what a style transfer keeps (Reed et al. 2016)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.prompt import Prompt
from styleT2I.baselines.gan_int_cls import transfer_style
from styleT2I.data.dataset import open_dataset
from styleT2I.errors import CheckpointError, DataError
from styleT2I.evaluation.measures.ranking import NUM_CANDIDATES, Ranking
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.systems.task import readable_scenes
from styleT2I.generation.systems.interface import open_system
from styleT2I.generation.systems.text_gan import TextGAN
from styleT2I.metrics.attributes import success
from styleT2I.statistics.intervals import bootstrap_spread, wilson_interval
from styleT2I.torch_utils.batching import rows_alone
from styleT2I.torch_utils.images import (
    centre_crop_resize,
    from_uint8,
    load_image,
    make_grid_u8,
    text_strip_u8,
    to_uint8,
)
from styleT2I.torch_utils.seeding import generator, latents_of_seeds

_BATCH_SIZE = 64
_FACE_SIZE = 128  # pixels, at least: small faces are enlarged
_STRIP_HEIGHT = 16  # narrow columns: a sentence should fit


class StyleReader:
    """A GAN-INT-CLS and its style encoder; CheckpointError where its model has none that fits."""

    def __init__(self, system: TextGAN):
        self.system, self.encoder = system, system.model.network("style_encoder")
        if self.encoder.config.resolution != system.resolution:
            raise CheckpointError(
                f"{system.name}: its style encoder reads {self.encoder.config.resolution} pixels, but it draws "
                f"{system.resolution}; use the encoder that was trained with it"
            )

    @classmethod
    def open(cls, model: str | Path, device: str = "auto") -> StyleReader:
        """Open a model folder, or a name, that has both."""
        system = open_system(model, device=device)
        if system.role != "gan_int_cls" or not system.model.has("style_encoder"):
            raise CheckpointError(
                f"{model}: is no GAN-INT-CLS with a style encoder; train one: "
                "python -m styleT2I.train_baseline --system gan_int_cls --outdir DIR"
            )
        return cls(system)

    @torch.no_grad()
    def read(self, image: torch.Tensor) -> torch.Tensor:
        """The z [N, z_dim] of images [N, 3, R, R] in [-1, 1], on the CPU."""
        device = self.system.model.device
        return rows_alone(lambda rows: self.encoder(rows).cpu(), _BATCH_SIZE, image.to(device))

    @torch.no_grad()
    def transfer(self, image: torch.Tensor, prompts: Sequence[Prompt]) -> torch.Tensor:
        """Sentence k in the style of image k: [N, 3, R, R] in [-1, 1], on the CPU; no row depends on another."""
        (features,) = self.system.features([prompt.text for prompt in prompts])
        return rows_alone(self._transfer, _BATCH_SIZE, image.to(self.system.model.device), features)

    def _transfer(self, image, features):
        return transfer_style(self.system.network, self.encoder, image, features).cpu()


def open_requested(request: Request) -> dict:
    """The GAN-INT-CLS that a request names, as its option "reader"."""
    source = (request.options["systems"] or ["gan_int_cls"])[0]
    return {"reader": StyleReader.open(source, str(request.model.device))}


@torch.no_grad()
def evaluate_style(request: Request) -> dict:
    """Captions of unseen scenes on the z of seeds 0 ... num - 1, rounded to 8 bits, read back and drawn anew.

    "correlation": of true and recovered z, mean over z's dimensions; "shuffled": the same with z permuted; "explained":
    rate of z's variance that the recovered z accounts for; "found": rate of images whose recovered z is nearer (by
    cosine) to its own z than to 99 others'. "transfer": every image's style with another image's caption: success
    of that caption beside "drawn", that of the first images; "kept": mean correlation between image and transfer of
    what the held-out judge reads of pose, light and colours, beside that of shuffled pairs. 95 % intervals.
    """
    data, reader = request.data, request.options["reader"]
    dataset, system = open_dataset(data, reader.system.resolution, with_masks=False), reader.system
    scenes = readable_scenes(dataset, request.num, [system.understand])
    num = len(scenes)
    if num < NUM_CANDIDATES:
        raise DataError(f"{data}: the suite style needs {NUM_CANDIDATES} captions that are read; raise --num")
    prompts = [system.understand(dataset.captions_of(scene)[0]) for scene in scenes]
    z = latents_of_seeds(range(num), system.network.noise_dim)
    image = from_uint8(to_uint8(system.sample(prompts, range(num))))
    recovered = reader.read(image)
    order = torch.randperm(num, generator=generator("evaluate", "style", "shuffled"))
    each = correlations(z, recovered)
    found = Ranking(range(num), generator("evaluate", "style", "candidates")).found(recovered, z)
    others = prompts[1:] + prompts[:1]
    transferred = from_uint8(to_uint8(reader.transfer(image, others)))
    return {
        "model": reader.system.describe(),
        "num": num,
        "num_dims": z.shape[1],
        **_correlation("correlation", z, recovered),
        **_correlation("shuffled", z[order], recovered),
        "correlation_worst": each.min().item(),
        "correlation_best": each.max().item(),
        "explained": 1 - ((z - recovered).square().mean() / z.var()).item(),
        "found": found.mean().item(),
        "found_interval": wilson_interval(int(found.sum()), num),
        "found_by_chance": 1 / NUM_CANDIDATES,
        "transfer": _transfer(request.model, (image, prompts), (transferred, others), order),
    }


def correlations(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Pearson's correlation of every column of [N, K] and the same column of another: float64 [K]; 0 without spread."""
    a, b = (values.double() - values.double().mean(dim=0) for values in (first, second))
    return (a * b).sum(dim=0) / (a.square().sum(dim=0) * b.square().sum(dim=0)).sqrt().clamp_min(1e-12)


def _correlation(name, first, second):
    """The mean correlation of paired columns, with its interval by a bootstrap over rows."""
    mean = correlations(first, second).mean().item()
    draw = generator("evaluate", "style", "bootstrap")
    half = bootstrap_spread(lambda rows: correlations(first[rows], second[rows]).mean()[None], len(first), draw).item()
    return {name: mean, f"{name}_interval": (mean - half, mean + half)}


def _transfer(model, drawn, transferred, order):
    """Metrics of pairs (images, the sentences that they should show) before and after the transfer."""
    judge, metrics, observations = HeldOutJudge(model), {}, []
    for name, (image, prompts) in (("drawn", drawn), ("success", transferred)):
        observations.append(judge.observe(part.to(model.device) for part in image.split(_BATCH_SIZE)))
        asked = [parse(prompt.text, model.vocabulary).attributes for prompt in prompts]
        right = success(observations[-1].verdict, judge.requests(asked))
        metrics[name] = right.double().mean().item()
        metrics[f"{name}_interval"] = wilson_interval(int(right.sum()), len(right))
    before, after = observations
    if not judge.readability:
        return metrics
    return {
        **metrics,
        **_correlation("kept", before.nuisances, after.nuisances),
        **_correlation("kept_shuffled", before.nuisances[order], after.nuisances),
    }


def load_images(paths: Sequence[str | Path], resolution: int) -> torch.Tensor:
    """The centre squares of image files, resized: [N, 3, R, R] uint8; DataError for what is no image."""
    arrays = (load_image(path).permute(1, 2, 0).numpy() for path in paths)
    return torch.stack([torch.from_numpy(centre_crop_resize(array, resolution)).permute(2, 0, 1) for array in arrays])


def transfer_grid_u8(styles_u8: torch.Tensor, columns: Sequence[torch.Tensor], texts: Sequence[str]) -> torch.Tensor:
    """One image [3, H, W] uint8: a row for every style image [N, 3, R, R], which stands at its left, a column for
    every sentence with its N transfers."""
    scale = -(-_FACE_SIZE // styles_u8.shape[-1])
    parts = []
    for title, images_u8 in zip(("style of", *texts), (styles_u8, *columns), strict=True):
        column = make_grid_u8(images_u8, 1, scale=scale)
        parts.append(torch.cat([_title(title, column.shape[2]), column], dim=1))
    return torch.cat(parts, dim=2)


def _title(text, width):
    """A sentence over as many lines as three, each as wide as a column."""
    lines, size = [""], width // 6  # characters that fit
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > size:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return torch.cat([text_strip_u8(line, width, _STRIP_HEIGHT) for line in (lines + ["", ""])[:3]], dim=1)
