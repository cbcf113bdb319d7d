"""One person: everything of a scene that has a surface, as a single mesh, and the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from styleT2I.data.portraits.anatomy.eyes import build_eyes
from styleT2I.data.portraits.anatomy.head import Head, build_head
from styleT2I.data.portraits.anatomy.mouth import build_mouth
from styleT2I.data.portraits.anatomy.skin import colour_skin
from styleT2I.data.portraits.grooming.beard import beard, beard_paint
from styleT2I.data.portraits.grooming.brows import brow_paint, brows, lashes
from styleT2I.data.portraits.grooming.hair import hair, scalp_paint
from styleT2I.data.portraits.parts import PART
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.camera import Camera, place_camera
from styleT2I.data.portraits.tracing.colours import mixed
from styleT2I.data.portraits.tracing.mesh import Mesh, Paint, join
from styleT2I.data.portraits.worn.clothes import clothes
from styleT2I.data.portraits.worn.fitting import fitting
from styleT2I.data.portraits.worn.glasses import glasses
from styleT2I.data.portraits.worn.hats import hat
from styleT2I.data.portraits.worn.jewellery import earrings, necklace

_BUILDERS = (hair, brows, lashes, beard, glasses, earrings, necklace, hat, clothes)
_PAINTS = (beard_paint, scalp_paint, brow_paint)


@dataclass
class Person:
    """A scene's geometry."""

    head: Head
    camera: Camera
    mesh: Mesh  # all of it


def build_person(scene: Scene) -> Person:
    """Return the scene's person."""
    head = build_head(scene)
    camera = place_camera(head.anchors, scene)
    colour, roughness = colour_skin(head, scene)
    head.mesh.colour, head.mesh.roughness = colour.astype(np.float32), roughness.astype(np.float32)
    worn, paints = wear(head, scene)
    for paint in paints:
        lay_on(head.mesh, paint)
    return Person(head, camera, join([head.mesh, *build_eyes(head, scene), *build_mouth(head, scene), *worn]))


def wear(head: Head, scene: Scene) -> tuple[list[Mesh], list[Paint]]:
    """Return the meshes that a scene's head wears, and the paints to lay on its skin in order."""
    fit = fitting(head, scene)
    return [m for build in _BUILDERS for m in build(fit)], [p for paint in _PAINTS for p in paint(fit)]


def lay_on(mesh: Mesh, paint: Paint) -> None:
    """Lay a paint on the head's mesh, in place."""
    mesh.colour = mixed(mesh.colour, paint.colour, paint.weight).astype(np.float32)
    if paint.roughness is not None:
        mesh.roughness = mixed(mesh.roughness[:, None], [paint.roughness], paint.weight)[:, 0].astype(np.float32)
    if paint.part is not None:
        mesh.part[(paint.weight > 0.5)[mesh.faces].all(1)] = PART[paint.part]
