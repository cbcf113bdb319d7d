"""Files of the size that real ones have, random, in the formats of their authors: `python -m tests.real_scale DIR`.

DIR gets ffhq256.pkl (StyleGAN2 config-f at 256 px as NVIDIA's stylegan2-ada-pytorch pickles it), ViT-B-32.pt (the JIT
archive of OpenAI's CLIP), vectors.txt (word vectors in GloVe's format), faces/ (captioned pictures) and masks/ (regions
of the spatial constraint). Pictures and figures made of them mean nothing; sizes, times and memory do.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from styleT2I.data.minifaces.dataset import MiniFaces
from styleT2I.data.writer import write_folder_dataset
from styleT2I.networks.stylegan2.config import GeneratorConfig
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.torch_utils.images import save_png
from styleT2I.torch_utils.words import plain_words
from tests.clip_containers import write_container
from tests.foreign_files import write_nvidia
from tests.plain_clip import random_state

VIT_B_32 = {"width": 768, "layers": 12, "patch": 32, "grid": 7, "text_width": 512, "text_layers": 12, "embed": 512,
            "context": 77, "vocab": 49408}  # fmt: skip
CONFIG_F = {"resolution": 256, "channel_base": 32768}
WITHOUT_VECTOR = ("eyeglasses", "wearing")  # words of the captions that the vectors leave out
MASKS = {"mouth": ((150, 190), (90, 166)), "top_of_head": ((10, 70), (50, 206)), "lower_face": ((170, 230), (70, 186))}


def write_generator(path, **changes):
    """A random generator as NVIDIA's code pickles it, with noise that shows and a mean of w."""
    torch.manual_seed(0)
    G = Generator(GeneratorConfig(**{**CONFIG_F, **changes})).eval().requires_grad_(False)
    for name, tensor in G.named_parameters():
        if name.endswith("noise_strength"):
            tensor.fill_(0.1)
    G.mapping.w_avg.copy_(G.mapping(torch.randn(64, G.z_dim))[:, 0].mean(dim=0))
    write_nvidia(path, G_ema=G)
    return path


def write_clip(path):
    """A random ViT-B/32 with both towers, as OpenAI's JIT archives hold it."""
    state = random_state(**VIT_B_32)
    scalars = {"input_resolution": 224, "context_length": VIT_B_32["context"], "vocab_size": VIT_B_32["vocab"]}
    state = {name: t if t.ndim == 0 else t.half() for name, t in state.items()}
    return write_container(path, "torchscript", {**state, **{name: torch.tensor(n) for name, n in scalars.items()}})


def write_faces(folder, num=48, resolution=256):
    """Drawn faces with captions, and no labels: what a user of the paper's recipe brings."""
    world = MiniFaces("biased", "train", num, resolution, seed=0)
    batch = world.batch(range(num))
    return write_folder_dataset(folder, ((f"{i:06d}", batch.images_u8[i], batch.captions[i], (), None, ())
                                         for i in range(num)))  # fmt: skip


def write_vectors(path, faces, dim=300):
    """Vectors of the captions' words, less WITHOUT_VECTOR, and of some that no caption has."""
    import json

    captions = json.loads((faces / "captions.json").read_text(encoding="utf-8"))
    words = {word for texts in captions.values() for text in texts for word in plain_words(text)}
    words = sorted((words - set(WITHOUT_VECTOR)) | {"mustache", "moustache", "pale"})
    rng = np.random.default_rng(0)
    lines = [" ".join([word, *(f"{x:.4f}" for x in rng.normal(size=dim) / 4)]) for word in words]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_masks(folder, resolution=256):
    """A folder of region masks, white inside."""
    folder.mkdir(parents=True, exist_ok=True)
    for region, ((top, bottom), (left, right)) in MASKS.items():
        mask = torch.zeros(3, resolution, resolution, dtype=torch.uint8)
        mask[:, top:bottom, left:right] = 255
        save_png(folder / f"{region}.png", mask)
    return folder


def write_all(folder):
    """Every file of the module's head."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_generator(folder / "ffhq256.pkl")
    write_clip(folder / "ViT-B-32.pt")
    write_vectors(folder / "vectors.txt", write_faces(folder / "faces"))
    write_masks(folder / "masks")
    return folder


if __name__ == "__main__":
    write_all(sys.argv[1])
