"""CLIP and text-network files that are broken, mistaken or hostile: one line each, nothing executed, little memory."""

import io
import json
import os
import pickle
import random
import resource
import warnings
import zipfile

import pytest
import torch

from styleT2I import load_clip
from styleT2I.config import to_dict
from styleT2I.errors import CheckpointError, StyleT2IError, UnsafeFileError
from styleT2I.formats.clip_layout import clip_model
from styleT2I.formats.component import write_component
from styleT2I.model import Model
from styleT2I.torch_utils.files import save_safetensors_atomic
from tests.plain_clip import CONTEXT, random_state
from tests.tiny_model import tiny_clip, tiny_judge, write_tiny

SCALARS = {
    "input_resolution": torch.tensor(24),
    "context_length": torch.tensor(CONTEXT),
    "vocab_size": torch.tensor(40),
}


class Tensors(torch.nn.Module):
    def __init__(self, state):
        super().__init__()
        parts = {}
        for key, tensor in state.items():
            name, _, rest = key.partition(".")
            if rest:
                parts.setdefault(name, {})[rest] = tensor
            else:
                self.register_buffer(name, tensor)
        for name, part in parts.items():
            self.add_module(name, Tensors(part))

    def forward(self, x):
        return x


def write_container(path, container, state):
    if container == "safetensors":
        save_safetensors_atomic(path, {key: tensor for key, tensor in state.items() if key not in SCALARS})
    elif container == "torchscript":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.jit.script(Tensors(state)).save(str(path))
    else:
        torch.save(state, path, _use_new_zipfile_serialization=container == "zip")
    return path


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory):
    """The bytes of a CLIP in each container that a CLIP comes in."""
    folder = tmp_path_factory.mktemp("whole")
    state = {**random_state(width=64, layers=1), **SCALARS}
    containers = ("zip", "legacy", "torchscript", "safetensors")
    return {name: write_container(folder / f"{name}.pt", name, state).read_bytes() for name in containers}


def refused(path, *matches, kind=CheckpointError, load=load_clip):
    """`load` ends in one line that names the file and has each of `matches`; the line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of an assumed activation
        with pytest.raises(kind) as caught:
            load(path)
    line = str(caught.value)
    assert str(path) in line and "\n" not in line and len(line) < 1000, line
    assert all(match in line for match in matches), line
    return line


def saved(tmp_path, content, name="clip.pt"):
    torch.save(content, tmp_path / name)
    return tmp_path / name


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
    line = refused(saved(tmp_path, {**state, **SCALARS}))
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
    refused(saved(tmp_path, {**random_state(width=64, layers=1), **SCALARS, name: torch.zeros(shape)}))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("container", ["zip", "torchscript", "safetensors"])
def test_a_number_that_is_none_is_named_by_its_tensor(tmp_path, container, number):
    state = {**random_state(width=64, layers=1), **SCALARS}
    state["visual.proj"][3, 4] = number
    refused(write_container(tmp_path / "clip.pt", container, state), "visual.proj", "NaN or infinite")


def lstm_encoder():
    """Tensors by the names of AttnGAN's text encoder."""
    return {"encoder.weight": torch.zeros(9, 6)} | {
        f"rnn.{key}": tensor for key, tensor in torch.nn.LSTM(6, 4, bidirectional=True).state_dict().items()
    }


@pytest.mark.parametrize(
    "content, named",
    [
        (lstm_encoder(), "'encoder.weight'"),
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
    refused(saved(tmp_path, content), "holds no network of a known format", named)


def test_networks_of_another_kind_are_called_by_their_kind(tmp_path):
    refused(write_tiny(tmp_path, "judge", tiny_judge()), "is a 'judge'", "not a CLIP")


def test_a_clip_is_no_generator_and_no_text_network(tmp_path):
    path = saved(tmp_path, {**random_state(width=64, layers=1), **SCALARS})
    for role in ("generator", "t2d"):
        refused(path, "is a 'clip'", load=lambda source, role=role: Model({role: source}, device="cpu").network(role))


def test_a_golden_generator_given_as_a_clip_is_called_one(shared_dir):
    for name in ("rosinality64/converted.pt", "nvidia64/ada_uncond.pkl"):
        refused(shared_dir / "golden" / name, "is a 'stylegan2-generator'", "not a CLIP")


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
    refused(saved(tmp_path, content), "nothing was run", kind=UnsafeFileError)
    (tmp_path / "bare.pt").write_bytes(pickle.dumps(content))
    refused(tmp_path / "bare.pt")
    assert not (tmp_path / "executed").exists()


def rewritten(data, change):
    """The archive `data` with every entry passed through change(name, bytes) -> (bytes, compression)."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as copy:
        for entry in archive.infolist():
            content, compression = change(entry.filename, archive.read(entry))
            copy.writestr(entry.filename, content, compress_type=compression)
    return out.getvalue()


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


@pytest.mark.parametrize(
    "change",
    [
        {"positional_embedding": torch.zeros(1, 1).expand(5_000_000, 1).contiguous()},  # its mask would take 100 TB
        {f"visual.transformer.resblocks.{i}.ln_1.bias": torch.zeros(1) for i in range(5000)},
        {f"transformer.resblocks.{i}.ln_1.bias": torch.zeros(1) for i in range(5000)},
        {"text_projection": torch.zeros(1_000_000, 1)},  # layers of 10^12 weights
        {"visual.conv1.weight": torch.zeros(1_000_000, 3, 1, 1)},
        {"visual.positional_embedding": torch.zeros(3000 * 3000 + 1, 1)},
        {
            "visual.attnpool.positional_embedding": torch.zeros(2, 1),
            "visual.layer1.0.conv1.weight": torch.zeros(60000, 1, 1, 1),
        },
    ],
)
def test_shapes_that_ask_for_endless_memory_or_work_are_refused(tmp_path, change):
    path = saved(tmp_path, {**random_state(width=64, layers=1), **SCALARS, **change})
    before = peak_mib()
    refused(path)
    assert peak_mib() < before + 256


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # Linux counts in KiB


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path):
    state = random_state(width=64, layers=1)
    state["token_embedding.weight"] = torch.zeros(1).expand(1_000_000, 1_000_000)
    refused(saved(tmp_path, {**state, **SCALARS}), "stored numbers")


@pytest.mark.parametrize(
    "change, named",
    [
        ("not json", "no configuration"),
        ([], "no configuration"),
        ({"model_cfg": {"embed_dim": 16}}, "no configuration"),
        ({"embed_dim": 10**12}, ""),
        ({"vision_cfg": {"layers": 10**9}}, "no CLIP has the layers"),
        ({"vision_cfg": {"layers": 2.5}}, "no CLIP has the layers"),
        ({"vision_cfg": {"image_size": 10**6, "patch_size": 1}}, "no CLIP has the image_size"),
        ({"vision_cfg": {"patch_size": 0}}, "no CLIP has the patch_size"),
        ({"vision_cfg": {"head_width": 7}}, "cannot build"),
        ({"vision_cfg": {"mlp_ratio": 1e30}}, "far larger network"),
        ({"vision_cfg": {"widht": 3}}, "cannot build"),
        ({"vision_cfg": {"timm_model_name": "hf-hub:evil/model"}}, "wants the tower 'hf-hub:evil/model'"),
        ({"text_cfg": {"context_length": 10**7}}, "no CLIP has the context_length"),
        ({"text_cfg": {"hf_model_name": "evil/model"}}, "wants the tower 'evil/model'"),
        ({"text_cfg": {"width": "../x"}}, "no CLIP has the width"),
        ({"text_cfg": {"width": 128}}, "do not fit"),
    ],
)
def test_a_configuration_beside_the_file_cannot_do_harm(tmp_path, monkeypatch, change, named):
    monkeypatch.setattr("socket.socket.connect", lambda *args: pytest.fail("the network was asked"))
    state = random_state(width=64, layers=1)
    path = saved(tmp_path, {"state_dict": state})
    sidecar = change
    if isinstance(change, dict) and "model_cfg" not in change:
        model = clip_model(state)
        for key, value in change.items():
            model[key] = {**model[key], **value} if isinstance(value, dict) else value
        sidecar = {"model_cfg": model}
    text = change if isinstance(change, str) else json.dumps(sidecar)
    (tmp_path / "open_clip_config.json").write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(StyleT2IError) as caught:
            load_clip(path)
    line = str(caught.value)
    assert str(tmp_path) in line and "\n" not in line and named in line, line


def test_a_component_that_asks_for_endless_layers_is_refused(tmp_path):
    clip = tiny_clip()
    path = write_component(tmp_path, "clip", "clip", to_dict(clip.config), clip.state_dict())
    manifest = json.loads(path.read_text())
    manifest["config"]["model"]["text_cfg"]["layers"] = 10**9
    path.write_text(json.dumps(manifest))
    refused(path, "no CLIP has the layers")


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


def mutated(data, dice, size=None):
    data = bytearray(data)
    for _ in range(dice.randint(1, 3)):
        data[dice.randrange(min(size or len(data), len(data)))] = dice.randrange(256)
    return bytes(data)


def test_names_that_are_no_text_are_passed_over(tmp_path):
    state = {**random_state(width=64, layers=1), **SCALARS}
    assert load_clip(saved(tmp_path, {"model": {**state, 7: torch.zeros(2)}})).config.quick_gelu
    numbered = (b"}K\x07ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
                b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x01tQK\x00K\x01\x85K\x01\x85\x89}tRs")  # fmt: skip
    with zipfile.ZipFile(tmp_path / "odd.pt", "w") as archive:
        archive.writestr("odd/data.pkl", script_pickle(numbered))
        archive.writestr("odd/data/0", b"\x00" * 4)
        archive.writestr("odd/constants.pkl", b"")
    refused(tmp_path / "odd.pt", "no network of a known format")
