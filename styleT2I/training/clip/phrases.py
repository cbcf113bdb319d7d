"""The loss that asks a CLIP of every image whether each attribute's phrase fits it better than its negation."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.generation.observers import exclusive_columns, fixed_prompts
from styleT2I.metrics.attributes import prompt_features, zero_shot_margins
from styleT2I.networks.clip.model import CLIP


class PhraseLoss:
    """Cross-entropy of zero-shot verdicts on an image's attributes, whose sentences are short captions of it.

    A batch's captions rarely differ in a small attribute alone, a necklace or bushy eyebrows, so the contrastive loss
    hardly asks for it; this asks in every step. The prompts are those of `generation.observers.fixed_prompts`, as
    CLIP's zero-shot classifiers are built (Radford et al. 2021, section 3.1). Not in the paper.

    Example:
        >>> from styleT2I import load_clip, load_vocabulary
        >>> clip, vocabulary = load_clip("minifaces"), load_vocabulary("minifaces")
        >>> loss = PhraseLoss(clip, vocabulary, vocabulary.names)
        >>> features, labels = torch.zeros(2, clip.embed_dim), torch.zeros(2, len(vocabulary.names))
        >>> round(loss(clip, features, labels).item(), 3)
        0.693
    """

    def __init__(self, clip: CLIP, vocabulary: Vocabulary, names: Sequence[str]):
        """names: of the labels' columns; those that the vocabulary lacks are not asked about."""
        self.names = [name for name in names if name in vocabulary]
        self.columns = [list(names).index(name) for name in self.names]
        self.groups = exclusive_columns(vocabulary, self.names)
        texts = [text for side in fixed_prompts(vocabulary, self.names) for wordings in side for text in wordings]
        self.ids = clip.short_ids(texts).to(clip.image_mean.device)  # [2 A P, L], P wordings

    def __call__(self, clip: CLIP, image_features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """image_features [N, D], labels [N, names] in {0, 1} -> the mean cross-entropy, in nats."""
        prompts = prompt_features(clip.encode_ids(self.ids).unflatten(0, (2, len(self.names), -1)))
        margins = zero_shot_margins(image_features, *prompts, self.groups)
        asked = labels[:, self.columns].to(margins)
        return F.binary_cross_entropy_with_logits(clip.temperature_scale * margins, asked)
