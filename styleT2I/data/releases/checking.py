"""Whether a downloaded data set is whole: its parts, and every image by its header, its end and its checksums."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from styleT2I.data.releases.opening import release_of
from styleT2I.data.releases.release import Part
from styleT2I.data.releases.specs import RELEASES, is_release
from styleT2I.errors import DataError
from styleT2I.torch_utils.images import check_image

__all__ = ["damaged_images", "parts_of", "refuse_incomplete"]

_MAX_LISTED = 20


def parts_of(spec: str) -> list[Part]:
    """Every part of a download, found or not; DataError where the specification names none."""
    if not is_release(spec):
        raise DataError(f"{spec}: is no download ({', '.join(RELEASES)}); a folder is checked as it is opened")
    return release_of(spec)[0].parts()


def damaged_images(spec: str, shown: Callable[[Sequence], Iterable] = iter) -> list[str]:
    """One line for each image, 20 at most, that is missing, empty, cut off or damaged; all files are read.

    shown: wraps the images, say to show progress.
    """
    release, asked = release_of(spec)
    records = release.records(asked.split)[: asked.num]

    def problem(record):
        try:
            check_image(release.read(record), release.where(record))
        except DataError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = [line for line in pool.map(problem, shown(records)) if line]
    more = len(found) - _MAX_LISTED
    return found[:_MAX_LISTED] + ([f"{more:,} more images"] if more > 0 else [])


def refuse_incomplete(spec: str, parts: Sequence[Part], damaged: Sequence[str] = ()) -> None:
    """DataError, one line, where a part is half there, one that is needed is missing, or images are damaged."""
    wrong = [part.name for part in parts if part.state == "incomplete" or (part.is_needed and not part.found)]
    told = [f"{', '.join(wrong)} incomplete"] if wrong else []
    told += [f"{len(damaged)} images damaged" if len(damaged) > 1 else "1 image damaged"] if damaged else []
    if told:
        raise DataError(f"{spec}: {' and '.join(told)}, as listed above; get them again")
