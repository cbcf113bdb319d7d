"""StyleCLIP's global directions: the channels of S space that move a face's embedding as the words move the text's.

Source: Patashnik et al. 2021 (arXiv 2103.17249), section 6. The paper finds how a channel moves the embedding by
drawing faces with it pushed both ways, some hours for a generator; here gradients say it, to first order, in some
passes through the networks for all channels at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from styleT2I.generation.observers import encode_prompts, fixed_prompts
from styleT2I.metrics.attributes import prompt_features
from styleT2I.networks.stylegan2.styles import differentiable_styles
from styleT2I.rivals.samples import Samples
from styleT2I.rivals.ways import Way, sparse_way
from styleT2I.torch_utils.seeding import generator

NUM_FACES = 12  # that a channel's effect is averaged over; the paper takes 100
NUM_CHANNELS = 20  # the paper's threshold beta leaves tens of channels out of thousands
_NUM_PROBES = 16  # random directions of the embedding, by which lengths of its changes are estimated


def styleclip(samples: Samples, names: Sequence[str]) -> dict[str, Way]:
    """The way of each attribute, from its words and CLIP alone: no judge is asked."""
    clip, vocabulary = samples.model.network("clip"), samples.model.vocabulary
    assert vocabulary is not None
    sha256 = samples.model.describe()["components"]["clip"]
    with torch.no_grad():
        sides = [prompt_features(encode_prompts(clip, side, sha256)) for side in fixed_prompts(vocabulary, names)]
    targets = F.normalize(sides[0] - sides[1], dim=1)  # [A, D], what the words change
    relevances = channel_relevance(samples, clip, targets)
    return {name: sparse_way(samples, own, NUM_CHANNELS) for name, own in zip(names, relevances, strict=True)}


@torch.enable_grad()
def channel_relevance(samples: Samples, clip, targets: torch.Tensor) -> list[dict[str, torch.Tensor]]:
    """For each target [A, D], by layer, its cosine [channels] with how a push of the channel moves the embedding.

    Over all faces: sum of the projections / (sqrt of their number * length of all changes). The lengths are estimated
    from projections onto random directions (Hutchinson), whose mean square is the square of the length.
    """
    G = samples.generator
    probes = torch.randn(_NUM_PROBES, targets.shape[1], generator=generator("styleclip", "probes")).to(targets)
    along: list[dict[str, torch.Tensor]] = [{} for _ in targets]
    length: dict[str, torch.Tensor] = {}
    for ws in samples.ws[:NUM_FACES].split(samples.batch_size):
        with differentiable_styles(G.synthesis) as styles:
            embedding = F.normalize(clip.encode_image(G.synthesis(ws)), dim=1)  # [B, D]
        inputs = list(styles.values())
        for k, vector in enumerate([*targets, *probes]):
            slopes = torch.autograd.grad((embedding @ vector).sum(), inputs, retain_graph=True)  # [B, channels] each
            for layer, slope in zip(styles, slopes, strict=True):
                if k < len(targets):
                    along[k][layer] = along[k].get(layer, 0) + slope.sum(dim=0)
                else:
                    length[layer] = length.get(layer, 0) + slope.square().sum(dim=0) / _NUM_PROBES
    num = min(NUM_FACES, samples.num)
    return [
        {layer: total / (num * length[layer]).sqrt().clamp_min(1e-12) for layer, total in own.items()} for own in along
    ]
