"""How well words and image regions match, and DAMSM's losses on it (AttnGAN, equations 7 to 13)."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from styleT2I.torch_utils.distributed import gathered

GAMMA1, GAMMA2, GAMMA3 = 4.0, 5.0, 10.0  # sharpness of attention, of the best word, of the choice in a batch


def word_scores(
    words: torch.Tensor, mask: torch.Tensor, regions: torch.Tensor, gamma1: float = GAMMA1, gamma2: float = GAMMA2
) -> torch.Tensor:
    """R(image, sentence) of every sentence with every image [N sentences, M images], equations 7 to 10.

    words [N, D, T], mask bool [N, T] (True: no such word), regions [M, D, R]. A word's score is its
    cosine to the mean of the regions, weighted by how well they match it; a sentence's is a soft maximum over words.
    """
    absent = mask[:, None, :, None]
    scores = torch.einsum("ndt,mdr->nmtr", words, regions)
    scores = scores.masked_fill(absent, float("-inf")).softmax(dim=2)  # over the words of a region
    weights = (gamma1 * scores).softmax(dim=3)  # over the regions of a word
    context = torch.einsum("nmtr,mdr->nmtd", weights, regions)
    cosines = F.cosine_similarity(context, words.transpose(1, 2).unsqueeze(1), dim=3, eps=1e-8)  # [N, M, T]
    return (gamma2 * cosines).masked_fill(mask[:, None], float("-inf")).logsumexp(dim=2) / gamma2


def sentence_scores(sentence: torch.Tensor, image: torch.Tensor) -> torch.Tensor:
    """Cosines of sentences [N, D] and images [M, D]: [N, M]."""
    return F.normalize(sentence, dim=1) @ F.normalize(image, dim=1).t()


def matching_loss(scores: torch.Tensor, also_true: torch.Tensor | None = None, gamma3: float = GAMMA3) -> torch.Tensor:
    """Cross-entropy of choosing one's own partner in a batch by scores [N, N], both ways summed (equations 11 to 13).

    also_true bool [N, N]: pairs beside the diagonal that match as well and are not wrong answers. A mean over the
    batch, where the paper sums.
    """
    logits = gamma3 * scores
    if also_true is not None:
        is_own = torch.eye(len(logits), dtype=torch.bool, device=logits.device)
        logits = logits.masked_fill(also_true & ~is_own, float("-inf"))
    own = torch.arange(len(logits), device=logits.device)
    return F.cross_entropy(logits, own) + F.cross_entropy(logits.t(), own)


def damsm_losses(text, image, also_true: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """The word-level and the sentence-level loss of TextFeatures and ImageFeatures of a batch of pairs.

    also_true bool [N sentences, N images] as in `matching_loss`; of a batch that several processes share it counts the
    rows of all, and text and image are one's own.
    """
    words = gathered(word_scores(text.words, text.mask, gathered(image.regions)))
    sentences = gathered(sentence_scores(text.sentence, gathered(image.image)))
    return matching_loss(words, also_true), matching_loss(sentences, also_true)
