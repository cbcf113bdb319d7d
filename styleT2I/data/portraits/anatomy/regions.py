"""Regions of the base head: masks per vertex and the part of each triangle, the same for every person."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from styleT2I.data.portraits.anatomy.asset import load_asset, subdivision
from styleT2I.data.portraits.parts import PART
from styleT2I.data.portraits.tracing.mesh import triangles

LEVELS = 1
MOUTH_LINE = 6.608  # dm: the height at which the base head's lips meet


@lru_cache(maxsize=1)
def region_masks() -> dict[str, np.ndarray]:
    """Return {name: f64 [V] in 0 ... 1} for the vertices of the subdivided base head."""
    fine, asset = subdivision("body", LEVELS), load_asset()
    x, y, z = (fine.matrix @ asset.vertices).T
    masks = {name: np.clip(fine.matrix @ mask, 0, 1) for name, mask in asset.masks.items()}
    front = z > 1.0
    masks["lips"] = masks["lips"] * (front & (y > 6.45) & (y < 6.95) & (abs(x) < 0.36))
    masks["ears"] = masks["ears"] * ((abs(x) > 0.6) & (y > 6.7) & (y < 7.7))
    masks["nose"] = _nose(abs(x), y, z)
    masks["neck"] = ((y < 6.17 + 0.62 * np.clip(1.15 - z, 0, 1.1)) & (y < 6.75)).astype(float)
    return masks


def _nose(x, y, z) -> np.ndarray:
    half = 0.085 + 0.16 * np.clip((7.25 - y) / 0.35, 0, 1)
    return ((y > 6.84) & (y < 7.3) & (x < half) & (z > 1.3)).astype(float)


@lru_cache(maxsize=1)
def base_parts() -> np.ndarray:
    """Return the part u8 [F] of each triangle of the subdivided base head."""
    fine, masks = subdivision("body", LEVELS), region_masks()
    faces = triangles(fine.quads)
    vertices = fine.matrix @ load_asset().vertices
    middle = vertices[faces].mean(1)
    covered = {name: mask[faces].mean(1) > 0.5 for name, mask in masks.items()}
    part = np.full(len(faces), PART["skin"], np.uint8)
    part[covered["neck"]] = PART["neck"]
    part[covered["nose"]] = PART["nose"]
    part[covered["ears"] & (middle[:, 0] > 0)] = PART["l_ear"]
    part[covered["ears"] & (middle[:, 0] < 0)] = PART["r_ear"]
    part[covered["inside_mouth"]] = PART["mouth"]
    part[covered["lips"] & (middle[:, 1] >= MOUTH_LINE)] = PART["u_lip"]
    part[covered["lips"] & (middle[:, 1] < MOUTH_LINE)] = PART["l_lip"]
    return part
