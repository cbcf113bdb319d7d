"""Saving and sharing a model: its card, every kind of source, and the Hub."""

import inspect
import json
from types import SimpleNamespace

import huggingface_hub
import pytest
import yaml

from styleT2I.config import to_dict
from styleT2I.errors import CheckpointError, DownloadError
from styleT2I.formats.component import read_component, write_component
from styleT2I.formats.foreign.stylegan2.export import export_generator
from styleT2I.formats.model_card import MARK, model_card
from styleT2I.formats.model_folder import read_model_folder
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.sources.resolve import cached_path
from styleT2I.torch_utils.files import sha256_file
from tests.tiny_model import tiny_generator, write_tiny, write_tiny_model
from tests.web_server import Answer, web_server


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))


def head_of(card):
    return yaml.safe_load(card.split("---")[1])


def save(folder, outdir, **options):
    return StyleT2I.from_pretrained(folder, device="cpu").save_pretrained(outdir, "mine", **options).parent


def test_a_saved_model_has_a_card_with_every_part_and_its_hash(folder, tmp_path):
    saved = save(folder, tmp_path / "saved", licence="Apache-2.0")
    card = (saved / "README.md").read_text()
    head = head_of(card)
    assert head["license"] == "apache-2.0" and head["pipeline_tag"] == "text-to-image"
    assert {"styleT2I", "text-to-image"} <= set(head["tags"])
    for role, file in read_model_folder(saved).files.items():
        assert f"| `{role}` |" in card and sha256_file(file) in card
    assert "16 x 16" in card and "Intended use" in card and "styleT2I.evaluate" in card
    assert StyleT2I.from_pretrained(saved, device="cpu").generate("he smiles", seeds=[0]).images_u8.shape[-1] == 16


@pytest.mark.parametrize(
    "licence, identifier", [(None, "unknown"), ("MIT", "mit"), ("My own: ask me", "other")], ids=str
)
def test_the_licence_is_an_identifier_of_the_hub_or_other(folder, tmp_path, licence, identifier):
    head = head_of((save(folder, tmp_path, licence=licence) / "README.md").read_text())
    assert head["license"] == identifier
    assert head.get("license_name") == (licence if identifier == "other" else None)


def test_a_card_of_another_hand_is_left_and_one_of_ours_renewed(folder, tmp_path):
    saved = save(folder, tmp_path / "saved")
    first = (saved / "README.md").read_text()
    assert MARK in first
    save(folder, tmp_path / "saved", half=True)
    assert (saved / "README.md").read_text() != first
    (saved / "README.md").write_text("# My own words\n")
    save(folder, tmp_path / "saved")
    assert (saved / "README.md").read_text() == "# My own words\n"


def test_a_saved_component_keeps_the_step_it_was_trained_to(tmp_path):
    G = tiny_generator()
    write_component(tmp_path, "generator", G.kind, to_dict(G.config), G.state_dict(), step=1234)
    model = Model({"generator": tmp_path / "generator.json"}, device="cpu")
    saved = model.save(tmp_path / "saved", "mine", half=True).parent
    assert read_component(saved / "generator.json").step == 1234
    assert "1234 steps" in (saved / "README.md").read_text()
    assert read_component(Model({"generator": G}, device="cpu").save(tmp_path / "built").parent).step is None


def test_figures_come_from_the_trainings_and_name_the_worst(tmp_path):
    measured = {"num": 100, "attributes": {"he": 0.99, "lipstick": 0.81}, "nested": {"a": {"b": 1}}}
    info = {
        "training": {"data": ["minifaces:biased/train"], "eval_data": "minifaces:biased/test"},
        "measured": measured,
    }
    write_tiny(tmp_path, "generator", tiny_generator(), **info)
    card = model_card(tmp_path, "mine", {"generator": "generator.json"})
    assert "trained on `minifaces:biased/train`" in card and "measured on `minifaces:biased/test`" in card
    assert "lowest attributes 0.81 (lipstick)" in card and "num 100" in card


def test_a_manifest_cannot_write_markup_into_the_card(tmp_path):
    write_tiny(tmp_path, "generator", tiny_generator(), training="<script>alert(1)</script> | [x](http://e)\n# Title")
    card = model_card(tmp_path, "a\n<b>|", {"generator": "generator.json"}, licence='x"\ninjected: true')
    assert "<script>" not in card and "[x]" not in card and "\n# Title" not in card
    assert set(head_of(card)) == {"library_name", "pipeline_tag", "license", "license_name", "tags"}


def test_a_foreign_generator_keeps_its_origin_and_licence_in_the_saved_model(folder, tmp_path):
    G = tiny_generator()
    from styleT2I.config import to_dict

    path = cached_path("https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/ffhq.pkl")
    path.parent.mkdir(parents=True)
    export_generator(path, "ada", G.kind, to_dict(G.config), G.state_dict())
    model = Model({"generator": "stylegan2-ada-ffhq-1024"}, device="cpu", offline=True)
    saved = model.save(tmp_path / "saved", "ffhq").parent
    origin = json.loads((saved / "generator.json").read_text())["info"]["converted_from"]
    assert origin["file"] == "ffhq.pkl" and origin["sha256"] == sha256_file(path)
    card = (saved / "README.md").read_text()
    assert "NVIDIA Source Code License, non-commercial" in card and head_of(card)["license"] == "other"
    assert f"converted from `ffhq.pkl` (SHA-256 `{origin['sha256']}`)" in card


def test_a_model_opens_from_an_address_and_its_parts_from_any_source(folder, tmp_path):
    answers = {f"/m/{path.name}": Answer(path.read_bytes()) for path in folder.iterdir()}
    with web_server(answers) as server:
        whole = StyleT2I.from_pretrained(f"{server.url}/m", device="cpu")
        mixed = StyleT2I.from_pretrained(folder, device="cpu", clip=f"{server.url}/m/clip.json")
        images = [one.generate("he smiles", seeds=[3]).images_u8 for one in (whole, mixed)]
    expected = StyleT2I.from_pretrained(folder, device="cpu").generate("he smiles", seeds=[3]).images_u8
    assert all((image == expected).all() for image in images)


def test_nothing_is_downloaded_when_that_is_forbidden(folder):
    with pytest.raises(DownloadError, match="--offline"):
        StyleT2I.from_pretrained("https://example.org/m", offline=True)
    model = StyleT2I.from_pretrained(folder, device="cpu", clip="https://example.org/c.pt", offline=True)
    with pytest.raises(DownloadError, match="example.org/c.pt"):
        model.generate("he smiles", seeds=[0])


class FakeHub:
    """Stands for huggingface_hub.HfApi: the calls fit the real signatures, and what is uploaded is kept."""

    def __init__(self, **options):
        inspect.signature(real_api).bind(**options)
        self.calls = FakeHub.calls = [("init", options)]

    def create_repo(self, *args, **options):
        inspect.signature(real_api.create_repo).bind(self, *args, **options)
        self.calls.append(("create_repo", args, options))

    def upload_folder(self, **options):
        inspect.signature(real_api.upload_folder).bind(self, **options)
        from pathlib import Path

        files = {path.name: path.read_bytes() for path in Path(options["folder_path"]).iterdir()}
        self.calls.append(("upload_folder", options, files))
        return SimpleNamespace(commit_url=f"https://huggingface.co/{options['repo_id']}/commit/1")


real_api = huggingface_hub.HfApi


def test_a_model_is_pushed_to_the_hub_with_its_card(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub, "HfApi", FakeHub)
    pipeline = StyleT2I.from_pretrained(folder, device="cpu")
    url = pipeline.push_to_hub("me/faces", private=True, licence="mit", token="t", message="First")
    assert url == "https://huggingface.co/me/faces/commit/1"
    init, create, (_, options, files) = FakeHub.calls
    assert init[1] == {"token": "t"} and create[1:] == (("me/faces",), {"private": True, "exist_ok": True})
    assert options["commit_message"] == "First"
    (tmp_path / "pushed").mkdir()
    for name, content in files.items():
        (tmp_path / "pushed" / name).write_bytes(content)
    assert read_model_folder(tmp_path / "pushed").name == "faces"
    assert head_of(files["README.md"].decode())["license"] == "mit"


def test_a_hub_that_refuses_is_one_line(folder, monkeypatch):
    def refuse(*_, **__):
        raise OSError("401 Client Error\n\nInvalid username or password.")

    monkeypatch.setattr(FakeHub, "create_repo", refuse)
    monkeypatch.setattr(huggingface_hub, "HfApi", FakeHub)
    with pytest.raises(DownloadError, match="hf://me/faces: .*401 Client Error Invalid") as caught:
        StyleT2I.from_pretrained(folder, device="cpu").push_to_hub("me/faces")
    assert "\n" not in str(caught.value)


def test_a_model_that_does_not_load_is_not_pushed(folder, monkeypatch):
    monkeypatch.setattr(huggingface_hub, "HfApi", FakeHub)
    FakeHub.calls = []
    with pytest.raises(CheckpointError):
        StyleT2I.from_pretrained(folder, device="cpu", clip="missing.pt").push_to_hub("me/faces")
    assert FakeHub.calls == []
