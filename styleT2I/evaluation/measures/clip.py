"""Metrics of a CLIP on unseen captioned images: zero-shot attributes, rare pairs, R-precision."""

from __future__ import annotations

import math

import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.training.captioned import CaptionedData, CaptionReader, captions_true_of, normal_caption
from styleT2I.evaluation.measures.judge import judged_pairs
from styleT2I.evaluation.measures.ranking import NUM_CANDIDATES, Ranking
from styleT2I.generation.observers import exclusive_columns, fixed_prompts
from styleT2I.metrics.attributes import (
    balanced_accuracy,
    prompt_features,
    rare_pair_accuracy,
    verdicts,
    zero_shot_margins,
)
from styleT2I.networks.clip.model import CLIP
from styleT2I.torch_utils.images import make_grid_u8, to_uint8
from styleT2I.torch_utils.seeding import generator

_BATCH_SIZE = 128


class CLIPEvaluation:
    """Metrics of any CLIP on one data set; zero-shot ones where the data has labels that the vocabulary can phrase."""

    def __init__(self, spec: str, vocabulary: str | None, resolution: int | None):
        self.data = CaptionedData((spec,), resolution)
        self.names, self.prompts, self.groups, self.reader, self.pairs = (), None, (), None, {}
        if vocabulary is not None and self.data.names:
            words = load_vocabulary(vocabulary)
            self.names = tuple(name for name in self.data.names if name in words)
            self.columns = [self.data.names.index(name) for name in self.names]
            self.prompts = fixed_prompts(words, self.names)
            self.groups = exclusive_columns(words, self.names)
            self.reader = CaptionReader(words, self.data.names)
            self.pairs = judged_pairs(self.names)

    @torch.no_grad()
    def measure(self, clip: CLIP, num: int | None = None) -> dict:
        """Metrics on the first `num` images (all by default); the network's mode is kept.

        "num"; "r_precision": rate of images whose first caption beats 99 others that do not hold for them (where
        labels tell, else 99 other sentences), over the "r_precision_num" images for which there are as many (left
        out where there are none); with labels also "attributes": zero-shot balanced accuracy by attribute,
        and "rare_pairs": as metrics.attributes.rare_pair_accuracy.
        """
        was_training = clip.training
        clip.eval()
        features, captions, labels = self._encode(clip, num)
        metrics = {"num": len(features)}
        if len(features) > NUM_CANDIDATES:
            metrics |= self._r_precision(clip, features, captions, labels)
        if self.prompts:
            truth = labels[:, self.columns]
            verdict = verdicts(self._margins(clip, features))
            accuracy = balanced_accuracy(verdict, truth).tolist()
            metrics["attributes"] = dict(zip(self.names, accuracy, strict=True))
            metrics["rare_pairs"] = {
                name: rare_pair_accuracy(verdict, truth, pair) for name, pair in self.pairs.items()
            }
        clip.train(was_training)
        return metrics

    def summary(self, clip: CLIP, num: int | None = None) -> dict[str, float]:
        """`measure` as flat numbers for a log line."""
        metrics = self.measure(clip, num)
        flat = {"r_precision": metrics["r_precision"]} if "r_precision" in metrics else {}
        if self.prompts:
            pairs = {name: pair["balanced"] for name, pair in metrics["rare_pairs"].items()}
            flat["worst_attribute"] = min(metrics["attributes"].values())
            flat["worst_pair"] = min(pairs.values(), default=math.nan)
            flat.update({f"zero_shot/{name}": value for name, value in {**metrics["attributes"], **pairs}.items()})
        return flat

    @torch.no_grad()
    def nearest_u8(self, clip: CLIP, num: int | None = None, num_shown: int = 8) -> torch.Tensor:
        """A grid [3, H, W] uint8: a row for each attribute, the images surest to have it by CLIP first."""
        was_training = clip.training
        clip.eval()
        margins = self._margins(clip, self._encode(clip, num)[0])
        clip.train(was_training)
        best = margins.topk(num_shown, dim=0).indices.t().flatten().tolist()  # attribute by attribute
        images = torch.cat([self.data.batch([index]).image for index in best])
        return make_grid_u8(to_uint8(images), ncol=num_shown)

    def _encode(self, clip, num):
        """Image features [N, D] on the CPU, first captions, labels bool [N, A] or None."""
        features, captions, labels = [], [], []
        for batch in self.data.in_order(_BATCH_SIZE, num):
            features.append(clip.encode_image(batch.image.to(clip.image_mean.device)).cpu())
            captions += [options[0] for options in batch.captions]
            labels.append(batch.labels)
        return torch.cat(features), captions, torch.cat(labels) if self.data.names else None

    def _r_precision(self, clip, features, captions, labels):
        also_true = captions_true_of(labels, self.reader(captions)) if self.reader else None
        meanings = [normal_caption(caption) for caption in captions]
        ranking = Ranking(meanings, generator("clip evaluation"), also_true)
        if not len(ranking):
            return {}
        found = ranking.found(features, encode_texts(clip, captions))
        return {"r_precision": float(found.mean()), "r_precision_num": len(ranking)}

    def _margins(self, clip, features):
        true_features, false_features = (
            prompt_features(encode_texts(clip, [text for wordings in side for text in wordings]).unflatten(0, (-1, 2)))
            for side in self.prompts
        )
        return zero_shot_margins(features, true_features, false_features, self.groups)


def encode_texts(clip: CLIP, texts: list[str]) -> torch.Tensor:
    """Text features [N, D] on the CPU, a batch at a time."""
    parts = [clip.encode_text(texts[start : start + _BATCH_SIZE]) for start in range(0, len(texts), _BATCH_SIZE)]
    return torch.cat(parts).cpu()
