"""Metrics of a prior's embeddings: requested attributes, and whether it samples or returns the mean."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.baselines.unclip.prior import Caption
from styleT2I.data.training.captioned import CaptionReader
from styleT2I.errors import DataError
from styleT2I.evaluation.measures.embedded_data import EmbeddedData
from styleT2I.metrics.attributes import verdicts
from styleT2I.metrics.linear_probe import LinearProbe, fit_linear_probe

BATCH_SIZE = 64


class EmbeddingEvaluation:
    """Metrics of image embeddings drawn for unseen captions, the first of each of `num` scenes.

    probe: reads the labels off embeddings; None: only cosines are measured.
    """

    def __init__(self, data: EmbeddedData, num: int, probe: LinearProbe | None, vocabulary: str = "minifaces"):
        self.num = min(num, len(data))
        self.data, self.probe = data, probe
        self.texts = [captions[0] for captions in data.captions[: self.num]]
        self.true = data.embeddings[: self.num]
        if probe is not None:
            if data.labels is None:
                raise DataError("embeddings are read for attributes that the data do not label; give labelled data")
            mentions = CaptionReader(load_vocabulary(vocabulary), data.names)(self.texts)
            self.asked, self.wanted = mentions.asked, mentions.asserted

    @torch.no_grad()
    def measure(self, draw: Callable[[Caption, range], torch.Tensor]) -> dict[str, float]:
        """Of the embeddings [N, D] that draw(captions, seeds) gives, seed k for caption k.

        "cos_true", "cos_text": to the true image's and to the caption's embedding; with a probe "all_requested": rate
        of captions whose every requested attribute is read; "spread": variance over captions, the true images' being 1;
        "rates_off": of attributes that a caption leaves open, how far their rate is from the true images', mean over
        attributes. A prior that answers the mean has the best cosines and rates of requests, but not the last two.
        """
        drawn, text = [], []
        for start in range(0, self.num, BATCH_SIZE):
            seeds = range(start, min(start + BATCH_SIZE, self.num))
            caption = self.data.encode(self.texts[start : seeds.stop])
            drawn.append(draw(caption, seeds).cpu())
            text.append(caption.embedding.cpu())
        drawn, text = torch.cat(drawn), torch.cat(text)
        metrics = {
            "cos_true": F.cosine_similarity(drawn, self.true).mean().item(),
            "cos_text": F.cosine_similarity(drawn, text).mean().item(),
            "spread": (drawn.var(dim=0).sum() / self.true.var(dim=0).sum()).item(),
        }
        return metrics if self.probe is None else metrics | self._read(drawn)

    def _read(self, drawn):
        verdict, truth = verdicts(self.probe(drawn)), verdicts(self.probe(self.true))
        right = (verdict == self.wanted) | ~self.asked
        is_open = (~self.asked).double()
        count = is_open.sum(dim=0).clamp_min(1)
        off = (((verdict == 1) * is_open).sum(dim=0) - ((truth == 1) * is_open).sum(dim=0)) / count
        return {"all_requested": right.all(dim=1).double().mean().item(), "rates_off": off.abs().mean().item()}


def evaluation_of(data: EmbeddedData, eval_data: EmbeddedData, num: int) -> EmbeddingEvaluation:
    """An evaluation whose probe is fitted to the training's own embeddings where they are labelled."""
    probe = fit_linear_probe(data.embeddings, data.labels) if data.labels is not None else None
    return EmbeddingEvaluation(eval_data, num, probe)
