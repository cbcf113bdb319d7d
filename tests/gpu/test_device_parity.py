"""A seed's picture on a GPU is the CPU's, within 2 of 255 (and bit for bit whatever the other seeds)."""

import pytest
import torch

from styleT2I.generation.pipeline import StyleT2I

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]


@pytest.mark.parametrize("noise_mode", ["const", "random"])
def test_pictures_agree_with_the_cpu(noise_mode):
    results = [
        StyleT2I.from_pretrained("minifaces", device=device).generate(
            "he is wearing lipstick", seeds=range(16), noise_mode=noise_mode
        )
        for device in ("cpu", "cuda")
    ]
    difference = (results[0].images_u8.int() - results[1].images_u8.int()).abs()
    assert difference.max() <= 2


def test_a_seed_keeps_its_picture_among_other_seeds():
    pipeline = StyleT2I.from_pretrained("minifaces", device="cuda")
    alone = pipeline.generate("she is smiling", seeds=[11]).images_u8[0]
    among = pipeline.generate("she is smiling", seeds=[3, 11, 5, 7, 9, 2, 1, 4, 6, 8]).images_u8[1]
    assert torch.equal(alone, among)
