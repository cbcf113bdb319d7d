"""Training of DAMSM (AttnGAN, section 3.2) as a task of training.engine: words find regions, sentences images."""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import nn

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.baselines.clip_words import ClipWords
from styleT2I.baselines.config import TextEncoderConfig
from styleT2I.baselines.damsm import ImageEncoder, TextEncoder, split_caption
from styleT2I.baselines.matching import damsm_losses
from styleT2I.config import to_dict
from styleT2I.data.training.captioned import (
    CaptionedData,
    CaptionReader,
    captions_true_of,
    equal_captions,
    normal_caption,
)
from styleT2I.errors import DataError
from styleT2I.evaluation.measures.ranking import NUM_CANDIDATES, Ranking
from styleT2I.formats.component import write_component
from styleT2I.formats.foreign.attngan import inception_trunk
from styleT2I.formats.pickles.torch_files import read_torch_file
from styleT2I.networks.registry import load_strict
from styleT2I.torch_utils.ahead import Ahead
from styleT2I.torch_utils.distributed import own_rows
from styleT2I.torch_utils.hardware.recorded_steps import RecordedSteps, read
from styleT2I.torch_utils.seeding import generator
from styleT2I.training.directions.setup import load_frozen
from styleT2I.training.network_task import NetworkTask
from styleT2I.training.optimisation import descend

ADAM_BETAS = (0.5, 0.999)
EVAL_BATCH = 64


class DAMSMTask(NetworkTask):
    """Text and image encoder, trained together by the word- and the sentence-level loss."""

    name, parts = "damsm", ("text", "image", "optimizer")

    def setup(self, device: torch.device) -> None:
        """Open the data and build the encoders; DataError or CheckpointError where something does not fit."""
        config = self.config
        self.device = device
        self.data = CaptionedData(config.data, config.image.resolution)
        self.batch_of = Ahead(functools.partial(self.data.training_batch, self.seed, config.batch_size))
        self.eval_data = CaptionedData([config.eval_data], config.image.resolution) if config.eval_data else None
        self.text = self._new_text_encoder().to(device)
        self.image = ImageEncoder(config.image)
        if config.inception is not None:
            state = inception_trunk(read_torch_file(config.inception), config.inception)
            load_strict(self.image.trunk, state, config.inception)
        self.image.to(device)
        self.reader = None
        if config.vocabulary is not None and self.data.names:
            self.reader = CaptionReader(load_vocabulary(config.vocabulary), self.data.names)
        trained = [p for p in (*self.text.parameters(), *self.image.parameters()) if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=config.lr, betas=ADAM_BETAS)
        # The LSTM packs captions by their lengths, on the CPU.
        self.steps = RecordedSteps(device, [self.optimizer], is_fixed=False)

    def step(self, step: int, rng: torch.Generator) -> dict[str, float]:
        """One step on a batch, a caption of each image drawn from `rng`."""
        config = self.config
        batch = self.batch_of(step)
        captions = pick_captions(batch.captions, rng)
        ids = self.text.tokenize(captions, config.max_words)[own_rows(len(captions))]
        epoch = step * config.batch_size // len(self.data)
        rate = config.lr * max(config.lr_decay**epoch, 0.1)
        also_true = self._also_true(captions, batch.labels)
        return read(self.steps("step", self._update, rate, ids, batch.image, also_true))

    @torch.no_grad()
    def evaluate(self, step: int) -> dict[str, float]:
        """Rate of unseen images whose first caption is the nearest of 100 by its sentence features; {} without data."""
        if self.eval_data is None:
            return {}
        self.text.eval(), self.image.eval()
        captions, images, sentences = [], [], []
        for batch in self.eval_data.in_order(EVAL_BATCH, self.config.eval_num):
            chosen = [options[0] for options in batch.captions]
            ids = self.text.tokenize(chosen, self.config.max_words).to(self.device)
            captions += chosen
            sentences.append(self.text(ids).sentence)
            images.append(self.image(batch.image.to(self.device)).image)
        self.text.train(), self.image.train()
        meanings = [normal_caption(caption) for caption in captions]
        num = min(NUM_CANDIDATES, len(set(meanings)))
        ranking = Ranking(meanings, generator("damsm candidates"), num_candidates=num)
        return {f"r_precision_{num}": ranking.found(torch.cat(images), torch.cat(sentences)).mean().item()}

    def export(self, outdir: Path, step: int) -> None:
        """Write the components text_encoder and image_encoder, with the metrics measured on what is written."""
        half = self.config.half
        if half:
            round_to_half(self.text), round_to_half(self.image)
        info = {"training": to_dict(self.config), "measured": self.evaluate(step)}
        for name, network in (("text_encoder", self.text), ("image_encoder", self.image)):
            config, state = to_dict(network.config), network.state_dict()
            write_component(outdir, name, network.kind, config, state, half=half, step=step, info=info)

    def _new_text_encoder(self):
        config = self.config
        if config.clip is not None:
            return ClipWords.of_clip(load_frozen(config.clip, "clip", self.device)[0], config.image.text_dim)
        words = caption_words(self.data, config.vocabulary_num)
        return TextEncoder(TextEncoderConfig(words, None, config.embedding_dim, config.image.text_dim, config.dropout))

    def _update(self, rate, ids, image, also_true):
        text = self.text(ids)
        words, sentences = damsm_losses(text, self.image(image), also_true)
        clipped, most = self.text.parameters(), self.config.max_grad_norm
        descend(self.optimizer, words + sentences, rate, clipped=clipped, max_norm=most)
        return {"loss_words": words, "loss_sentences": sentences}

    def _also_true(self, captions, labels):
        """Which captions hold for which other images of the batch, as far as known: bool [captions, images]."""
        also_true = equal_captions(captions)
        if self.reader is not None:
            also_true = also_true | captions_true_of(labels, self.reader(captions)).t()
        return also_true


def caption_words(data: CaptionedData, num: int) -> tuple[str, ...]:
    """The words of the captions of the first `num` images of each data set, in alphabetical order."""
    words = set()
    for part in data.parts:
        for index in range(min(num, len(part))):
            words.update(word for caption in part.captions_of(index) for word in split_caption(caption))
    if not words:
        raise DataError("the captions have no words to learn; give captions in Latin letters")
    return tuple(sorted(words))


def pick_captions(captions: list[tuple[str, ...]], rng: torch.Generator) -> list[str]:
    """One caption of each image, drawn at random."""
    picks = torch.rand(len(captions), generator=rng).tolist()
    return [options[int(pick * len(options))] for options, pick in zip(captions, picks, strict=True)]


@torch.no_grad()
def round_to_half(network: nn.Module) -> None:
    """Round a network's numbers to what fp16 holds, so that what is measured is what is stored."""
    for tensor in network.state_dict().values():
        if tensor.is_floating_point():
            tensor.copy_(tensor.half().float())
