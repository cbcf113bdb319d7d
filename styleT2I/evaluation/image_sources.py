"""Sources of images for the suite "quality": any folder, a data set's split, or a model that draws them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
import PIL.Image
import torch

from styleT2I.attributes.prompt import Prompt
from styleT2I.config import parse_json
from styleT2I.data.dataset import open_dataset
from styleT2I.data.folder import FolderDataset
from styleT2I.data.image_files import open_image_files
from styleT2I.data.releases.specs import is_release
from styleT2I.data.worlds import WORLDS
from styleT2I.errors import DataError
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.torch_utils.images import SUFFIXES, decode_image

__all__ = ["DrawnImages", "ImageSource", "enough", "open_images", "resized", "side_of"]

MIN_IMAGES = 20
_RECORD = "generate.json"


class ImageSource(Protocol):
    """Images in a fixed order."""

    name: str  # what a report calls them
    seeds: str | None  # of drawn ones
    captions: Sequence[str] | None  # one per image, where they are known

    def __len__(self) -> int: ...

    def batch(self, start: int, stop: int) -> list[np.ndarray]:
        """Images start ... stop - 1, each [H, W, 3] uint8."""
        ...


class _Folder:
    seeds = None

    def __init__(self, path: Path):
        self.name, self._files = str(path), open_image_files(path)
        self._images = [name for name in self._files.images if name.lower().endswith(SUFFIXES)]
        if not self._images:
            raise DataError(f"{path}: no images in it; name a folder or a zip of {', '.join(SUFFIXES)} files")
        self.captions = _captions(path, self._files, self._images)

    def __len__(self):
        return len(self._images)

    def batch(self, start, stop):
        return [self._decoded(image) for image in self._images[start:stop]]

    def _decoded(self, image):
        return decode_image(self._files.read_image(image), self._files.image_path(image))


class _DataSet:
    seeds = None

    def __init__(self, spec: str):
        self.name, self._data = spec, open_dataset(spec, with_masks=False)
        has_captions = len(self._data) and self._data.captions_of(0)
        self.captions = _FirstCaptions(spec, self._data) if has_captions else None

    def __len__(self):
        return len(self._data)

    def batch(self, start, stop):
        return list(self._data.batch(range(start, stop)).images_u8.permute(0, 2, 3, 1).numpy())


class _FirstCaptions(Sequence):
    """The first caption of every sample, made when it is asked for: a data set may have far more than are read."""

    def __init__(self, spec, data):
        self._spec, self._data = spec, data

    def __len__(self):
        return len(self._data)

    def __getitem__(self, index):
        captions = self._data.captions_of(index)
        if not captions:
            raise DataError(f"{self._spec}: image {index} has no caption, and others have; add it or leave it out")
        return captions[0]


class DrawnImages:
    """Faces of seeds 0 ... num - 1 as `generate` draws them: without any text, or prompt i on seed i."""

    def __init__(
        self,
        pipeline: StyleT2I,
        num: int,
        psi: float,
        prompts: Sequence[Prompt] | None = None,
        adjustment: AdjustmentConfig | None = None,
    ):
        self._pipeline, self._num, self._psi = pipeline, num, psi
        self._prompts, self._adjustment = prompts, adjustment
        how = "no text" if prompts is None else f"a caption each, adjustment {getattr(adjustment, 'method', 'none')}"
        self.name = f"model {pipeline.model.name}, psi {psi:g}, {how}"
        self.seeds = f"0-{num - 1}"
        self.captions = None if prompts is None else [prompt.text for prompt in prompts]

    def __len__(self):
        return self._num

    def batch(self, start, stop):
        seeds = range(start, min(stop, self._num))
        ws = self._pipeline.latents(seeds, self._psi)
        if self._prompts is not None:
            ws = ws + self._pipeline.directions(ws, self._prompts[start:stop], self._adjustment).s_adjusted
        return list(self._pipeline.images_u8(ws, seeds).permute(0, 2, 3, 1).numpy())


def open_images(source: str) -> ImageSource:
    """Images of a folder or a zip (sub-folders included), of a download (celebahq:DIR:test), or of a world.

    Of a folder that `generate` wrote, the sheets are passed over. Raises DataError when there are no images.
    """
    if str(source).partition(":")[0] in WORLDS or is_release(source):
        return _DataSet(str(source))
    if not Path(source).exists():
        raise DataError(f"{source}: no such folder; name a folder of images, or minifaces:biased/test")
    return _Folder(Path(source))


def enough(images: ImageSource, num: int | None) -> int:
    """How many to measure: num, or all where there are fewer or num is None. DataError for fewer than MIN_IMAGES."""
    num = min(len(images), num or len(images))
    if num < MIN_IMAGES:
        raise DataError(f"{images.name}: {num} images are too few to measure; at least {MIN_IMAGES} are needed")
    return num


def side_of(images: ImageSource) -> int:
    """Shorter side of the first image, px."""
    return min(images.batch(0, 1)[0].shape[:2])


def resized(image: np.ndarray, size: int) -> torch.Tensor:
    """[H, W, 3] uint8 -> [3, size, size] uint8: central square, Pillow's bicubic filter, antialiased when shrinking.

    The filter runs in float32 over each channel as in clean-fid (Parmar et al. 2022, arXiv 2104.11222), which finds
    distances to depend on nothing as much; unlike there the result is rounded to 8 bits.
    """
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    if side != size:
        planes = [PIL.Image.fromarray(square[:, :, channel].astype(np.float32)) for channel in range(3)]
        planes = [np.asarray(plane.resize((size, size), PIL.Image.Resampling.BICUBIC)) for plane in planes]
        square = np.stack(planes, axis=2).round().clip(0, 255).astype(np.uint8)
    return torch.from_numpy(np.ascontiguousarray(square)).permute(2, 0, 1).contiguous()


def _captions(path, files, images):
    """One caption an image: of a data set folder, or the sentence of generate.json; None where any is missing."""
    if files.has("captions.json") or files.has_texts:
        data = FolderDataset(path, resolution=1)
        captions_by_name = {data.name_of(i): data.captions_of(i)[0] for i in range(len(data))}
        captions = [captions_by_name.get(PurePosixPath(image).with_suffix("").as_posix()) for image in images]
        return None if None in captions else captions
    folders = [(PurePosixPath(files.root) / image).parent.as_posix() for image in images]
    sentences = {folder: _sentence(files, folder) for folder in set(folders)}
    return None if None in sentences.values() else [sentences[folder] for folder in folders]


def _sentence(files, folder):
    name = _RECORD if folder == "." else f"{folder}/{_RECORD}"
    if not files.has(name):
        return None
    text = parse_json(files.read_text(name), files.path(name), DataError).get("text")
    return text if isinstance(text, str) else None
