"""The faces of a photo, by whoever finds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from styleT2I.errors import CheckpointError, DataError
from styleT2I.photos.alignment import Crop, ffhq_crop


@dataclass(frozen=True)
class Face:
    """Landmarks [68, 2] or [5, 2] in pixels of the photo, and how sure the finder is of the face, in [0, 1]."""

    landmarks: np.ndarray
    confidence: float = 1.0

    @property
    def crop(self) -> Crop:
        """The square in which FFHQ would show the face."""
        return ffhq_crop(self.landmarks)


def choose_face(faces: list[Face], index: int | None, name: str) -> Face:
    """The largest face, or that of an index from 0 by size; DataError, naming the photo, where there is none such."""
    if not faces:
        raise DataError(f"{name}: no face was found; give its points with --landmarks FILE, or another photo")
    if index is not None and not 0 <= index < len(faces):
        raise DataError(
            f"{name}: {len(faces)} faces were found, so --face goes from 0 to {len(faces) - 1}, not {index}"
        )
    return faces[index or 0]


def find_by_yunet(photo: np.ndarray, path: str | Path) -> list[Face]:
    """Find faces by OpenCV's YuNet, the largest first; 5 points each.

    photo: [H, W, 3] uint8 RGB. path: the network's .onnx file. CheckpointError where OpenCV cannot read it.
    """
    height, width = photo.shape[:2]
    factor = min(1.0, 1280 / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    try:
        detector = cv2.FaceDetectorYN.create(str(path), "", size, score_threshold=0.7)
        _, rows = detector.detect(cv2.resize(photo, size, interpolation=cv2.INTER_AREA)[:, :, ::-1].copy())
    except cv2.error as error:
        raise CheckpointError(f"{path}: OpenCV cannot run this face detector; fetch YuNet's .onnx again") from error
    rows = np.empty((0, 15)) if rows is None else rows
    scale = np.array([width / size[0], height / size[1]])
    faces = [Face(row[4:14].reshape(5, 2).astype(np.float64) * scale, float(row[14])) for row in rows]
    return sorted(faces, key=lambda face: -face.crop.side)
