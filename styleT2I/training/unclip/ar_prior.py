"""Training of unCLIP's autoregressive prior: cross-entropy of every component's bucket."""

from __future__ import annotations

import torch

from styleT2I.baselines.unclip.ar_prior import UnclipARPrior, smoothed_targets
from styleT2I.baselines.unclip.prior import Caption
from styleT2I.config import override
from styleT2I.evaluation.measures.embeddings import evaluation_of
from styleT2I.torch_utils.seeding import SeedNoise
from styleT2I.training.unclip.task import UnclipTask

NUM_DOTS = 4096  # samples whose dot products give the edges


class UnclipARPriorTask(UnclipTask):
    """Components, ranges and edges follow from the data at setup; the dot token stays where a caption is dropped."""

    name = "unclip_ar_prior"

    def build(self) -> torch.nn.Module:
        config = self.fitted(self.config.network)
        num = min(config.num_components, config.embed_dim)
        network = UnclipARPrior(override(config, num_tokens=self.encoder.num_tokens, num_components=num))
        network.fit(self.data.embeddings, self._dots(min(NUM_DOTS, len(self.data))))
        has_labels = self.eval_data is not None
        self.evaluation = evaluation_of(self.data, self.eval_data, self.config.eval_num) if has_labels else None
        return network

    def inputs(self, indices: list[int], told: list[int], rng: torch.Generator) -> tuple:
        z = self.data.embedding_batch(indices)
        caption, said = self.captions(told, rng)
        codes = self.network.encode(z)
        dots = self.network.dot_codes((z * said).sum(dim=1))
        target = smoothed_targets(codes, self.network.config.num_buckets, self.config.smoothing)
        return codes, dots, caption, target

    def loss(self, codes: torch.Tensor, dots: torch.Tensor, caption: Caption, target: torch.Tensor):
        logs = self.network(codes, dots, *caption).log_softmax(dim=2)
        hard = -logs.gather(2, codes.unsqueeze(2)).mean()
        return -(target * logs).sum(dim=2).mean(), {"nats_per_code": hard}

    def evaluate(self, step: int) -> dict[str, float]:
        metrics = super().evaluate(step)
        if self.evaluation is None:
            return metrics

        def draw(caption, seeds):
            return self.average.draw(caption, self.null, SeedNoise(seeds, "prior 0", self.device))

        return metrics | self.evaluation.measure(draw)

    def _dots(self, num):
        """z_i . z_t of the first samples' first captions."""
        dots = []
        for start in range(0, num, 128):
            rows = range(start, min(start + 128, num))
            text = self.data.encode([self.data.captions[i][0] for i in rows]).embedding.cpu()
            dots.append((text * self.data.embeddings[rows.start : rows.stop]).sum(dim=1))
        return torch.cat(dots)
