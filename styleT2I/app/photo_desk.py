"""The photos of the page's visitors: in memory, each for its visitor alone, and gone when that one leaves."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from styleT2I.app.answers import image_tag
from styleT2I.errors import ConfigError, DataError
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.inversion.inverter import Inverter
from styleT2I.inversion.photo_edits import PhotoEditor
from styleT2I.photos.alignment import LEFT_EYE, MOUTH_CORNERS, RIGHT_EYE
from styleT2I.photos.faces import Face, Finder, open_finder
from styleT2I.photos.photo import framed
from styleT2I.torch_utils.images import check_image, decode_image, encode_png
from styleT2I.torch_utils.markup import data_uri, tag

__all__ = ["MAX_BYTES", "POINTS", "PhotoDesk"]

MAX_BYTES = 30 << 20  # of an uploaded file
MAX_PIXELS = 25_000_000
MAX_HELD = 8  # visitors' photos at a time; the one that was used least lately goes for another
POINTS = ("left eye", "right eye", "nose", "left corner of the mouth", "right corner of the mouth")  # as one sees them
_NOSE_TIP = 30  # of iBUG's 68 points
_GUESS = ((0.42, 0.45), (0.58, 0.45), (0.5, 0.54), (0.43, 0.63), (0.57, 0.63))  # of the photo, where no face was found
_SHOWN_SIDE = 800  # pixels of the longer side of what the page shows of a photo
_POINT, _SQUARE = (0, 255, 0), (255, 255, 255)


@dataclass
class _Held:
    """A visitor's photo, and how far its edit has come."""

    name: str
    sha256: str
    data: bytes | None  # the file until it is decoded
    pixels: np.ndarray | None = None  # [H, W, 3] uint8
    inverted: tuple | None = None  # the points and the method of `editor`
    editor: PhotoEditor | None = None


class PhotoDesk:
    """Answers about photos, as HTML that holds its images; nothing of a photo is ever a file, in no cache either."""

    def __init__(self, pipeline: StyleT2I, finder: Finder | None = None):
        """pipeline: with a2d and vocabulary. finder: of faces; None: the embedded landmark network."""
        self.pipeline = pipeline
        self._finder, self._inverter = finder, None
        self._held: dict[str, _Held] = {}  # by visitor, the one used least lately first
        self._lock = threading.Lock()

    def receive(self, visitor: str, name: str, data: bytes) -> None:
        """Take a visitor's photo in place of an earlier one; DataError for no image and for one that is too large."""
        self.forget(visitor)
        if len(data) > MAX_BYTES:
            raise DataError(f"{name}: {len(data) >> 20} MiB; the page takes up to {MAX_BYTES >> 20}, make it smaller")
        check_image(data, name, MAX_PIXELS)
        with self._lock:
            while len(self._held) >= MAX_HELD:
                del self._held[next(iter(self._held))]
            self._held[visitor] = _Held(name, hashlib.sha256(data).hexdigest(), data)

    def forget(self, visitor: str) -> None:
        """Drop what is held of a visitor; nothing where nothing is."""
        with self._lock:
            self._held.pop(visitor, None)

    def find(self, visitor: str) -> tuple[np.ndarray, bool]:
        """The points of the largest face, float64 [5, 2] in pixels, as POINTS; and whether a face was found.

        Without one they lie where a face's might, to be moved. DataError for a damaged photo.
        """
        held = self._of(visitor)
        if held.data is not None:
            try:
                held.pixels = decode_image(held.data, held.name, MAX_PIXELS)
            except DataError:
                self.forget(visitor)
                raise
            held.data = None
        if self._finder is None:
            self._finder = open_finder(device=str(self.pipeline.model.device))
        faces = self._finder.find(held.pixels, held.name)
        if not faces:
            return np.array(_GUESS) * held.pixels.shape[1::-1], False
        return _five(faces[0].landmarks), True

    def moved(self, visitor: str, points: Sequence[float], which: str, x: float, y: float) -> np.ndarray:
        """The points with one of them, named as in POINTS, at a place; x, y: in parts of the photo's sides."""
        pixels = self._of(visitor).pixels
        if which not in POINTS:
            raise ConfigError(f"no point {which!r}; choose among {', '.join(POINTS)}")
        moved = _checked(points, pixels)
        moved[POINTS.index(which)] = np.round(np.clip([x, y], 0, 1) * pixels.shape[1::-1], 1)
        return moved

    def shown(self, visitor: str, points: Sequence[float]) -> str:
        """The photo with its points and the square that they lay; points: 10 numbers, x and y of each."""
        pixels = self._of(visitor).pixels
        points = _checked(points, pixels)
        image, scale = _reduced(pixels)
        thick = max(1, max(image.shape) // 300)
        corners = np.rint(Face(points).crop.corners * scale).astype(np.int32)
        cv2.polylines(image, [corners], True, _SQUARE, thick, cv2.LINE_AA)
        for x, y in np.rint(points * scale).astype(int).tolist():
            cv2.circle(image, (x, y), 2 * thick + 1, _POINT, thick, cv2.LINE_AA)
        return image_tag(_image_u8(image), "Your photo and the points of its face", "photo")

    def inverted(self, visitor: str, points: Sequence[float], method: str) -> str:
        """The face as it was cut out, and as the generator draws it."""
        editor = self._editor(visitor, points, method)
        edit = editor.edit({self.pipeline.model.vocabulary.names[0]: 0.0})
        faces = _faces(("the face", editor.photo.aligned_u8), ("inverted", edit.before_u8))
        record = editor.inversion.record
        said = f"Inverted by {record['method']}, {record['psnr']:.1f} dB PSNR from the face."
        return tag("div", faces, tag("p", said))

    def edited(self, visitor: str, points: Sequence[float], method: str, strengths: Mapping[str, float]) -> str:
        """The face edited, and the photo with it in its place, to download as PNG; the inversion is done if it is not.

        strengths: by attribute; zeros leave it alone. As `StyleT2I.edit` raises.
        """
        strengths = {name: strength for name, strength in strengths.items() if strength}
        if not strengths:
            raise ConfigError("no attribute is moved; move a slider first")
        editor = self._editor(visitor, points, method)
        edit = editor.edit(strengths)
        faces = _faces(("the face", editor.photo.aligned_u8), ("inverted", edit.before_u8), ("edited", edit.after_u8))
        pixels = edit.image_u8.permute(1, 2, 0).numpy()
        uri = data_uri("image/png", encode_png(pixels))
        link = tag("a", "Download the edited photo", href=uri, download="photo.png")
        image = image_tag(_image_u8(_reduced(pixels)[0]), "Your photo, edited", "photo")
        return tag("div", faces, tag("p", link), image)

    def _of(self, visitor) -> _Held:
        with self._lock:
            held = self._held.pop(visitor, None)
            if held is not None:
                self._held[visitor] = held  # the one used last
        if held is None or (held.pixels is None and held.data is None):
            raise DataError("no photo is here; drop one first, or drop it again if others came in between")
        return held

    def _editor(self, visitor, points, method) -> PhotoEditor:
        held = self._of(visitor)
        points = _checked(points, held.pixels)
        wanted = (points.tolist(), method)
        if held.editor is None or held.inverted != wanted:
            if self._inverter is None:
                self._inverter = Inverter(self.pipeline.model)
            photo = framed(held.name, held.sha256, held.pixels, Face(points), self._inverter.generator.resolution)
            held.editor = PhotoEditor(self.pipeline, photo, self._inverter, method, use_cache=False)
            held.inverted = wanted
        return held.editor


def _five(landmarks):
    """68 points as POINTS; 5 as they are."""
    if len(landmarks) == len(POINTS):
        return np.asarray(landmarks, dtype=np.float64)
    eyes = [landmarks[part].mean(axis=0) for part in (LEFT_EYE, RIGHT_EYE)]
    return np.stack([*eyes, landmarks[_NOSE_TIP], *landmarks[list(MOUTH_CORNERS)]]).astype(np.float64)


def _checked(points, pixels) -> np.ndarray:
    """Ten numbers, or [5, 2], as float64 [5, 2] that can be a face's of the photo; DataError."""
    if pixels is None:
        raise DataError("the face is still being looked for; wait until the points are there")
    if any(value is None for value in points):
        raise DataError("a number of a point is missing; fill it in, or drop the photo again")
    points = np.array(points, dtype=np.float64).reshape(len(POINTS), 2)
    height, width = pixels.shape[:2]
    if not ((points >= [-width, -height]).all() and (points <= [2 * width, 2 * height]).all()):
        raise DataError(f"a point lies far outside the photo, which is {width} x {height} pixels; move it back")
    _ = Face(points).crop  # says what is wrong with them
    return points


def _reduced(pixels) -> tuple[np.ndarray, float]:
    """A copy of a photo small enough for the page, and its scale."""
    scale = min(1.0, _SHOWN_SIDE / max(pixels.shape[:2]))
    size = [max(1, round(side * scale)) for side in pixels.shape[1::-1]]
    return (cv2.resize(pixels, size, interpolation=cv2.INTER_AREA) if scale < 1 else pixels.copy()), scale


def _image_u8(pixels):
    return torch.from_numpy(pixels).permute(2, 0, 1)


def _faces(*named):
    """Faces [3, R, R] uint8 side by side under their names."""
    figures = [
        tag("figure", image_tag(face, name.capitalize(), "face"), tag("figcaption", name)) for name, face in named
    ]
    return tag("div", *figures, class_="faces")
