"""A word-level tokenizer for a CLIP with a small closed vocabulary; its whole state is a word list."""

import torch

from styleT2I.errors import ConfigError
from styleT2I.torch_utils.words import nearest_word, plain_words


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
        missing = [word for word in dict.fromkeys(plain_words(text)) if word not in self._ids]
        return [(word, nearest_word(word, self.words)) for word in missing]
