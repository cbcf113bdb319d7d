"""The cells of the suite "compositions": rare compositions, frequent twins, sentences of more and more attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from styleT2I.attributes.compositions import composition_name
from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.wording.sentences import sentence
from styleT2I.data.dataset import open_dataset
from styleT2I.data.worlds import World
from styleT2I.errors import ConfigError

_NUM_CAPTIONED = 4000  # images whose captions are searched for sentences, more where many are needed
_MOST_CAPTIONS = 6  # of an image


@dataclass(frozen=True)
class Prompted:
    """Sentences for the latents of seeds 0, 1, 2 ..., what each asks for, and images that show just that."""

    name: str  # "she+lipstick", "3 attributes"
    kind: str  # "rare", "frequent" or "count"
    composition: str  # the rare composition that the cell is or is the twin of; "" for a count
    sentences: tuple[str, ...]  # N
    requests: tuple[Mapping[str, bool], ...]  # N
    data: str  # where images of the same attributes are
    rows: tuple[int, ...]  # N indices into the data


def composition_cells(world: World, num: int) -> list[Prompted]:
    """A world's rare pairs and held-out compositions, each followed by its frequent twin; `num` latents each."""
    return [
        _composition_cell(kind, composition.name, attributes, num, world)
        for composition in world.compositions
        for kind, attributes in (("rare", composition.attributes), ("frequent", composition.twin))
    ]


def count_cells(world: World, num: int) -> list[Prompted]:
    """Sentences of 1, 2 ... attributes: what the first biased test captions of so many attributes state.

    Every latent has a sentence of its own. An image lends a count one caption, and more only where there are not `num`
    images that have one; ConfigError where even so there are too few.
    """
    data = world.spec("biased/test", max(_NUM_CAPTIONED, 20 * num))
    captioned = _Captioned(data, world.vocabulary)
    stated = {count: [] for count in world.counts}  # count -> (image, attributes) of each latent
    for most in range(1, _MOST_CAPTIONS + 1):
        for image in range(len(captioned)):
            if all(len(found) == num for found in stated.values()):
                break
            for request in captioned.requests_of(image):
                found = stated.get(len(request), [])
                lent = [other for row, other in found if row == image]
                if len(found) < num and len(lent) < most and request not in lent:
                    found.append((image, request))
    for count, found in stated.items():
        if len(found) < num:
            raise ConfigError(f"{data}: only {len(found)} captions state {count} attributes; lower --num")
    return [_count_cell(count, found, data, world) for count, found in stated.items()]


class _Captioned:
    """What the captions of a data set's images state, each parsed once."""

    def __init__(self, data, vocabulary):
        self._dataset, self._vocabulary, self._requests = open_dataset(data, with_masks=False), vocabulary, {}

    def __len__(self):
        return len(self._dataset)

    def requests_of(self, image):
        if image not in self._requests:
            captions = self._dataset.captions_of(image)
            self._requests[image] = [parse(caption, self._vocabulary).attributes for caption in captions]
        return self._requests[image]


def _count_cell(count, found, data, world) -> Prompted:
    rows, requests = zip(*found, strict=True)
    sentences = tuple(sentence(request, world.vocabulary) for request in requests)
    return Prompted(_count_name(count), "count", "", sentences, requests, data, rows)


def _composition_cell(kind, composition, attributes, num, world) -> Prompted:
    name, text = composition_name(attributes, world.vocabulary), sentence(attributes, world.vocabulary)
    data = world.composition_spec(attributes, num)
    return Prompted(name, kind, composition, (text,) * num, (dict(attributes),) * num, data, tuple(range(num)))


def _count_name(count: int) -> str:
    return f"{count} attribute{'s' * (count > 1)}"
