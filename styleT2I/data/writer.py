"""Writing a data set folder in the layout that `data.folder` reads, whole or not at all."""

import contextlib
import csv
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch

from styleT2I.errors import OutputError
from styleT2I.torch_utils.files import check_writable_dir, one_line_os_errors
from styleT2I.torch_utils.folders import is_in_use, locked_folder
from styleT2I.torch_utils.images import encode_png

FORMAT = "styleT2I-dataset"
_PREFIX = "tmp.styleT2I-data-"
_NEW, _OLD = "new", "old"  # what a temporary folder beside the data set holds


def write_folder_dataset(
    outdir,
    samples: Iterable[tuple],
    *,
    attribute_names: Sequence[str] = (),
    region_names: Sequence[str] = (),
    nuisance_names: Sequence[str] = (),
    info: dict | None = None,
) -> Path:
    """Write samples (name, image_u8 [3, H, W], captions, attributes, mask bits [H, W], nuisances); return the folder.

    Attributes, mask bits (see `pack_masks`) and nuisances are ignored where no names are given for them; `info` is
    added to dataset.json. The folder appears complete or not at all; an earlier data set of ours there is replaced, and
    put back by the next call should this one be killed between the two. Raises OutputError when the folder holds
    anything else or cannot be written.
    """
    outdir = Path(os.path.abspath(outdir))
    refuse_foreign_folder(outdir)
    check_writable_dir(outdir.parent)
    with one_line_os_errors(outdir), _temporary_folder(outdir) as folder:
        names = (tuple(attribute_names), tuple(region_names), tuple(nuisance_names))
        _write(folder / _NEW, samples, *names, info or {})
        _move_into_place(folder, outdir)
    return outdir


def pack_masks(masks: torch.Tensor) -> np.ndarray:
    """Return region masks [R, H, W] bool, at most 16 and free to overlap, as [H, W] uint16 whose bit k is region k."""
    planes = masks.cpu().numpy().astype(np.uint16)
    if len(planes) > 16:
        raise ValueError(f"16 bits hold 16 regions, got {len(planes)}")
    bits = np.zeros(planes.shape[1:], np.uint16)
    for k, plane in enumerate(planes):
        bits |= plane << k
    return bits


def refuse_foreign_folder(outdir: Path) -> None:
    """Raise OutputError when `outdir` is a file or a non-empty folder that is not a data set written by us."""
    outdir = Path(outdir)
    if outdir.is_dir():
        try:
            is_ours = json.loads((outdir / "dataset.json").read_text(encoding="utf-8")).get("format") == FORMAT
        except (OSError, ValueError, AttributeError):
            is_ours = False
        if is_ours or not any(outdir.iterdir()):
            return
        raise OutputError(f"{outdir} holds other files; choose an empty folder")
    if outdir.exists():
        raise OutputError(f"{outdir} is a file; choose a folder")


def _write(folder, samples, attribute_names, region_names, nuisance_names, info):
    (folder / "images").mkdir(parents=True)
    captions, attribute_rows, nuisance_rows, resolution = {}, [], [], None
    if region_names:
        (folder / "masks").mkdir()
        _write_json(folder / "masks" / "regions.json", {"encoding": "bits", "regions": region_names})
    for name, image_u8, texts, attributes, mask_bits, nuisances in samples:
        resolution = image_u8.shape[-1]
        (folder / "images" / f"{name}.png").write_bytes(encode_png(image_u8.permute(1, 2, 0).cpu().numpy()))
        captions[name] = list(texts)
        if attribute_names:
            attribute_rows.append([name, *(int(a) for a in attributes)])
        if region_names:
            (folder / "masks" / f"{name}.png").write_bytes(encode_png(mask_bits))
        if nuisance_names:
            nuisance_rows.append([name, *(f"{float(v):.6g}" for v in nuisances)])
    if any(captions.values()):
        _write_json(folder / "captions.json", captions)
    if attribute_names:
        _write_csv(folder / "attributes.csv", ["file", *attribute_names], attribute_rows)
    if nuisance_names:
        _write_csv(folder / "nuisances.csv", ["file", *nuisance_names], nuisance_rows)
    about = {"format": FORMAT, "format_version": 1, "resolution": resolution, "num": len(captions), **info}
    _write_json(folder / "dataset.json", about)


@contextlib.contextmanager
def _temporary_folder(outdir):
    """A folder beside `outdir` for this call alone; those of killed calls are emptied and removed first."""
    for left in sorted(outdir.parent.glob(f"{_PREFIX}*.{glob.escape(outdir.name)}")):
        if not is_in_use(left):
            if (left / _OLD).exists() and not outdir.exists():
                os.replace(left / _OLD, outdir)
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=f".{outdir.name}", dir=outdir.parent))
    try:
        with locked_folder(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move_into_place(folder, outdir):
    if outdir.exists():
        os.replace(outdir, folder / _OLD)
    os.replace(folder / _NEW, outdir)


def _write_json(path, value):
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _write_csv(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as f:
        csv.writer(f, lineterminator="\n").writerows([header, *rows])
