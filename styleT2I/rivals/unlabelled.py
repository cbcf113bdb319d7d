"""Directions that nobody labels, named afterwards by what they change: GANSpace and SeFa.

GANSpace takes the principal components of W (Haerkoenen et al. 2020, arXiv 2004.02546), SeFa the eigenvectors of the
weights that read the latent (Shen and Zhou 2021, arXiv 2007.06600); both in all layers or some of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from styleT2I.networks.stylegan2.styles import style_layers
from styleT2I.rivals.assignment import Candidate, assign
from styleT2I.rivals.samples import Samples
from styleT2I.rivals.ways import Way, layer_ranges, over_w

NUM_COMPONENTS = 24  # that are tried, those of most variance; what people name lies among the first
_DEVIATIONS = 2.0  # of a component, that its effect is looked at; the paper's figures move it as far
NUM_DIRECTIONS = 24  # that are tried for each range of layers, those of the largest eigenvalues
_STEP = 0.5  # that its effect is looked at, in units of the latents' mean distance from their mean


def ganspace(samples: Samples, names: Sequence[str]) -> dict[str, Way]:
    """The way of each attribute: the component and layers that change it most and the others least, by the observer."""
    components, deviations = principal_components(samples.w.cpu())
    tried = []
    for k in range(min(NUM_COMPONENTS, len(components))):
        for label, layers in layer_ranges(samples.generator.num_ws).items():
            num_layers = len(range(*layers.indices(samples.generator.num_ws)))
            step = _DEVIATIONS * deviations[k].item() * num_layers**0.5
            note = f"component {k}, {label} layers"
            tried.append(Candidate(over_w(components[k], samples.generator.num_ws, samples.reach, note, layers), step))
    return assign(samples, tried, names)


def principal_components(w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Components [K, D] of w [N, D], unit vectors in order of variance, and the standard deviation [K] along each.

    float64; K is the smaller of D and N - 1.
    """
    centred = w.double() - w.double().mean(dim=0)
    _, values, rows = torch.linalg.svd(centred, full_matrices=False)
    num = min(len(w) - 1, w.shape[1])
    return rows[:num], values[:num] / (len(w) - 1) ** 0.5


def sefa(samples: Samples, names: Sequence[str]) -> dict[str, Way]:
    """The way of each attribute: the eigenvector and layers that change it most and the others least."""
    G = samples.generator
    weights = [layer.affine.weight.detach().cpu() for layer in style_layers(G.synthesis).values()]
    tried = []
    for label, layers in layer_ranges(G.num_ws).items():
        for k, direction in enumerate(closed_form(weights[layers])[:NUM_DIRECTIONS]):
            way = over_w(direction, G.num_ws, samples.reach, f"eigenvector {k}, {label} layers", layers)
            tried.append(Candidate(way, _STEP * samples.reach))
    return assign(samples, tried, names)


def closed_form(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """Unit vectors [D, D] that the maps change most, in order: the eigenvectors of A^T A (eq. 7), float64.

    weights: A of each map, [channels, D]; the maps of several layers are stacked, as section 3.3 does.
    """
    A = torch.cat(list(weights)).double()
    _, vectors = torch.linalg.eigh(A.t() @ A)  # the eigenvalues rise
    return vectors.t().flip(0)
