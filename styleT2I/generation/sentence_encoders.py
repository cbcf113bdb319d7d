"""What turns a sentence into the features that a text GAN draws: a CLIP, DAMSM's text encoder or a file of features.

A reader has `dim`, the numbers of a sentence; `understand(text, strict=)`, which gives a Prompt or raises PromptError;
and `encode(text)`, the features of one sentence as the network's forward takes them after the noise, a row each.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from styleT2I.attributes.prompt import Prompt, understand
from styleT2I.baselines.damsm import RELEASED_MAX_WORDS, TextFeatures
from styleT2I.errors import PromptError
from styleT2I.formats.embeddings import Embeddings


class ClipReader:
    """Sentence features of a CLIP, standardised as in the training; facts: what the generator's component says."""

    def __init__(self, clip, facts: dict, vocabulary):
        self.clip, self.facts, self.vocabulary, self.dim = clip, facts, vocabulary, clip.embed_dim

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        return understand(text, self.clip, self.vocabulary, strict=strict)

    def encode(self, text: str) -> tuple[torch.Tensor]:
        """Features [1, dim]."""
        features = self.clip.encode_text([text])
        if "mean" in self.facts:
            mean, std = (features.new_tensor(self.facts[name]) for name in ("mean", "std"))
            features = (features - mean) / std
        return (features,)


class DamsmReader:
    """Sentence features of DAMSM's text encoder, of sentences up to as many words as the training read."""

    def __init__(self, encoder, facts: dict, vocabulary):
        self.encoder, self.vocabulary, self.dim = encoder, vocabulary, encoder.feature_dim
        self.max_words = facts.get("max_words") or RELEASED_MAX_WORDS

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        if not self.encoder.can_read:
            raise PromptError(
                "the text encoder came without its words, so it reads no sentence; name its captions.pickle with "
                "--dictionary, or put it beside the weights"
            )
        prompt = understand(text, self, self.vocabulary, strict=strict)
        if not self.known_words(text):
            raise PromptError(f"nothing in {text[:60]!r} is a word of the captions that the model learned; say it so")
        return prompt

    def encode(self, text: str) -> tuple[torch.Tensor, ...]:
        """Features [1, dim] of the sentence."""
        return self.read(text)[:1]

    def read(self, text: str) -> TextFeatures:
        """Features of the sentence and its words: [1, dim], [1, dim, T] and bool [1, T], T its own length."""
        return self.encoder.encode([text])

    def known_words(self, text: str) -> list[str]:
        """The words of a text that are read, in order."""
        return self.encoder.known_words(text)

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Words that are not read, each with the nearest one that is (or None)."""
        return self.encoder.unknown_words(text)

    def overlong(self, text: str) -> int:
        """How many words too long a text is."""
        return max(len(self.known_words(text)) - self.max_words, self.encoder.overlong(text))


class WordReader(DamsmReader):
    """DAMSM's features with those of every word, filled up to one length, so that no row depends on its company."""

    def encode(self, text: str) -> tuple[torch.Tensor, ...]:
        """Features [1, dim], of the words [1, dim, max_words] and which of these are none, bool [1, max_words]."""
        return filled(self.read(text), self.max_words)


class FileReader:
    """Features that stand in a file, by their sentence or as #0, #1, ..., the rows by number."""

    def __init__(self, table: Embeddings):
        self.table, self.dim = table, table.dim

    def understand(self, text: str, *, strict: bool = False) -> Prompt:
        self.encode(text)
        return Prompt(text, {}, ())

    def encode(self, text: str) -> tuple[torch.Tensor]:
        """Features [1, dim]; PromptError for a sentence that the file has not."""
        table = self.table
        if text in table.texts:
            return (table.rows(table.texts.index(text))[:1],)
        if text.startswith("#") and text[1:].isdecimal() and int(text[1:]) < len(table):
            return (table.rows(int(text[1:]))[:1],)
        raise PromptError(
            f"{table.path}: has no embedding of {text[:60]!r}; write a sentence of the file, or #0 to #{len(table) - 1}"
        )


def filled(features: TextFeatures, num_words: int) -> TextFeatures:
    """The features with `num_words` places for words, the further ones empty."""
    missing = num_words - features.mask.shape[1]
    return TextFeatures(
        features.sentence, F.pad(features.words, (0, missing)), F.pad(features.mask, (0, missing), value=True)
    )
