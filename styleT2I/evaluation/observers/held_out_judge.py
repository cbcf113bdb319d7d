"""The held-out judge as an observer: verdicts, features, and nuisances that should stay when an attribute changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch

from styleT2I.generation.model import Model
from styleT2I.metrics.attributes import Requests, encode_requests, verdicts
from styleT2I.networks.faces.attribute_classifier import readable_nuisances


class Observation(NamedTuple):
    """The held-out judge's observation of N images."""

    verdict: torch.Tensor  # int8 [N, A], on the CPU
    features: torch.Tensor  # [N, F]
    nuisances: torch.Tensor  # [N, K] of the readable ones, on the CPU


class HeldOutJudge:
    """Observes images for a measurement; it trains nothing and calibrates nothing."""

    def __init__(self, model: Model):
        self.network = model.network("judges.heldout")
        self.attribute_names = self.network.attribute_names
        self.readability = readable_nuisances(self.network, model.info("judges.heldout"))
        self._columns = [self.network.nuisance_names.index(name) for name in self.readability]
        self._groups = [group.attributes for group in model.vocabulary.exclusive if group.exactly_one]

    @torch.no_grad()
    def observe(self, images: Iterable[torch.Tensor]) -> Observation:
        """The observation of batches of images [B, 3, H, W] in [-1, 1]."""
        verdict, features, nuisances = [], [], []
        for image in images:
            rows, seen = self.network.observe(image)
            features.append(rows)
            verdict.append(verdicts(self.network.logits_of(rows)).cpu())
            nuisances.append(seen[:, self._columns].cpu())
        return Observation(torch.cat(verdict), torch.cat(features), torch.cat(nuisances))

    def requests(self, asked: Sequence[Mapping[str, bool]]) -> Requests:
        """The requests of N sentences, over the judge's attributes."""
        return encode_requests(asked, self.attribute_names, self._groups)

    def changes(self, before: Observation, after: Observation) -> dict[str, float]:
        """Mean absolute change of every readable nuisance, in units of its spread over the images before."""
        return {name: values.mean().item() for name, values in self.changes_by_image(before, after).items()}

    def changes_by_image(self, before: Observation, after: Observation) -> dict[str, torch.Tensor]:
        """The absolute change of every readable nuisance in each image, [N] by name, in the same units."""
        if not self.readability:
            return {}
        spread = before.nuisances.std(dim=0).clamp_min(1e-6)
        changes = (after.nuisances - before.nuisances).abs() / spread
        return dict(zip(self.readability, changes.unbind(1), strict=True))

    def by_name(self, values: torch.Tensor) -> dict[str, float]:
        """Values [A] by attribute, without those that are NaN: nobody asked, or everybody did."""
        pairs = zip(self.attribute_names, values.tolist(), strict=True)
        return {name: value for name, value in pairs if value == value}
