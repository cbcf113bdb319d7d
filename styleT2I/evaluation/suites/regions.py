"""Suite "regions": how much of an attribute's edit lies inside its region, by the true parts of the scene."""

from __future__ import annotations

import torch

from styleT2I.data.minifaces.renderer import REGIONS, render
from styleT2I.data.minifaces.scene import Z_DIM, scenes_from_latents
from styleT2I.errors import ConfigError
from styleT2I.evaluation.suites import Request
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.pairwise import energy_inside
from styleT2I.networks.faces.regions import region_masks
from styleT2I.statistics.intervals import bootstrap_interval
from styleT2I.torch_utils.seeding import generator, latents_of_seeds

_BATCH_SIZE = 64
_MIN_PSNR = 18  # dB between G(z) and the scene of z; the embedded generator has 27, unrelated faces 9


@torch.no_grad()
def evaluate_regions(request: Request) -> dict:
    """Proportion of the energy of G(w + a) - G(w - a) inside the attribute's region, mean over seeds 0 ... num - 1.

    The embedded generator was fitted so that G(z), not truncated, draws the scene of z; so the scene's own parts say
    where everything is, and no segmenter is asked. "area" is the region's proportion of the image: what an edit has
    that is spread evenly. Attributes without a region are left out. Raises ConfigError for a generator that draws
    other things.
    """
    model, num = request.model, request.num
    G, pipeline = model.network("generator"), StyleT2I(model)
    names = [attribute.name for attribute in model.vocabulary if attribute.region is not None]
    if G.z_dim != Z_DIM:
        raise ConfigError(f"suite regions needs a generator that draws MiniFaces scenes; this one's z has {G.z_dim}")
    inside, areas, fidelity = [], [], []
    for start in range(0, num, _BATCH_SIZE):
        z = latents_of_seeds(range(start, min(start + _BATCH_SIZE, num)), Z_DIM)
        scene, parts = render(scenes_from_latents(z, "biased"), G.resolution, with_masks=True)
        ws = G.mapping(z.to(model.device))  # [B, num_ws, w_dim]
        fidelity.append(_psnr(G.synthesis(ws).clamp(-1, 1).cpu(), scene))
        directions = pipeline.attribute_directions(ws[:, 0], names)  # [B, A, num_ws, w_dim]
        masks = [region_masks(parts, REGIONS, [model.vocabulary[name].region] * len(z)) for name in names]
        areas.append(torch.stack([mask.mean(dim=(1, 2)) for mask in masks], dim=1))
        inside.append(torch.stack([
            energy_inside(*(G.synthesis(ws + sign * a).clamp(-1, 1).cpu() for sign in (1, -1)), mask)
            for a, mask in zip(directions.unbind(1), masks, strict=True)
        ], dim=1))  # fmt: skip
        _check_fidelity(torch.cat(fidelity))
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
        "psnr": torch.cat(fidelity).mean().item(),
    }


def _psnr(image, scene):
    return -10 * ((image - scene) / 2).square().mean(dim=(1, 2, 3)).log10()  # [N] dB


def _check_fidelity(psnr):
    if psnr.mean() < _MIN_PSNR:
        raise ConfigError(
            f"the generator does not draw the scene of its z ({psnr.mean():.1f} dB); "
            "suite regions needs one fitted to MiniFaces, as the embedded model's is"
        )


def _interval(values):
    return bootstrap_interval(values, generator("evaluate", "regions"))
