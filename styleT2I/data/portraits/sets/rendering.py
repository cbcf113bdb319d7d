"""Rendering a set of portraits into a folder: one process per core; a killed run loses only the images in work."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import cv2
import filelock
import numpy as np

from styleT2I.data.portraits.scenes.attributes import labels_of
from styleT2I.data.portraits.scenes.recipe import Recipe
from styleT2I.data.portraits.sets.records import Record, append_record, begin_or_continue
from styleT2I.errors import DataError, OutputError
from styleT2I.torch_utils.files import check_writable_dir, write_bytes_atomic
from styleT2I.torch_utils.images import encode_png

FORMATS = ("jpg", "png")
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
_ATTEMPTS = 12
_AHEAD = 2  # tasks a worker may have waiting
_WATCH_SECONDS = 2.0

Renderer = Callable  # (scene, resolution) -> Portrait, as `data.portraits.render.render`


class Rendered(NamedTuple):
    """An image on its way to the disk."""

    record: Record
    image: bytes
    mask: bytes  # PNG, values are indices into PARTS


def render_set(
    folder: str | Path,
    recipe: Recipe,
    indices: Iterable[int],
    *,
    workers: int = 1,
    image_format: str = "jpg",
    renderer: Renderer | None = None,
) -> Iterator[Record]:
    """Render the images of these indices that the folder lacks; yields the record of each as soon as it is written.

    Raises OutputError where the folder cannot be used (another set, another process at work, no space), DataError
    where a scene cannot show what it must.
    """
    folder = Path(folder)
    check_writable_dir(folder.parent)
    lock = filelock.FileLock(folder.with_name(f"{folder.name}.lock"), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise OutputError(f"{folder}: another process renders into it; wait for it or choose another folder") from None
    try:
        there = begin_or_continue(folder, recipe)
        missing = [index for index in indices if index not in there]
        for rendered in _render_all(recipe, missing, workers, image_format, renderer):
            _write(folder, rendered)
            yield rendered.record
    finally:
        lock.release()


def _render_all(recipe, indices, workers, image_format, renderer) -> Iterator[Rendered]:
    if workers == 1:
        yield from (render_one(recipe, index, image_format, renderer) for index in indices)
        return
    waiting, indices = set(), iter(indices)
    pool = ProcessPoolExecutor(workers, get_context("spawn"), _start_worker, (os.getpid(),))
    try:
        while True:
            for index in indices:
                waiting.add(pool.submit(render_one, recipe, index, image_format, renderer))
                if len(waiting) >= _AHEAD * workers:
                    break
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    except BrokenProcessPool as error:
        raise DataError("a rendering process died; call the same command again, with fewer --workers") from error
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _start_worker(parent: int) -> None:
    """In a worker: one thread, and no life of its own after the parent's death."""
    cv2.setNumThreads(1)
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)


def render_one(recipe: Recipe, index: int, image_format: str = "jpg", renderer: Renderer | None = None) -> Rendered:
    """Render one image, with as many attempts at its scene as it takes to show what it must."""
    if renderer is None:
        from styleT2I.data.portraits.render import render as renderer
    for attempt in range(_ATTEMPTS):
        scene = recipe.scene(index, attempt)
        portrait = renderer(scene, recipe.resolution)
        labels = labels_of(scene, portrait.parts, portrait.landmarks)
        if recipe.accepts(labels):
            landmarks = tuple((round(float(x), 2), round(float(y), 2)) for x, y in portrait.landmarks)
            true = tuple(name for name, value in labels.items() if value)
            record = Record(index, attempt, f"{index:06d}.{image_format}", true, landmarks)
            return Rendered(record, _encode(portrait.image, image_format), encode_png(portrait.parts))
    raise DataError(
        f"image {index} of portraits:{recipe.name} does not show what it must in {_ATTEMPTS} attempts; "
        "ask for fewer attributes"
    )


def _encode(image_u8: np.ndarray, image_format: str) -> bytes:
    if image_format == "png":
        return encode_png(image_u8)
    return cv2.imencode(".jpg", np.ascontiguousarray(image_u8[:, :, ::-1]), _JPEG)[1].tobytes()


def _write(folder: Path, rendered: Rendered) -> None:
    record = rendered.record
    write_bytes_atomic(folder / "images" / record.file, rendered.image)
    write_bytes_atomic(folder / "masks" / f"{record.name}.png", rendered.mask)
    append_record(folder, record)
