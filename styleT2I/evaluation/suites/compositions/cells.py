"""The cells of the suite "compositions": rare compositions, their frequent twins, sentences of 1 to 5 attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import Vocabulary, load_vocabulary
from styleT2I.attributes.wording.sentences import sentence
from styleT2I.data.dataset import open_dataset
from styleT2I.data.minifaces.compositions import held_out_compositions, rare_pairs
from styleT2I.errors import ConfigError

COUNTS = (1, 2, 3, 4, 5)  # attributes of a sentence
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


def composition_cells(num: int) -> list[Prompted]:
    """The rare pairs and held-out compositions of MiniFaces, each followed by its frequent twin; `num` latents each."""
    vocabulary = load_vocabulary("minifaces")
    return [
        _composition_cell(kind, composition.name, attributes, num, vocabulary)
        for composition in (*rare_pairs(), *held_out_compositions())
        for kind, attributes in (("rare", composition.attributes), ("frequent", composition.twin))
    ]


def count_cells(num: int) -> list[Prompted]:
    """Sentences of 1, 2 ... 5 attributes: what the first biased test captions of so many attributes state.

    Every latent has a sentence of its own; an image lends a count one caption at most.
    """
    vocabulary, data = load_vocabulary("minifaces"), f"minifaces:biased/test:{max(_NUM_CAPTIONED, 20 * num)}"
    dataset = open_dataset(data, with_masks=False)
    stated = {count: {} for count in COUNTS}  # count -> {image: attributes}
    for image in range(len(dataset)):
        missing = [requests for requests in stated.values() if len(requests) < num]
        if not missing:
            break
        for caption in dataset.captions_of(image):
            request = parse(caption, vocabulary).attributes
            requests = stated.get(len(request), {})
            if len(requests) < num:
                requests.setdefault(image, request)
    for count, requests in stated.items():
        if len(requests) < num:
            raise ConfigError(f"{data}: only {len(requests)} images have a caption of {count} attributes; lower --num")
    return [
        Prompted(
            _count_name(count), "count", "", tuple(sentence(request, vocabulary) for request in requests.values()),
            tuple(requests.values()), data, tuple(requests),
        )
        for count, requests in stated.items()
    ]  # fmt: skip


def _composition_cell(kind, composition, attributes, num, vocabulary: Vocabulary) -> Prompted:
    name = "+".join(name if value else vocabulary[name].antonym for name, value in attributes.items())
    text = sentence(attributes, vocabulary)
    data = f"minifaces:composition={name}/test:{num}"
    return Prompted(name, kind, composition, (text,) * num, (dict(attributes),) * num, data, tuple(range(num)))


def _count_name(count: int) -> str:
    return f"{count} attribute{'s' * (count > 1)}"
