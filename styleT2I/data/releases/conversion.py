"""Any data set written as a folder in our own layout: images of one size, captions, attributes, masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from styleT2I.data.dataset import Dataset
from styleT2I.data.writer import pack_masks, write_folder_dataset

__all__ = ["write_as_folder"]

_CHUNK = 64  # images decoded at once


def write_as_folder(data: Dataset, outdir: str | Path, info: dict | None = None, *, with_masks: bool = True) -> Path:
    """Write every sample of a data set to a folder that `open_dataset` reads, whole or not at all; return the folder.

    info: more for dataset.json. with_masks: whether the data set was opened with its masks. Names of samples are
    kept where the data set has names; folders in them become "_".
    """
    return write_folder_dataset(
        outdir,
        tqdm(_samples(data), total=len(data), unit="image"),
        attribute_names=data.attribute_names,
        region_names=data.region_names if with_masks else (),
        nuisance_names=data.nuisance_names,
        info=info,
    )


def _samples(data: Dataset) -> Iterator[tuple]:
    """(name, image_u8, captions, attributes, mask bits, nuisances) of every sample, as the writer takes them."""
    for start in range(0, len(data), _CHUNK):
        rows = range(start, min(start + _CHUNK, len(data)))
        batch = data.batch(rows)
        for row, index in enumerate(rows):
            name = data.name_of(index) if hasattr(data, "name_of") else f"{index:06d}"
            yield (
                name.replace("/", "_"),
                batch.images_u8[row],
                batch.captions[row],
                () if batch.attributes is None else batch.attributes[row].tolist(),
                None if batch.masks is None else pack_masks(batch.masks[row]),
                () if batch.nuisances is None else batch.nuisances[row].tolist(),
            )
