"""Captions that an image is contrasted with: the batch's others, and its own with one attribute flipped."""

from __future__ import annotations

from typing import NamedTuple

import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.attributes.wording.sentences import sentence


class Flips(NamedTuple):
    """Fixed sentences of a batch's captions and of their flipped versions; `flipped[k]` contradicts `own[owner[k]]`."""

    own: list[str]  # B sentences
    flipped: list[str]  # M sentences
    owner: torch.Tensor  # [M] int64


class RivalCaptions:
    """Reads captions by a vocabulary; each distinct one is parsed once."""

    def __init__(self, vocabulary: Vocabulary):
        self.vocabulary = vocabulary
        self._parsed = {}

    def attributes(self, caption: str) -> dict[str, bool]:
        """What a caption states."""
        if caption not in self._parsed:
            self._parsed[caption] = parse(caption, self.vocabulary).attributes
        return self._parsed[caption]

    def also_true(self, captions: list[str]) -> torch.Tensor:
        """[B, B] bool: everything that caption j states, caption i states too."""
        stated = [self.attributes(caption).items() for caption in captions]
        return torch.tensor([[other <= own for other in stated] for own in stated])

    def open_to(self, captions: list[str]) -> torch.Tensor:
        """[B, A] bool: the caption neither states the attribute of the vocabulary nor a rival that decides it."""
        decided = [
            {name for stated in self.attributes(caption) for name in (stated, *self.vocabulary.exclusive_of(stated))}
            for caption in captions
        ]
        return torch.tensor([[name not in names for name in self.vocabulary.names] for names in decided])

    def flips(self, captions: list[str]) -> Flips:
        """For every attribute that a caption states, its sentence with that one turned round.

        One of several that exclude each other becomes each of the others in turn: black hair turns brown, blond and
        gray, not "not black". A caption that states nothing keeps its own words and has no flips.
        """
        own, flipped, owner = [], [], []
        for row, caption in enumerate(captions):
            stated = self.attributes(caption)
            own.append(sentence(stated, self.vocabulary) if stated else caption)
            others = [other for name in stated for other in self._turned(stated, name)]
            flipped += [sentence(other, self.vocabulary) for other in others]
            owner += [row] * len(others)
        return Flips(own, flipped, torch.tensor(owner, dtype=torch.int64))

    def _turned(self, stated, name):
        others = self.vocabulary.exclusive_of(name) if stated[name] else ()
        if not others:
            return [{**stated, name: not stated[name]}]
        rest = {key: value for key, value in stated.items() if key != name and key not in others}
        return [{**rest, other: True} for other in others]
