"""Model folders: found by path or name, verified file by file, refused with one line when anything disagrees."""

import json

import pytest
import torch

from styleT2I.config import to_dict
from styleT2I.errors import CheckpointError
from styleT2I.formats import model_folder
from styleT2I.formats.component import write_component
from styleT2I.formats.model_folder import MANIFEST, read_model_folder, write_model_manifest
from styleT2I.networks.directions import DirectionConfig, TextToDirection
from styleT2I.networks.stylegan2.config import GeneratorConfig
from styleT2I.networks.stylegan2.generator import Generator


def write_parts(folder, num_ws=4, clip_name="tiny"):
    """A generator of 8 px and a T2D in `folder`; a T2D of another num_ws does not fit it."""
    torch.manual_seed(0)
    G = Generator(GeneratorConfig(resolution=8, z_dim=4, w_dim=6, mapping_layers=1, channel_max=4))
    t2d = TextToDirection(DirectionConfig(w_dim=6, num_ws=num_ws, text_dim=5, hidden_dim=8))
    folder.mkdir(parents=True, exist_ok=True)
    for name, network, info in (("generator", G, {}), ("t2d", t2d, {"clip_name": clip_name})):
        write_component(folder, name, network.kind, to_dict(network.config), network.state_dict(), info=info)
    return {"generator": "generator.json", "t2d": "t2d.json"}


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "model"
    write_model_manifest(path, "tiny", write_parts(path), vocabulary="minifaces")
    return path


def edit(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def error_of(folder):
    with pytest.raises(CheckpointError) as caught:
        read_model_folder(folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_written_folder_reads_back_with_what_its_parts_agree_on(folder):
    read = read_model_folder(folder)
    assert (read.name, read.vocabulary, set(read.files)) == ("tiny", "minifaces", {"generator", "t2d"})
    assert read.agreement == {"w_dim": 6, "num_ws": 4, "resolution": 8, "clip_name": "tiny", "text_dim": 5}
    assert read.file("t2d") == folder / "t2d.json"


def test_the_manifest_itself_names_its_folder(folder):
    assert read_model_folder(folder / MANIFEST).path == folder


def test_a_name_finds_the_users_cache(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    target = model_folder.cache_dir() / "models" / "mine"
    target.parent.mkdir(parents=True)
    folder.rename(target)
    assert read_model_folder("mine").path == target


def test_a_misspelt_name_is_answered_with_the_nearest(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    target = model_folder.cache_dir() / "models" / "zebrafaces"
    target.parent.mkdir(parents=True)
    folder.rename(target)
    assert "did you mean 'zebrafaces'?" in error_of("zebrafacs")


def test_a_file_of_weights_is_pointed_to_its_own_option(tmp_path):
    (tmp_path / "ada32.pkl").write_bytes(b"\x80\x04")
    assert f"for example --generator {tmp_path / 'ada32.pkl'}" in error_of(tmp_path / "ada32.pkl")


@pytest.mark.parametrize("name", ["runs/model", "g.pkl", "/nowhere/at/all"])
def test_a_missing_path_is_not_answered_with_names(name):
    assert error_of(name) == f"{name}: no such file or folder; check the path"


def test_nested_roles_round_trip(folder):
    write_component(folder, "guide", "judge", {"attribute_names": ["he"]}, {"x": torch.zeros(1)})
    files = {"generator": "generator.json", "judges.guide": "guide.json"}
    manifest = json.loads(write_model_manifest(folder, "tiny", files).read_text())
    assert manifest["components"]["judges"]["guide"]["file"] == "guide.json"
    assert read_model_folder(folder).file("judges.guide") == folder / "guide.json"


def test_a_changed_component_is_named(folder):
    edit(folder / "t2d.json", lambda m: m["config"].update(hidden_dim=9))
    assert "t2d.json: not the file" in error_of(folder)


def test_a_missing_component_is_named(folder):
    (folder / "t2d.json").unlink()
    assert "t2d.json: missing" in error_of(folder)


def test_parts_that_do_not_fit_are_not_packaged(tmp_path):
    with pytest.raises(CheckpointError, match="num_ws 6.*num_ws 4|num_ws 4.*num_ws 6"):
        write_model_manifest(tmp_path / "bad", "bad", write_parts(tmp_path / "bad", num_ws=6))


def test_a_stated_agreement_that_no_part_keeps_is_refused(folder):
    edit(folder / MANIFEST, lambda m: m["agreement"].update(resolution=64))
    assert "resolution 8, but" in error_of(folder)


@pytest.mark.parametrize(
    "change, named",
    [
        (lambda m: m.update(format_version=9), "format_version 9"),
        (lambda m: m.update(components=["generator"]), "components"),
        (lambda m: m["components"]["t2d"].update(file="../t2d.json"), "not a plain name"),
        (lambda m: m["components"].update(t2b=m["components"].pop("t2d")), "did you mean 't2d'?"),
        (lambda m: m["components"].update(clip=m["components"].pop("t2d")), "is a 't2d', but the clip is a 'clip'"),
        (lambda m: m["components"].update(t2d="t2d.json"), "components"),
    ],
)
def test_a_tampered_manifest_is_refused_with_the_reason(folder, change, named):
    edit(folder / MANIFEST, change)
    assert named in error_of(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", "<html>404</html>"])
def test_a_damaged_manifest_is_refused(folder, content):
    (folder / MANIFEST).write_text(content)
    assert "damaged" in error_of(folder)


def test_a_folder_without_manifest_says_so(tmp_path):
    assert "no model.json" in error_of(tmp_path)
