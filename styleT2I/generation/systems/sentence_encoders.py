"""Sentence encoders: what turns a sentence into the features that a text GAN draws, in its training and afterwards.

They are a frozen CLIP, DAMSM's frozen text encoder, or a file of features computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional as F

from styleT2I.attributes.prompt import Prompt, understand
from styleT2I.baselines.damsm import RELEASED_MAX_WORDS, TextFeatures
from styleT2I.errors import DataError, PromptError
from styleT2I.formats.component import write_component
from styleT2I.formats.foreign.registry import read_network
from styleT2I.formats.texts.embeddings import Embeddings, read_embeddings
from styleT2I.networks.clip.model import TOKENS_AT_A_TIME
from styleT2I.torch_utils.hardware.devices import replayed

if TYPE_CHECKING:
    from styleT2I.data.dataset import Dataset

NUM_CAPTIONS = 1024  # whose CLIP features give the mean and the standard deviation
_CHUNK = 128


class SentenceEncoder:
    """What all of them do. `dim` is the number of features of a sentence, `num_mean` that of captions averaged."""

    dim: int
    num_mean: int = 1

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        """The sentence as a system takes it; PromptError when it cannot be drawn."""
        raise NotImplementedError

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Features [N, dim] of sentences."""
        raise NotImplementedError

    def inputs(self, text: str) -> tuple[torch.Tensor, ...]:
        """What the network's forward takes after the noise for one sentence, one row each."""
        return (self.encode([text]),)

    def of_samples(
        self, data: Dataset, indices: Sequence[int], rng: torch.Generator, rows: slice = slice(None)
    ) -> torch.Tensor:
        """Features [N, dim] of samples: the mean over `num_mean` captions of each sample, drawn at random.

        rows: those of the samples that are wanted; captions are drawn for all, so that each has the same ones.
        """
        chosen = [_choose(data.captions_of(index), self.num_mean, rng) for index in indices][rows]
        features = self.encode([caption for captions in chosen for caption in captions])
        return torch.stack([rows.mean(dim=0) for rows in features.split([len(captions) for captions in chosen])])

    def info(self) -> dict:
        """What a component stores, so that new sentences are encoded alike."""
        raise NotImplementedError


class ClipEncoder(SentenceEncoder):
    """CLIP features of sentences, standardised: over the training's captions each has mean 0 and deviation 1."""

    def __init__(self, clip, facts: dict | None = None, vocabulary=None, num_mean: int = 1):
        """facts: {"mean": [...], "std": [...]}, as the generator's component stores them; without, as CLIP has them."""
        facts = facts or {}
        self.clip, self.vocabulary, self.num_mean, self.dim = clip, vocabulary, num_mean, clip.embed_dim
        self.mean = torch.tensor(facts["mean"]) if "mean" in facts else torch.zeros(self.dim)
        self.std = torch.tensor(facts["std"]) if "mean" in facts else torch.ones(self.dim)

    @classmethod
    def standardised_on(cls, clip, data: Dataset, num_mean: int = 1) -> ClipEncoder:
        """The encoder with mean and deviation of a data set's first captions; DataError where it has none."""
        captions = [captions[0] for i in range(min(NUM_CAPTIONS, len(data))) if (captions := data.captions_of(i))]
        if len(captions) < 2:
            raise DataError("the data have no captions to learn from; add them, or use minifaces:biased/train")
        encoder = cls(clip, num_mean=num_mean)
        chunks = [encoder.encode(captions[i : i + _CHUNK]) for i in range(0, len(captions), _CHUNK)]
        features = torch.cat(chunks).cpu()
        encoder.mean, encoder.std = features.mean(dim=0), features.std(dim=0).clamp_min(1e-4)
        return encoder

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        return understand(text, self.clip, self.vocabulary, strict=strict)

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        device = self.clip.image_mean.device
        ids = self.clip.short_ids(list(texts), TOKENS_AT_A_TIME if device.type == "cuda" else 1)
        features = replayed(self.clip.encode_ids, ids.to(device))
        return (features - self.mean.to(features)) / self.std.to(features)

    def info(self) -> dict:
        statistics = {"mean": self.mean.tolist(), "std": self.std.tolist()}
        return {"clip_name": self.clip.config.name, "text": {"encoder": "clip", **statistics}}


class DamsmEncoder(SentenceEncoder):
    """Sentence features of DAMSM's text encoder, of sentences up to as many words as its training read."""

    def __init__(self, encoder, facts: dict | None = None, vocabulary=None, num_mean: int = 1):
        """facts: settings that a component stores, max_words among them; without, that of the released weights."""
        self.encoder, self.vocabulary, self.num_mean, self.dim = encoder, vocabulary, num_mean, encoder.feature_dim
        self.max_words = (facts or {}).get("max_words") or RELEASED_MAX_WORDS

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        if not self.encoder.can_read:
            raise PromptError(
                "the text encoder came without its words, so it reads no sentence; name its captions.pickle with "
                "--dictionary, or put it beside the weights"
            )
        prompt = understand(text, self, self.vocabulary, strict=strict)
        if not self.known_words(text):
            raise PromptError(f"nothing in {text[:60]!r} is a word of the captions that the model learned; say it so")
        return prompt

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        ids = self.encoder.tokenize(list(texts), self.max_words)
        return self.encoder(ids.to(self.encoder.embedding.weight.device)).sentence

    def inputs(self, text: str) -> tuple[torch.Tensor, ...]:
        """Features [1, dim] of the sentence."""
        return self.words_of(text)[:1]

    def words_of(self, text: str) -> TextFeatures:
        """Features of the sentence and its words: [1, dim], [1, dim, T] and bool [1, T], T its own length."""
        return self.encoder.encode([text])

    def known_words(self, text: str) -> list[str]:
        """The words of a text that are read, in order."""
        return self.encoder.known_words(text)

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Words that are not read, each with the nearest one that is (or None)."""
        return self.encoder.unknown_words(text)

    def overlong(self, text: str) -> int:
        """How many words too long a text is."""
        return max(len(self.known_words(text)) - self.max_words, self.encoder.overlong(text))

    def info(self) -> dict:
        return {"text": {"encoder": "damsm", "max_words": self.max_words}}


class DamsmWordEncoder(DamsmEncoder):
    """DAMSM's features with those of every word, padded to one length, so that no row depends on the others."""

    def inputs(self, text: str) -> tuple[torch.Tensor, ...]:
        """Features [1, dim], of the words [1, dim, max_words] and which of these are padding, bool [1, max_words]."""
        return padded(self.words_of(text), self.max_words)


class FileEncoder(SentenceEncoder):
    """Sentence features read from a file, looked up by sentence or by row number (#0, #1, ...)."""

    def __init__(self, table: Embeddings, device: torch.device | str = "cpu", num_mean: int = 1):
        self.table, self.device, self.num_mean, self.dim = table, device, num_mean, table.dim

    @classmethod
    def of_data(cls, path: str, data: Dataset, device: torch.device, num_mean: int = 1) -> FileEncoder:
        """The encoder for data whose samples stand in the file's order; DataError for another number of samples."""
        table = read_embeddings(path)
        if len(table) != len(data):
            raise DataError(f"{path}: has features of {len(table)} images, the data have {len(data)} images")
        return cls(table, device, num_mean)

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        self.encode([text])
        return Prompt(text, {}, ())

    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Features [N, dim]; PromptError for a sentence that the file does not have."""
        return torch.cat([self._row(text) for text in texts])

    def of_samples(
        self, data: Any, indices: Sequence[int], rng: torch.Generator, rows: slice = slice(None)
    ) -> torch.Tensor:
        """Features [N, dim] of samples: the mean over `num_mean` rows of each sample, drawn at random."""
        means = [torch.stack(_choose(list(self.table.rows(index)), self.num_mean, rng)).mean(0) for index in indices]
        return torch.stack(means[rows]).to(self.device)

    def info(self) -> dict:
        return {"text": {"encoder": "file"}}

    def _row(self, text):
        table = self.table
        if text in table.texts:
            return table.rows(table.texts.index(text))[:1]
        if text.startswith("#") and text[1:].isdecimal() and int(text[1:]) < len(table):
            return table.rows(int(text[1:]))[:1]
        raise PromptError(
            f"{table.path}: has no embedding of {text[:60]!r}; write a sentence of the file, or #0 to #{len(table) - 1}"
        )


def copy_network(outdir: Path, role: str, source: str) -> str:
    """Write the network that encoded the sentences into a run's folder as `role`; the name of its manifest."""
    read = read_network(source)
    write_component(outdir, role, read.kind, read.config, read.state_dict, step=read.step, info=read.info)
    return f"{role}.json"


def padded(features: TextFeatures, num_words: int) -> TextFeatures:
    """The features with `num_words` places for words, the further ones empty."""
    missing = num_words - features.mask.shape[1]
    return TextFeatures(
        features.sentence, F.pad(features.words, (0, missing)), F.pad(features.mask, (0, missing), value=True)
    )


def _choose(items: Sequence, num: int, rng: torch.Generator) -> list:
    """`num` of the items in random order, all where there are fewer."""
    return [items[i] for i in torch.randperm(len(items), generator=rng)[:num].tolist()]
