"""Frames: where faces stand, their size, their text."""

import numpy as np
import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.animation.frames import frames_u8, layout


class Painter:
    """Draws a latent as a plain image of its first number."""

    def images_u8(self, ws, seeds, noise_mode):
        assert noise_mode == "const" and len(ws) == len(seeds)
        return ws[:, 0, 0].to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 8, 8)


def ways(*levels, num_frames=3):
    return [torch.full((num_frames, 2, 4), float(level)) + torch.arange(num_frames).view(-1, 1, 1) for level in levels]


def test_each_face_keeps_its_place_and_goes_its_way():
    first, _, third = list(frames_u8(Painter(), ways(10, 100, 200), size=16))
    assert first.shape == (32, 32, 3) and first.dtype == np.uint8
    assert (first[:16, :16] == 10).all() and (first[:16, 16:] == 100).all() and (first[16:, :16] == 200).all()
    assert (first[16:, 16:] == 255).all()  # nobody
    assert (third[:16, :16] == 12).all()


@pytest.mark.parametrize("size", [4, 8, 15])
def test_any_size_gives_even_sides(size):
    (frame, *_) = frames_u8(Painter(), ways(10, 20, 30), size=size, columns=3)
    assert frame.shape == (size + size % 2, 3 * size + size % 2, 3)
    assert (frame[:size, :size] == 10).all() and (frame[:size, 2 * size : 3 * size] == 30).all()


def test_text_stands_above_its_face():
    labels = [["one", "two", ""]]
    texts = [frame[:20] for frame in frames_u8(Painter(), ways(0), size=64, labels=labels)]
    assert (texts[0] < 128).any() and (texts[0] != texts[1]).any() and (texts[2] == 255).all()


def test_frames_too_large_for_players_are_refused():
    assert layout(5, None, 64, False) == (3, 192, 128)
    with pytest.raises(ConfigError, match="--size"):
        layout(9, 9, 512, False)
