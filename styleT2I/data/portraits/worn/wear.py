"""Everything that is put on a bare head: hair, brows, lashes, beard, glasses, jewellery, hat and clothes."""

from __future__ import annotations

from styleT2I.data.portraits.anatomy.head import Head
from styleT2I.data.portraits.grooming.beard import beard, beard_paint
from styleT2I.data.portraits.grooming.brows import brow_paint, brows, lashes
from styleT2I.data.portraits.grooming.hair import hair, scalp_paint
from styleT2I.data.portraits.scenes.scene import Scene
from styleT2I.data.portraits.tracing.mesh import Mesh, Paint
from styleT2I.data.portraits.worn.clothes import clothes
from styleT2I.data.portraits.worn.fitting import fitting
from styleT2I.data.portraits.worn.glasses import glasses
from styleT2I.data.portraits.worn.hats import hat
from styleT2I.data.portraits.worn.jewellery import earrings, necklace

_BUILDERS = (hair, brows, lashes, beard, glasses, earrings, necklace, hat, clothes)
_PAINTS = (beard_paint, scalp_paint, brow_paint)


def wear(head: Head, scene: Scene) -> tuple[list[Mesh], list[Paint]]:
    """Return the meshes that a scene's head wears, and the paints to lay on its skin in order."""
    fit = fitting(head, scene)
    return [m for build in _BUILDERS for m in build(fit)], [p for paint in _PAINTS for p in paint(fit)]
