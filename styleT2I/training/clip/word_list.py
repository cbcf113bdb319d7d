"""The word list of a CLIP from scratch: of the captions that it learns from, so that it can read them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from styleT2I.attributes.wording.word_list import grammar_words, vocabulary_words
from styleT2I.data.dataset import Dataset
from styleT2I.torch_utils.words import counted, plain_words
from styleT2I.training.clip.config import MINIFACES, is_minifaces


class WordList(NamedTuple):
    """Sorted words, and in words where they come from."""

    words: tuple[str, ...]
    origin: str


def word_list(specs: Sequence[str], parts: Sequence[Dataset], vocabulary: str | None) -> WordList:
    """The words of all captions of the data sets `parts`, and of the vocabulary, if one is named, in which they are
    said otherwise and asked about. For MiniFaces the words of its whole grammar, whichever of them were drawn.
    """
    if is_minifaces(specs) and vocabulary == MINIFACES:
        words = grammar_words(MINIFACES)
        return WordList(words, f"{counted(len(words), 'word')} of MiniFaces' captions")
    captions = (text for part in parts for index in range(len(part)) for text in part.captions_of(index))
    words = {word for text in captions for word in plain_words(text)}
    origin = f"{counted(len(words), 'word')} of the captions of {', '.join(specs)}"
    if vocabulary is not None:
        more = vocabulary_words(vocabulary) - words
        words, origin = words | more, f"{origin}, {len(more)} more of the vocabulary {vocabulary}"
    return WordList(tuple(sorted(words)), origin)
