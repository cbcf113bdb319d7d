"""The suite "systems": the captions that every system draws, the observers of the images, and the counts on each."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from tqdm import tqdm

from styleT2I.attributes.parsing.parser import parse
from styleT2I.data.dataset import Dataset, open_dataset
from styleT2I.data.worlds import World
from styleT2I.errors import DataError, PromptError
from styleT2I.evaluation.measures.clip import encode_texts
from styleT2I.evaluation.measures.ranking import Ranking, agreeing_captions
from styleT2I.evaluation.observers.held_out_judge import HeldOutJudge
from styleT2I.evaluation.suites.compositions.cells import composition_cells
from styleT2I.evaluation.suites.generator import data_features
from styleT2I.evaluation.suites.t2d import dataset_images, observe_with_clip
from styleT2I.generation.model import Model
from styleT2I.generation.systems.interface import TextToImage
from styleT2I.metrics.attributes import Requests, attribute_rates, success
from styleT2I.torch_utils.images import from_uint8, to_uint8
from styleT2I.torch_utils.seeding import generator

LATENTS_SHARE = 20  # one latent of every composition for so many captions
_NUM_CAPTIONS = 3  # of a scene: the first is drawn, the others are wrong answers for other scenes' images
_NUM_SHUFFLES = 10  # permutations that the shuffled-caption control is the mean of
_BATCH_SIZE = 64


class Observation(NamedTuple):
    """The observations of P images."""

    verdict: torch.Tensor  # int8 [P, A]
    features: torch.Tensor  # [P, F] of the held-out judge
    clip: torch.Tensor  # [P, D] of the second CLIP


class Scores(NamedTuple):
    """Outcomes of N images, one per caption, measured against the captions they were drawn from or against others."""

    right: torch.Tensor  # float64 [N]: 1 where every requested attribute is right
    each: torch.Tensor  # float64 [N]: rate of the requested attributes that are right
    found: torch.Tensor  # float64 [K], of the captions that R-precision ranks: 1 where it is found among 100


class Outcomes(NamedTuple):
    """Everything that one system's metrics follow from."""

    own: Scores
    shuffled: Scores  # the same images against permuted captions
    attributes: dict[str, float]  # rate right by requested attribute
    features: torch.Tensor  # [N, F]
    rights: torch.Tensor  # float64 [L latents, C cells]


class ComparisonTask:
    """The first captions of `num` unseen scenes, the k-th on seed k, then every composition on L seeds.

    world: of the compositions. readers: every system's `understand`; a scene whose caption one refuses is passed over
    for all. Raises CheckpointError where the model lacks an observer, DataError for images without captions, or
    where the world's images of the compositions are not rendered.
    """

    def __init__(self, model: Model, world: World, data: str, num: int, readers: Sequence[Callable] = ()):
        self.judge, self.clip, self.device = HeldOutJudge(model), model.network("clip_eval"), model.device
        self.resolution, self.images_per_second = self.judge.network.config.resolution, {}
        self.data, self.dataset = data, open_dataset(data, self.resolution, with_masks=False)
        self.scenes = readable_scenes(self.dataset, num, readers)
        self.num = len(self.scenes)
        if self.num < 2:
            raise DataError(f"{data}: fewer than two captions that every system reads; name other data or systems")
        self.num_latents = max(self.num // LATENTS_SHARE, 2)
        self.cells = composition_cells(world, self.num_latents)
        if any(world.why_missing(cell.data) for cell in self.cells):
            raise DataError(
                f"the {len(self.cells)} compositions that systems are compared on are not rendered; render them: "
                f"python -m styleT2I.data.{world.name} compositions/test:{self.num_latents}"
            )
        captions_of_scenes = [self.dataset.captions_of(i) for i in self.scenes]
        captions = [texts[0] for texts in captions_of_scenes]
        asked = [parse(caption, model.vocabulary).attributes for caption in captions]
        self.requests = self.judge.requests(asked)
        others = [caption for texts in captions_of_scenes for caption in texts[1:_NUM_CAPTIONS]]
        asked += [parse(caption, model.vocabulary).attributes for caption in others]
        self._prepare_ranking(captions + others, asked)
        self.sentences = captions + [text for cell in self.cells for text in cell.sentences]
        self.seeds = [*range(self.num), *(seed for _ in self.cells for seed in range(self.num_latents))]

    def draw(self, system: TextToImage, title: str) -> Observation:
        """Have a system draw everything, rounded to 8 bits, and observe it; PromptError where it cannot read.

        The images per second that it draws, without their evaluation, are then in `images_per_second` by title.
        """
        prompts = {text: system.understand(text) for text in dict.fromkeys(self.sentences)}
        seconds = 0.0

        def images():
            nonlocal seconds
            for start in tqdm(range(0, len(self.seeds), _BATCH_SIZE), title, unit="batch", disable=None):
                rows = slice(start, start + _BATCH_SIZE)
                since = time.perf_counter()
                drawn = system.sample([prompts[text] for text in self.sentences[rows]], self.seeds[rows])
                seconds += time.perf_counter() - since
                yield from_uint8(to_uint8(drawn)).to(self.device)

        observed = self._observe(images())
        self.images_per_second[title] = len(self.seeds) / max(seconds, 1e-9)
        return observed

    def renders(self) -> tuple[Observation, torch.Tensor | None]:
        """The data's own images of everything asked for, and judge features [N, F] of as many other scenes (or None,
        where the data have no validation split)."""
        observed = self._observe(dataset_images(self.dataset, self.scenes, self.device))
        composed = self._observe(self._composed_images())
        unseen = self.data.replace("/test", "/val")
        others = None
        if unseen != self.data:
            others = data_features(self.judge.network, unseen, self.num, self.resolution)[0].cpu()
        return Observation(*(torch.cat(pair) for pair in zip(observed, composed, strict=True))), others

    def redraw(self, redraw: Callable, title: str) -> Observation:
        """As `draw`, of what redraw(images, texts, seeds) makes of the data's own images of everything asked for."""

        def images():
            start = 0
            given = itertools.chain(dataset_images(self.dataset, self.scenes, self.device), self._composed_images())
            for image in tqdm(given, title, unit="batch", disable=None):
                rows = slice(start, start + len(image))
                start = rows.stop
                yield from_uint8(to_uint8(redraw(image, self.sentences[rows], self.seeds[rows]))).to(self.device)

        return self._observe(images())

    def outcomes(self, observed: Observation) -> Outcomes:
        """What is counted on the images of `draw`."""
        verdict = observed.verdict[: self.num]
        shuffled = [self._scores(observed, *order) for order in self._permutations()]
        cells = observed.verdict[self.num :].view(len(self.cells), self.num_latents, -1)
        requests = [self.judge.requests(cell.requests) for cell in self.cells]
        rights = [success(*pair).double() for pair in zip(cells, requests, strict=True)]
        return Outcomes(
            own=self._scores(observed, torch.arange(self.num), torch.arange(len(self.ranking))),
            shuffled=Scores(*(torch.stack(values).mean(dim=0) for values in zip(*shuffled, strict=True))),
            attributes=self.judge.by_name(attribute_rates(verdict, self.requests)),
            features=observed.features[: self.num],
            rights=torch.stack(rights, dim=1),
        )

    def _composed_images(self):
        """Yield the data's images of every cell, [L, 3, R, R] in [-1, 1]."""
        for cell in self.cells:
            batch = open_dataset(cell.data, self.resolution, with_masks=False).batch(cell.rows)
            yield from_uint8(batch.images_u8).to(self.device)

    def _prepare_ranking(self, captions, asked):
        meanings = [frozenset(request.items()) for request in asked]
        agreeing = agreeing_captions(self.judge.requests(asked))
        draw = generator("evaluate", "systems", "candidates")
        self.ranking = Ranking(meanings, draw, agreeing, num_images=self.num)
        self.texts = encode_texts(self.clip, captions)

    @torch.no_grad()
    def _observe(self, images) -> Observation:
        return Observation(*(part.cpu() for part in observe_with_clip(self.judge.network, self.clip, images)))

    def _scores(self, observed, order, ranked_order) -> Scores:
        """Image i against caption order[i]; among those that are ranked, image k against ranked_order[k]."""
        requests = Requests(*(mask[order] for mask in self.requests))
        verdict = observed.verdict[: self.num]
        right = (verdict == requests.values.to(verdict.dtype)) & requests.asked
        each = right.sum(dim=1).double() / requests.asked.sum(dim=1).clamp_min(1)
        found = self.ranking.found(observed.clip, self.texts, ranked_order)
        return Scores(success(verdict, requests).double(), each, found)

    def _permutations(self):
        """Pairs of permutations, of the captions and of the ranked ones, none of which leaves one in its place."""
        draw = generator("evaluate", "systems", "shuffled captions")
        for _ in range(_NUM_SHUFFLES):
            yield _cycle(self.num, draw), _cycle(len(self.ranking), draw)


def readable_scenes(dataset: Dataset, num: int, readers: Sequence[Callable]) -> list[int]:
    """The first `num` scenes, fewer where there are no more, whose first caption all readers understand."""
    found = []
    for scene in range(len(dataset)):
        captions = dataset.captions_of(scene)
        if captions and all(_understands(reader, captions[0]) for reader in readers):
            found.append(scene)
        if len(found) == num:
            break
    return found


def _understands(reader, text):
    try:
        reader(text)
    except PromptError:
        return False
    return True


def _cycle(num, draw):
    """A random permutation that is one cycle, int64 [num]."""
    order = torch.randperm(num, generator=draw)
    partner = torch.empty_like(order)
    partner[order] = order.roll(1)
    return partner
