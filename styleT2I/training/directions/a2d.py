"""Training of Attribute-to-Direction: frozen generator, CLIP and segmenter, phrases alone (StyleT2I, sec. 5)."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import NamedTuple

import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording.sentences import phrase
from styleT2I.data.training.augment import ClipAugmentation, draw_augmentation
from styleT2I.data.worlds import world_of
from styleT2I.errors import ConfigError
from styleT2I.formats.foreign.registry import read_network
from styleT2I.generation.editing.strengths import A2DEvaluation, calibrate_strengths
from styleT2I.generation.loading import open_segmenter
from styleT2I.generation.observers import ZeroShotLogits
from styleT2I.networks.directions import AttributeToDirection
from styleT2I.networks.faces.attribute_classifier import readable_nuisances
from styleT2I.torch_utils.distributed import alone, draw_rows, num_processes, own_rows
from styleT2I.torch_utils.hardware.recorded_steps import moved
from styleT2I.torch_utils.images import save_png
from styleT2I.torch_utils.seeding import generator
from styleT2I.training.directions.evaluation import direction_grid
from styleT2I.training.directions.setup import load_frozen, unedited_features
from styleT2I.training.directions.surroundings import SurroundingsReadings
from styleT2I.training.directions.task import DirectionTask, weighted
from styleT2I.training.losses import (
    norm_penalty_loss,
    semantic_matching_loss,
    spatial_constraint_loss,
    verdict_keep_loss,
)


class _Given(NamedTuple):
    """A step's inputs for this process's n rows, all fixed before the first forward pass."""

    columns: torch.Tensor  # [n] int64: each row's attribute
    regions: tuple[str | None, ...] | None  # where each is to show; None: by `region_numbers`
    z: torch.Tensor  # [n, z_dim]
    augment: ClipAugmentation  # of 2 B images, those of w + a before those of w - a; B rows of all processes
    positive: torch.Tensor  # [n] int64: which of the 2 B the images of w + a are
    negative: torch.Tensor  # [n] int64, of w - a


class _Batch(NamedTuple):
    """What is computed of them first."""

    given: _Given
    w: torch.Tensor  # [n, w_dim]


class A2DTask(DirectionTask):
    """Attribute-to-Direction as a task of training.engine: by CLIP, w + a should show an attribute more than w - a."""

    name = "a2d"

    def setup(self, device: torch.device) -> None:
        """Load what stays frozen and build the network; CheckpointError or ConfigError where something does not fit."""
        config = self.config
        self._load_frozen(device)
        self.vocabulary = load_vocabulary(config.vocabulary)
        self.attributes = tuple(self.vocabulary[name].name for name in config.attributes or self.vocabulary.names)
        self.phrases = [phrase(name, True, self.vocabulary) for name in self.attributes]
        self.regions = self._build_regions(device)
        with torch.no_grad():
            self.phrase_features = self.clip.encode_text(self.phrases)  # [A, D]
        self.kept = self._kept().to(device)
        regions = [self._region_of(name) for name in self.attributes]
        self.region_names = tuple(dict.fromkeys(regions))
        self.region_numbers = torch.tensor([self.region_names.index(name) for name in regions], device=device)
        self.verdicts = ZeroShotLogits(self.clip, self.vocabulary)
        self._build_network(AttributeToDirection, self.phrases)
        self.judge = judge = load_frozen(config.judge, "judge", device)[0] if config.judge else None
        self.evaluation = judge and A2DEvaluation(
            self.generator, self.clip, judge, self.regions, self.vocabulary, self.attributes, psi=config.eval_psi
        )
        self._ready()

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One optimisation step; its randomness comes from `rng` alone."""
        config = self.config
        columns = torch.randperm(len(self.attributes), generator=rng).repeat(
            -(-config.batch_size // len(self.attributes))
        )[: config.batch_size]  # every attribute equally often
        columns = columns[own_rows(config.batch_size)]
        z = draw_rows(torch.randn, len(columns), self.generator.z_dim, generator=rng)
        return self._descend(self._given(columns, z, rng), step)

    def evaluate(self, step: int) -> dict[str, float]:
        """The judge's metrics on latents of their own; {} without a judge."""
        return self.evaluation.measure(self.network, self.config.eval_num) if self.evaluation else {}

    def snapshot(self, step: int, outdir: Path) -> None:
        """Write a grid: for each attribute a few faces minus and plus its direction."""
        grid = direction_grid(self.generator, self.clip, self.network, self.phrases, psi=self.config.eval_psi)
        save_png(Path(outdir) / f"samples-{step:06d}.png", grid)

    def export(self, outdir: Path, step: int) -> None:
        """Write the component a2d.json and a2d.safetensors, with the calibrated strengths of edits inside, and with a
        segmenter the null space of the surroundings."""
        info = {"attributes": list(self.attributes)}
        if self.config.clarity is not None:
            info["clarity"] = self.config.clarity
        if self.evaluation:
            info["measured"] = self.evaluation.measure(self.network, self.config.eval_num)
            if self.config.calibration_num:
                info["strengths"] = calibrate_strengths(self.evaluation, self.network, self.config.calibration_num)
        network, segmenter = copy.deepcopy(self.network), getattr(self.regions, "segmenter", None)
        if self.config.surroundings_num and segmenter is not None:
            readings = SurroundingsReadings(segmenter, self.judge, self._pose())
            space = readings.null_space(self.generator, self.config.surroundings_num, psi=self.config.eval_psi)
            if space is not None:
                network.set_null_space(space)
                info["surroundings"] = list(readings.names)
        self._write(outdir, step, self.vocabulary, info, network)

    def _pose(self):
        """The judge's nuisances that it reads well and that are of the pose, in a world that knows what is."""
        world = world_of(self.vocabulary)
        if self.judge is None or world is None:
            return ()
        readable = readable_nuisances(self.judge, read_network(self.config.judge).info)
        return tuple(name for name in readable if name in world.nuisance_groups["pose"])

    def _text_features(self, columns):
        """Features [B, text_dim] of the phrases of the rows' attributes."""
        if self.network.text_encoder:
            return self.network.encode_text(self.phrases, self.clip)[columns]
        return self.phrase_features[columns]

    def _given(self, columns, z, rng):
        """The inputs of a step on these attributes."""
        regions = None
        if not self.steps.is_recording:
            regions = tuple(self._region_of(self.attributes[column]) for column in columns.tolist())
        return _Given(columns, regions, z, *self._augmentation(len(columns), rng))

    def _region_of(self, attribute):
        return self.vocabulary[attribute].region or self.config.rest_region

    @torch.no_grad()
    def _batch(self, given):
        w = self.generator.mapping(given.z, truncation_psi=self.config.truncation_psi)[:, 0]  # [n, w_dim]
        return _Batch(given, w)

    def _forward(self, batch, rows):
        """What the losses need of some rows of the batch: the images of w + a and w - a, CLIP's features of both, and
        the directions a."""
        w, given = batch.w[rows].unsqueeze(1), batch.given
        a = self.network(batch.w[rows], self._text_features(given.columns[rows]))  # [n, num_ws, w_dim]
        positive, negative = (self.generator.synthesis(w + step, noise_mode="const") for step in (a, -a))
        seen = given.augment(torch.cat([positive, negative]), torch.cat([given.positive[rows], given.negative[rows]]))
        return positive, negative, *self.clip.encode_image(seen).chunk(2), a

    def _probe(self, num):
        """The forward pass of `num` rows of no step."""
        rng = generator("probe")
        z = torch.randn(num, self.generator.z_dim, generator=rng)
        columns = torch.arange(num) % len(self.attributes)
        batch = self._batch(moved(self._given(columns, z, rng), self.device))
        if self.config.keep_weight:
            unedited_features(self.generator, self.clip, batch.w, None)
        return self._forward(batch, torch.arange(num, device=self.device))

    def _augmentation(self, num, rng):
        """What a _Given of `num` rows knows of the changes before CLIP."""
        every = num * num_processes()
        with alone():  # the changes of all rows, of which the images are then counted off
            augment = draw_augmentation(2 * every, rng, jitter=self.config.jitter, translate=self.config.translate)
        positive = torch.arange(every)[own_rows(every)]
        return augment, positive, positive + every

    def _loss(self, batch, metrics, positive, negative, first, second, a):
        """The loss of this process's rows; its terms and the directions' length are put into `metrics`."""
        config = self.config
        losses = self._image_losses(batch, positive, negative, first, second)
        losses["loss_norm"] = norm_penalty_loss(a, self.theta)
        metrics["a_norm"] = a.detach().flatten(1).norm(dim=1).mean()
        weights = {"loss_semantic": config.semantic_weight, "loss_spatial": config.spatial_weight,
                   "loss_keep": config.keep_weight,
                   "loss_norm": config.norm_weight if config.use_norm_penalty else 0.0}  # fmt: skip
        return weighted(losses, weights, metrics)

    def _image_losses(self, batch, positive, negative, first, second):
        """The losses on the pairs of images, by the segmenter, and on their CLIP features first, second [n, D]."""
        config, columns = self.config, batch.given.columns
        losses = {"loss_semantic": semantic_matching_loss(first, second, self.phrase_features[columns], config.alpha)}
        if self.regions is not None and config.spatial_weight:
            region, has_region = self._regions_in(positive.detach(), batch.given)
            losses["loss_spatial"] = spatial_constraint_loss(positive, negative, region, has_region)
        if config.keep_weight:
            before = self.verdicts(unedited_features(self.generator, self.clip, batch.w, config.micro_batch))
            margins = self.verdicts(torch.cat([first, second]))
            losses["loss_keep"] = verdict_keep_loss(margins, before.repeat(2, 1), self.kept[columns].repeat(2, 1))
        return losses

    def _regions_in(self, images, given):
        """As a RegionSource, a micro-batch of images at a time."""
        size, names, parts = self.config.micro_batch or len(images), given.regions, []
        for i in range(0, len(images), size):
            part = slice(i, i + size)
            if names is None:
                numbers = self.region_numbers[given.columns[part]]
                parts.append(self.regions.by_number(images[part], numbers, self.region_names))
            else:
                parts.append(self.regions(images[part], names[part]))
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))

    def _kept(self):
        """[A trained, A of the vocabulary] bool: an edit of the row's attribute should leave the column's alone."""
        changed = [{name, *self.vocabulary.exclusive_of(name)} for name in self.attributes]
        return torch.tensor([[other not in names for other in self.vocabulary.names] for names in changed])

    def _build_regions(self, device):
        if self.config.segmenter is None:
            if self.config.spatial_weight and any(self.vocabulary[name].region for name in self.attributes):
                raise ConfigError("the spatial constraint needs regions: add --segmenter, or --spatial-weight 0")
            return None
        regions = open_segmenter(self.config.segmenter, device)
        regions.check([self.config.rest_region, *(self.vocabulary[name].region for name in self.attributes)])
        return regions
