"""What trainings of direction networks are watched by: a judge that trains nothing, distances, images of samples."""

from __future__ import annotations

import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.attributes.wording.sentences import phrase
from styleT2I.metrics.attributes import YES, attribute_rates, encode_requests, success, verdicts
from styleT2I.metrics.frechet import feature_statistics, frechet_distance_from_statistics
from styleT2I.metrics.pairwise import energy_inside
from styleT2I.torch_utils.batching import images_at_a_time
from styleT2I.torch_utils.images import from_uint8, make_grid_u8, text_strip_u8, to_uint8
from styleT2I.torch_utils.seeding import latents_of_seeds

AGREEMENT = 0.95  # share of latents on which the judge must agree at strength 1
SIGNS = {"true": True, "false": False}  # as strengths are labelled
_BISECTIONS = 6
_LONGEST = 3.0  # steps searched, in lengths of the directions


class T2DEvaluation:
    """Success and realism of edits by test captions, on latents of seeds 0, 1, 2 ...; the same ones every time."""

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
        """Figures on the evaluation set: share of images with every requested attribute right ("success"), the mean and
        the worst attribute's rate, and the Frechet distance in judge features to the pictures of the same captions."""
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
    """One picture [3, H, W] uint8: a row of unedited faces (seeds 0 ... num - 1), then each caption above its edits."""
    device = next(network.parameters()).device
    ws = generator.mapping(latents_of_seeds(range(num), generator.z_dim).to(device), truncation_psi=psi)
    scale = -(-96 // generator.resolution)
    rows = [make_grid_u8(to_uint8(generator.synthesis(ws)), num, scale=scale)]
    for caption in captions:
        s = network(ws[:, 0], network.encode_text([caption], clip).expand(num, -1))
        rows.append(text_strip_u8(caption, rows[0].shape[2]))
        rows.append(make_grid_u8(to_uint8(generator.synthesis(ws + s)), num, scale=scale))
    return torch.cat(rows, dim=1)


class A2DEvaluation:
    """Looks at w + a and w - a of latents of seeds 0, 1, 2 ... with a judge that trains nothing."""

    def __init__(self, generator, clip, judge, regions, vocabulary, attributes, *, psi: float):
        self.generator, self.clip, self.judge, self.regions, self.psi = generator, clip, judge, regions, psi
        self.vocabulary, self.batch_size = vocabulary, images_at_a_time(generator.resolution)
        self.attributes = [name for name in attributes if name in judge.attribute_names]
        self.device = next(generator.parameters()).device

    @torch.no_grad()
    def measure(self, network, num: int) -> dict[str, float]:
        """Over attributes: share of images at w + a that show it and at w - a that do not ("turned", mean and worst),
        share of verdicts on other attributes that change ("drift"), and of each difference the share of its energy
        inside the attribute's region ("inside")."""
        ws = self.latents(num)
        before = self._verdicts(ws)
        turned, drift, inside = [], [], []
        for name in self.attributes:
            a = self.directions(network, name, ws)
            own = self.judge.attribute_names.index(name)
            images = [self._images(ws + sign * a) for sign in (1, -1)]
            after = [self._look(image) for image in images]
            turned.append(((after[0][:, own] == YES).double().mean() + (after[1][:, own] != YES).double().mean()) / 2)
            others = [
                column
                for column, other in enumerate(self.judge.attribute_names)
                if other != name and other not in self.vocabulary.exclusive_of(name)
            ]
            drift.append(torch.stack([(one != before)[:, others].double().mean() for one in after]).mean())
            inside += self._inside(images, name)
        turned, drift = torch.stack(turned), torch.stack(drift)
        figures = {
            "turned_mean": turned.mean().item(), "turned_worst": turned.min().item(),
            "drift_mean": drift.mean().item(), "drift_worst": drift.max().item(),
        }  # fmt: skip
        return figures | ({"inside_mean": torch.stack(inside).mean().item()} if inside else {})

    def latents(self, num: int) -> torch.Tensor:
        """ws [num, num_ws, w_dim] of seeds 0 ... num - 1."""
        z = latents_of_seeds(range(num), self.generator.z_dim).to(self.device)
        return self.generator.mapping(z, truncation_psi=self.psi)

    def directions(self, network, name: str, ws: torch.Tensor) -> torch.Tensor:
        """a [N, num_ws, w_dim] of one attribute at each latent."""
        text_features = network.encode_text([phrase(name, True, self.vocabulary)], self.clip)
        return network(ws[:, 0], text_features.expand(len(ws), -1))

    def share_showing(self, ws: torch.Tensor, name: str, value: bool) -> float:
        """Share of the latents whose image has the attribute's value, to the judge."""
        is_there = self._verdicts(ws)[:, self.judge.attribute_names.index(name)] == YES
        return (is_there == value).double().mean().item()

    def _images(self, ws):
        return torch.cat([self.generator.synthesis(part) for part in ws.split(self.batch_size)]).clamp(-1, 1)

    def _look(self, images):
        return torch.cat([verdicts(self.judge(part)) for part in images.split(self.batch_size)])

    def _verdicts(self, ws):
        return self._look(self._images(ws))

    def _inside(self, images, name):
        """[share of the difference's energy inside the region], or [] for an attribute without one."""
        region = self.vocabulary[name].region
        if self.regions is None or region is None:
            return []
        mask, _ = self.regions(images[0], [region] * len(images[0]))
        return [energy_inside(*images, mask).mean()]


@torch.no_grad()
def calibrate_strengths(evaluation: A2DEvaluation, network, num: int) -> dict[str, dict[str, float]]:
    """The step along a / ||a|| that strength 1 of an edit stands for, in units of W, by attribute and value.

    It is the smallest at which the judge sees the value ("true", "false") on 95 % of the latents, found by bisection
    up to three times the directions' mean length; where even that is not enough, it is that longest step.
    """
    ws = evaluation.latents(num)
    return {
        name: {label: smallest_step(evaluation, network, ws, name, value) for label, value in SIGNS.items()}
        for name in evaluation.attributes
    }


@torch.no_grad()
def smallest_step(evaluation: A2DEvaluation, network, ws: torch.Tensor, name: str, value: bool) -> float:
    """The step of one attribute and value that `calibrate_strengths` finds on latents ws."""
    a = evaluation.directions(network, name, ws)
    norm = a.flatten(1).norm(dim=1).view(-1, 1, 1)
    unit, low, high = a / norm.clamp(min=1e-8), 0.0, _LONGEST * norm.mean().item()
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        edited = ws + (middle if value else -middle) * unit
        enough = evaluation.share_showing(edited, name, value) >= AGREEMENT
        low, high = (low, middle) if enough else (middle, high)
    return high


@torch.no_grad()
def direction_grid(generator, clip, network, phrases, *, psi: float, num: int = 6) -> torch.Tensor:
    """One picture [3, H, W] uint8: unedited faces (seeds 0 ... num - 1), then each phrase above w + a and w - a."""
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
