"""CLIP and text-network files that are broken, mistaken or hostile: one line each, nothing executed, little memory."""

import io
import os
import pickle
import random
import warnings
import zipfile

import pytest
import torch

from styleT2I import load_clip
from styleT2I.errors import StyleT2IError, UnsafeFileError
from styleT2I.generation.model import Model
from tests.clip_containers import mutated, refused, rewritten, saved, write_container
from tests.plain_clip import CONTEXT, SCALARS, random_state
from tests.tiny_model import tiny_judge, write_tiny


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    """The bytes of a CLIP in each container that a CLIP comes in."""
    folder = tmp_path_factory.mktemp("whole")
    state = {**random_state(width=64, layers=1), **SCALARS}
    containers = ("zip", "legacy", "torchscript", "safetensors")
    return {name: write_container(folder / f"{name}.pt", name, state).read_bytes() for name in containers}


@pytest.mark.parametrize("container", ["zip", "legacy", "torchscript", "safetensors"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.999])
def test_a_file_cut_off_is_refused(tmp_path, whole_files, container, share):
    data = whole_files[container]
    (tmp_path / "clip.pt").write_bytes(data[: int(len(data) * share)])
    refused(tmp_path / "clip.pt")


@pytest.mark.parametrize("container", ["zip", "torchscript"])
def test_one_flipped_bit_in_an_archives_numbers_is_noticed(tmp_path, whole_files, container):
    data = bytearray(whole_files[container])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = max((e for e in archive.infolist() if "/data/" in e.filename), key=lambda e: e.file_size)
    data[entry.header_offset + entry.file_size // 2] ^= 1
    (tmp_path / "clip.pt").write_bytes(data)
    refused(tmp_path / "clip.pt", "checksum")


@pytest.mark.parametrize(
    "data, named",
    [
        (b"", "empty"),
        (b"<!DOCTYPE html><html><body>404 Not Found", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n", "git lfs pull"),
        (b"{}", "manifest"),
        (b"PK\x03\x04" + bytes(100), "archive"),
        (b"\x00" * 4096, ""),
        (b"he 0.1 0.2 0.3\n" * 9, ""),
    ],
)
def test_what_is_no_checkpoint_at_all_is_told(tmp_path, data, named):
    (tmp_path / "clip.pt").write_bytes(data)
    refused(tmp_path / "clip.pt", named)


def test_folders_and_missing_files_are_told(tmp_path):
    refused(tmp_path / "absent.pt", "cannot be read")
    refused(tmp_path, "should hold one component")


ESSENTIAL = (
    "positional_embedding", "text_projection", "token_embedding.weight", "ln_final.bias", "logit_scale", "visual.proj",
    "visual.conv1.weight", "visual.class_embedding", "visual.positional_embedding", "visual.ln_pre.weight",
    "visual.transformer.resblocks.0.attn.in_proj_weight", "transformer.resblocks.0.mlp.c_fc.weight",
)  # fmt: skip


@pytest.mark.parametrize("name", ESSENTIAL)
def test_a_missing_tensor_is_named(tmp_path, name):
    state = random_state(width=64, layers=1)
    del state[name]
    line = refused(saved(tmp_path / "clip.pt", {**state, **SCALARS}))
    assert name in line or "image tower" in line


@pytest.mark.parametrize(
    "name, shape",
    [
        ("positional_embedding", (CONTEXT, 64, 1)),
        ("text_projection", (64,)),
        ("visual.conv1.weight", (64, 3)),
        ("visual.conv1.weight", (64, 3, 8, 4)),
        ("visual.positional_embedding", (11, 64)),
        ("visual.positional_embedding", (1, 64)),
        ("token_embedding.weight", (40, 63)),
        ("token_embedding.weight", (0, 64)),
        ("text_projection", (0, 16)),
        ("visual.conv1.weight", (0, 3, 8, 8)),
        ("visual.conv1.weight", (64, 3, 0, 0)),
        ("transformer.resblocks.0.attn.in_proj_weight", (64, 64)),
        ("transformer.resblocks.0.mlp.c_fc.weight", (100, 0)),
        ("visual.ln_post.weight", (3,)),
        ("logit_scale", (2, 2)),
    ],
)
def test_a_tensor_of_a_wrong_shape_is_refused(tmp_path, name, shape):
    refused(saved(tmp_path / "clip.pt", {**random_state(width=64, layers=1), **SCALARS, name: torch.zeros(shape)}))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("container", ["zip", "torchscript", "safetensors"])
def test_a_number_that_is_none_is_named_by_its_tensor(tmp_path, container, number):
    state = {**random_state(width=64, layers=1), **SCALARS}
    state["visual.proj"][3, 4] = number
    refused(write_container(tmp_path / "clip.pt", container, state), "visual.proj", "NaN or infinite")


@pytest.mark.parametrize(
    "content, named",
    [
        ({"lstm.weight_hh_l0": torch.zeros(16, 4)}, "'lstm.weight_hh_l0'"),
        ({"model": {"netG": {"fc.weight": torch.zeros(2, 2)}}}, "'model'"),
        ({"weight": torch.zeros(3)}, "'weight'"),
        ({"text_projection": torch.zeros(2, 2), "logit_scale": torch.zeros(())}, "'text_projection'"),
        ([1, 2], "a list"),
        (torch.zeros(3), "TensorRef"),
        ("ViT-B/32", "a str"),
        ({}, "a dict"),
    ],
)
def test_another_projects_file_is_described(tmp_path, content, named):
    refused(saved(tmp_path / "clip.pt", content), "holds no network of a known format", named)


def test_networks_of_another_kind_are_called_by_their_kind(tmp_path):
    refused(write_tiny(tmp_path, "judge", tiny_judge()), "is a 'judge'", "not a CLIP")


def test_a_clip_is_no_generator_and_no_text_network(tmp_path):
    path = saved(tmp_path / "clip.pt", {**random_state(width=64, layers=1), **SCALARS})
    for role in ("generator", "t2d"):
        refused(path, "is a 'clip'", load=lambda source, role=role: Model({role: source}, device="cpu").network(role))


def test_a_golden_network_of_another_kind_is_called_so(shared_dir):
    for name in ("rosinality64/converted.pt", "nvidia64/ada_uncond.pkl"):
        refused(shared_dir / "golden" / name, "is a 'stylegan2-generator'", "not a CLIP")
    refused(shared_dir / "golden/attngan/text_encoder200.pth")


class Payload:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("place", ["tensor", "model", "root", "key"])
def test_a_payload_is_not_run_wherever_it_lies(tmp_path, monkeypatch, place):
    monkeypatch.chdir(tmp_path)
    state = random_state(width=64, layers=1)
    content = {
        "tensor": {**state, "logit_scale": Payload()},
        "model": {"model": {**state, "extra": Payload()}},
        "root": Payload(),
        "key": {"model": state, "optimizer": [Payload()]},
    }[place]
    refused(saved(tmp_path / "clip.pt", content), "nothing was run", kind=UnsafeFileError)
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(content))
    refused(tmp_path / "bare.pt")
    assert not (tmp_path / "executed").exists()


def test_source_text_and_constants_of_an_archive_are_never_read(tmp_path, whole_files):
    def change(name, content):
        is_code = "/code/" in name or name.endswith("constants.pkl")
        return (b"cos\nsystem\n(S'touch executed'\ntR." * 9 if is_code else content), zipfile.ZIP_STORED

    (tmp_path / "clip.pt").write_bytes(rewritten(whole_files["torchscript"], change))
    assert load_clip(tmp_path / "clip.pt").config.quick_gelu


@pytest.mark.parametrize("part", ["data.pkl", "data/"])
def test_packed_numbers_are_refused_as_a_bomb_might_be(tmp_path, whole_files, part):
    def change(name, content):
        return content, zipfile.ZIP_DEFLATED if f"/{part}" in name else zipfile.ZIP_STORED

    (tmp_path / "clip.pt").write_bytes(rewritten(whole_files["torchscript"], change))
    refused(tmp_path / "clip.pt", "compressed", kind=UnsafeFileError)


def script_pickle(root_state):
    """The data.pkl of an archive whose root module has the given pickled state."""
    return b"\x80\x02c__torch__\nEvil\n)\x81" + root_state + b"b."


@pytest.mark.parametrize(
    "state, named",
    [
        (b"cos\nsystem\n(X\x0e\x00\x00\x00touch executedtR", "os.system"),
        (b"c__torch__.torch.classes.evil\nLoader\n(X\x01\x00\x00\x00xtR", "Loader"),  # called, not made
        (b"}(X\x06\x00\x00\x00visualc__torch__.V\nV\n)\x81}(X\x05\x00\x00\x00conv1K\x07ubu", "no network"),
        (b"K\x07", "no network"),
        (b"}", "no network"),
        (b"}q\x00(X\x04\x00\x00\x00selfh\x00u", "contains itself"),
        (b"(" * 50 + b"}" + b"t" * 50, "no network"),
        (b"(" * 300 + b"}" + b"t" * 300, "nests"),
    ],
)
def test_archives_with_odd_roots_and_constants_are_refused(tmp_path, monkeypatch, state, named):
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile(tmp_path / "clip.pt", "w") as archive:
        archive.writestr("evil/data.pkl", script_pickle(state))
        archive.writestr("evil/constants.pkl", b"garbage")
    refused(tmp_path / "clip.pt", named)
    assert not (tmp_path / "executed").exists()


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path):
    state = random_state(width=64, layers=1)
    state["token_embedding.weight"] = torch.zeros(1).expand(1_000_000, 1_000_000)
    refused(saved(tmp_path / "clip.pt", {**state, **SCALARS}), "stored numbers")


@pytest.mark.parametrize("container", ["zip", "torchscript", "legacy", "safetensors"])
def test_bytes_changed_at_random_end_in_one_line_or_in_a_clip(tmp_path, whole_files, container):
    for seed in range(25):
        dice = random.Random(f"{container} {seed}")

        def change(name, content, dice=dice):
            return mutated(content, dice) if name.endswith("data.pkl") else content, zipfile.ZIP_STORED

        is_archive = container in ("zip", "torchscript")
        data = whole_files[container]
        (tmp_path / "clip.pt").write_bytes(rewritten(data, change) if is_archive else mutated(data, dice, 20_000))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                load_clip(tmp_path / "clip.pt")
            except StyleT2IError as error:
                assert str(tmp_path / "clip.pt") in str(error) and "\n" not in str(error)


def test_names_that_are_no_text_are_passed_over(tmp_path):
    state = {**random_state(width=64, layers=1), **SCALARS}
    assert load_clip(saved(tmp_path / "clip.pt", {"model": {**state, 7: torch.zeros(2)}})).config.quick_gelu
    numbered = (b"}K\x07ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
                b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00K\x01\x85K\x01\x85\x89}tRs")  # fmt: skip
    with zipfile.ZipFile(tmp_path / "odd.pt", "w") as archive:
        archive.writestr("odd/data.pkl", script_pickle(numbered))
        archive.writestr("odd/data/0", b"\x00" * 4)
        archive.writestr("odd/constants.pkl", b"")
    refused(tmp_path / "odd.pt", "no network of a known format")
