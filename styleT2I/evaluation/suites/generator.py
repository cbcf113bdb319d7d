"""Suite "generator": are the unprompted faces legible, distributed like the data, and close to it."""

from collections.abc import Sequence

import torch

from styleT2I.data.dataset import Dataset, open_dataset
from styleT2I.evaluation.measurement import judge_basis
from styleT2I.evaluation.suites import Request
from styleT2I.generation.model import Model
from styleT2I.metrics.attributes import YES, judge_agreement, verdicts
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.metrics.precision_recall import density_coverage, precision_recall
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, to_uint8
from styleT2I.torch_utils.seeding import latents_of_seeds

_BATCH_SIZE = 64
_NUM_NEIGHBOUR_ROWS = 2000  # precision, recall, density and coverage compare every row with every other


@torch.no_grad()
def evaluate_generator(request: Request) -> dict:
    """Samples of seeds 0 ... num - 1 beside the first `num` images of the data the generator stands for.

    "agreement": rate of samples on which both judges agree, by attribute; "rates": rate that the held-out judge sees,
    with the data's labels beside it; distances in the held-out judge's features, with that of the data's validation
    split as the floor below which no difference can be seen.
    """
    model, data, num, psi = request.model, request.data, request.num, request.psi
    heldout, guide = model.network("judges.heldout"), model.network("judges.guide")
    features, samples, others = [], [], []
    for image in plain_samples(model, num, psi):
        rows = heldout.features(image)
        features.append(rows)
        samples.append(verdicts(heldout.logits_of(rows)))
        others.append(verdicts(guide(image)))
    features, verdict = torch.cat(features), torch.cat(samples)
    real, labels = data_features(heldout, data, num, model.network("generator").resolution)
    unseen, _ = data_features(heldout, data.replace("/train", "/val"), num, model.network("generator").resolution)
    names = heldout.attribute_names
    rates = (verdict == YES).double().mean(dim=0)
    rows = slice(0, _NUM_NEIGHBOUR_ROWS)
    return {
        "num": num,
        "truncation_psi": psi,
        "agreement": _by_name(names, judge_agreement(verdict, torch.cat(others))),
        "rates": _by_name(names, rates),
        "data_rates": _by_name(names, labels.double().mean(dim=0)),
        "worst_rate_difference": float((rates - labels.double().mean(dim=0)).abs().max()),
        "frechet": frechet_distance(features, real),
        "frechet_floor": frechet_distance(unseen, real),
        **precision_recall(real[rows], features[rows]),
        **density_coverage(real[rows], features[rows]),
        "features": judge_basis(
            model,
            fake=f"model {model.name}, psi {psi:g}, no text",
            num_fake=num,
            seeds=f"0-{num - 1}",
            real=data,
            num_real=len(real),
        ),
        "num_neighbour_rows": min(num, _NUM_NEIGHBOUR_ROWS),
    }


def plain_samples(model: Model, num: int, psi: float):
    """Yield image batches of seeds 0 ... num - 1 without any text, on the model's device."""
    G = model.network("generator")
    for start in range(0, num, _BATCH_SIZE):
        z = latents_of_seeds(range(start, min(start + _BATCH_SIZE, num)), G.z_dim).to(model.device)
        yield G.synthesis(G.mapping(z, truncation_psi=psi)).clamp(-1, 1)


def samples_grid(request: Request) -> torch.Tensor:
    """One image [3, H, W] uint8 of the first `request.num` unprompted samples, at most 64, in rows of 8."""
    image = next(plain_samples(request.model, request.num, request.psi))
    return make_grid_u8(to_uint8(image), ncol=8, scale=max(1, 128 // image.shape[-1]))


def data_features(judge, spec: str, num: int, resolution: int):
    """A judge's features [N, F] of the first images of a data set, and their labels bool [N, A]."""
    data = open_dataset(spec, resolution, with_masks=False)
    return features_of(judge, data, range(min(num, len(data))))


@torch.no_grad()
def features_of(judge, data: Dataset, rows: Sequence[int]):
    """A judge's features [N, F] of the given images of a data set, and their labels bool [N, A]."""
    features, labels = [], []
    for start in range(0, len(rows), _BATCH_SIZE):
        batch = data.batch(rows[start : start + _BATCH_SIZE])
        features.append(judge.features(from_uint8(batch.images_u8).to(judge.nuisance_mean.device)))
        labels.append(batch.attributes)
    return torch.cat(features), torch.cat(labels)


def _by_name(names, values) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
