"""The paper's own sentence encoder for Text-to-Direction: word vectors (GloVe) and a bidirectional GRU."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from styleT2I.errors import ConfigError
from styleT2I.torch_utils.words import plain_words, unknown_words


@dataclass(frozen=True)
class GruTextConfig:
    """Sizes of GruTextEncoder; the defaults are the paper's (GloVe 300-d, one layer of 512 units)."""

    words: tuple[str, ...] = ()  # the words with a vector, in the table's order (row 0 is the unknown word)
    embedding_dim: int = 300
    hidden_dim: int = 512
    train_embedding: bool = False  # False: the vectors are GloVe's and stay as they are

    def __post_init__(self):
        if not self.words:
            raise ConfigError("the GRU text encoder needs at least one word in `words`")
        if min(self.embedding_dim, self.hidden_dim) < 1:
            raise ConfigError("embedding_dim and hidden_dim of the GRU text encoder must be at least 1")


class GruTextEncoder(nn.Module):
    """Sentence features [N, hidden_dim]: the mean of the last states of both directions of a one-layer bi-GRU.

    Words outside the table are read as one unknown word, whose vector is zero under GloVe.
    Source: StyleT2I (Li et al., CVPR 2022), the released model/text_encoder_cond.py for the averaging.
    """

    def __init__(self, config: GruTextConfig):
        super().__init__()
        self.config = config
        self.index = {word: row for row, word in enumerate(config.words, start=1)}
        self.embedding = nn.Embedding(len(config.words) + 1, config.embedding_dim)
        self.gru = nn.GRU(config.embedding_dim, config.hidden_dim, batch_first=True, bidirectional=True)

    @property
    def feature_dim(self) -> int:
        return self.config.hidden_dim

    def load_vectors(self, vectors: torch.Tensor) -> None:
        """Set the word table to given vectors [num_words, embedding_dim], in the order of config.words."""
        with torch.no_grad():
            self.embedding.weight[0] = 0
            self.embedding.weight[1:] = vectors

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Words of the text that are not in the table, each with the nearest one that is (or None)."""
        return unknown_words(text, self.index)

    def overlong(self, text: str) -> int:
        """How many words of the text are beyond its limit: always 0, as there is no limit."""
        return 0

    def forward(self, texts: list[str]) -> torch.Tensor:
        """Features of N sentences [N, hidden_dim]."""
        device = self.embedding.weight.device
        rows = [torch.tensor([self.index.get(w, 0) for w in plain_words(text)] or [0]) for text in texts]
        lengths = torch.tensor([len(row) for row in rows])
        tokens = nn.utils.rnn.pad_sequence(rows, batch_first=True).to(device)  # [N, longest]
        packed = pack_padded_sequence(self.embedding(tokens), lengths, batch_first=True, enforce_sorted=False)
        _, last = self.gru(packed)  # [2 directions, N, hidden_dim], in the order of `texts`
        return last.mean(dim=0)
