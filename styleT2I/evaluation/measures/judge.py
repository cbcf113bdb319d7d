"""Accuracy of a judge on unseen images, inside rare pairs and on softened images; its mistakes as a grid."""

from __future__ import annotations

import torch

from styleT2I.data.training.augment import blur
from styleT2I.data.training.labelled import LabelledData
from styleT2I.data.worlds import WORLDS
from styleT2I.metrics.attributes import balanced_accuracy, rare_pair_accuracy, verdicts
from styleT2I.networks.faces.attribute_classifier import AttributeClassifier
from styleT2I.torch_utils.images import make_grid_u8, to_uint8
from styleT2I.torch_utils.seeding import generator


def judged_pairs(attribute_names: tuple[str, ...]) -> dict[str, list[tuple[int, bool]]]:
    """The worlds' rare pairs as (column, value) lists by name, those whose attributes are all among the given names."""
    known = set(attribute_names)
    return {
        pair.name: [(attribute_names.index(name), value) for name, value in pair.attributes.items()]
        for world in WORLDS.values()
        for pair in world.rare_pairs
        if known.issuperset(pair.attributes)
    }


@torch.no_grad()
def measure_judge(network: AttributeClassifier, data: LabelledData, pairs: dict, num: int | None = None) -> dict:
    """A judge's metrics on the first `num` labelled images (all by default); the network's mode is kept.

    Returns "num"; "attributes": balanced accuracy by attribute; "rare_pairs": metrics by pair, as
    `metrics.attributes.rare_pair_accuracy`; "softened": balanced accuracy by attribute on the same images blurred
    twice with noise of 0.04, a stand-in for a generator's softness; "nuisances": rate of variance explained, of those
    that the data knows.
    """
    was_training = network.training
    network.eval()
    device = network.nuisance_mean.device
    rng = generator("judge evaluation")
    rows = []
    for image, truth, nuisances in data.in_order(128, num):
        features, nuisances_seen = network.observe(image.to(device))
        soft = blur(blur(image)) + 0.04 * torch.randn(image.shape, generator=rng)
        rows.append((network.logits_of(features).cpu(), network(soft.clamp(-1, 1).to(device)).cpu(), truth,
                     nuisances_seen.cpu(), nuisances))  # fmt: skip
    network.train(was_training)
    logits, softened, truth = (torch.cat(column) for column in list(zip(*rows, strict=True))[:3])
    verdict = verdicts(logits)
    metrics = {
        "num": len(truth),
        "attributes": _by_name(data.names, balanced_accuracy(verdict, truth)),
        "rare_pairs": {name: rare_pair_accuracy(verdict, truth, pair) for name, pair in pairs.items()},
        "softened": _by_name(data.names, balanced_accuracy(verdicts(softened), truth)),
    }
    known = [name for name in network.nuisance_names if name in data.nuisance_names]
    if known:
        predicted, true = (
            torch.cat([row[column] for row in rows]).double()[:, [names.index(name) for name in known]]
            for column, names in ((3, network.nuisance_names), (4, data.nuisance_names))
        )
        unexplained = (predicted - true).square().mean(dim=0) / true.var(dim=0, unbiased=False).clamp_min(1e-12)
        metrics["nuisances"] = _by_name(known, 1 - unexplained)
    return metrics


def _by_name(names, values) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


@torch.no_grad()
def mistakes_u8(network: AttributeClassifier, data: LabelledData, num: int, num_shown: int = 32) -> torch.Tensor | None:
    """A grid [3, H, W] uint8 of the images with the largest wrong logits; None where every verdict is right."""
    was_training = network.training
    network.eval()
    mistakes = []
    for image, truth, _ in data.in_order(128, num):
        logits = network(image.to(network.nuisance_mean.device)).cpu()
        wrongness = (logits * (1 - 2 * truth.float())).amax(dim=1)  # above 0: some verdict is wrong
        mistakes += [(value, wrong) for value, wrong in zip(wrongness.tolist(), image, strict=True) if value > 0]
    network.train(was_training)
    if not mistakes:
        return None
    mistakes.sort(key=lambda item: -item[0])
    return make_grid_u8(to_uint8(torch.stack([wrong for _, wrong in mistakes[:num_shown]])), ncol=8, scale=2)
