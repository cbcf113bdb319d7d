"""The words that a model reads, from the JSON files of its folder alone: no weights, no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from styleT2I.formats.model_folder import MANIFEST, ModelFolder, read_model_folder
from styleT2I.torch_utils.words import plain_words, unknown_words


@dataclass(frozen=True)
class KnownWords:
    """The interface of a text encoder for attributes.prompt.understand, with the encoder's own answers."""

    words: frozenset[str]
    num_places: int | None = None  # words of a sentence that are read; None: all

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Words of the text that are not known, each with the nearest known one (or None)."""
        return unknown_words(text, self.words)

    def overlong(self, text: str) -> int:
        """How many words of the text are not read."""
        return 0 if self.num_places is None else max(0, len(plain_words(text)) - self.num_places)


def local_folder(model: str | Path) -> ModelFolder | None:
    """The model folder at a path, None where it is something else; CheckpointError as read_model_folder."""
    path = Path(model)
    is_folder = path.name == MANIFEST or (path / MANIFEST).is_file()
    return read_model_folder(path) if is_folder else None


def known_words(folder: ModelFolder) -> KnownWords | None:
    """The words that the Text-to-Direction network of a model folder reads; None where its files do not tell.

    They do where the network has its own text encoder, or the CLIP has a word list.
    """
    try:
        return _known_words(_config(folder, "t2d"), _config(folder, "clip"))
    except (KeyError, TypeError, AttributeError, ValueError):
        return None  # without such a network, or damaged, which loading will report


def _known_words(t2d, clip):
    if own := t2d["text_encoder"]:
        return KnownWords(frozenset(own["words"]))
    if clip["tokenizer"]["kind"] != "words":
        return None
    marks = 2  # at the start and the end of what is read
    return KnownWords(frozenset(clip["tokenizer"]["words"]), clip["model"]["text_cfg"]["context_length"] - marks)


def _config(folder, role):
    return json.loads(folder.files[role].read_text(encoding="utf-8"))["config"] if role in folder.files else {}
