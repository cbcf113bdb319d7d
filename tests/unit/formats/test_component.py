"""Networks on disk: what comes back, and every damage named."""

import json

import pytest
import torch

from styleT2I.errors import CheckpointError
from styleT2I.formats.component import read_component, write_component
from styleT2I.torch_utils.files import sha256_file

STATE = {"w": torch.tensor([0.1, 0.2, 1e-3]), "count": torch.tensor([3])}


@pytest.fixture
def manifest(tmp_path):
    return write_component(tmp_path, "net", "kind", {"dim": 3}, STATE, step=7, info={"note": "x"})


def test_a_component_is_found_by_manifest_weights_or_folder(manifest):
    for path in (manifest, manifest.with_suffix(".safetensors"), manifest.parent):
        found = read_component(path)
        assert (found.kind, found.config, found.step, found.info) == ("kind", {"dim": 3}, 7, {"note": "x"})
        assert found.path == manifest and found.sha256 == sha256_file(manifest)
        assert torch.equal(found.state_dict["w"], STATE["w"]) and found.state_dict["count"].dtype == torch.int64


def test_half_storage_halves_the_file_and_reads_back_as_fp32(tmp_path):
    state = {"w": torch.randn(1000, generator=torch.Generator().manual_seed(0)), "n": torch.tensor([70000])}
    write_component(tmp_path, "half", "kind", {}, state, half=True)
    found = read_component(tmp_path / "half.json").state_dict
    assert found["w"].dtype == torch.float32 and torch.equal(found["w"], state["w"].half().float())
    assert torch.equal(found["n"], state["n"])
    assert (tmp_path / "half.safetensors").stat().st_size < 2300


@pytest.mark.parametrize("value, half", [(float("nan"), False), (float("inf"), False), (70000.0, True)])
def test_numbers_that_cannot_be_stored_are_refused_before_anything_is_written(tmp_path, value, half):
    with pytest.raises(CheckpointError, match="tensor 'w' holds NaN or infinite"):
        write_component(tmp_path, "net", "kind", {}, {"w": torch.tensor([value])}, half=half)
    assert not list(tmp_path.iterdir())


def corrupt(path, change):
    data = path.read_bytes()
    path.write_bytes(change(data))


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda d: b"", "the file is empty"),
        (lambda d: d[: len(d) // 100], "cut off, or not a safetensors file"),
        (lambda d: d[: len(d) // 2], "SHA-256 is not the one|cut off"),
        (lambda d: d[:-1], "SHA-256 is not the one"),
        (lambda d: d + b"x", "SHA-256 is not the one"),
        (lambda d: d[:-3] + bytes([d[-3] ^ 1]) + d[-2:], "SHA-256 is not the one"),
        (lambda d: b"<!DOCTYPE html><html>404</html>", "a web page saved in place of the file"),
        (lambda d: b"version https://git-lfs.github.com/spec/v1\noid", "git-LFS pointer.*git lfs pull"),
    ],
)
def test_every_damage_to_the_weights_is_named(manifest, change, message):
    corrupt(manifest.with_suffix(".safetensors"), change)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_component(manifest)
    assert "net.safetensors" in str(caught.value) and "\n" not in str(caught.value)


def rewrite(manifest, **changes):
    content = json.loads(manifest.read_text())
    del content["manifest_sha256"]
    manifest.write_text(json.dumps({**content, **changes}))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"format_version": 9}, "format version 9 is unknown; update styleT2I"),
        ({"files": {}}, "a component has one weights file, this names 0"),
        ({"files": None}, "its 'files' is empty"),
        ({"config": None}, "its 'config' is empty"),
        ({"step": "7"}, "its 'step' is a str"),
        ({"files": {"../net.safetensors": "0"}}, "leads out of the folder"),
        ({"files": {"/etc/passwd": "0"}}, "leads out of the folder"),
        ({"files": {"gone.safetensors": "0"}}, "gone.safetensors: cannot be read: No such file"),
    ],
)
def test_a_manifest_that_cannot_be_followed_is_refused(manifest, changes, message):
    rewrite(manifest, **changes)
    with pytest.raises(CheckpointError, match=message):
        read_component(manifest)


def test_files_that_are_no_manifest_are_refused(tmp_path, manifest):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "cut.json").write_text('{"format_version": 1')
    messages = {"list": "not a manifest", "cut": "damaged, not valid JSON", "gone": "cannot be read"}
    for name, message in messages.items():
        with pytest.raises(CheckpointError, match=f"{name}.json: {message}"):
            read_component(tmp_path / f"{name}.json")


def test_a_folder_of_several_components_asks_which(manifest):
    write_component(manifest.parent, "other", "kind", {}, STATE)
    with pytest.raises(CheckpointError, match="should hold one component, found net.json, other.json"):
        read_component(manifest.parent)


def test_infinite_numbers_in_a_foreign_file_are_refused(manifest):
    from styleT2I.torch_utils.files import save_safetensors_atomic

    weights = manifest.with_suffix(".safetensors")
    digest = save_safetensors_atomic(weights, {"w": torch.tensor([1.0, float("inf")])})
    rewrite(manifest, files={weights.name: digest})
    with pytest.raises(CheckpointError, match="net.safetensors: tensor 'w' holds NaN or infinite"):
        read_component(manifest)
