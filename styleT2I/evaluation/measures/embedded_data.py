"""Captioned images with their CLIP image embeddings, computed once and kept in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch.nn import functional as F

from styleT2I.baselines.unclip.captions import CaptionEncoder
from styleT2I.baselines.unclip.prior import Caption
from styleT2I.data.dataset import index_order, open_dataset
from styleT2I.errors import DataError
from styleT2I.torch_utils.distributed import draw_rows
from styleT2I.torch_utils.images import from_uint8

_BATCH_SIZE = 250


class EmbeddedData:
    """The samples of a data set as a CLIP embeds them; DataError where there are none or they lack captions.

    embeddings: z_i float32 [M, D] on the CPU. images_u8: uint8 [M, 3, R, R]. Either is None where it is not kept.
    """

    def __init__(
        self, spec: str, encoder: CaptionEncoder, device: torch.device, keep_images: bool = False,
        keep_embeddings: bool = True,
    ):  # fmt: skip
        self.encoder, self.device = encoder, device
        clip = encoder.clip
        data = open_dataset(spec, clip.config.image_size, with_masks=False)
        self.names = data.attribute_names
        if not len(data):
            raise DataError(f"{spec}: the data set is empty")
        embeddings, images, labels, self.captions = [], [], [], []
        for start in range(0, len(data), _BATCH_SIZE):
            batch = data.batch(range(start, min(start + _BATCH_SIZE, len(data))))
            if not all(batch.captions):
                raise DataError(f"{spec}: has images without captions; add them or leave these images out")
            self.captions += batch.captions
            labels.append(batch.attributes)
            images += [batch.images_u8] if keep_images else []
            if keep_embeddings:
                with torch.no_grad():
                    embeddings.append(clip.encode_image(from_uint8(batch.images_u8).to(device)).cpu())
        self.embeddings = torch.cat(embeddings) if keep_embeddings else None
        self.labels = torch.cat(labels) if labels[0] is not None else None
        self.images_u8 = torch.cat(images) if keep_images else None
        self._encoded = None  # made when the first captions are asked for

    def __len__(self) -> int:
        return len(self.captions)

    def statistics(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and deviation [D] of the embeddings' numbers."""
        return self.embeddings.mean(dim=0), self.embeddings.std(dim=0).clamp_min(1e-6)

    def training_indices(self, seed: int, batch_size: int, step: int) -> list[int]:
        """The samples that a step of a run with this seed trains on."""
        return index_order(seed, len(self), batch_size, step)

    def caption_batch(self, indices: Sequence[int], rng: torch.Generator) -> Caption:
        """One caption of each sample, drawn at random."""
        if self._encoded is None:
            self._encoded = EncodedTexts(self.encoder, (text for texts in self.captions for text in texts))
        picks = draw_rows(torch.rand, len(indices), generator=rng).tolist()
        texts = [self.captions[i][int(pick * len(self.captions[i]))] for i, pick in zip(indices, picks, strict=True)]
        return Caption(*(part.to(self.device) for part in self._encoded.batch(texts)))

    def encode(self, texts: Sequence[str]) -> Caption:
        """Captions on the device, without the places that none of them uses."""
        return self.encoder.encode(list(texts)).trimmed()

    def embedding_batch(self, indices: Sequence[int]) -> torch.Tensor:
        """z_i [N, D] on the device."""
        return self.embeddings[list(indices)].to(self.device)

    def image_batch(self, indices: Sequence[int], resolution: int) -> torch.Tensor:
        """Images [N, 3, resolution, resolution] in [-1, 1] on the device, shrunk by area where they are larger."""
        return resized(from_uint8(self.images_u8[list(indices)]).to(self.device), resolution)


class EncodedTexts:
    """What a CLIP reads of many texts, each encoded once, in chunks that follow from the texts alone: a text's numbers
    do not depend on the batch that it is asked for in, nor on when."""

    def __init__(self, encoder: CaptionEncoder, texts: Iterable[str]):
        self.rows = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        known, embeddings, states, lengths = list(self.rows), [], [], []
        for start in range(0, len(known), _BATCH_SIZE):
            said = Caption(*(part.cpu() for part in encoder.encode(known[start : start + _BATCH_SIZE])))
            embeddings.append(said.embedding)
            states.append(said.states[~said.hidden])  # of all texts, one behind the other
            lengths.append((~said.hidden).sum(dim=1))
        self.embeddings, self.states, self.lengths = (torch.cat(parts) for parts in (embeddings, states, lengths))
        self.starts = self.lengths.cumsum(dim=0) - self.lengths

    def batch(self, texts: Sequence[str]) -> Caption:
        """Captions of N of the texts on the CPU, padded to the longest."""
        rows = torch.tensor([self.rows[text] for text in texts])
        lengths = self.lengths[rows]
        places = torch.arange(int(lengths.max()))
        hidden = places >= lengths.unsqueeze(1)
        where = (self.starts[rows].unsqueeze(1) + places).clamp(max=len(self.states) - 1)
        states = self.states[where].masked_fill(hidden.unsqueeze(2), 0)
        return Caption(self.embeddings[rows], states, hidden)


def resized(image: torch.Tensor, resolution: int) -> torch.Tensor:
    """Images at another side: by area when shrinking, bicubic when enlarging."""
    side = image.shape[-1]
    if side == resolution:
        return image
    if side > resolution:
        return F.interpolate(image, size=(resolution, resolution), mode="area")
    return F.interpolate(image, size=(resolution, resolution), mode="bicubic").clamp(-1, 1)
