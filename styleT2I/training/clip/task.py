"""Training of CLIP: from scratch on captioned images with attributes, or the paper's fine-tuning of given weights."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording.caption_words import Dice
from styleT2I.attributes.wording.paraphrase import load_paraphraser
from styleT2I.config import to_dict
from styleT2I.data.training.augment import random_degrade, random_resized_crop, random_shift
from styleT2I.data.training.captioned import CaptionedData, CaptionReader, Mentions, captions_true_of, equal_captions
from styleT2I.errors import ConfigError
from styleT2I.evaluation.measures.clip import CLIPEvaluation
from styleT2I.formats.component import write_component
from styleT2I.networks.clip.loading import load_clip
from styleT2I.networks.clip.model import CLIP, TOKENS_AT_A_TIME, CLIPConfig
from styleT2I.networks.clip.tokenizers import WordTokenizer
from styleT2I.networks.registry import build_network, load_strict
from styleT2I.torch_utils.ahead import Ahead
from styleT2I.torch_utils.distributed import own_rows, summed
from styleT2I.torch_utils.hardware.recorded_steps import RecordedSteps, read
from styleT2I.torch_utils.images import save_png
from styleT2I.torch_utils.seeding import derive_seed
from styleT2I.training.clip.config import CLIPTrainConfig, scratch_model
from styleT2I.training.clip.phrases import PhraseLoss
from styleT2I.training.clip.tuning import train_only
from styleT2I.training.clip.word_list import word_list
from styleT2I.training.losses import clip_contrastive_loss
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend, schedule

MAX_LOGIT_SCALE = math.log(100)  # of CLIP's own training and of the paper's fine-tuning


class CLIPTask(NetworkTask):
    """CLIP as a task of training.engine: symmetric cross-entropy between a batch's images and captions."""

    name, parts = "clip", ("clip", "heads", "optimizer")

    def __init__(self, config: CLIPTrainConfig, num_steps: int, seed: int = 0):
        super().__init__(config, num_steps, seed)
        self.word_list = None  # of a CLIP from scratch, once it is set up

    def setup(self, device: torch.device) -> None:
        """Open the data, build or load CLIP; DataError, ConfigError or CheckpointError where something does not fit."""
        config = self.config
        self.device = device
        self.clip = self._build_clip().to(device)
        train_only(self.clip, config.tune)
        size = self.clip.config.image_size
        self.data = CaptionedData(config.data, size * 8 // 7 if config.augment == "crop" else size)  # 256 for 224
        self.batch_of = Ahead(functools.partial(self.data.training_batch, self.seed, config.batch_size))
        self.reader = self._build_reader()
        self.paraphrase = load_paraphraser(config.vocabulary) if config.paraphrase else None
        self.heads = self._build_heads()
        self.phrases = self._build_phrases()
        trained = [p for p in (*self.clip.parameters(), *self.heads.parameters()) if p.requires_grad]
        self.optimizer = torch.optim.AdamW(
            trained, lr=config.lr, betas=(0.9, config.beta2), weight_decay=config.weight_decay
        )
        self.steps = RecordedSteps(device, [self.optimizer])
        self.evaluation = CLIPEvaluation(config.eval_data, config.vocabulary, size) if config.eval_data else None

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One optimisation step; its randomness comes from `rng` alone."""
        batch = self.batch_of(step)
        captions = self._pick_captions(batch, rng)
        mentions = self.reader(captions) if self.reader else None
        image = self._augment(batch.image, rng)
        own = own_rows(len(captions))
        ids = self.clip.short_ids(captions[own], TOKENS_AT_A_TIME if self.steps.is_recording else 1)
        also_true, asked = equal_captions(captions), None
        if mentions is not None:
            also_true |= captions_true_of(batch.labels, mentions)
        if self.heads or self.phrases:
            asked = (batch.labels[own], Mentions(*(column[own] for column in mentions)))
        factor = schedule("warmup-cosine" if self.config.schedule == "cosine" else "constant", step, self.num_steps)
        return read(self.steps("step", self._update, self.config.lr * factor, image, ids, also_true, asked))

    def evaluate(self, step: int) -> dict[str, float]:
        """Zero-shot and retrieval metrics on unseen images; {} without eval_data."""
        return self.evaluation.summary(self.clip, self.config.eval_num) if self.evaluation else {}

    def snapshot(self, step: int, outdir: Path) -> None:
        """Write, for each of some prompts, the unseen images that CLIP finds nearest to it."""
        if self.evaluation and self.evaluation.prompts:
            grid = self.evaluation.nearest_u8(self.clip, self.config.eval_num)
            save_png(Path(outdir) / f"nearest-{step:06d}.png", grid)

    def export(self, outdir: Path, step: int) -> None:
        """Write the component NAME.json and NAME.safetensors, with metrics measured on what was written."""
        config = self.config
        begun = {"clip": Path(config.clip).name} if config.clip else {}  # no folder of the machine that trains
        info = {"training": {**to_dict(config), **begun}}
        info |= {"word_list": self.word_list.origin} if self.word_list else {}
        state = self.clip.state_dict()
        if config.half:
            state = {key: t.half().float() if t.is_floating_point() else t for key, t in state.items()}
        if self.evaluation:
            stored = build_network(CLIP.kind, to_dict(self.clip.config)).to(self.device)
            load_strict(stored, state, config.name)
            info["measured"] = self.evaluation.measure(stored)
        described = to_dict(self.clip.config)
        write_component(outdir, config.name, CLIP.kind, described, state, half=config.half, step=step, info=info)

    def _build_clip(self) -> CLIP:
        config = self.config
        if config.clip is None:
            self.word_list = word_list(config.data, CaptionedData(config.data, None).parts, config.vocabulary)
            tokenizer = WordTokenizer(self.word_list.words)
            clip_config = CLIPConfig(
                model=scratch_model(config.architecture, tokenizer.vocab_size), name=config.name,
                tokenizer=tokenizer.spec(), interpolation="bilinear",
            )  # fmt: skip
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(derive_seed(self.seed, "clip weights"))
                return CLIP(clip_config)
        clip = load_clip(config.clip)
        clip.config = replace(clip.config, name=config.name)
        return clip

    def _build_reader(self) -> CaptionReader | None:
        if self.config.vocabulary is None or not self.data.names:
            if self.config.attribute_weight or self.config.phrase_weight:
                lacking = (
                    "no vocabulary is named: add --vocabulary NAME"
                    if self.config.vocabulary is None
                    else f"{', '.join(self.config.data)}: no attributes.csv, or not the same attributes: add one"
                )
                raise ConfigError(
                    f"{lacking}, or train on captions alone with --attribute-weight 0 and --phrase-weight 0"
                )
            return None
        return CaptionReader(load_vocabulary(self.config.vocabulary), self.data.names)

    def _build_heads(self) -> nn.ModuleDict:
        """A linear attribute classifier on each tower's features; they serve the training only."""
        if not self.config.attribute_weight:
            return nn.ModuleDict()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "clip heads"))
            sizes = (self.clip.embed_dim, len(self.data.names))
            return nn.ModuleDict({"image": nn.Linear(*sizes), "text": nn.Linear(*sizes)}).to(self.device)

    def _build_phrases(self) -> PhraseLoss | None:
        if not self.config.phrase_weight:
            return None
        return PhraseLoss(self.clip, load_vocabulary(self.config.vocabulary), self.data.names)

    def _pick_captions(self, batch, rng) -> list[str]:
        """One caption of each image, some of them said in other words."""
        picks = torch.rand(3, len(batch.captions), generator=rng).tolist()
        captions = [options[int(pick * len(options))] for options, pick in zip(batch.captions, picks[0], strict=True)]
        if self.paraphrase is None or batch.labels is None:
            return captions
        for row, (is_said_otherwise, seed) in enumerate(zip(picks[1], picks[2], strict=True)):
            if is_said_otherwise < self.config.paraphrase:
                labels = dict(zip(self.data.names, batch.labels[row].tolist(), strict=True))
                captions[row] = self.paraphrase(captions[row], labels, Dice(int(seed * 2**32)))
        return captions

    def _augment(self, image, rng):
        config = self.config
        if config.augment == "crop":
            return random_resized_crop(image, rng, self.clip.config.image_size, scale=(0.9, 1.0))
        if config.augment == "light":
            (image,) = random_shift([image], rng, config.degrade.shift)
            return random_degrade(image, rng, config.degrade)
        return image

    def _attribute_losses(self, image_features, text_features, labels, mentions):
        """Cross-entropies of the heads: every label of an image, of a caption only what it mentions."""
        scale = self.clip.embed_dim**0.5  # unit vectors would hold the logits down for long
        labels = labels.to(image_features)
        image_loss = F.binary_cross_entropy_with_logits(self.heads["image"](scale * image_features), labels)
        asserted, asked = mentions.asserted.to(labels), mentions.asked.to(labels)
        text_logits = self.heads["text"](scale * text_features)
        each = F.binary_cross_entropy_with_logits(text_logits, asserted, reduction="none")  # [B, A]
        return image_loss, summed((each * asked).sum()) / summed(asked.sum()).clamp_min(1)

    def _update(self, rate, image, ids, also_true, asked):
        """asked: labels and mentions, for the heads."""
        clip, config = self.clip, self.config
        image_features, text_features = clip.encode_image(image), clip.encode_ids(ids)
        loss = clip_contrastive_loss(
            image_features, text_features, clip.temperature_scale, symmetric=True, also_true=also_true
        )
        metrics = {"loss_contrastive": loss}
        if self.phrases:
            metrics["loss_phrases"] = self.phrases(clip, image_features, asked[0])
            loss = loss + config.phrase_weight * metrics["loss_phrases"]
        if self.heads:
            image_loss, text_loss = self._attribute_losses(image_features, text_features, *asked)
            loss = loss + config.attribute_weight * (image_loss + text_loss)
            metrics |= {"loss_image_attributes": image_loss, "loss_text_attributes": text_loss}
        trained = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        descend(self.optimizer, loss, rate, clipped=trained, max_norm=config.max_grad_norm)
        with torch.no_grad():
            clip.model.logit_scale.clamp_(0, MAX_LOGIT_SCALE)
            return {"loss": loss, **metrics, "temperature_scale": clip.temperature_scale}


def steps_of_epochs(config: CLIPTrainConfig) -> int:
    """Number of steps of `config.epochs` passes over the data; ConfigError when the config names no epochs."""
    if config.epochs is None:
        raise ConfigError("the number of steps is not given; add --steps N")
    return math.ceil(config.epochs * len(CaptionedData(config.data, None)) / config.batch_size)
