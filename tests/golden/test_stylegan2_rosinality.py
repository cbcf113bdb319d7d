"""Our StyleGAN2 on weights in rosinality's layout against images computed by the authors' code."""

import argparse
import re

import numpy as np
import pytest
import torch

from styleT2I.networks.stylegan2 import Generator
from styleT2I.networks.stylegan2_config import DiscriminatorConfig, GeneratorConfig
from styleT2I.networks.stylegan2_discriminator import Discriminator

WIDTH = 64
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def folder(shared_dir):
    return shared_dir / "golden" / "rosinality64"


@pytest.fixture(scope="module")
def reference(folder):
    with np.load(folder / "reference.npz", allow_pickle=False) as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def generator(folder):
    file = torch.load(folder / "converted.pt", weights_only=True)
    state = {our_generator_name(key): value for key, value in file["g_ema"].items() if not key.endswith("kernel")}
    state["mapping.w_avg"] = file["latent_avg"]
    G = Generator(GeneratorConfig(64, z_dim=WIDTH, w_dim=WIDTH, channel_max=WIDTH)).eval()
    G.load_state_dict({key: value.reshape(G.state_dict()[key].shape) for key, value in state.items()})
    return G


def layer_name(index):
    """Name of the index-th 3x3 convolution: one at 4 pixels, then two a resolution."""
    return "synthesis.b4.conv1" if index == 0 else f"synthesis.b{4 << (index + 1) // 2}.conv{(index + 1) % 2}"


def our_generator_name(key):
    if match := re.fullmatch(r"style\.(\d+)\.(\w+)", key):
        return f"mapping.fc{int(match[1]) - 1}.{match[2]}"
    if key == "input.input":
        return "synthesis.b4.const"
    if match := re.fullmatch(r"noises\.noise_(\d+)", key):
        return f"{layer_name(int(match[1]))}.noise_const"
    if match := re.fullmatch(r"(conv1|convs\.(\d+)|to_rgb1|to_rgbs\.(\d+))\.(.+)", key):
        if match[1].startswith("to_rgb"):
            prefix = f"synthesis.b{4 if match[3] is None else 8 << int(match[3])}.torgb"
        else:
            prefix = layer_name(0 if match[2] is None else int(match[2]) + 1)
        names = {"conv.weight": "weight", "noise.weight": "noise_strength", "activate.bias": "bias", "bias": "bias",
                 "conv.modulation.weight": "affine.weight", "conv.modulation.bias": "affine.bias"}  # fmt: skip
        return f"{prefix}.{names[match[4]]}"
    raise AssertionError(f"unknown key {key}")


def our_discriminator_name(key):
    simple = {"convs.0.0.weight": "b64.fromrgb.weight", "convs.0.1.bias": "b64.fromrgb.bias",
              "final_conv.0.weight": "b4.conv.weight", "final_conv.1.bias": "b4.conv.bias",
              "final_linear.0.weight": "b4.fc.weight", "final_linear.0.bias": "b4.fc.bias",
              "final_linear.1.weight": "b4.out.weight", "final_linear.1.bias": "b4.out.bias"}  # fmt: skip
    if key in simple:
        return simple[key]
    index, layer, name = re.fullmatch(r"convs\.(\d)\.(conv1|conv2|skip)\.\d\.(weight|bias)", key).groups()
    return f"b{128 >> int(index)}.{ {'conv1': 'conv0', 'conv2': 'conv1', 'skip': 'skip'}[layer] }.{name}"


@torch.no_grad()
def test_images_match_the_authors_code(generator, reference):
    ws = generator.mapping(reference["z"], truncation_psi=0.7)
    torch.testing.assert_close(generator.mapping(reference["z"])[:, 3], reference["w"], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(ws, reference["w_trunc"], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(generator.synthesis(ws), reference["image"], atol=TOLERANCE, rtol=0)
    torch.testing.assert_close(generator(reference["z"]), reference["image_psi1"], atol=TOLERANCE, rtol=0)
    image = generator.synthesis(reference["w_plus"])
    torch.testing.assert_close(image, reference["image_w_plus"], atol=TOLERANCE, rtol=0)


@torch.no_grad()
def test_logits_match_the_authors_code(folder, reference):
    with torch.serialization.safe_globals([argparse.Namespace]):
        state = torch.load(folder / "training.pt", weights_only=True)["d"]
    D = Discriminator(DiscriminatorConfig(64, channel_max=WIDTH)).eval()
    D.load_state_dict({our_discriminator_name(k): v for k, v in state.items() if not k.endswith("kernel")})
    torch.testing.assert_close(D(reference["image"]), reference["d_logits"], atol=TOLERANCE, rtol=0)
