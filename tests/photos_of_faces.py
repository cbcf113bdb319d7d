"""Photos for tests: a drawn face pasted where FFHQ's square of five points lies."""

import io

import numpy as np
import PIL.Image

SIDE, LEFT, TOP = 256, 150, 60
IN_SQUARE = ((0.375, 0.473), (0.625, 0.473), (0.5, 0.6), (0.4, 0.743), (0.6, 0.743))  # in parts of the square
POINTS = np.array(IN_SQUARE) * SIDE + [LEFT, TOP]


def made_photo(pipeline, seed=3):
    """Pixels [400, 600, 3] uint8: the face of a seed before a grey wall, its square cut by POINTS."""
    face = pipeline.images_u8(pipeline.latents([seed]), [seed])[0].permute(1, 2, 0).numpy()
    pixels = np.full((400, 600, 3), 127, np.uint8)
    large = PIL.Image.fromarray(face).resize((SIDE, SIDE), PIL.Image.BICUBIC)
    pixels[TOP : TOP + SIDE, LEFT : LEFT + SIDE] = np.array(large)
    return pixels


def encoded(pixels, kind="PNG"):
    """The bytes of an image's file."""
    data = io.BytesIO()
    PIL.Image.fromarray(pixels).save(data, kind)
    return data.getvalue()
