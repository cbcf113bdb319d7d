"""Where a baseline's training takes a sentence's features from: a frozen CLIP or DAMSM, or a file of embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from styleT2I.baselines.damsm import RELEASED_MAX_WORDS
from styleT2I.data.dataset import Dataset
from styleT2I.errors import DataError
from styleT2I.formats.component import write_component
from styleT2I.formats.embeddings import read_embeddings
from styleT2I.formats.foreign.registry import read_network

NUM_CAPTIONS = 1024  # whose CLIP features give the mean and the standard deviation
_CHUNK = 128


class ClipFeatures:
    """CLIP features of captions, standardised: each number has mean 0 and deviation 1 over the data's captions."""

    def __init__(self, clip, data: Dataset, num_mean: int = 1):
        self.clip, self.num_mean, self.dim = clip, num_mean, clip.embed_dim
        captions = [captions[0] for i in range(min(NUM_CAPTIONS, len(data))) if (captions := data.captions_of(i))]
        if len(captions) < 2:
            raise DataError("the data have no captions to learn from; add them, or use minifaces:biased/train")
        self.mean, self.std = torch.zeros(self.dim), torch.ones(self.dim)
        features = torch.cat([self.encode(captions[i : i + _CHUNK]) for i in range(0, len(captions), _CHUNK)]).cpu()
        self.mean, self.std = features.mean(dim=0), features.std(dim=0).clamp_min(1e-4)

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Features [N, dim] of sentences."""
        features = self.clip.encode_text(list(texts))
        return (features - self.mean.to(features)) / self.std.to(features)

    def of_samples(self, data: Dataset, indices: Sequence[int], rng: torch.Generator) -> torch.Tensor:
        """Features [N, dim] of the samples: the mean of `num_mean` of each one's captions, drawn at random."""
        return _mean_of_captions(self, data, indices, rng)

    def info(self) -> dict:
        """What a component keeps, so that new sentences are read alike."""
        clip = {"mean": self.mean.tolist(), "std": self.std.tolist()}
        return {"clip_name": self.clip.config.name, "text": {"encoder": "clip", **clip}}


class DamsmFeatures:
    """Sentence vectors of DAMSM's frozen text encoder, of captions cut as its training cut them."""

    def __init__(self, encoder, training: dict, num_mean: int = 1):
        """training: the settings that the encoder was trained with, as its component keeps them; {} of its authors'."""
        self.encoder, self.num_mean, self.dim = encoder, num_mean, encoder.feature_dim
        self.max_words = training.get("max_words", RELEASED_MAX_WORDS)

    @torch.no_grad()
    def encode(self, texts: Sequence[str]) -> torch.Tensor:
        """Features [N, dim] of sentences."""
        ids = self.encoder.tokenize(list(texts), self.max_words)
        return self.encoder(ids.to(self.encoder.embedding.weight.device)).sentence

    def of_samples(self, data: Dataset, indices: Sequence[int], rng: torch.Generator) -> torch.Tensor:
        """Features [N, dim] of the samples: the mean of `num_mean` of each one's captions, drawn at random."""
        return _mean_of_captions(self, data, indices, rng)

    def info(self) -> dict:
        """What a component keeps, so that new sentences are read alike."""
        return {"text": {"encoder": "damsm", "max_words": self.max_words}}


class FileFeatures:
    """Sentence features out of a file, for data whose samples stand in the file's order."""

    def __init__(self, path: str, data: Dataset, device: torch.device, num_mean: int = 1):
        self.table, self.num_mean, self.device = read_embeddings(path), num_mean, device
        self.dim = self.table.dim
        if len(self.table) != len(data):
            raise DataError(f"{path}: has features of {len(self.table)} pictures, the data have {len(data)} pictures")

    def of_samples(self, data: Dataset, indices: Sequence[int], rng: torch.Generator) -> torch.Tensor:
        """Features [N, dim] of the samples: the mean of `num_mean` of each one's rows, drawn at random."""
        rows = [torch.stack(_choose(list(self.table.rows(index)), self.num_mean, rng)).mean(0) for index in indices]
        return torch.stack(rows).to(self.device)

    def info(self) -> dict:
        return {"text": {"encoder": "file"}}


def copy_network(outdir: Path, role: str, source: str) -> str:
    """Write the network that read the sentences into a run's folder as `role`; the name of its manifest."""
    read = read_network(source)
    write_component(outdir, role, read.kind, read.config, read.state_dict, step=read.step, info=read.info)
    return f"{role}.json"


def _mean_of_captions(text, data, indices, rng):
    chosen = [_choose(data.captions_of(index), text.num_mean, rng) for index in indices]
    features = text.encode([caption for captions in chosen for caption in captions])
    return torch.stack([rows.mean(dim=0) for rows in features.split([len(captions) for captions in chosen])])


def _choose(items, num, rng):
    """`num` of the items in random order, all where there are fewer."""
    return [items[i] for i in torch.randperm(len(items), generator=rng)[:num].tolist()]
