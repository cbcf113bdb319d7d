"""The faces of a photo, by whoever finds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

import styleT2I
from styleT2I.errors import CheckpointError, DataError
from styleT2I.networks.registry import load_network_component
from styleT2I.photos.alignment import Crop, ffhq_crop
from styleT2I.photos.points import read_faces
from styleT2I.torch_utils.hardware.devices import resolve_device


@dataclass(frozen=True)
class Face:
    """Landmarks [68, 2] or [5, 2] in pixels of the photo, and how sure the finder is of the face, in [0, 1]."""

    landmarks: np.ndarray
    confidence: float = 1.0

    @property
    def crop(self) -> Crop:
        """The square in which FFHQ would show the face."""
        return ffhq_crop(self.landmarks)

    def describe(self) -> dict:
        """What a record says of it: the square's corners, the landmarks and the confidence."""
        return {
            "corners": self.crop.corners.round(3).tolist(),
            "landmarks": np.asarray(self.landmarks).round(3).tolist(),
            "confidence": round(self.confidence, 4),
        }


class Finder(Protocol):
    """Whoever finds faces."""

    name: str

    def find(self, photo: np.ndarray, path: str | Path) -> list[Face]:
        """The faces of a photo [H, W, 3] uint8 RGB, the largest first; path: for messages."""


@dataclass(frozen=True)
class _FromFile:
    path: str | Path

    name = "landmarks of a file"

    def find(self, photo, path):
        faces = [Face(points) for points in read_faces(self.path)]
        for face in faces:
            low, high = face.landmarks.min(axis=0), face.landmarks.max(axis=0)
            if (high < 0).any() or (low > photo.shape[1::-1]).any():
                raise DataError(
                    f"{self.path}: its points lie outside {path}, which is {photo.shape[1]} x {photo.shape[0]}"
                )
        return sorted(faces, key=lambda face: -face.crop.side)


@dataclass(frozen=True)
class _YuNet:
    path: str | Path

    name = "YuNet"

    def find(self, photo, path):
        return find_by_yunet(photo, self.path)


class _Searched:
    name = "landmark network"

    def __init__(self, path, device):
        self.network = load_network_component(path, resolve_device(device))
        if self.network.kind != "landmarks":
            raise CheckpointError(f"{path}: is a {self.network.kind}, not a landmark network")

    def find(self, photo, path):
        from styleT2I.photos.landmark_search import find_faces

        return find_faces(photo, self.network)


def open_finder(
    landmarks: str | Path | None = None, detector: str | Path | None = None, device: str = "auto"
) -> Finder:
    """Who finds the faces: a file of points, YuNet (.onnx), or a landmark network, by default the embedded one."""
    if landmarks is not None:
        return _FromFile(landmarks)
    if detector is not None and str(detector).endswith(".onnx"):
        return _YuNet(detector)
    return _Searched(detector or _embedded(), device)


def _embedded() -> Path:
    """The landmark network that comes with the package."""
    found = [
        path for root in styleT2I.__path__ for path in (Path(root) / "checkpoints").glob("landmarks/landmarks.json")
    ]
    if not found:
        raise CheckpointError("no landmark network comes with this installation; name one with --detector FILE, or the "
                              "points with --landmarks FILE")  # fmt: skip
    return found[0]


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
