"""Evaluation during adversarial training: distances of samples to the data, and a grid of samples."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from styleT2I.errors import ConfigError
from styleT2I.metrics.frechet import frechet_distance
from styleT2I.metrics.precision_recall import precision_recall
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, to_uint8
from styleT2I.torch_utils.seeding import latents_of_seeds

BATCH_SIZE = 32
PIXEL_SIDE = 8  # without a judge, distances are between images averaged down to this size


class PixelFeatures:
    """The colours of an image averaged down to 8x8: in place of a judge; they show layout and palette only."""

    name = f"pixels{PIXEL_SIDE}"

    def features(self, image):
        """image [N,3,H,W] in [-1,1] -> [N, 3 * 8 * 8]."""
        return F.adaptive_avg_pool2d(image.clamp(-1, 1), PIXEL_SIDE).flatten(1)


class JudgeFeatures:
    """The features of an attribute classifier, and its verdicts."""

    name = "judge"

    def __init__(self, judge):
        self.judge = judge
        self.features = judge.features

    def rates(self, features):
        """Rate of the images with each attribute: features [N,F] -> [A]."""
        return (self.judge.logits_of(features) > 0).double().mean(dim=0).cpu()


class SampleEvaluation:
    """Distances between a generator's samples (seeds 0, 1, 2 ..., psi 1) and the first `num` images of a data set.

    extractor: PixelFeatures or JudgeFeatures. c [num,c_dim]: labels of the samples, or None.
    """

    def __init__(self, extractor, data, num: int, device: torch.device, c: torch.Tensor | None = None):
        self.extractor, self.data, self.device, self.c = extractor, data, device, c
        self.num = min(num, len(data))
        if self.num < 8:
            raise ConfigError(f"distances need at least 8 images, the evaluation data have {len(data)}")
        self._of_data = None

    @torch.no_grad()
    def measure(self, generator) -> dict[str, float]:
        """Frechet distance, precision and recall in the extractor's features; with a judge, the largest difference of
        an attribute's rate ("attribute_gap")."""
        samples = torch.cat([self.extractor.features(image) for image in self._samples(generator)])
        reals = self._features_of_data()
        name = self.extractor.name
        figures = {f"frechet_{name}": frechet_distance(samples, reals)}
        figures.update({f"{key}_{name}": value for key, value in precision_recall(reals, samples).items()})
        if isinstance(self.extractor, JudgeFeatures):
            gaps = (self.extractor.rates(samples) - self.extractor.rates(reals)).abs()
            figures["attribute_gap"] = gaps.max().item()
        return figures

    def _samples(self, generator):
        for start in range(0, self.num, BATCH_SIZE):
            seeds = range(start, min(start + BATCH_SIZE, self.num))
            c = None if self.c is None else self.c[start : seeds.stop].to(self.device)
            yield draw_seeds(generator, seeds, self.device, c)

    def _features_of_data(self):
        if self._of_data is None:
            chunks = [range(i, min(i + BATCH_SIZE, self.num)) for i in range(0, self.num, BATCH_SIZE)]
            images = (from_uint8(self.data.batch(list(chunk)).images_u8).to(self.device) for chunk in chunks)
            self._of_data = torch.cat([self.extractor.features(image) for image in images])
        return self._of_data


def draw_seeds(generator, seeds, device, c=None, truncation_psi=1.0):
    """Draw the images [N,3,R,R] of the given seeds with constant noise."""
    z = latents_of_seeds(seeds, generator.z_dim).to(device)
    return generator(z, c, truncation_psi=truncation_psi)


@torch.no_grad()
def seeds_grid(generator, device, c=None, num=32, ncol=8):
    """One image [3,H,W] uint8 of seeds 0 ... num - 1, enlarged until a face is at least 96 pixels."""
    c = None if c is None else c[:num].to(device)
    images_u8 = to_uint8(draw_seeds(generator, range(num if c is None else len(c)), device, c))
    return make_grid_u8(images_u8, ncol, scale=-(-96 // generator.resolution))
