"""StyleGAN2 files in the authors' formats: what is drawn and judged equals the output of the authors' own code."""

import numpy as np
import pytest
import torch

import styleT2I
from styleT2I.formats.foreign.registry import read_network

TOLERANCE = 1e-4
NVIDIA = {  # file -> the arrays that belong to it
    "ada_uncond": "ada_uncond",
    "ada_cond_fp16": "ada_cond_fp16",
    "ada_cond_fp16_proto3": "ada_cond_fp16",
    "sg3repo_stylegan2": "sg3repo_stylegan2",
    "tf_format": "tf_format",
}
ROSINALITY = ("converted", "converted_legacy_format", "training")


def nvidia(shared_dir, name):
    """(path of a file, its reference arrays, its labels or None)."""
    folder = shared_dir / "golden" / "nvidia64"
    arrays = arrays_of(folder / f"{NVIDIA[name]}.npz")
    return folder / f"{name}.pkl", arrays, arrays["c"] if arrays["c"].shape[1] else None


def arrays_of(path):
    with np.load(path, allow_pickle=False) as arrays:
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def assert_near(result, expected):
    torch.testing.assert_close(result, expected, atol=TOLERANCE, rtol=0)


@pytest.fixture(params=NVIDIA)
def nvidia_set(request, shared_dir):
    path, arrays, c = nvidia(shared_dir, request.param)
    if "w_trunc_cutoff4" not in arrays:  # the TensorFlow set is of the same weights and has fewer arrays
        arrays = {**nvidia(shared_dir, "ada_cond_fp16")[1], **arrays}
    return path, arrays, c


@torch.no_grad()
def test_nvidia_generators_map_truncate_and_draw_as_the_authors_code(nvidia_set):
    path, arrays, c = nvidia_set
    G = styleT2I.load_network(path)
    assert not G.training and next(G.parameters()).device.type == "cpu"
    assert_near(G.mapping(arrays["z"], c), arrays["w"])
    assert_near(G.mapping(arrays["z"], c, truncation_psi=0.7), arrays["w_trunc"])
    assert_near(G.mapping(arrays["z"], c, truncation_psi=0.7, truncation_cutoff=4), arrays["w_trunc_cutoff4"])
    assert_near(G.synthesis(arrays["w_trunc"], noise_mode="const"), arrays["image"])
    assert_near(G.synthesis(arrays["w_trunc"], noise_mode="const"), arrays["image_unfused"])
    assert_near(G.synthesis(arrays["w_trunc"], noise_mode="none"), arrays["image_noise_none"])
    assert_near(G.synthesis(arrays["w_trunc_cutoff4"]), arrays["image_cutoff4"])


@torch.no_grad()
def test_nvidia_discriminators_judge_as_the_authors_code(nvidia_set):
    path, arrays, c = nvidia_set
    D = styleT2I.load_network(path, which="D")
    tolerance = {"rtol": 1e-4, "atol": 0} if path.stem == "tf_format" else {"rtol": 0, "atol": TOLERANCE}
    torch.testing.assert_close(D(arrays["image"], c), arrays["d_logits"], **tolerance)


@torch.no_grad()
@pytest.mark.parametrize("name", ["ada_uncond", "ada_cond_fp16_proto3"])
def test_the_generator_in_training_is_another_than_the_averaged_one(shared_dir, name):
    path, arrays, c = nvidia(shared_dir, name)
    image = styleT2I.load_network(path, which="G").synthesis(arrays["w_trunc"])
    assert (image - arrays["image"]).abs().max() > 0.01


@pytest.mark.parametrize("name, expected", [
    ("ada_uncond", {"c_dim": 0, "w_dim": 128, "conv_clamp": None, "num_fp16_res": 0, "mapping_layers": 8}),
    ("ada_cond_fp16", {"c_dim": 3, "w_dim": 64, "conv_clamp": 256, "num_fp16_res": 4, "mapping_layers": 8}),
    ("sg3repo_stylegan2", {"c_dim": 0, "conv_clamp": 256, "num_fp16_res": 4, "mapping_layers": 2, "w_avg_beta": 0.998}),
    ("tf_format", {"c_dim": 3, "conv_clamp": None, "num_fp16_res": 0, "mapping_layers": 8}),
])  # fmt: skip
def test_the_configuration_is_what_the_file_says(shared_dir, name, expected):
    config = read_network(nvidia(shared_dir, name)[0]).config
    assert {key: config[key] for key in expected} == expected


@torch.no_grad()
@pytest.mark.parametrize("name", ROSINALITY)
def test_rosinality_generators_draw_as_the_authors_code(shared_dir, name):
    folder = shared_dir / "golden" / "rosinality64"
    arrays = arrays_of(folder / "reference.npz")
    G = styleT2I.load_network(folder / f"{name}.pt")
    assert_near(G.mapping(arrays["z"])[:, 3], arrays["w"])
    assert_near(G.synthesis(arrays["w_trunc"]), arrays["image"])
    assert_near(G(arrays["z"]), arrays["image_psi1"])
    assert_near(G.synthesis(arrays["w_plus"]), arrays["image_w_plus"])
    if name == "training":  # it holds no mean of w: ours and the authors' are of different latents
        spread = arrays["w"].std()
        assert (G.mapping.w_avg - arrays["latent_avg"]).abs().max() < 5 * spread / 4096**0.5
    else:
        assert torch.equal(G.mapping.w_avg, arrays["latent_avg"])
        assert_near(G.mapping(arrays["z"], truncation_psi=0.7), arrays["w_trunc"])


@torch.no_grad()
def test_rosinality_discriminator_judges_as_the_authors_code(shared_dir):
    folder = shared_dir / "golden" / "rosinality64"
    arrays = arrays_of(folder / "reference.npz")
    assert_near(styleT2I.load_network(folder / "training.pt", which="D")(arrays["image"]), arrays["d_logits"])


def test_nothing_that_a_pickle_names_is_imported_or_run(shared_dir, run_python):
    files = [str(nvidia(shared_dir, name)[0]) for name in NVIDIA]
    files += [str(shared_dir / "golden" / "rosinality64" / f"{name}.pt") for name in ROSINALITY]
    code = (
        "import sys, styleT2I; [styleT2I.load_network(path) for path in sys.argv[1:]];"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'torch_utils', 'dnnlib', 'training'}))"
    )
    result = run_python("-c", code, *files)
    assert result.returncode == 0 and result.stdout.strip() == "[]", result.stderr
