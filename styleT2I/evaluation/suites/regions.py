"""Suite "regions": how much of an attribute's edit lies inside its region, by the true parts of the scene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch

from styleT2I.errors import ConfigError
from styleT2I.evaluation.suites import Request
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.pairwise import energy_inside
from styleT2I.networks.faces.regions import region_masks
from styleT2I.statistics.intervals import bootstrap_interval
from styleT2I.torch_utils.seeding import generator, latents_of_seeds

_BATCH_SIZE = 64
_MIN_PSNR = 18  # dB between G(z) and the scene of z; the embedded MiniFaces generator has 27, unrelated faces 9


class _Faces(NamedTuple):
    """Faces and where their parts are."""

    ws: torch.Tensor  # [B, num_ws, w_dim]
    parts: torch.Tensor  # [B, P, R, R] bool, on the CPU
    part_names: tuple[str, ...]
    psnr: torch.Tensor | None  # [B] dB between G(z) and the scene of z; None where no scene is known


class _DrawsOtherThings(ConfigError):
    """The generator does not draw the scenes of its latents."""


@torch.no_grad()
def evaluate_regions(request: Request) -> dict:
    """Proportion of the energy of G(w + a) - G(w - a) inside the attribute's region, mean over `num` latents.

    A generator that was fitted to the world draws from z, not truncated, the scene of z; so the scene's own parts say
    where everything is, and no segmenter is asked. For another one the model's segmenter says it, and "parts_by" that
    it did: what trained A2D's spatial constraint then measures it too. "area" is the region's proportion of the image:
    what an edit has that is spread evenly. Attributes without a region are left out. Raises ConfigError for a generator
    that draws other things where the model has no segmenter, DataError where the world's scenes are not rendered.
    """
    model, num, world = request.model, request.num, request.needed_world()
    try:
        return _measured(model, num, _known_faces(model, world, num))
    except _DrawsOtherThings:
        if not model.has("segmenter"):
            raise
    return {**_measured(model, num, _segmented_faces(model, num)), "parts_by": "segmenter"}


def _measured(model, num, batches: Iterator[_Faces]) -> dict:
    G, pipeline = model.network("generator"), StyleT2I(model)
    names = [attribute.name for attribute in model.vocabulary if attribute.region is not None]
    inside, areas, fidelity = [], [], []
    for faces in batches:
        ws = faces.ws
        fidelity.append(faces.psnr)
        directions = pipeline.attribute_directions(ws[:, 0], names)  # [B, A, num_ws, w_dim]
        regions = [[model.vocabulary[name].region] * len(ws) for name in names]
        masks = [region_masks(faces.parts, faces.part_names, region) for region in regions]
        areas.append(torch.stack([mask.mean(dim=(1, 2)) for mask in masks], dim=1))
        inside.append(torch.stack([
            energy_inside(*(G.synthesis(ws + sign * a).clamp(-1, 1).cpu() for sign in (1, -1)), mask)
            for a, mask in zip(directions.unbind(1), masks, strict=True)
        ], dim=1))  # fmt: skip
    inside, areas = torch.cat(inside), torch.cat(areas)  # [N, A]
    metrics = {
        name: {"inside": values.mean().item(), "interval": _interval(values), "area": area.mean().item()}
        for name, values, area in zip(names, inside.unbind(1), areas.unbind(1), strict=True)
    }
    return {
        "num": num,
        "truncation_psi": 1.0,
        "inside": inside.mean().item(),
        "inside_interval": _interval(inside),
        "area": areas.mean().item(),
        "attributes": metrics,
        "psnr": None if fidelity[0] is None else torch.cat(fidelity).mean().item(),
    }


def _known_faces(model, world, num) -> Iterator[_Faces]:
    """The world's own scenes and their latents; _DrawsOtherThings where the generator does not draw the former."""
    G, fidelity = model.network("generator"), []
    for z, scene, parts, part_names in world.known_scenes(num, G.resolution, _BATCH_SIZE):
        if z.shape[1] != G.z_dim:
            raise _DrawsOtherThings(
                f"suite regions needs a generator that draws {world.title} scenes; this one's z has {G.z_dim}"
            )
        ws = G.mapping(z.to(model.device))
        fidelity.append(_psnr(G.synthesis(ws).clamp(-1, 1).cpu(), scene))
        _check_fidelity(torch.cat(fidelity), world)
        yield _Faces(ws, parts, part_names, fidelity[-1])


def _segmented_faces(model, num) -> Iterator[_Faces]:
    """The faces of seeds 0 ... num - 1, whose parts the segmenter sees."""
    G, segmenter = model.network("generator"), model.network("segmenter")
    for start in range(0, num, _BATCH_SIZE):
        z = latents_of_seeds(range(start, min(start + _BATCH_SIZE, num)), G.z_dim)
        ws = G.mapping(z.to(model.device))
        parts = (segmenter(G.synthesis(ws).clamp(-1, 1)) > 0).cpu()
        yield _Faces(ws, parts, tuple(segmenter.region_names), None)


def _psnr(image, scene):
    return -10 * ((image - scene) / 2).square().mean(dim=(1, 2, 3)).log10()  # [N] dB


def _check_fidelity(psnr, world):
    if psnr.mean() < _MIN_PSNR:
        raise _DrawsOtherThings(
            f"the generator does not draw the scene of its z ({psnr.mean():.1f} dB); "
            f"suite regions needs one fitted to {world.title}, as the embedded model's is, or a segmenter"
        )


def _interval(values):
    return bootstrap_interval(values, generator("evaluate", "regions"))
