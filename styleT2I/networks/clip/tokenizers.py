"""Tokenizers from sentences to CLIP's token ids: OpenAI's BPE, open_clip's own choice, or a small word list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.words import plain_words, unknown_words

if TYPE_CHECKING:  # the words of a model are read before torch is imported
    import torch


class WordTokenizer:
    """Sentences -> ids of lower-case words without punctuation; hyphens part words, "isn't" is "is not".

    words: the known words; word i has id i + 2. Id 0 pads, 1 stands for unknown words; the last two ids mark start
    and end. The end mark has the highest id, since CLIP reads a sentence at the place of the highest id.
    ConfigError when the list is empty, repeats a word or holds one that no text can contain.
    """

    def __init__(self, words, context_length: int = 32):
        self.words, self.context_length = tuple(words), context_length
        if not self.words or len(set(self.words)) != len(self.words):
            raise ConfigError("a word tokenizer takes a list of different words")
        for word in self.words:
            if plain_words(word) != [word]:
                raise ConfigError(f"{word!r} is not one lower-case word; list what `plain_words` returns")
        if context_length < 3:
            raise ConfigError(f"context_length is {context_length}; a sentence needs at least 3 places")
        self._ids = {word: i for i, word in enumerate(self.words, start=2)}
        self.start, self.end = len(self.words) + 2, len(self.words) + 3

    @property
    def vocab_size(self) -> int:
        """Number of different ids, marks included."""
        return len(self.words) + 4

    def spec(self) -> dict:
        """Return the entry `tokenizer` of a CLIP config (JSON) from which `build_tokenizer` makes this one again."""
        return {"kind": "words", "words": list(self.words)}

    def __call__(self, texts: list[str]) -> torch.Tensor:
        """Return ids int64 [N, context_length]; a longer sentence loses its end but keeps the end mark."""
        import torch

        ids = torch.zeros(len(texts), self.context_length, dtype=torch.int64)
        for row, text in enumerate(texts):
            inner = [self._ids.get(word, 1) for word in plain_words(text)][: self.context_length - 2]
            ids[row, : len(inner) + 2] = torch.tensor([self.start, *inner, self.end])
        return ids

    def num_tokens(self, text: str) -> int:
        """Return the places that the whole text needs, start and end marks included."""
        return len(plain_words(text)) + 2

    def pieces(self, text: str) -> list[str]:
        """Return the words of the whole text as its tokens spell them, unknown ones too."""
        return plain_words(text)

    def truncated(self, text: str) -> bool:
        """Whether the text is too long for the context, so that its end is not read."""
        return self.num_tokens(text) > self.context_length

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Return the words without an id, each once, with the known word nearest in spelling (or None)."""
        return unknown_words(text, self._ids)


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
