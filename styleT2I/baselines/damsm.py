"""DAMSM (Xu et al. 2018, section 3.2): encoders that put words and image regions into one space.

The text encoder feeds AttnGAN and DF-GAN; with the image encoder it scores how well an image matches its words.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from styleT2I.baselines.config import ImageEncoderConfig, TextEncoderConfig
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.words import nearest_word

INCEPTION_SIZE, INCEPTION_DIMS = 299, (768, 2048)  # image side; channels of the 17x17 and the last map
RELEASED_MAX_WORDS = 25  # words of a sentence that the released code reads when it draws


class TextFeatures(NamedTuple):
    """Features of N sentences of up to T words."""

    sentence: torch.Tensor  # [N, text_dim]
    words: torch.Tensor  # [N, text_dim, T], 0 where a sentence has no such word
    mask: torch.Tensor  # bool [N, T], True there


class TextEncoder(nn.Module):
    """Word and sentence features by a one-layer bi-LSTM; words without an id are skipped."""

    kind = "damsm-text"
    Config = TextEncoderConfig

    def __init__(self, config: TextEncoderConfig):
        super().__init__()
        self.config = config
        self.index = {word: row for row, word in enumerate(config.words, start=1)}
        self.embedding = nn.Embedding(config.num_rows or len(config.words) + 1, config.embedding_dim)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(config.embedding_dim, config.text_dim // 2, batch_first=True, bidirectional=True)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)

    @classmethod
    def example(cls):
        """A tiny instance and the ids its forward takes."""
        config = TextEncoderConfig(("a", "red", "bird"), embedding_dim=4, text_dim=6, dropout=0.0)
        return cls(config), (torch.tensor([[1, 2, 3], [3, 0, 0]]),)

    @property
    def feature_dim(self) -> int:
        return self.config.text_dim

    @property
    def can_read(self) -> bool:
        """Whether it has the words that its ids stand for."""
        return bool(self.index)

    def forward(self, ids: torch.Tensor) -> TextFeatures:
        """Features of ids int64 [N, T], 0 behind a sentence's end; every sentence has at least one word."""
        mask = ids == 0
        lengths = (~mask).sum(dim=1).cpu()
        vectors = self.dropout(self.embedding(ids))
        packed = pack_padded_sequence(vectors, lengths, batch_first=True, enforce_sorted=False)
        states, (last, _) = self.lstm(packed)
        words, _ = pad_packed_sequence(states, batch_first=True, total_length=ids.shape[1])  # [N, T, text_dim]
        return TextFeatures(last.transpose(0, 1).flatten(1), words.transpose(1, 2), mask)

    def encode(self, texts: list[str]) -> TextFeatures:
        """Features of N sentences, padded to the longest."""
        return self(self.tokenize(texts).to(self.embedding.weight.device))

    def tokenize(self, texts: list[str], max_words: int | None = None) -> torch.Tensor:
        """Ids int64 [N, T] of the words with one, the first max_words of each; ConfigError for a text without any."""
        if not self.index:
            raise ConfigError("this text encoder came without its words: convert it with captions.pickle beside it")
        rows = []
        for text in texts:
            ids = [self.index[word] for word in split_caption(text) if word in self.index][:max_words]
            if not ids:
                raise ConfigError(f"{text!r} has no word that the text encoder knows; say it in words of its captions")
            rows.append(torch.tensor(ids))
        return nn.utils.rnn.pad_sequence(rows, batch_first=True)

    def known_words(self, text: str) -> list[str]:
        """The words of a text that are read, in order."""
        return [word for word in split_caption(text) if word in self.index]

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Words of the text that are not read, each once, with the nearest one that is (or None)."""
        missing = [word for word in dict.fromkeys(split_caption(text)) if word not in self.index]
        return [(word, nearest_word(word, self.index)) for word in missing]

    def overlong(self, text: str) -> int:
        """How many words of the text are beyond its limit: always 0, as there is no limit."""
        return 0


class ImageFeatures(NamedTuple):
    """Features of N images of R regions."""

    regions: torch.Tensor  # [N, text_dim, R], row by row
    image: torch.Tensor  # [N, text_dim]


class ImageEncoder(nn.Module):
    """Region and image features of images [N, 3, H, W] in [-1, 1] of any size."""

    kind = "damsm-image"
    Config = ImageEncoderConfig

    def __init__(self, config: ImageEncoderConfig):
        super().__init__()
        self.config = config
        self.trunk = TRUNKS[config.trunk](config)
        local_dim, whole_dim = self.trunk.dims
        self.regions = nn.Conv2d(local_dim, config.text_dim, 1, bias=False)
        self.sentence = nn.Linear(whole_dim, config.text_dim)
        for layer in (self.regions, self.sentence):
            nn.init.uniform_(layer.weight, -0.1, 0.1)

    @classmethod
    def example(cls):
        """A tiny instance and the input of its forward."""
        config = ImageEncoderConfig(text_dim=5, resolution=8, widths=(2, 3))
        return cls(config), (torch.randn(2, 3, 10, 10).tanh(),)

    def forward(self, image: torch.Tensor) -> ImageFeatures:
        local, whole = self.trunk(image)
        return ImageFeatures(self.regions(local).flatten(2), self.sentence(whole))


class SmallTrunk(nn.Module):
    """Two 3x3 convolutions per size; regions come from the last size but one, the image's features from the last."""

    def __init__(self, config: ImageEncoderConfig):
        super().__init__()
        self.resolution = config.resolution
        *widths, last = config.widths
        blocks, in_dim = [], 3
        for width in widths or [last]:
            blocks += [*_block(in_dim, width), *_block(width, width, stride=2)]
            in_dim = width
        self.local = nn.Sequential(*blocks)
        self.whole = nn.Sequential(*_block(in_dim, last, stride=2), *_block(last, last))
        self.dims = (in_dim, 2 * last)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Local features [N, C, h, w] and features of the whole image [N, C']."""
        if image.shape[-1] != self.resolution:
            image = F.interpolate(image, size=(self.resolution,) * 2, mode="bilinear", antialias=True)
        local = self.local(image)
        h = self.whole(local)
        return local, torch.cat([h.mean(dim=(2, 3)), h.amax(dim=(2, 3))], dim=1)


class InceptionTrunk(nn.Module):
    """Inception-v3 as torchvision has it: the 17x17 map of 768 channels and the mean of the last, 2048.

    Its weights come from a file; they and the batch norm are frozen in training.
    """

    dims = INCEPTION_DIMS

    def __init__(self, config: ImageEncoderConfig):
        super().__init__()
        from torchvision.models.inception import Inception3

        layers = dict(Inception3(num_classes=1, aux_logits=False, init_weights=False).named_children())
        names = list(layers)
        start, end = names.index("Mixed_7a"), names.index("avgpool")
        self.local = nn.Sequential(OrderedDict((name, layers[name]) for name in names[:start]))
        self.whole = nn.Sequential(OrderedDict((name, layers[name]) for name in names[start:end]))
        self.align_corners = config.align_corners
        self.requires_grad_(False)

    def train(self, mode: bool = True):
        return super().train(False)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Local features [N, 768, 17, 17] and features of the whole image [N, 2048]."""
        size = (INCEPTION_SIZE, INCEPTION_SIZE)
        local = self.local(F.interpolate(image, size=size, mode="bilinear", align_corners=self.align_corners))
        return local, self.whole(local).mean(dim=(2, 3))


TRUNKS = {"small": SmallTrunk, "inception": InceptionTrunk}


def split_caption(text: str) -> list[str]:
    """The words of a caption as DAMSM counts them: runs of letters and digits, in lower case, ASCII only."""
    words = (word.encode("ascii", "ignore").decode() for word in re.findall(r"\w+", text.lower()))
    return [word for word in words if word]


def _block(in_dim, out_dim, stride=1):
    conv = nn.Conv2d(in_dim, out_dim, 3, stride=stride, padding=1, bias=False)
    return [conv, nn.BatchNorm2d(out_dim), nn.LeakyReLU(0.1)]
