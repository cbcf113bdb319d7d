"""`python -m styleT2I.convert`: any known file to ours, ours to other layouts, and what a file holds."""

import hashlib
import json

import pytest
import torch
from click.testing import CliRunner

from styleT2I.convert import main
from styleT2I.formats.component import read_component
from styleT2I.networks.registry import load_network
from styleT2I.networks.stylegan2.config import DiscriminatorConfig
from styleT2I.networks.stylegan2.discriminator import Discriminator
from styleT2I.sources.registry import Entry
from styleT2I.sources.resolve import cached_path
from tests.foreign_files import write_nvidia
from tests.tiny_model import tiny_generator, write_tiny, write_tiny_model


@pytest.fixture
def component(tmp_path):
    return write_tiny(tmp_path / "g", "generator", tiny_generator())


def convert(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def assert_one_line_error(result, named):
    assert result.exit_code == 2, result.output
    assert result.stderr.startswith("error: ") and result.stderr.count("\n") == 1 and named in result.stderr


@pytest.mark.parametrize("layout", ["rosinality", "ada"])
def test_a_generator_goes_to_another_layout_and_back_bit_for_bit(component, tmp_path, layout):
    result = convert(component, tmp_path / "other/g.pt", "--to", layout)
    assert result.exit_code == 0 and "load_state_dict" in result.output or "other widths" in result.output
    assert convert(tmp_path / "other/g.pt", tmp_path / "back").exit_code == 0
    first, back = read_component(component), read_component(tmp_path / "back/generator.json")
    assert back.config == first.config
    assert all(torch.equal(back.state_dict[name], tensor) for name, tensor in first.state_dict.items())
    origin = back.info["converted_from"]
    digest = hashlib.sha256((tmp_path / "other/g.pt").read_bytes()).hexdigest()
    assert (origin["file"], origin["sha256"]) == ("g.pt", digest)


def test_out_may_name_the_manifest_and_half_halves_the_weights(component, tmp_path):
    assert convert(component, tmp_path / "a/mine.json").exit_code == 0
    assert convert(component, tmp_path / "a/half.json", "--half").exit_code == 0
    full, half = ((tmp_path / f"a/{name}.safetensors").stat().st_size for name in ("mine", "half"))
    assert half < 0.7 * full
    assert load_network(tmp_path / "a/mine.json").config == tiny_generator().config


def test_a_model_is_described_part_by_part(tmp_path):
    model = write_tiny_model(tmp_path / "model")
    facts = json.loads(convert(model, "--describe", "--json").output)
    assert facts["format"] == "model folder" and {"generator", "clip", "judges.guide"} <= set(facts["networks"])
    generator = tiny_generator()
    assert facts["networks"]["generator"]["parameters"] == sum(p.numel() for p in generator.parameters())
    assert facts["networks"]["generator"]["resolution"] == 16
    lines = convert(model, "--describe").output
    assert "stylegan2-generator" in lines and len(lines.splitlines()) > 20


def test_a_file_is_described_with_size_hash_and_licence_if_known(component, tmp_path, monkeypatch):
    convert(component, tmp_path / "g.pt", "--to", "ada")
    digest = hashlib.sha256((tmp_path / "g.pt").read_bytes()).hexdigest()
    facts = json.loads(convert(tmp_path / "g.pt", "--describe", "--json").output)
    assert (facts["format"], facts["sha256"], facts["licence"]) == ("nvidia-state-dict", digest, None)
    assert facts["bytes"] == (tmp_path / "g.pt").stat().st_size and list(facts["networks"]) == ["G_ema"]
    assert "licence                 unknown" in convert(tmp_path / "g.pt", "--describe").output
    entry = Entry("tiny", "generator", "https://example.org/g.pt", None, digest, 16, "CC0", "", True)
    monkeypatch.setattr("styleT2I.sources.registry.registry", lambda: {"tiny": entry})
    assert json.loads(convert(tmp_path / "g.pt", "--describe", "--json").output)["licence"] == "CC0"
    convert(tmp_path / "g.pt", tmp_path / "ours")
    assert json.loads(convert(tmp_path / "ours", "--describe", "--json").output)["licence"] == "CC0"


def test_a_description_names_what_cannot_be_read(tmp_path):
    """A file whose averaged generator is of another kind, and whose discriminator is not."""
    alias_free = tiny_generator()
    del alias_free.synthesis.b4
    write_nvidia(tmp_path / "sg3.pkl", G_ema=alias_free, D=Discriminator(DiscriminatorConfig(resolution=16)))
    facts = json.loads(convert(tmp_path / "sg3.pkl", "--describe", "--json").output)
    assert list(facts["networks"]) == ["D"] and "StyleGAN3" in facts["cannot be read"]["G_ema"]
    assert "StyleGAN3" in convert(tmp_path / "sg3.pkl", "--describe").output


def test_a_dfgan_files_discriminator_is_described_too(shared_dir):
    path = shared_dir / "golden/dfgan/state_epoch_007.pth"
    facts = json.loads(convert(path, "--describe", "--json").output)
    assert sorted(facts["networks"]) == ["dfgan-discriminator", "dfgan-generator"] and "cannot be read" not in facts


def test_a_components_description_counts_both_its_files(component):
    facts = json.loads(convert(component, "--describe", "--json").output)
    assert facts["format"] == "component" and list(facts["networks"]) == ["generator"]
    assert facts["bytes"] == sum(path.stat().st_size for path in component.parent.iterdir())


def test_the_registry_is_listed():
    entries = json.loads(convert("--list", "--json").output)
    assert entries["clip-vit-b-32"]["sha256"].startswith("40d365715913c9da")
    assert all(entry["licence"] for entry in entries.values())
    heading, *lines, note = convert("--list").output.splitlines()
    assert heading.split() == ["name", "role", "side", "MB", "licence"] and "--list --json" in note
    assert [line.split()[0] for line in lines] == list(entries)  # a line each
    line = next(line for line in lines if line.startswith("stylegan2-ada-ffhq-1024 "))
    assert line.split()[1:3] == ["generator", "1024"] and "NVIDIA" in line


def test_an_unknown_name_points_to_the_list():
    error = convert("xyzzy", "out").stderr
    assert error.count(", ") < 5 and "(python -m styleT2I.convert --list names them)" in error


def test_a_well_known_name_is_converted_offline_from_the_cache(component, tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    entry = Entry("tiny", "generator", "https://example.org/tiny.pt", None, None, 16, "CC0", "", True)
    monkeypatch.setattr("styleT2I.sources.registry.registry", lambda: {"tiny": entry})
    assert_one_line_error(convert("tiny", tmp_path / "out", "--offline"), "example.org/tiny.pt")
    convert(component, cached_path(entry.url), "--to", "rosinality")
    assert convert("tiny", tmp_path / "out", "--offline").exit_code == 0
    assert read_component(tmp_path / "out/generator.json").info["converted_from"]["licence"] == "CC0"


def test_every_network_of_a_training_file_is_found(shared_dir, tmp_path):
    path = shared_dir / "golden/rosinality64/training.pt"
    networks = json.loads(convert(path, "--describe", "--json").output)["networks"]
    assert {name: facts["kind"] for name, facts in networks.items()} == {
        "G_ema": "stylegan2-generator", "G": "stylegan2-generator", "D": "stylegan2-discriminator",
    }  # fmt: skip
    assert convert(path, tmp_path, "--which", "D").exit_code == 0
    assert read_component(tmp_path / "discriminator.json").kind == "stylegan2-discriminator"


@pytest.mark.parametrize("name", ["openai_clip_tiny/vit_state_dict.pt", "openai_clip_tiny/rn_small_vocab_jit.pt"])
def test_a_clip_is_converted(shared_dir, tmp_path, name):
    path = shared_dir / "golden" / name
    assert list(json.loads(convert(path, "--describe", "--json").output)["networks"]) == ["clip"]
    assert convert(path, tmp_path / "clip").exit_code == 0
    assert load_network(tmp_path / "clip/clip.json").config.quick_gelu


@pytest.mark.parametrize(
    "arguments, named",
    [
        ((), "convert ffhq.pkl"),
        (("SOURCE",), "where to write"),
        (("SOURCE", "FOLDER", "--to", "ada"), "name the file"),
        (("SOURCE", "out", "--to", "stylegan9"), "stylegan9"),
        (("SOURCE", "out.pt", "--to", "ada", "--half"), "fp32"),
        (("SOURCE", "MODEL"), "a model folder"),
        (("missing.pkl", "out"), "missing.pkl"),
        (("T2D", "out.pt", "--to", "ada"), "'t2d'"),
    ],
)
def test_a_users_mistake_is_one_line_and_writes_nothing(component, tmp_path, monkeypatch, arguments, named):
    monkeypatch.chdir(tmp_path)
    model = write_tiny_model(tmp_path / "model")
    before = sorted(tmp_path.rglob("*"))
    places = {"SOURCE": component, "FOLDER": tmp_path, "MODEL": model, "T2D": model / "t2d.json"}
    assert_one_line_error(convert(*(places.get(argument, argument) for argument in arguments)), named)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("content", [b"", b"<!DOCTYPE html>", b"\x80\x04cos\nsystem\n(S'true'\ntR.", b"PK\x03\x04cut"])
def test_a_file_that_holds_no_weights_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "bad.pkl").write_bytes(content)
    assert_one_line_error(convert(tmp_path / "bad.pkl", "--describe"), "bad.pkl")
    assert_one_line_error(convert(tmp_path / "bad.pkl", tmp_path / "out"), "bad.pkl")
    assert not (tmp_path / "out").exists()
