"""The inputs of every builder of hair, clothes and accessories: a head, its scene, the warp to it, the camera.

`grooming/` and the rest of `worn/` know a person by this alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from styleT2I.data.portraits.anatomy.head import Head
from styleT2I.data.portraits.anatomy.warp import Warp
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.camera import place_camera
from styleT2I.torch_utils.seeding import derive_seed


@dataclass(frozen=True)
class Fitting:
    """A person to be dressed.

    Whatever is put on is made by functions of a Fitting alone: builders, which return the meshes of one kind of thing
    ([] where the scene has none of it), and paints, which colour the skin (`person.wear` names them all in order).
    What was modelled around the base head is carried to this one by `warp`.
    """

    head: Head
    scene: Scene
    warp: Warp  # from the base head to this one
    eye: np.ndarray  # f64 [3], the camera's place, which ribbons turn to

    def stream(self, name: str) -> np.random.Generator:
        """Return the scene's random stream of that name: the same numbers whatever other things are worn."""
        return np.random.default_rng(derive_seed(self.scene.seed, name))


def fitting(head: Head, scene: Scene) -> Fitting:
    """Return the fitting of a scene's head, seen by the camera that the scene places."""
    return Fitting(head, scene, Warp(head.canonical, head.mesh.vertices), place_camera(head.anchors, scene).position)
