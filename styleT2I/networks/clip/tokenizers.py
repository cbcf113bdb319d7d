"""Tokenizers from sentences to CLIP's token ids: OpenAI's BPE, open_clip's own choice, or a small word list."""

from __future__ import annotations

from typing import Protocol

import torch

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.networks.clip.word_tokenizer import WordTokenizer


class Tokenizer(Protocol):
    """What CLIP needs of a tokenizer, and what callers ask to warn of unread words."""

    def __call__(self, texts: list[str]) -> torch.Tensor:
        """Token ids int64 [N, context_length], cut or padded."""

    def num_tokens(self, text: str) -> int:
        """Tokens the whole text takes, start and end marks included."""

    def pieces(self, text: str) -> list[str]:
        """The text of each token, without the marks; ConfigError if the tokenizer cannot say."""

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Words that have no token, each with the nearest one that has (or None)."""


class BPETokenizer:
    """OpenAI's byte-pair encoding through open_clip; it knows every text, so no word is unknown.

    open_clip renames the two marks to <start_of_text> and <end_of_text>; here they keep OpenAI's spelling, so that
    sentences that happen to contain a mark get the ids OpenAI's own tokenizer gives.
    """

    def __init__(self, context_length: int):
        import open_clip
        import regex

        self._bpe = open_clip.SimpleTokenizer(context_length=context_length)
        marks = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
        pattern = self._bpe.pat.pattern
        for renamed, mark in marks.items():
            self._bpe.encoder[mark] = self._bpe.encoder.pop(renamed)
            pattern = pattern.replace(renamed, regex.escape(mark))
        self._bpe.cache = {mark: mark for mark in marks.values()}
        self._bpe.pat = regex.compile(pattern, regex.IGNORECASE)

    def __call__(self, texts: list[str]) -> torch.Tensor:
        return self._bpe(list(texts))

    def num_tokens(self, text: str) -> int:
        return len(self._bpe.encode(text)) + 2

    def pieces(self, text: str) -> list[str]:
        return [self._bpe.decode([token]).strip() for token in self._bpe.encode(text)]

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        return []


class OpenCLIPTokenizer:
    """Whatever open_clip pairs with an architecture (SentencePiece and others; may need the transformers package)."""

    def __init__(self, architecture: str, context_length: int):
        import open_clip

        try:
            self._tokenizer = open_clip.get_tokenizer(architecture, context_length=context_length)
        except Exception as error:  # missing package, or files that are neither cached nor downloadable
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ConfigError(f"the tokenizer of {architecture} cannot be built: {reason[:160]}") from error
        self._context_length = context_length

    def __call__(self, texts: list[str]) -> torch.Tensor:
        return self._tokenizer(list(texts))

    def num_tokens(self, text: str) -> int:
        return self._context_length  # these cut silently and do not count tokens

    def pieces(self, text: str) -> list[str]:
        raise ConfigError("open_clip's tokenizer of this CLIP does not give its tokens one by one; give another CLIP")

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        return []


class NoTokenizer:
    """For weights of an unknown vocabulary: only token ids can be encoded."""

    def __init__(self, context_length: int):
        self.context_length = context_length

    def __call__(self, texts: list[str]) -> torch.Tensor:
        raise ConfigError("this CLIP comes without a tokenizer; encode token ids, or set its `tokenizer`")

    def num_tokens(self, text: str) -> int:
        return self([text]).shape[1]

    def pieces(self, text: str) -> list[str]:
        return self([text])

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        return []


def build_tokenizer(spec: dict, context_length: int) -> Tokenizer:
    """The tokenizer that a CLIP config describes: {"kind": "openai" | "open_clip" | "words" | "none", ...}.

    ConfigError on an unknown kind or a missing or unknown setting of it.
    """
    settings = {key: value for key, value in spec.items() if key != "kind"}
    kind = spec.get("kind")
    if kind not in BUILDERS:
        raise ConfigError(f"unknown CLIP tokenizer {kind!r}{suggestion(kind, BUILDERS)}")
    try:
        return BUILDERS[kind](context_length=context_length, **settings)
    except TypeError as error:
        raise ConfigError(f"wrong settings of the CLIP tokenizer {kind!r}: {error}") from error


BUILDERS = {"openai": BPETokenizer, "open_clip": OpenCLIPTokenizer, "words": WordTokenizer, "none": NoTokenizer}
