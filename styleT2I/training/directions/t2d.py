"""Training of Text-to-Direction: frozen generator and CLIP, captions without images (StyleT2I, CVPR 2022, sec. 4)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.augment import ClipAugmentation, draw_augmentation
from styleT2I.data.captioned import captions_required
from styleT2I.data.dataset import index_order, open_dataset
from styleT2I.generation.observers import ZeroShotLogits
from styleT2I.networks.directions import TextToDirection
from styleT2I.torch_utils.distributed import draw_rows, own_rows, rolled
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


class _Batch(NamedTuple):
    """A step's inputs, all fixed before the first forward pass."""

    captions: list[str]  # n, this process's
    read: list[str]  # n that directions are read from
    all_captions: list[str]  # B, of all processes
    w: torch.Tensor  # [n, w_dim]
    target: torch.Tensor  # [n, D], CLIP's features of the captions
    read_features: torch.Tensor  # [n, D], and of those that directions are read from
    augment: ClipAugmentation


class T2DTask(DirectionTask):
    """Text-to-Direction as a task of training.engine: by CLIP, w + T2D(w, caption) should match the caption."""

    name = "t2d"

    def setup(self, device: torch.device) -> None:
        """Load what stays frozen and build the network; CheckpointError or DataError where something does not fit."""
        config = self.config
        self._load_frozen(device)
        self.data = open_dataset(config.data, self.generator.resolution, with_masks=False)
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
        config, G = self.config, self.generator
        every = self._captions(step, rng)
        own = own_rows(len(every))
        captions = every[own]
        z = draw_rows(torch.randn, len(captions), G.z_dim, generator=rng).to(self.device)
        with torch.no_grad():
            w = G.mapping(z, truncation_psi=config.truncation_psi)[:, 0]  # [n, w_dim]
            target = self.clip.encode_text(captions)
        read, read_features = captions, target
        if config.shuffle_captions:
            read, read_features = (every[-1:] + every[:-1])[own], rolled(target, 1)
        augment = draw_augmentation(len(captions), rng, jitter=config.jitter, translate=config.translate)
        batch = _Batch(captions, read, every, w, target, read_features, augment)
        return self._descend(batch, len(captions), step)

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

    def _forward(self, batch, rows):
        """What the losses need of some rows of the batch: features [n, D] of the images, directions s."""
        s = self.network(batch.w[rows], self._text_features(batch, rows))  # [n, num_ws, w_dim]
        image = self.generator.synthesis(batch.w[rows].unsqueeze(1) + s, noise_mode="const")
        return self.clip.encode_image(batch.augment(image, rows)), s

    def _probe(self, num):
        """The forward pass of `num` rows of no step."""
        rng, config, captions = generator("probe"), self.config, [self.captions_of(0)[0]] * num
        z = torch.randn(num, self.generator.z_dim, generator=rng).to(self.device)
        with torch.no_grad():
            w, target = self.generator.mapping(z)[:, 0], self.clip.encode_text(captions)
        if config.keep_weight:
            unedited_features(self.generator, self.clip, w, None)
        augment = draw_augmentation(num, rng, jitter=config.jitter, translate=config.translate)
        return self._forward(_Batch(captions, captions, captions, w, target, target, augment), torch.arange(num))

    def _text_features(self, batch, rows):
        """Features [n, text_dim] of the captions that the rows' directions are read from."""
        if self.network.text_encoder:
            return self.network.encode_text([batch.read[row] for row in rows], self.clip)
        return batch.read_features[rows]

    def _loss(self, batch, figures, image_features, s):
        """The loss of this process's rows; its terms and the directions' length are put into `figures`."""
        config = self.config
        losses = self._text_losses(image_features, batch)
        losses["loss_norm"] = norm_penalty_loss(s, self.theta)
        figures["s_norm"] = s.detach().flatten(1).norm(dim=1).mean().item()
        weights = {"loss_contrastive": config.contrastive_weight, "loss_flip": config.flip_weight,
                   "loss_keep": config.keep_weight,
                   "loss_norm": config.norm_weight if config.use_norm_penalty else 0.0}  # fmt: skip
        return weighted(losses, weights, figures)

    def _text_losses(self, image_features, batch):
        """The losses of the images against their captions, by CLIP; image_features [n, D]."""
        config, scale, captions = self.config, self.clip.temperature_scale, batch.captions
        also_true = self.rivals.also_true(batch.all_captions).to(self.device) if config.ignore_also_true else None
        losses = {
            "loss_contrastive": clip_contrastive_loss(
                image_features, batch.target, scale, symmetric=config.symmetric, also_true=also_true
            )
        }
        if config.flip_weight:
            flips = self.rivals.flips(captions)
            with torch.no_grad():
                own, flipped = (self.clip.encode_text(texts) for texts in (flips.own, flips.flipped))
            owner = flips.owner.to(self.device)
            losses["loss_flip"] = attribute_flip_loss(image_features, own, flipped, owner, scale)
        if config.keep_weight:
            with torch.no_grad():
                before = self.verdicts(unedited_features(self.generator, self.clip, batch.w, config.micro_batch))
            is_open = self.rivals.open_to(captions).to(self.device)
            losses["loss_keep"] = verdict_keep_loss(self.verdicts(image_features), before, is_open)
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
