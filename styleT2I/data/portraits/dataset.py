"""Rendered portraits as a data set: read from a folder, by default the one in the user's cache."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.data.portraits.parts import PARTS
from styleT2I.data.portraits.scenes.attributes import ATTRIBUTES
from styleT2I.data.portraits.scenes.recipe import DEFAULT_RESOLUTION, Recipe, read_spec
from styleT2I.data.portraits.scenes.vector import NUISANCE_NAMES, NUISANCE_START, scene_vector
from styleT2I.data.portraits.sets.records import read_records
from styleT2I.data.worlds import KnownScenes
from styleT2I.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import torch

    from styleT2I.data.dataset import Batch
    from styleT2I.data.portraits.scenes.scene import Scene

NUM_CAPTIONS = 6
_STORED = (DEFAULT_RESOLUTION, 256, 512)  # resolutions that sets are rendered at


class Portraits:
    """Images of a rendered set, decoded when first asked for and kept in memory as uint8.

    recipe: what was rendered; places: which images of it; folder: where; resolution: of what is returned, at most that
    of the recipe (smaller images by area); with_masks: read the parts too. DataError where images are missing.
    """

    def __init__(self, recipe: Recipe, places: range, folder: Path, resolution: int | None = None, *, with_masks=True):
        self.recipe, self.folder, self.with_masks = recipe, Path(folder), with_masks
        self.resolution = resolution or recipe.resolution
        self.attribute_names, self.region_names, self.nuisance_names = ATTRIBUTES, PARTS, NUISANCE_NAMES
        self.vocabulary = load_vocabulary("portraits")
        records = read_records(self.folder)
        missing = sum(k not in records for k in places)
        if missing:
            raise DataError(_how_to_render(recipe, places, len(places) - missing, self.folder))
        self._records = [records[k] for k in places]
        self._pixels: dict[int, tuple[np.ndarray, np.ndarray | None]] = {}
        self._vectors: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._records)

    def labels_of(self, indices: Sequence[int]) -> torch.Tensor:
        """Labels bool [N, A] of the given images, in the vocabulary's order."""
        import torch

        return torch.tensor([list(self._records[k].labels().values()) for k in indices]).reshape(-1, len(ATTRIBUTES))

    def captions_of(self, index: int) -> tuple[str, ...]:
        """The captions of one image, the same at every call."""
        record = self._records[index]
        return captions_of(self.recipe, record.index, record.labels())

    def scenes(self, indices: Sequence[int]) -> list[Scene]:
        """The scenes behind the given images."""
        records = [self._records[k] for k in indices]
        return [self.recipe.scene(record.index, record.attempt) for record in records]

    def latents(self, indices: Sequence[int]) -> torch.Tensor:
        """The z that each scene is a function of, float32 [N, Z_DIM]."""
        import torch

        records = [self._records[k] for k in indices]
        return torch.tensor([self.recipe.latent(record.index, record.attempt) for record in records])

    def vectors(self, indices: Sequence[int]) -> torch.Tensor:
        """The scenes as vectors, float32 [N, VECTOR_SIZE]: what a generator is fitted on."""
        import numpy as np
        import torch

        new = [k for k in indices if k not in self._vectors]
        self._vectors.update((k, scene_vector(scene)) for k, scene in zip(new, self.scenes(new), strict=True))
        return torch.from_numpy(np.stack([self._vectors[k] for k in indices]))

    def landmarks(self, indices: Sequence[int]) -> torch.Tensor:
        """The 68 landmarks of the given images, float32 [N, 68, 2]: x and y in pixels of `resolution`."""
        import torch

        scale = self.resolution / self.recipe.resolution
        return torch.tensor([self._records[k].landmarks for k in indices]) * scale

    def batch(self, indices: Sequence[int]) -> Batch:
        """Images, captions, labels, region masks and nuisances of the given indices."""
        import numpy as np
        import torch

        from styleT2I.data.dataset import Batch

        pixels = [self._decoded(int(k)) for k in indices]
        images = torch.from_numpy(np.stack([image for image, _ in pixels])).permute(0, 3, 1, 2).contiguous()
        batch = Batch(images, [self.captions_of(int(k)) for k in indices], self.labels_of(indices))
        if self.with_masks:
            parts = torch.from_numpy(np.stack([mask for _, mask in pixels]))
            batch.masks = parts[:, None] == torch.arange(len(PARTS), dtype=torch.uint8).view(1, -1, 1, 1)
        batch.nuisances = self.vectors(indices)[:, NUISANCE_START:]
        return batch

    def _decoded(self, index: int):
        """(image u8 [R, R, 3], parts u8 [R, R] or None) at the resolution, cached in memory."""
        from styleT2I.torch_utils.images import centre_crop_resize, decode_image

        if index not in self._pixels:
            record = self._records[index]
            path = self.folder / "images" / record.file
            image = centre_crop_resize(decode_image(_read(path), path), self.resolution)
            mask_path = self.folder / "masks" / f"{record.name}.png"
            self._pixels[index] = image, _read_parts(mask_path, self.resolution) if self.with_masks else None
        return self._pixels[index]


def captions_of(recipe: Recipe, index: int, labels: dict[str, bool]) -> tuple[str, ...]:
    """NUM_CAPTIONS captions of an image of a set, the same at every call."""
    from styleT2I.attributes.portrait_captions import captions
    from styleT2I.torch_utils.seeding import derive_seed

    return captions(labels, derive_seed("captions", recipe.name, recipe.seed, index), NUM_CAPTIONS)


def open_portraits(spec: str, resolution: int | None = None, *, with_masks: bool = True) -> Portraits:
    """Open "DISTRIBUTION/SPLIT[:NUM]", for example "biased/train:10000" or "biased/train:10000-10999", from the user's
    cache.

    A smaller resolution than the rendered one is made by area. DataError for an invalid specification, and where
    images are not rendered yet, with the command that renders them.
    """
    stored = next((r for r in _STORED if r >= (resolution or 0)), None)
    if stored is None:
        raise DataError(f"portraits are rendered up to {_STORED[-1]} pixels, not {resolution}")
    recipe, places = read_spec(spec, stored)
    return Portraits(recipe, places, recipe.cache_folder(), resolution, with_masks=with_masks)


def _how_to_render(recipe: Recipe, places: range, there: int, folder: Path) -> str:
    side = "" if recipe.resolution == DEFAULT_RESOLUTION else f" --resolution {recipe.resolution}"
    which = f"{places.start}-{places.stop - 1}" if places.start else len(places)
    return (
        f"{there} of {len(places)} images of portraits:{recipe.name} are rendered in {folder}; render the others: "
        f"python -m styleT2I.data.portraits '{recipe.name}:{which}'{side}"
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot read the image: {error.strerror or error}; render it again") from error


def _read_parts(path: Path, resolution: int):
    """A parts map u8 [R, R]; when shrunk, each pixel becomes its most frequent part."""
    import cv2
    import numpy as np

    parts = cv2.imdecode(np.frombuffer(_read(path), np.uint8), cv2.IMREAD_UNCHANGED)
    if parts is None or parts.ndim != 2:
        raise DataError(f"{path}: the parts map is damaged; remove it and its line of records.jsonl, render it again")
    if parts.shape[0] == resolution:
        return parts
    shares = [
        cv2.resize((parts == k).astype(np.float32), (resolution, resolution), interpolation=cv2.INTER_AREA)
        for k in range(len(PARTS))
    ]
    return np.argmax(np.stack(shares), axis=0).astype(np.uint8)


def known_scenes(num: int, resolution: int, batch_size: int) -> Iterator[KnownScenes]:
    """The first images of biased/test with their latents; DataError where fewer are rendered."""
    from styleT2I.torch_utils.images import from_uint8

    data = open_portraits(f"biased/test:{num}", resolution)
    for start in range(0, num, batch_size):
        rows = range(start, min(start + batch_size, num))
        batch = data.batch(rows)
        yield KnownScenes(data.latents(rows), from_uint8(batch.images_u8), batch.masks, data.region_names)
