"""Landmarks from a file: what a user's own detector found, or clicked by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from styleT2I.config import read_bytes
from styleT2I.errors import DataError

_MAX_BYTES = 1 << 20
_NUMS = (5, 68)


def read_faces(path: str | Path) -> list[np.ndarray]:
    """Read the points of faces: each float64 [5, 2] or [68, 2], places (x, y) in pixels of the photo.

    The file is JSON, [[x, y], ...] for one face or a list of such lists, or {"landmarks": either}; or text with a point
    per line of one face, `x y` or `x,y`. Raises DataError, naming the file, for anything else.

    Order of 5: the eyes' middles, the nose's tip, the corners of the mouth, left before right as the viewer sees them;
    of 68: iBUG's, which is dlib's.
    """
    text = read_bytes(path, DataError, _MAX_BYTES).decode("utf-8", "replace").strip()
    faces = _from_json(text, path) if text[:1] in ("[", "{") else [_from_lines(text, path)]
    return [_points(face, path) for face in faces]


def _points(face, path):
    try:
        points = np.array(face, dtype=np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2 or len(points) not in _NUMS or not np.isfinite(points).all():
        raise DataError(f"{path}: a face is 5 or 68 points of two finite numbers, x and y; see docs/photos.md")
    return points


def _from_json(text, path):
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: neither JSON nor lines of x and y") from error
    if isinstance(content, dict):
        content = content.get("landmarks")
    if not isinstance(content, list) or not content:
        raise DataError(f"{path}: has no list of landmarks")
    is_one = isinstance(content[0], list) and content[0] and not isinstance(content[0][0], list)
    return [content] if is_one else content


def _from_lines(text, path):
    points = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.replace(",", " ").split()
        if not words:
            continue
        try:
            points.append([float(words[0]), float(words[1])])
        except (ValueError, IndexError) as error:
            raise DataError(f"{path}: line {number} is not x and y: {line[:40]!r}") from error
    return points
