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


def count_cells(world: World, num: int, data: str | None = None) -> list[Prompted]:
    """Sentences of 1, 2 ... attributes: what captions of so many attributes state, of biased test images unless named.

    A latent has the first such caption of an image of its own. Where fewer than `num` images have one, their further
    captions follow, and then the same again; ConfigError where no caption states so much.
    """
    data = data or world.spec("biased/test", max(_NUM_CAPTIONED, 20 * num))
    dataset = open_dataset(data, with_masks=False)
    firsts, others = ({count: [] for count in world.counts} for _ in range(2))  # count -> (image, attributes)
    for image in range(len(dataset)):
        if all(len(found) >= num for found in firsts.values()):
            break
        lent = []
        for caption in dataset.captions_of(image):
            request = parse(caption, world.vocabulary).attributes
            if len(request) in firsts and request not in lent:
                is_first = all(len(other) != len(request) for other in lent)
                (firsts if is_first else others)[len(request)].append((image, request))
                lent.append(request)
    cells = []
    for count in world.counts:
        found = firsts[count] + others[count]
        if not found:
            raise ConfigError(f"{data}: no caption states {count} attributes; render or draw more images")
        cells.append(_count_cell(count, [found[latent % len(found)] for latent in range(num)], data, world))
    return cells


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
