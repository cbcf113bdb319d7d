"""Where the suite "quality" takes its pictures from: any folder, a data set's split, or a model that draws them."""

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
from styleT2I.data.picture_files import open_picture_files
from styleT2I.errors import DataError
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.torch_utils.images import SUFFIXES, decode_image

__all__ = ["DrawnPictures", "PictureSource", "enough", "open_pictures", "resized", "side_of"]

MIN_PICTURES = 20
_RECORD = "generate.json"


class PictureSource(Protocol):
    """Pictures in a fixed order."""

    name: str  # what a report calls them
    seeds: str | None  # of drawn ones
    captions: Sequence[str] | None  # one a picture, where they are known

    def __len__(self) -> int: ...

    def batch(self, start: int, stop: int) -> list[np.ndarray]:
        """Pictures start ... stop - 1, each [H, W, 3] uint8."""
        ...


class _Folder:
    seeds = None

    def __init__(self, path: Path):
        self.name, self._files = str(path), open_picture_files(path)
        self._pictures = [name for name in self._files.pictures if name.lower().endswith(SUFFIXES)]
        if not self._pictures:
            raise DataError(f"{path}: no pictures in it; name a folder or a zip of {', '.join(SUFFIXES)} files")
        self.captions = _captions(path, self._files, self._pictures)

    def __len__(self):
        return len(self._pictures)

    def batch(self, start, stop):
        return [self._decoded(picture) for picture in self._pictures[start:stop]]

    def _decoded(self, picture):
        return decode_image(self._files.read_picture(picture), self._files.picture_path(picture))


class _DataSet:
    seeds = None

    def __init__(self, spec: str):
        self.name, self._data = spec, open_dataset(spec, with_masks=False)
        self.captions = _FirstCaptions(self._data)

    def __len__(self):
        return len(self._data)

    def batch(self, start, stop):
        return list(self._data.batch(range(start, stop)).images_u8.permute(0, 2, 3, 1).numpy())


class _FirstCaptions(Sequence):
    """The first caption of every sample, made when it is asked for: a data set may have far more than are read."""

    def __init__(self, data):
        self._data = data

    def __len__(self):
        return len(self._data)

    def __getitem__(self, index):
        return self._data.captions_of(index)[0]


class DrawnPictures:
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


def open_pictures(source: str) -> PictureSource:
    """Pictures of a folder or a zip (sub-folders included), of a data set, or of minifaces:DISTRIBUTION/SPLIT[:NUM].

    Of a folder that `generate` wrote, the sheets are passed over. Raises DataError when there are no pictures.
    """
    if str(source).startswith("minifaces:"):
        return _DataSet(str(source))
    if not Path(source).exists():
        raise DataError(f"{source}: no such folder; name a folder of pictures, or minifaces:biased/test")
    return _Folder(Path(source))


def enough(pictures: PictureSource, num: int | None) -> int:
    """How many to measure: num, or all where there are fewer or num is None. DataError for less than MIN_PICTURES."""
    num = min(len(pictures), num or len(pictures))
    if num < MIN_PICTURES:
        raise DataError(f"{pictures.name}: {num} pictures are too few to measure; at least {MIN_PICTURES} are needed")
    return num


def side_of(pictures: PictureSource) -> int:
    """Shorter side of the first picture, px."""
    return min(pictures.batch(0, 1)[0].shape[:2])


def resized(picture: np.ndarray, size: int) -> torch.Tensor:
    """[H, W, 3] uint8 -> [3, size, size] uint8: central square, Pillow's bicubic filter, antialiased when shrinking.

    The filter runs in float32 over each channel as in clean-fid (Parmar et al. 2022, arXiv 2104.11222), which finds
    distances to depend on nothing as much; unlike there the result is rounded to 8 bits.
    """
    height, width = picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = picture[top : top + side, left : left + side]
    if side != size:
        planes = [PIL.Image.fromarray(square[:, :, channel].astype(np.float32)) for channel in range(3)]
        planes = [np.asarray(plane.resize((size, size), PIL.Image.Resampling.BICUBIC)) for plane in planes]
        square = np.stack(planes, axis=2).round().clip(0, 255).astype(np.uint8)
    return torch.from_numpy(np.ascontiguousarray(square)).permute(2, 0, 1).contiguous()


def _captions(path, files, pictures):
    """One caption a picture: of a data set folder, or the sentence of generate.json; None where any is missing."""
    if files.has("captions.json") or files.has_texts:
        data = FolderDataset(path, resolution=1)
        found = {data.name_of(i): data.captions_of(i)[0] for i in range(len(data))}
        captions = [found.get(PurePosixPath(picture).with_suffix("").as_posix()) for picture in pictures]
        return None if None in captions else captions
    folders = [(PurePosixPath(files.root) / picture).parent.as_posix() for picture in pictures]
    sentences = {folder: _sentence(files, folder) for folder in set(folders)}
    return None if None in sentences.values() else [sentences[folder] for folder in folders]


def _sentence(files, folder):
    name = _RECORD if folder == "." else f"{folder}/{_RECORD}"
    if not files.has(name):
        return None
    text = parse_json(files.read_text(name), files.path(name), DataError).get("text")
    return text if isinstance(text, str) else None
