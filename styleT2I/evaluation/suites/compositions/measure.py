"""One cell under one method of adjustment: edits of the same latents, and the held-out judge's verdicts."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from styleT2I.data.dataset import open_dataset
from styleT2I.data.worlds import World
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
from styleT2I.evaluation.observers.surroundings import Surroundings
from styleT2I.evaluation.suites.compositions.cells import Prompted
from styleT2I.evaluation.suites.generator import features_of
from styleT2I.generation.adjustment import Adjusted, AdjustmentConfig
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.attributes import attribute_rates, drift_rates, success, verdicts
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.metrics.pairwise import paired_cosine
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.torch_utils.seeding import latents_of_seeds

BATCH_SIZE = 64


class CellMeasure:
    """Measures cells on the latents of seeds 0 ... num - 1; the unedited faces are drawn and observed once.

    world: of the cells' images, to which distances are measured where they can be read.
    """

    def __init__(self, pipeline: StyleT2I, world: World, num: int, psi: float):
        self.pipeline, self.world, self.num = pipeline, world, num
        self.generator, self.judge = pipeline.model.network("generator"), HeldOutJudge(pipeline.model)
        with torch.no_grad():
            z = latents_of_seeds(range(num), self.generator.z_dim).to(pipeline.model.device)
            self.ws = self.generator.mapping(z, truncation_psi=psi)  # [N, num_ws, w_dim]
            plain = torch.cat([self.generator.synthesis(part).clamp(-1, 1) for part in self.ws.split(BATCH_SIZE)])
            self.plain = self.judge.observe(plain.split(BATCH_SIZE))
            self.surroundings = Surroundings(pipeline.model)
            self._plain_seen = self.surroundings.see(plain)
        self._real = ("", None)

    @torch.no_grad()
    def measure(self, cell: Prompted, adjustment: AdjustmentConfig) -> dict:
        """Metrics of a cell, ready for JSON; "right" has a 1 for every latent whose image shows all that was asked.

        "attributes": rate right by asked attribute; "drift": rate whose verdict changed by attribute that nobody
        asked for; "nuisances": mean change in units of the nuisance's spread over the unedited faces; "adjusted": rate
        of the latents asking for an attribute that were stepped along it; "held": of those that leave it open.
        "frechet" and "success_real", the success of the world's own images of the cell, which the judge's errors alone
        keep below 1, are None where these are not rendered. "kept": what should stay, per latent:
        "identity" the cosine of the judge's features before and after, "pose" the mean change of its nuisances,
        "background" and "clothes" the mean change of their pixels in levels of 255, None where none is seen.
        """
        images, adjusted = zip(*self.edits(cell, adjustment), strict=True)
        after = self.judge.observe(images)
        requests = self.judge.requests(cell.requests)
        right = success(after.verdict, requests)
        more = "" if len(set(cell.sentences)) == 1 else " ..."
        return {
            "cell": cell.name,
            "kind": cell.kind,
            "composition": cell.composition,
            "sentence": cell.sentences[0] + more,
            "method": adjustment.method,
            "num": self.num,
            "success": right.double().mean().item(),
            "success_interval": wilson_interval(int(right.sum()), self.num),
            "unedited": success(self.plain.verdict, requests).double().mean().item(),
            "attributes": self.judge.by_name(attribute_rates(after.verdict, requests)),
            "drift": self.judge.by_name(drift_rates(self.plain.verdict, after.verdict, requests)),
            "nuisances": self.judge.changes(self.plain, after),
            **self._beside_real(after.features, cell, requests),
            **_adjustments(adjusted),
            "kept": self._kept(after, torch.cat(images)),
            "right": "".join(map(str, right.int().tolist())),
        }

    @torch.no_grad()
    def edits(self, cell: Prompted, adjustment: AdjustmentConfig):
        """Yield (image [B, 3, R, R], the pipeline's Adjusted) of the cell's latents, batch by batch."""
        prompts = {text: self.pipeline.understand(text) for text in dict.fromkeys(cell.sentences)}
        for start in range(0, self.num, BATCH_SIZE):
            rows = slice(start, start + BATCH_SIZE)
            ws = self.ws[rows]
            adjusted = self.pipeline.directions(ws, [prompts[text] for text in cell.sentences[rows]], adjustment)
            yield self.generator.synthesis(ws + adjusted.s_adjusted).clamp(-1, 1), adjusted

    def _kept(self, after, images):
        found = {"identity": paired_cosine(self.plain.features, after.features)}
        moved = self.judge.changes_by_image(self.plain, after)
        pose = [values for name, values in moved.items() if name in self.world.nuisance_groups["pose"]]
        if pose:
            found["pose"] = torch.stack(pose).mean(dim=0)
        found |= self.surroundings.changes(self._plain_seen, self.surroundings.see(images))
        return {name: [_rounded(value) for value in values.tolist()] for name, values in found.items()}

    def _beside_real(self, features, cell, requests):
        real = self._real_features(cell)
        if real is None:
            return {"success_real": None, "frechet": None}
        seen = verdicts(self.judge.network.logits_of(real)).cpu()
        return {
            "success_real": success(seen, requests).double().mean().item(),
            "frechet": frechet_distance(features, real),
        }

    def _real_features(self, cell):
        """Features [N, F] of images of the same attributes, None where they are not rendered; those of one cell are
        cached for its other methods."""
        if self._real[0] != cell.name and self.world.why_missing(cell.data):
            self._real = (cell.name, None)
        if self._real[0] != cell.name:
            dataset = open_dataset(cell.data, self.generator.resolution, with_masks=False)
            self._real = (cell.name, features_of(self.judge.network, dataset, cell.rows)[0])
        return self._real[1]


def _rounded(value):
    return None if value != value else round(value, 5)  # NaN: no pixel to compare


def _adjustments(parts: Sequence[Adjusted]) -> dict:
    """What the adjustment did: rates of latents by attribute, asked for ("adjusted") or left open ("held"), and mean
    norms of the sentence's direction and of what was added to it, in units of W."""
    stepped, length, added = {}, [], []  # stepped: name -> {is asked for: [n] bool}
    for part in parts:
        length.append(part.s.flatten(1).norm(dim=1))
        added.append((part.s_adjusted - part.s).flatten(1).norm(dim=1))
        for column, name in enumerate(part.names):
            is_asked, is_stepped = part.signs[:, column] != 0, part.steps[:, column] != 0
            for key, rows in ((True, is_asked), (False, ~is_asked)):
                stepped.setdefault(name, {True: [], False: []})[key] += is_stepped[rows].tolist()
    return {
        "adjusted": {name: _mean(found[True]) for name, found in stepped.items() if found[True]},
        "held": {name: _mean(found[False]) for name, found in stepped.items() if any(found[False])},
        "s_norm": torch.cat(length).mean().item(),
        "added_norm": torch.cat(added).mean().item(),
    }


def _mean(values):
    return sum(values) / len(values)
