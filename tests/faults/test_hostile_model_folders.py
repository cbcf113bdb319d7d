"""Model folders that are damaged or made to do harm, their hashes made to fit: each ends in one line."""

import json
import os

import pytest
import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.check_file import SEAL
from styleT2I.formats.model_folder import MANIFEST, ROLES, read_model_manifest
from styleT2I.generation.model import Model
from styleT2I.torch_utils.files import save_safetensors_atomic, sha256_file
from tests.tiny_model import write_tiny_model

DEEP = "[" * 100_000


@pytest.fixture
def folder(tmp_path):
    return write_tiny_model(tmp_path / "model")


def rehash(folder):
    """Let model.json hold the hashes that its files have now."""
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest.pop(SEAL, None)
    entries = {**manifest["components"], **manifest["components"].pop("judges")}
    manifest["components"]["judges"] = {"guide": entries.pop("guide")}
    for entry in (*entries.values(), manifest["components"]["judges"]["guide"]):
        if "file" in entry and (folder / entry["file"]).is_file():
            entry["sha256"] = sha256_file(folder / entry["file"])
    (folder / MANIFEST).write_text(json.dumps(manifest))


def change_component(folder, name, change):
    value = json.loads((folder / name).read_text())
    del value[SEAL]
    changed = change(value)
    (folder / name).write_text(changed if isinstance(changed, str) else json.dumps(value))
    rehash(folder)


def change_manifest(folder, change):
    manifest = json.loads((folder / MANIFEST).read_text())
    manifest.pop(SEAL, None)
    changed = change(manifest)
    (folder / MANIFEST).write_text(changed if isinstance(changed, str) else json.dumps(manifest))


def error_of(folder):
    """The one line in which opening the folder, or loading any of its networks, ends."""
    with pytest.raises(CheckpointError) as caught:
        model = Model.from_pretrained(folder, device="cpu")
        for role in ROLES:
            if model.has(role):
                model.network(role)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1000
    return str(caught.value)


MANIFESTS = {
    "agreement is a list": lambda m: m.update(agreement=["w_dim"]),
    "agreement is a number": lambda m: m.update(agreement=3),
    "no components": lambda m: m.update(components={}),
    "components of text": lambda m: m.update(components={"generator": "generator.json"}),
    "a file that is a number": lambda m: m["components"]["generator"].update(file=3),
    "a very long name": lambda m: m["components"]["generator"].update(file="x" * 5000),
    "a name with NUL": lambda m: m["components"]["generator"].update(file="a\0b"),
    "a lone surrogate": lambda m: m["components"]["generator"].update(file="\ud800"),
    "a vocabulary that is a path": lambda m: m["components"].update(vocabulary={"name": "../../../etc/passwd"}),
    "a vocabulary that is a device": lambda m: m["components"].update(vocabulary={"name": "/dev/zero"}),
    "a vocabulary that is a list": lambda m: m["components"].update(vocabulary={"name": ["minifaces"]}),
    "a vocabulary that is not known": lambda m: m["components"].update(vocabulary={"name": "minifases"}),
    "a vocabulary of a very long name": lambda m: m["components"].update(vocabulary={"name": "x" * 5000}),
    "deep": lambda m: DEEP,
}


@pytest.mark.parametrize("what", MANIFESTS)
def test_a_hostile_manifest_is_refused(folder, what):
    change_manifest(folder, MANIFESTS[what])
    error_of(folder)


COMPONENTS = {
    "config is a list": ("generator.json", lambda m: m.update(config=[])),
    "info is text": ("t2d.json", lambda m: m.update(info="x")),
    "info is a list": ("a2d.json", lambda m: m.update(info=[1])),
    "strengths are a list": ("a2d.json", lambda m: m["info"].update(strengths=[1])),
    "clip_name is a dict": ("t2d.json", lambda m: m["info"].update(clip_name={})),
    "step is text": ("t2d.json", lambda m: m.update(step="7")),
    "resolution is text": ("generator.json", lambda m: m["config"].update(resolution="x")),
    "resolution is negative": ("generator.json", lambda m: m["config"].update(resolution=-1)),
    "resolution is NaN": ("generator.json", lambda m: m["config"].update(resolution=float("nan"))),
    "resolution is a list": ("generator.json", lambda m: m["config"].update(resolution=[16])),
    "features are negative": ("judges_guide.json", lambda m: m["config"].update(feature_dim=-1)),
    "no widths": ("judges_guide.json", lambda m: m["config"].update(widths=[])),
    "widths of zero": ("judges_guide.json", lambda m: m["config"].update(widths=[0, 0])),
    "a model of text": ("clip.json", lambda m: m["config"].update(model="x")),
    "a model of nothing": ("clip.json", lambda m: m["config"].update(model={})),
    "a tower of text": ("clip.json", lambda m: m["config"]["model"].update(vision_cfg="x")),
    "a negative width": ("clip.json", lambda m: m["config"]["model"]["text_cfg"].update(width=-8)),
    "no hidden layers": ("t2d.json", lambda m: m["config"].update(num_hidden=-3)),
    "files of a list": ("t2d.json", lambda m: m.update(files=["t2d.safetensors"])),
    "no hash": ("t2d.json", lambda m: m.update(files={"t2d.safetensors": None})),
    "a hash that is a number": ("t2d.json", lambda m: m.update(files={"t2d.safetensors": 0})),
    "weights outside": ("t2d.json", lambda m: m.update(files={"../t2d.safetensors": "0"})),
    "weights in a device": ("t2d.json", lambda m: m.update(files={"/dev/zero": "0"})),
    "weights of a very long name": ("t2d.json", lambda m: m.update(files={"x" * 5000: "0"})),
    "deep": ("t2d.json", lambda m: DEEP),
    "a kind of another type": ("t2d.json", lambda m: m.update(kind=["t2d"])),
}


@pytest.mark.parametrize("what", COMPONENTS)
def test_a_hostile_component_is_refused(folder, what):
    change_component(folder, *COMPONENTS[what])
    error_of(folder)


def test_a_vocabulary_beside_the_manifest_is_read_and_its_faults_are_named(folder):
    (folder / "vocabulary.json").write_text(json.dumps({"format_version": 1, "name": "v", "subject": []}))
    entry = {"file": "vocabulary.json", "sha256": sha256_file(folder / "vocabulary.json")}
    change_manifest(folder, lambda m: m["components"].update(vocabulary=entry))
    assert f"{folder / 'vocabulary.json'}: subject must be a dict" in error_of(folder)


@pytest.mark.parametrize("name", [MANIFEST, "vocabulary.json"])
def test_a_pipe_or_a_device_in_the_folder_is_not_opened(folder, name):
    change_manifest(folder, lambda m: m["components"].update(vocabulary={"file": "vocabulary.json", "sha256": "0"}))
    (folder / name).unlink(missing_ok=True)
    os.mkfifo(folder / name)
    error_of(folder)


@pytest.mark.parametrize(
    "name, change",
    [
        ("model.json", lambda m: m["components"]["judges"].update(heldout=m["components"]["judges"].pop("guide"))),
        ("model.json", lambda m: m["components"].pop("a2d")),
        ("a2d.json", lambda m: m["info"]["strengths"]["hat"].update(true=9.5)),
        ("judges_guide.json", lambda m: m["config"]["attribute_names"].reverse()),
        ("t2d.json", lambda m: m["config"].update(standardize=True)),
    ],
)
def test_a_manifest_changed_without_its_hash_is_refused(folder, name, change):
    """What would load, and draw other pictures."""
    value = json.loads((folder / name).read_text())
    change(value)
    (folder / name).write_text(json.dumps(value))
    if name != MANIFEST:  # as if the component had been changed before the folder was packaged
        manifest = json.loads((folder / MANIFEST).read_text())
        del manifest[SEAL]
        (folder / MANIFEST).write_text(json.dumps(manifest))
        rehash(folder)
    assert f"{name}: changed since it was written" in error_of(folder)


def test_a_damaged_key_does_not_hide_the_hash(folder):
    text = (folder / MANIFEST).read_text().replace(SEAL, SEAL.replace("2", "0")).replace('"guide"', '"heldout"')
    (folder / MANIFEST).write_text(text)
    assert "unknown key 'manifest_sha056'" in error_of(folder)


def test_a_manifest_without_a_hash_of_its_own_is_read(folder):
    change_component(folder, "t2d.json", lambda m: None)
    change_manifest(folder, lambda m: None)
    assert Model.from_pretrained(folder, device="cpu").network("t2d").kind == "t2d"


def test_a_name_in_the_manifest_is_not_looked_for_in_the_working_folder(folder, tmp_path, monkeypatch):
    """What lies about under a vocabulary's name is none of the model's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_text('{"name": "of the user"}')
    change_manifest(folder, lambda m: m["components"].update(vocabulary={"name": "secret"}))
    assert "unknown vocabulary 'secret'" in error_of(folder)


def test_a_manifest_with_a_path_for_a_vocabulary_is_refused_before_anything_is_fetched(folder):
    change_manifest(folder, lambda m: m["components"].update(vocabulary={"name": "../vocabulary"}))
    with pytest.raises(CheckpointError, match="is not a name"):
        read_model_manifest(folder / MANIFEST)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.int64, torch.bool])
def test_weights_of_another_kind_of_number_are_refused(folder, dtype):
    from safetensors.torch import load_file

    tensors = load_file(folder / "t2d.safetensors")
    name = next(name for name in tensors if name.endswith("weight"))
    digest = save_safetensors_atomic(folder / "t2d.safetensors", {**tensors, name: tensors[name].to(dtype)})
    change_component(folder, "t2d.json", lambda m: m.update(files={"t2d.safetensors": digest}))
    assert str(dtype) in error_of(folder)
