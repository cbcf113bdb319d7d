"""SeFa: directions in closed form from the weights that read the latent (Shen and Zhou 2021, arXiv 2007.06600)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from styleT2I.networks.stylegan2.styles import style_layers
from styleT2I.rivals.assignment import Candidate, assign
from styleT2I.rivals.samples import Samples
from styleT2I.rivals.ways import Way, layer_ranges, over_w

NUM_DIRECTIONS = 24  # that are tried for each range of layers, those of the largest eigenvalues
_STEP = 0.5  # that its effect is looked at, in units of the latents' mean distance from their mean


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
