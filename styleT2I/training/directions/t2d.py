"""Training of Text-to-Direction: frozen generator and CLIP, captions without images (StyleT2I, CVPR 2022, sec. 4)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch.nn import functional as F

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.dataset import index_order, open_dataset
from styleT2I.data.training.augment import ClipAugmentation, draw_augmentation
from styleT2I.data.training.captioned import captions_required
from styleT2I.data.training.captions_file import open_captions
from styleT2I.generation.observers import ZeroShotLogits
from styleT2I.networks.clip.model import TOKENS_AT_A_TIME
from styleT2I.networks.directions import TextToDirection
from styleT2I.torch_utils.distributed import alone, draw_rows, num_own_rows, own_rows, rolled
from styleT2I.torch_utils.hardware.recorded_steps import moved
from styleT2I.torch_utils.images import save_png
from styleT2I.torch_utils.seeding import generator
from styleT2I.training.directions.evaluation import T2DEvaluation, sample_grid
from styleT2I.training.directions.rival_captions import RivalCaptions
from styleT2I.training.directions.setup import (
    load_frozen,
    unedited_features,
)
from styleT2I.training.directions.task import DirectionTask, weighted
from styleT2I.training.losses import attribute_flip_loss, clip_contrastive_loss, norm_penalty_loss, verdict_keep_loss

FLIPS_AT_A_TIME = 2  # for each image, of which a recording takes a multiple


class _FlippedIds(NamedTuple):
    """CLIP's token ids of `RivalCaptions.flips`."""

    own: torch.Tensor  # [n, L]
    flipped: torch.Tensor  # [M, L']
    owner: torch.Tensor  # [M] int64
    weight: torch.Tensor | None  # [M], 0 of rows that fill up; None: all are 1


class _Given(NamedTuple):
    """A step's inputs for this process's n rows, all fixed before the first forward pass; B rows are all processes'."""

    z: torch.Tensor  # [n, z_dim]
    ids: torch.Tensor  # [n, L], the captions' token ids of CLIP
    read: tuple[str, ...] | None  # the n captions that directions are read from, for the network's own encoder
    also_true: torch.Tensor | None  # bool [B, B]
    flips: _FlippedIds | None
    is_open: torch.Tensor | None  # bool [n, A]: attributes that a caption leaves open
    augment: ClipAugmentation


class _Batch(NamedTuple):
    """What is computed of them first."""

    given: _Given
    w: torch.Tensor  # [n, w_dim]
    target: torch.Tensor  # [n, D], CLIP's features of the captions
    read_features: torch.Tensor  # [n, D], and of those that directions are read from


class T2DTask(DirectionTask):
    """Text-to-Direction as a task of training.engine: by CLIP, w + T2D(w, caption) should match the caption."""

    name = "t2d"

    def setup(self, device: torch.device) -> None:
        """Load what stays frozen and build the network; CheckpointError or DataError where something does not fit."""
        config = self.config
        self._load_frozen(device)
        self.data = open_captions(config.data, self.generator.resolution)
        self.captions_of = captions_required(config.data, self.data)
        self.captions_of(0)  # before the network is built
        captions = (caption for i in range(len(self.data)) for caption in self.captions_of(i))
        self._build_network(TextToDirection, captions)
        self.evaluation = self._build_evaluation()
        self.rivals = RivalCaptions(load_vocabulary(config.vocabulary))
        self.verdicts = ZeroShotLogits(self.clip, self.rivals.vocabulary) if config.keep_weight else None
        self._ready()

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One optimisation step; its randomness comes from `rng` alone."""
        every = self._captions(step, rng)
        z = draw_rows(torch.randn, num_own_rows(len(every)), self.generator.z_dim, generator=rng)
        return self._descend(self._given(every, z, rng), step)

    def evaluate(self, step: int) -> dict[str, float]:
        """The judge's metrics on test captions; {} without a judge."""
        return self.evaluation.measure(self.network) if self.evaluation else {}

    def snapshot(self, step: int, outdir: Path) -> None:
        """Write a grid of unedited faces above their edits by a few captions."""
        captions = [self.captions_of(i)[0] for i in range(min(6, len(self.data)))]
        grid = sample_grid(self.generator, self.clip, self.network, captions, psi=self.config.eval_psi)
        save_png(Path(outdir) / f"samples-{step:06d}.png", grid)

    def export(self, outdir: Path, step: int) -> None:
        """Write the component t2d.json and t2d.safetensors."""
        self._write(outdir, step, self.rivals.vocabulary, {})

    def _captions(self, step, rng):
        """One caption of each of the batch's faces, drawn anew every epoch."""
        indices = index_order(self.seed, len(self.data), self.config.batch_size, step)
        choices = [self.captions_of(i) for i in indices]
        picks = torch.rand(len(choices), generator=rng).tolist()
        return [captions[int(pick * len(captions))] for captions, pick in zip(choices, picks, strict=True)]

    def _given(self, every, z, rng):
        """The inputs of a step on the captions of all processes."""
        config, own = self.config, own_rows(len(every))
        captions, read = every[own], None
        if self.network.text_encoder:
            read = tuple((every[-1:] + every[:-1] if config.shuffle_captions else every)[own])
        return _Given(
            z,
            self._ids(captions),
            read,
            self.rivals.also_true(every) if config.ignore_also_true else None,
            self._flips(captions) if config.flip_weight else None,
            self.rivals.open_to(captions) if config.keep_weight else None,
            draw_augmentation(len(captions), rng, jitter=config.jitter, translate=config.translate),
        )

    def _ids(self, captions):
        return self.clip.short_ids(captions, TOKENS_AT_A_TIME if self.steps.is_recording else 1)

    def _flips(self, captions):
        flips, weight = self.rivals.flips(captions), None
        flipped, owner = flips.flipped, flips.owner
        if self.steps.is_recording:
            size = FLIPS_AT_A_TIME * len(captions)
            missing = -len(owner) % size if len(owner) else size
            weight = torch.cat([torch.ones(len(owner)), torch.zeros(missing)])
            flipped, owner = flipped + flips.own[:1] * missing, F.pad(owner, (0, missing))
        return _FlippedIds(self._ids(flips.own), self._ids(flipped), owner, weight)

    @torch.no_grad()
    def _batch(self, given):
        w = self.generator.mapping(given.z, truncation_psi=self.config.truncation_psi)[:, 0]  # [n, w_dim]
        target = self.clip.encode_ids(given.ids)
        return _Batch(given, w, target, rolled(target, 1) if self.config.shuffle_captions else target)

    def _forward(self, batch, rows):
        """What the losses need of some rows of the batch: features [n, D] of the images, directions s."""
        s = self.network(batch.w[rows], self._text_features(batch, rows))  # [n, num_ws, w_dim]
        image = self.generator.synthesis(batch.w[rows].unsqueeze(1) + s, noise_mode="const")
        return self.clip.encode_image(batch.given.augment(image, rows)), s

    def _probe(self, num):
        """The forward pass of `num` rows of no step."""
        rng, captions = generator("probe"), [self.captions_of(0)[0]] * num
        z = torch.randn(num, self.generator.z_dim, generator=rng)
        with alone():
            batch = self._batch(moved(self._given(captions, z, rng), self.device))
        if self.config.keep_weight:
            unedited_features(self.generator, self.clip, batch.w, None)
        return self._forward(batch, torch.arange(num, device=self.device))

    def _text_features(self, batch, rows):
        """Features [n, text_dim] of the captions that the rows' directions are read from."""
        if self.network.text_encoder:
            return self.network.encode_text([batch.given.read[row] for row in rows.tolist()], self.clip)
        return batch.read_features[rows]

    def _loss(self, batch, metrics, image_features, s):
        """The loss of this process's rows; its terms and the directions' length are put into `metrics`."""
        config = self.config
        losses = self._text_losses(image_features, batch)
        losses["loss_norm"] = norm_penalty_loss(s, self.theta)
        metrics["s_norm"] = s.detach().flatten(1).norm(dim=1).mean()
        weights = {"loss_contrastive": config.contrastive_weight, "loss_flip": config.flip_weight,
                   "loss_keep": config.keep_weight,
                   "loss_norm": config.norm_weight if config.use_norm_penalty else 0.0}  # fmt: skip
        return weighted(losses, weights, metrics)

    def _text_losses(self, image_features, batch):
        """The losses of the images against their captions, by CLIP; image_features [n, D]."""
        config, scale, given = self.config, self.clip.temperature_scale, batch.given
        losses = {
            "loss_contrastive": clip_contrastive_loss(
                image_features, batch.target, scale, symmetric=config.symmetric, also_true=given.also_true
            )
        }
        if config.flip_weight:
            ids = given.flips
            with torch.no_grad():
                own, flipped = self.clip.encode_ids(ids.own), self.clip.encode_ids(ids.flipped)
            losses["loss_flip"] = attribute_flip_loss(image_features, own, flipped, ids.owner, scale, ids.weight)
        if config.keep_weight:
            with torch.no_grad():
                before = self.verdicts(unedited_features(self.generator, self.clip, batch.w, config.micro_batch))
            losses["loss_keep"] = verdict_keep_loss(self.verdicts(image_features), before, given.is_open)
        return losses

    def _build_evaluation(self):
        config = self.config
        if config.judge is None or config.eval_data is None:
            return None
        judge, _ = load_frozen(config.judge, "judge", self.device)
        data = open_dataset(config.eval_data, self.generator.resolution, with_masks=False)
        captions_required(config.eval_data, data)(0)
        vocabulary = load_vocabulary(config.vocabulary)
        return T2DEvaluation(
            self.generator, self.clip, judge, data, vocabulary, num=config.eval_num, psi=config.eval_psi
        )
