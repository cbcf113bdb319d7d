"""Faces of a photo by our own landmark network: windows of every size, the surest ones laid anew by what they show."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from styleT2I.errors import DataError
from styleT2I.networks.faces.landmark_network import LandmarkNetwork
from styleT2I.photos.alignment import Crop, cut, ffhq_crop
from styleT2I.photos.faces import Face

SMALLEST = 0.2  # side of the smallest windows, of the photo's shorter side
_STEP, _GROWTH = 0.25, 1.4  # of a window's side to the next one; from one size to the next
_BEYOND = 0.25  # of a window's side that may lie outside the photo
_SEARCH_SIDE = 480  # pixels that the photo's longer side is reduced to for the search
_NUM_KEPT, _NUM_ROUNDS = 24, 3  # surest windows that are laid anew, and how often
_BATCH = 64


def find_faces(photo: np.ndarray, network: LandmarkNetwork) -> list[Face]:
    """Find the faces of a photo [H, W, 3] uint8, the largest first; none: an empty list.

    Faces whose FFHQ square is smaller than a fifth of the photo's shorter side are not looked for.
    """
    windows, logits = _searched(photo, network)
    found: list[tuple[float, Crop, np.ndarray]] = []
    for index in np.argsort(-logits, kind="stable")[:_NUM_KEPT]:
        if logits[index] > -2:
            found += _settled(photo, network, windows[index])
    kept: list[Face] = []
    for logit, crop, points in sorted(found, key=lambda each: -each[0]):
        distances = [np.hypot(*np.subtract(crop.centre, other.crop.centre)) / other.crop.side for other in kept]
        if all(distance > 0.4 for distance in distances):
            kept.append(Face(points, float(1 / (1 + np.exp(-logit)))))
    return sorted(kept, key=lambda face: -face.crop.side)


def _searched(photo, network):
    """All windows as crops, and the network's face logits on them."""
    height, width = photo.shape[:2]
    factor = min(1.0, _SEARCH_SIDE / max(height, width))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    small = cv2.resize(photo, size, interpolation=cv2.INTER_AREA) if factor < 1 else photo
    scale = np.array([width / size[0], height / size[1]])
    side, windows = SMALLEST * min(size), []
    while side <= 1.5 * min(size):
        along = [_places(length, side) for length in size]
        windows += [Crop((x, y), (side / 2, 0.0), (0.0, side / 2)) for y in along[1] for x in along[0]]
        side *= _GROWTH
    logits = []
    for start in range(0, len(windows), _BATCH):
        squares = [cut(small, window, network.config.resolution) for window in windows[start : start + _BATCH]]
        logits.append(_looked(network, squares)[0])
    whole = [Crop(tuple(np.array(w.centre) * scale), (w.right[0] * scale[0], 0.0), (0.0, w.right[0] * scale[0]))
             for w in windows]  # fmt: skip
    return whole, torch.cat(logits).numpy()


def _places(length, side):
    """Middles of windows along an axis, evenly laid from a part outside at one end to the same at the other."""
    first, last = side * (0.5 - _BEYOND), length - side * (0.5 - _BEYOND)
    if last <= first:
        return [length / 2]
    return list(np.linspace(first, last, 1 + int(np.ceil((last - first) / (_STEP * side)))))


def _settled(photo, network, crop):
    """[(logit, crop, landmarks [68, 2] in the photo)] of a window laid anew by what it shows; [] for no face."""
    for _ in range(_NUM_ROUNDS):
        logit, points = (t[0] for t in _looked(network, [cut(photo, crop, network.config.resolution)]))
        if logit < -2:
            return []
        in_photo = crop.to_photo(points.double().numpy(), 1)
        try:
            crop = ffhq_crop(in_photo)
        except Exception:
            return []
    return [(float(logit), crop, in_photo)] if logit > 0 else []


@torch.no_grad()
def _looked(network, squares):
    device = next(network.parameters()).device
    image = torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).float().to(device) / 127.5 - 1
    logit, points = network(image)
    return logit.cpu(), points.cpu()


@torch.no_grad()
def refined(network: LandmarkNetwork, image: Tensor, points: Tensor) -> Tensor:
    """Landmarks [N, 68, 2] found again after each square was laid by the first ones as FFHQ's rule says.

    image: [N, 3, S, S]; points and result in parts of its side.
    """
    side = image.shape[-1]
    maps = np.stack([_laid(face * side, side).matrix(1) / side for face in points.double().numpy()])  # in parts of it
    maps = torch.from_numpy(maps).to(points)  # [N, 2, 3]
    linear = maps[:, :, :2]
    middle = (linear.sum(dim=2) / 2 + maps[:, :, 2]) * 2 - 1
    grid = F.affine_grid(torch.cat([linear, middle[:, :, None]], dim=2), list(image.shape), align_corners=False)
    again = F.grid_sample(image, grid, padding_mode="border", align_corners=False)
    _, found = network(again.to(next(network.parameters()).device))
    return found.cpu() @ linear.transpose(1, 2) + maps[:, None, :, 2]


def _laid(points, side):
    """The square that FFHQ's rule lays by points; the whole one where they are no face's."""
    try:
        return ffhq_crop(points)
    except DataError:
        return Crop((side / 2, side / 2), (side / 2, 0.0), (0.0, side / 2))
