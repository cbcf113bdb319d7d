"""Suite "inversion": faces of which all is known, inverted and edited; rare compositions beside frequent ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from styleT2I.data.dataset import open_dataset
from styleT2I.errors import ConfigError, StyleT2IError
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
from styleT2I.evaluation.suites import Request
from styleT2I.generation.arguments import INVERSIONS
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.inversion.arguments import InversionConfig
from styleT2I.inversion.inverter import Inverter
from styleT2I.inversion.lpips import TRUNKS, Lpips
from styleT2I.inversion.result import Inversion
from styleT2I.metrics.attributes import YES
from styleT2I.metrics.fidelity import psnr, structural_similarity
from styleT2I.metrics.pairwise import paired_cosine
from styleT2I.statistics.intervals import bootstrap_interval
from styleT2I.torch_utils.images import from_uint8
from styleT2I.torch_utils.seeding import generator, latents_of_seeds

__all__ = ["check_options", "evaluate_inversion", "inversion_table"]

KINDS = ("frequent", "rare")
_BATCH = 8  # images inverted at a time, more than on a user's CPU: no image is promised to be the same alone
_VERDICTS = ("psnr", "identity", "kept", "edited")  # of which it is told whether rare faces are worse off


class _Edit(NamedTuple):
    """An attribute of the judge, the value it is turned to, and the other attributes that should stay."""

    name: str
    value: bool
    others: tuple[int, ...]


def check_options(request: Request) -> dict:
    """Refuse an unknown method, or a model that lacks a network, before anything is drawn; ConfigError."""
    _methods(request)
    for role in ("generator", "a2d", "judges.heldout"):
        request.model.network(role)
    return {}


def _methods(request) -> tuple[str, ...]:
    named = request.options.get("inversions")
    known = tuple(INVERSIONS) if request.model.has("encoder") else ("w", "w+", "pivotal")
    methods = tuple(dict.fromkeys(named or known))
    for method in methods:
        InversionConfig(method)
        if method.startswith("encoder"):
            request.model.network("encoder")
    return methods


def evaluate_inversion(request: Request) -> dict:
    """Faces of the world's rare compositions and of their frequent twins, inverted by every method, then edited.

    Of a composition both kinds share all but its attributes, so they are compared in pairs. Of an image: "psnr" in dB,
    "ssim", "lpips" (where its weights are at hand), "identity" (the cosine of the held-out judge's features, 1 at
    most), "kept" (the rate of attributes that it sees in the reconstruction as they are in truth), and after each
    attribute was turned round by strength 1: "edited" (the rate that it then sees) and "drift" (the rate of other
    attributes that changed). Of a pair only attributes are turned round that both have alike, and of these only such as
    the inversion kept: one that it lost would count as turned. "own": edits of the generator's own samples, not
    truncated, which need no inversion. Strength 1 was measured on truncated latents of which some had the attribute, so
    fewer edits show here than in the suite "edits".
    "rare_minus_frequent" has the mean difference of pairs. Intervals are of 95 %, by bootstrap over faces.
    DataError where the world's faces must be rendered first.
    """
    measuring = _Measuring(request)
    faces = {kind: measuring.faces(kind) for kind in KINDS}
    result = {
        "num": len(faces["rare"][0]), "compositions": [one.name for one in measuring.compositions],
        "distance": measuring.inverter.distance.name, "steps": request.options.get("inversion_steps"),
        "identity_of_strangers": measuring.strangers(faces["frequent"][0]),
        "own": {name: _mean(values, name) for name, values in measuring.own().items()},
        "methods": {},
    }  # fmt: skip
    found = {kind: measuring.inverted(images) for kind, (images, _) in faces.items()}
    alike = faces["rare"][1] == faces["frequent"][1]
    for method in measuring.methods:
        values, kept = {}, {}
        for kind, (images, labels) in faces.items():
            inversions = [one[method] for one in found[kind]]
            values[kind], kept[kind] = measuring.of(inversions, images, labels, alike)
        result["methods"][method] = _compared(values, kept)
    return result


class _Measuring:
    """The networks, the faces and the edits of one run."""

    def __init__(self, request: Request):
        self.request, self.model, self.methods = request, request.model, _methods(request)
        self.pipeline, self.judge = StyleT2I(request.model), HeldOutJudge(request.model)
        self.generator = request.model.network("generator")
        steps = request.options.get("inversion_steps")
        tuning = {"tune_steps": steps} if steps else {}
        self.inverter = Inverter(request.model, InversionConfig(steps=steps, **tuning), batch_size=_BATCH)
        self.world = request.needed_world()
        self.compositions = self.world.compositions
        self.lpips = self._open_lpips()
        strengths = self.model.info("a2d").get("strengths")
        if not strengths:
            raise ConfigError("the a2d component has no calibrated strengths; train it with --judge")
        self.strengths: Mapping[str, Mapping[str, float]] = strengths
        self.groups = [group.attributes for group in self.model.vocabulary.exclusive]

    def faces(self, kind: str) -> tuple[Tensor, Tensor]:
        """Images [N, 3, R, R] uint8 and labels bool [N, A], over the judge's attributes."""
        num = self.request.num
        counts = [len(range(first, num, len(self.compositions))) for first in range(len(self.compositions))]
        images, labels = [], []
        for composition, count in zip(self.compositions, counts, strict=True):
            if not count:
                continue
            wanted = composition.attributes if kind == "rare" else composition.twin
            spec = self.world.composition_spec(wanted, count)
            data = open_dataset(spec, self.generator.resolution, with_masks=False)
            columns = [data.attribute_names.index(name) for name in self.judge.attribute_names]
            batch = data.batch(range(count))
            images.append(batch.images_u8)
            labels.append(batch.attributes[:, columns])
        return torch.cat(images), torch.cat(labels)

    def inverted(self, images_u8) -> list[dict[str, Inversion]]:
        """Method -> inversion of every image."""
        return self.inverter.invert(images_u8, self.methods)

    @torch.no_grad()
    def of(self, inversions, images_u8, labels, alike) -> tuple[dict[str, Tensor], Tensor]:
        """Values by name, [N] each, and which attributes are kept, bool [N, A]; alike: [N, A], what may be edited."""
        images = from_uint8(images_u8)
        drawn, edits = [], []
        for inversion, label, may_edit in zip(inversions, labels, alike, strict=True):
            with inversion.drawing(self.generator):
                ws = inversion.ws.unsqueeze(0).to(self.model.device)
                drawn.append(self.generator.synthesis(ws).clamp(-1, 1).cpu())
                edits.append(self._edited(ws, drawn[-1], label, may_edit))
        reconstructed = torch.cat(drawn)
        before, after = (self._observed(part) for part in (images, reconstructed))
        kept = (after.verdict == YES) == labels
        rows = {
            "psnr": psnr(reconstructed, images),
            "ssim": structural_similarity(reconstructed, images),
            "identity": paired_cosine(before.features, after.features).cpu(),
            "kept": kept.double().mean(dim=1),
            "edited": torch.tensor([edit[0] for edit in edits]),
            "drift": torch.tensor([edit[1] for edit in edits]),
            "seconds": torch.tensor([inversion.record["seconds"] for inversion in inversions]),
            "bytes": torch.tensor([float(inversion.num_bytes) for inversion in inversions]),
        }
        if self.lpips is not None:
            rows["lpips"] = self.lpips.distances(reconstructed, images).cpu()
        return rows, kept

    @torch.no_grad()
    def own(self) -> dict[str, Tensor]:
        """Edits of the generator's own samples, of seeds 0 ... num - 1, not truncated."""
        z = latents_of_seeds(range(self.request.num), self.generator.z_dim).to(self.model.device)
        edits = []
        for ws in self.generator.mapping(z).split(1):
            drawn = self.generator.synthesis(ws).clamp(-1, 1).cpu()
            label = self._observed(drawn).verdict[0] == YES
            edits.append(self._edited(ws, drawn, label, torch.ones_like(label)))
        return {"edited": torch.tensor([e[0] for e in edits]), "drift": torch.tensor([e[1] for e in edits])}

    def strangers(self, images_u8) -> float:
        """The mean cosine of the features of two different faces, below which an identity says nothing."""
        features = self._observed(from_uint8(images_u8)).features
        return paired_cosine(features, features.roll(1, 0)).mean().item()

    def _edited(self, ws, drawn, label, may_edit) -> tuple[float, float]:
        """Every attribute of a face turned round by itself: the rate that then shows, and of others that change."""
        before = self._observed(drawn).verdict[0]
        edits = self._edits(label, may_edit & ((before == YES) == label))
        if not edits:
            return float("nan"), float("nan")
        directions = self.pipeline.attribute_directions(ws.mean(dim=1), [edit.name for edit in edits])[0]
        units = directions / directions.flatten(1).norm(dim=1)[:, None, None].clamp_min(1e-8)
        steps = [self.strengths[edit.name]["true" if edit.value else "false"] * (1 if edit.value else -1)
                 for edit in edits]  # fmt: skip
        moved = ws + torch.tensor(steps, device=ws.device)[:, None, None] * units
        after = self._observed(self.generator.synthesis(moved).clamp(-1, 1)).verdict
        column = self.judge.attribute_names.index
        right = [bool((after[row, column(edit.name)] == YES) == edit.value) for row, edit in enumerate(edits)]
        drift = [(after[row, edit.others] != before[list(edit.others)]).double().mean().item()
                 for row, edit in enumerate(edits)]  # fmt: skip
        return sum(right) / len(right), sum(drift) / len(drift)

    def _edits(self, label, may_edit) -> list[_Edit]:
        """Each attribute that can be turned round: of a group of which one holds, those are turned on that do not."""
        edits = []
        for index, name in enumerate(self.judge.attribute_names):
            group = next((names for names in self.groups if name in names), ())
            value = not bool(label[index])
            if name not in self.strengths or not may_edit[index] or (group and not value):
                continue
            others = tuple(other for other, its in enumerate(self.judge.attribute_names)
                           if other != index and its not in group)  # fmt: skip
            edits.append(_Edit(name, value, others))
        return edits

    def _observed(self, images):
        return self.judge.observe([images.to(self.model.device)])

    def _open_lpips(self):
        for trunk in TRUNKS:
            try:
                return Lpips(trunk, self.generator.resolution, self.model.device)
            except StyleT2IError:
                continue
        return None


def _compared(values: Mapping[str, Mapping[str, Tensor]], kept: Mapping[str, Tensor]) -> dict:
    """Means of both kinds, their difference in pairs, and whether it is seen."""
    result = {kind: {name: _mean(rows, name) for name, rows in values[kind].items()} for kind in KINDS}
    differences = {name: values["rare"][name].double() - values["frequent"][name].double() for name in values["rare"]}
    gaps = {name: _mean(rows, f"gap {name}") for name, rows in differences.items() if name not in ("seconds", "bytes")}
    seen = {name: _seen(gaps[name]["interval"]) for name in _VERDICTS}
    worst = torch.cat(list(kept.values())).double().mean(dim=0).min().item()
    return {**result, "rare_minus_frequent": gaps, "rare_faces_are": seen, "kept_worst_attribute": worst}


def _mean(values: Tensor, name: str) -> dict:
    values = values[~values.isnan()]  # of a face that kept nothing no edit is measured
    if not len(values):
        return {"mean": float("nan"), "interval": [float("nan")] * 2}
    return {"mean": values.double().mean().item(),
            "interval": list(bootstrap_interval(values, generator("inversion", name)))}  # fmt: skip


def _seen(interval) -> str:
    low, high = interval
    return "worse" if high < 0 else "better" if low > 0 else "no different that is seen"


def inversion_table(values: dict) -> str:
    """The suite's metrics as markdown; proportions in per cent, intervals of 95 %."""
    columns = ("method", "faces", "PSNR, dB", "SSIM", "identity", "attributes kept", "edits that show", "drift", "s")
    rows = [columns, ("---",) * len(columns)]
    for method, one in values["methods"].items():
        for kind in (*KINDS, "rare_minus_frequent"):
            cells = one[kind]
            title = "difference" if kind == "rare_minus_frequent" else kind
            seconds = f"{cells['seconds']['mean']:.1f}" if "seconds" in cells else ""
            rows.append((method, title, _cell(cells["psnr"], 2), _cell(cells["ssim"], 3), _cell(cells["identity"], 3),
                         *(_cell(cells[name], 1, 100) for name in ("kept", "edited", "drift")), seconds))  # fmt: skip
    own = values["own"]
    samples = (*("",) * 4, *(_cell(own[name], 1, 100) for name in ("edited", "drift")), "")
    rows.append(("none", "the generator's samples", *samples))
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return f"{values['num']} faces of each kind. Distance: {values['distance']}.\n\n" + "\n".join(lines)


def _cell(value, digits, factor=1):
    low, high = value["interval"]
    return f"{factor * value['mean']:.{digits}f} ({factor * low:.{digits}f} to {factor * high:.{digits}f})"
