"""StyleSpace: the channels of S space that control an attribute, found from a few faces that have it.

Source: Wu et al. 2021 (arXiv 2011.12799), section 5: relevance from exemplars, then a look at what a channel does.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch

from styleT2I.errors import ConfigError
from styleT2I.rivals.assignment import Candidate, effect, selectivity
from styleT2I.rivals.samples import Samples
from styleT2I.rivals.ways import Way, sparse_way, strongest

NUM_EXEMPLARS = 30  # faces with the attribute; the paper takes 10 to 30
NUM_TRIED = 16  # channels of the largest relevance, whose effect is looked at
NUM_CHANNELS = 4  # of those, that make the direction: on a small generator no single channel turns an attribute
MIN_FACES = 5
_STEP = 10.0  # standard deviations that a channel is moved to see its effect


def stylespace(samples: Samples, names: Sequence[str]) -> dict[str, Way]:
    """The way of each attribute: a few channels, each in proportion to its effect.

    An attribute of which there are too few faces is left out with a warning; ConfigError where that leaves none.
    """
    ways, missing = {}, []
    for name in names:
        order = samples.margins[:, samples.column(name)].argsort(descending=True)
        num = min(NUM_EXEMPLARS, int((samples.margins[:, samples.column(name)] > 0).sum()))
        if num < MIN_FACES:
            missing.append(name)
            continue
        ways[name] = _way(samples, name, relevance(samples, order[:num]))
    if not ways:
        raise ConfigError(f"among {samples.num} faces fewer than {MIN_FACES} have {', '.join(names)}; add --samples")
    if missing:
        warnings.warn(f"too few of {samples.num} faces have {', '.join(missing)}; left out", stacklevel=2)
    return ways


def relevance(samples: Samples, rows: torch.Tensor) -> dict[str, torch.Tensor]:
    """Relevance [channels] of every channel by layer to what the faces of `rows` share: the mean of their distances
    from all faces' mean, in standard deviations over all faces, divided by its spread among them (eq. 1); signed."""
    result = {}
    for layer, styles in samples.styles.items():
        distance = (styles[rows] - styles.mean(dim=0)) / samples.style_spread[layer]
        result[layer] = distance.mean(dim=0) / distance.std(dim=0).clamp_min(1e-6)
    return result


def _way(samples, name, relevances):
    """The channels that change the attribute most and the others least, among those of largest relevance."""
    tried = []
    for layer, values in strongest(relevances, NUM_TRIED).items():
        for k in values.nonzero().flatten().tolist():
            alone = torch.zeros_like(values)
            alone[k] = 1.0
            tried.append((layer, k, sparse_way(samples, {layer: alone}, 1)))
    effects = torch.stack([effect(samples, Candidate(way, _STEP)) for _, _, way in tried])  # [C, A]
    scores = selectivity(effects, samples.column(name), samples.unrelated(name))
    chosen = {layer: torch.zeros_like(values) for layer, values in relevances.items()}
    for number in scores.topk(min(NUM_CHANNELS, len(tried))).indices.tolist():
        layer, k, _ = tried[number]
        chosen[layer][k] = scores[number] * effects[number, samples.column(name)].sign()
    return sparse_way(samples, chosen, NUM_CHANNELS)
