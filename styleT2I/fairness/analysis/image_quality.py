"""Image quality: metrics of single images, compared in pairs as the outcomes are.

A distance between sets of images (Frechet's) is mostly noise at the few hundred images of a composition, and has no
pairs. So each image gets its own values; higher is better for the first two:

* realism: how near it lies to its nearest real images in the judge's features, relative to their distances from each
  other (`metrics.precision_recall.local_realism`). A judge learns to ignore noise and blur.
* naturalness: how usual its contrasts are at three scales among the real images (`metrics.naturalness`). Noise and
  blur lower it, and nothing else does.
* sharpness: logarithm of the mean magnitude of the Laplacian. It needs no reference; noise and fine drawing raise it.

The reference should hold all compositions equally often, or the first two measure rarity. It is one set for all
compositions, or they would measure success.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch.nn import functional as F

from styleT2I.data.dataset import Dataset, open_dataset
from styleT2I.errors import ConfigError
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.results import Table
from styleT2I.metrics.naturalness import Naturalness, contrasts, laplacian
from styleT2I.metrics.precision_recall import local_realism, neighbour_radii
from styleT2I.statistics.intervals import bootstrap_difference_interval, bootstrap_interval
from styleT2I.torch_utils.seeding import generator

__all__ = ["ImageQuality", "open_reference", "quality", "sharpness"]

NUM_NEIGHBOURS = 5
MAX_REFERENCE = 5000  # images: each of an audit's is compared with each of these
_BATCH_SIZE = 64
_LUMINANCE = (0.299, 0.587, 0.114)  # Rec. 601
_NOTES = {
    "realism": (
        "Realism: logarithm of the distance of an image to its {k} nearest images of {data} in the judge's features, "
        "relative to their distances from each other. 0 is as near as they are, -0.69 twice as far. It reflects only "
        "what the judge has learnt to notice."
    ),
    "naturalness": (
        "Naturalness: how usual an image's contrasts are at three scales among {data}, minus the logarithm of a "
        "squared Mahalanobis distance. 0 is usual. Noise and blur, which the judge ignores, lower it."
    ),
    "sharpness": (
        "Sharpness: logarithm of the mean magnitude of the Laplacian. A difference of 0.1 is about 10 %. Glasses and "
        "other fine drawing raise it, so compare compositions that differ in one attribute."
    ),
}


class ImageQuality:
    """Quality metrics of single images.

    Args:
        features: The judge's, uint8 [N, 3, H, W] -> [N, F]; None where it has none.
        reference: Real images to compare with; None: sharpness alone.

    Raises:
        ConfigError: The reference has too few images, or the judge has no features to compare in.
    """

    def __init__(self, features: Callable[[torch.Tensor], torch.Tensor] | None, reference: Dataset | None = None):
        self._features, self._reference = features, reference
        if reference is not None and features is None:
            raise ConfigError("this judge has no features in which images could be compared; leave out quality_data")
        if reference is not None and len(reference) <= NUM_NEIGHBOURS:
            raise ConfigError(f"quality_data has {len(reference)} images; each needs {NUM_NEIGHBOURS} neighbours")

    @torch.no_grad()
    def measure(self, images_u8: Sequence[torch.Tensor]) -> dict[str, list[float]]:
        """Values by metric, one per image uint8 [3, H, W], rounded to four decimals for the JSON of a cell."""
        is_one_size = len({image.shape for image in images_u8}) == 1
        batches = [torch.stack(list(images_u8))] if is_one_size else [image[None] for image in images_u8]
        values = {"sharpness": torch.cat([sharpness(batch) for batch in batches])}
        if self._reference is not None and self._features is not None:
            centre, points, radii = self._neighbourhood
            rows = torch.cat([_on_cpu(self._features(batch)) for batch in batches]) - centre
            values["realism"] = local_realism(rows, points, radii, NUM_NEIGHBOURS)
            values["naturalness"] = torch.cat([self._usual(contrasts(self._resized(batch))) for batch in batches])
        return {name: [round(value, 4) for value in each.tolist()] for name, each in values.items()}

    @functools.cached_property
    def _neighbourhood(self) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The reference's mean feature [F], features [M, F] less it (their expanded squares lose no digits), radii."""
        assert self._features is not None
        features = torch.cat([_on_cpu(self._features(images_u8)) for images_u8 in self._reference_blocks()])
        points = features - features.mean(dim=0)
        return features.mean(dim=0), points, neighbour_radii(points, NUM_NEIGHBOURS)

    @functools.cached_property
    def _usual(self) -> Naturalness:
        return Naturalness(torch.cat([contrasts(images_u8) for images_u8 in self._reference_blocks()]))

    def _reference_blocks(self) -> Iterator[torch.Tensor]:
        """The reference's images, uint8 [n, 3, R, R] at a time."""
        assert self._reference is not None
        num = min(len(self._reference), MAX_REFERENCE)
        for start in range(0, num, _BATCH_SIZE):
            yield self._reference.batch(range(start, min(start + _BATCH_SIZE, num))).images_u8

    def _resized(self, images_u8: torch.Tensor) -> torch.Tensor:
        """Images at the resolution of the reference: contrasts at a scale are comparable at one resolution only."""
        assert self._reference is not None
        resolution = self._reference.resolution
        if images_u8.shape[-1] == images_u8.shape[-2] == resolution:
            return images_u8
        return F.interpolate(images_u8.float(), (resolution, resolution), mode="area")


def open_reference(plan: AuditPlan) -> Dataset | None:
    """The data that the plan's quality_data names; None without one. Raises DataError where it cannot be opened."""
    return open_dataset(plan.quality_data, with_masks=False) if plan.quality_data else None


def sharpness(images_u8: torch.Tensor) -> torch.Tensor:
    """Logarithm [N] of 0.01 plus the mean magnitude of the Laplacian of the luminance of uint8 [N, 3, H, W]."""
    weights = torch.tensor(_LUMINANCE, dtype=torch.float64).view(1, 3, 1, 1)
    gray = (images_u8.cpu().double() * weights).sum(dim=1, keepdim=True)
    return (laplacian(gray).abs().mean(dim=(1, 2, 3)) + 0.01).log()


def quality(
    plan: AuditPlan,
    cells: Mapping[str, dict],
    outcomes: Mapping[tuple[str, str], dict],
) -> Table | None:
    """Quality in the primary setting: the difference within every comparison, and the mean of every composition.

    Intervals are by bootstrap over seeds, or over the images of each side where they are not paired.

    Args:
        plan: Its comparisons are made.
        cells: Compositions by name.
        outcomes: As `analyse` takes them, with "quality" as `ImageQuality.measure` gives it.

    Returns:
        A row per comparison and metric; None where the images were not measured.
    """
    setting = plan.settings[0].name
    measured = {name: outcomes[setting, name]["quality"] for name in cells if outcomes[setting, name].get("quality")}
    if len(measured) < len(cells):
        return None
    is_paired = all(outcomes[setting, name].get("is_paired", True) for name in cells)
    metrics = list(next(iter(measured.values())))
    rows = []
    for declared in plan.comparisons:
        for metric in metrics:
            first, second = (
                torch.tensor(measured[side][metric]).double() for side in (declared.first, declared.second)
            )
            source = generator("audit", "quality", declared.name, metric)
            if is_paired:
                interval = bootstrap_interval(first - second, source)
            else:
                interval = bootstrap_difference_interval(first, second, source)
            rows.append(
                {
                    "comparison": declared.name,
                    "figure": metric,
                    "first": declared.first,
                    "second": declared.second,
                    "first_mean": float(first.mean()),
                    "second_mean": float(second.mean()),
                    "difference": float(first.mean() - second.mean()),
                    "difference_interval": list(interval),
                    "is_difference_shown": not interval[0] <= 0 <= interval[1],
                }
            )
    notes = [_NOTES[metric].format(k=NUM_NEIGHBOURS, data=plan.quality_data) for metric in metrics]
    return Table(
        f"In setting “{setting}”. {' '.join(notes)} Differences are first minus second"
        f"{', from the same seeds' if is_paired else ''}, with 95 % bootstrap intervals. Each interval stands alone: "
        "one in twenty misses the true value.",
        rows=tuple(rows),
        compositions=tuple(
            {"cell": name, **{key: value for metric in metrics for key, value in _mean(name, metric, each).items()}}
            for name, each in measured.items()
        ),
    )


def _mean(name, metric, each):
    values = torch.tensor(each[metric])
    interval = bootstrap_interval(values, generator("audit", "quality", name, metric))
    return {metric: float(values.double().mean()), f"{metric}_interval": list(interval)}


def _on_cpu(features):
    return features.detach().to("cpu", torch.float64)
