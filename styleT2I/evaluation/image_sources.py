"""Where the suite "quality" takes its pictures from: any folder, a data set's split, or a model that draws them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import PIL.Image
import torch

from styleT2I.attributes.prompt import Prompt
from styleT2I.data.dataset import open_dataset
from styleT2I.data.folder import FolderDataset
from styleT2I.errors import DataError
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.torch_utils.images import load_image

__all__ = ["DrawnPictures", "PictureSource", "enough", "open_pictures", "resized", "side_of"]

MIN_PICTURES = 20
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
_SHEETS = {"grid.png", "explain.png"}  # that generate writes beside its faces


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
        self.name = str(path)
        root = path / "images" if (path / "images").is_dir() else path  # a data set folder keeps them there
        self._files = [file for file in sorted(root.rglob("*")) if _is_picture(file, root)]
        if not self._files:
            raise DataError(f"{path}: no pictures in it; name a folder of {', '.join(sorted(_SUFFIXES))} files")
        self.captions = _captions(path, root, self._files)

    def __len__(self):
        return len(self._files)

    def batch(self, start, stop):
        return [load_image(file).permute(1, 2, 0).numpy() for file in self._files[start:stop]]


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
    """Pictures of a folder (sub-folders included), of a data set folder, or of minifaces:DISTRIBUTION/SPLIT[:NUM].

    Of a folder that `generate` wrote, the sheets are passed over. Raises DataError when there are no pictures.
    """
    if str(source).startswith("minifaces:"):
        return _DataSet(str(source))
    if not Path(source).is_dir():
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


def _is_picture(file, root):
    parts = file.relative_to(root).parts
    if file.suffix.lower() not in _SUFFIXES or any(part.startswith(".") for part in parts) or not file.is_file():
        return False
    return not (file.name in _SHEETS and (file.parent / "generate.json").is_file())


def _captions(path, root, files):
    """One caption a picture: of a data set folder, or the sentence of generate.json; None where any is missing."""
    if root != path and ((path / "captions.json").is_file() or (path / "text").is_dir()):
        data = FolderDataset(path, resolution=1)
        found = {data.name_of(i): data.captions_of(i)[0] for i in range(len(data))}
        captions = [found.get(file.relative_to(root).with_suffix("").as_posix()) for file in files]
        return None if None in captions else captions
    sentences = {folder: _sentence(folder / "generate.json") for folder in {file.parent for file in files}}
    return None if None in sentences.values() else [sentences[file.parent] for file in files]


def _sentence(path):
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not readable as JSON: {error}") from error
    text = record.get("text") if isinstance(record, dict) else None
    return text if isinstance(text, str) else None
