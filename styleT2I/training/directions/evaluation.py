"""Evaluation during trainings of direction networks: the judge's metrics, distances, grids of samples."""

from __future__ import annotations

import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.metrics.attributes import attribute_rates, encode_requests, success, verdicts
from styleT2I.metrics.frechet import feature_statistics, frechet_distance_from_statistics
from styleT2I.torch_utils.batching import images_at_a_time
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, text_strip_u8, to_uint8
from styleT2I.torch_utils.seeding import latents_of_seeds


class T2DEvaluation:
    """Success and realism of edits by test captions, on the latents of seeds 0, 1, 2 ..., the same every time."""

    def __init__(self, generator, clip, judge, data, vocabulary: Vocabulary, *, num: int, psi: float):
        self.generator, self.clip, self.judge, self.data, self.psi = generator, clip, judge, data, psi
        self.num, self.batch_size = min(num, len(data)), images_at_a_time(generator.resolution)
        self.captions = [data.captions_of(i)[0] for i in range(self.num)]
        asked = [parse(caption, vocabulary).attributes for caption in self.captions]
        known = set(judge.attribute_names)
        groups = [group.attributes for group in vocabulary.exclusive if known.issuperset(group.attributes)]
        self.requests = encode_requests(
            [{name: value for name, value in one.items() if name in known} for one in asked],
            judge.attribute_names,
            groups,
        )
        self._data_statistics = None

    @torch.no_grad()
    def measure(self, network) -> dict[str, float]:
        """Metrics on the evaluation set: rate of images with every requested attribute right ("success"), the mean and
        the worst attribute's rate, and the Frechet distance in judge features to the images of the same captions."""
        features = torch.cat([self.judge.features(image) for image in self._edits(network)])
        verdict = verdicts(self.judge.logits_of(features)).cpu()
        rates = attribute_rates(verdict, self.requests)
        rates = rates[~rates.isnan()]
        return {
            "success": success(verdict, self.requests).double().mean().item(),
            "attribute_mean": rates.mean().item(),
            "attribute_worst": rates.min().item(),
            "frechet": frechet_distance_from_statistics(*feature_statistics(features), *self._statistics_of_data()),
        }

    def _edits(self, network):
        device = next(network.parameters()).device
        for start in range(0, self.num, self.batch_size):
            captions = self.captions[start : start + self.batch_size]
            z = latents_of_seeds(range(start, start + len(captions)), self.generator.z_dim).to(device)
            ws = self.generator.mapping(z, truncation_psi=self.psi)
            yield self.generator.synthesis(ws + network(ws[:, 0], network.encode_text(captions, self.clip)))

    def _statistics_of_data(self):
        if self._data_statistics is None:
            device = next(self.judge.parameters()).device
            chunks = [range(i, min(i + self.batch_size, self.num)) for i in range(0, self.num, self.batch_size)]
            images = (from_uint8(self.data.batch(list(chunk)).images_u8).to(device) for chunk in chunks)
            self._data_statistics = feature_statistics(torch.cat([self.judge.features(image) for image in images]))
        return self._data_statistics


@torch.no_grad()
def sample_grid(generator, clip, network, captions: list[str], *, psi: float, num: int = 8) -> torch.Tensor:
    """One image [3, H, W] uint8: a row of unedited faces (seeds 0 ... num - 1), then each caption above its edits."""
    device = next(network.parameters()).device
    ws = generator.mapping(latents_of_seeds(range(num), generator.z_dim).to(device), truncation_psi=psi)
    scale = -(-96 // generator.resolution)
    rows = [make_grid_u8(to_uint8(generator.synthesis(ws)), num, scale=scale)]
    for caption in captions:
        s = network(ws[:, 0], network.encode_text([caption], clip).expand(num, -1))
        rows.append(text_strip_u8(caption, rows[0].shape[2]))
        rows.append(make_grid_u8(to_uint8(generator.synthesis(ws + s)), num, scale=scale))
    return torch.cat(rows, dim=1)


@torch.no_grad()
def direction_grid(generator, clip, network, phrases, *, psi: float, num: int = 6) -> torch.Tensor:
    """One image [3, H, W] uint8: unedited faces (seeds 0 ... num - 1), then each phrase above w + a and w - a."""
    device = next(network.parameters()).device
    ws = generator.mapping(latents_of_seeds(range(num), generator.z_dim).to(device), truncation_psi=psi)
    scale = -(-96 // generator.resolution)
    plain = make_grid_u8(to_uint8(generator.synthesis(ws)), num, scale=scale)
    rows = [torch.cat([plain, plain], dim=2)]
    for text in phrases:
        a = network(ws[:, 0], network.encode_text([text], clip).expand(num, -1))
        pair = [make_grid_u8(to_uint8(generator.synthesis(ws + sign * a)), num, scale=scale) for sign in (1, -1)]
        rows += [text_strip_u8(f"+ {text} -", rows[0].shape[2]), torch.cat(pair, dim=2)]
    return torch.cat(rows, dim=1)
