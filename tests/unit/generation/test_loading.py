"""The public loaders take whatever the commands take: paths, addresses, the names of models and of checkpoints."""

import click
import pytest
import torch
from click.testing import CliRunner

import styleT2I
from styleT2I.cli import command
from styleT2I.errors import CheckpointError, DownloadError
from styleT2I.generation.loading import load_clip, load_network, open_segmenter
from styleT2I.networks.faces import region_sources
from styleT2I.networks.faces.region_sources import FixedRegions
from styleT2I.networks.faces.regions import RegionFinder
from styleT2I.networks.stylegan2.generator import Generator
from styleT2I.sources.resolve import cached_path
from styleT2I.torch_utils.images import save_png
from tests.tiny_model import tiny_generator, write_tiny
from tests.web_server import Answer, web_server


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    for name in ("STYLET2I_OFFLINE", "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)


def test_the_names_of_a_model_serve_every_loader():
    assert isinstance(styleT2I.load_network("minifaces"), Generator)
    assert styleT2I.load_clip("minifaces").config.name == "minifaces-clip"
    assert isinstance(open_segmenter("minifaces"), RegionFinder)


@pytest.mark.parametrize(
    "load, name", [(load_network, "stylegan2-ada-ffhq-1024"), (load_clip, "clip-vit-b-32")], ids=["network", "clip"]
)
def test_well_known_names_are_known_and_offline_says_what_to_put_where(load, name):
    with pytest.raises(DownloadError, match="not in the cache, and --offline is set"):
        load(name, offline=True)


def test_an_address_is_fetched(tmp_path):
    manifest = write_tiny(tmp_path / "parts", "generator", tiny_generator())
    with web_server({f"/{p.name}": Answer(p.read_bytes()) for p in manifest.parent.iterdir()}) as server:
        G = load_network(f"{server.url}/generator.json")
        assert cached_path(f"{server.url}/generator.safetensors").is_file()
    assert torch.equal(G.synthesis.b4.const, tiny_generator().synthesis.b4.const)


def test_paths_and_objects_serve_as_before(tmp_path):
    manifest = write_tiny(tmp_path, "generator", tiny_generator())
    assert load_network(str(manifest)).config == tiny_generator().config
    clip = load_clip("minifaces")
    assert load_clip(clip) is clip
    (tmp_path / "masks").mkdir()
    save_png(tmp_path / "masks/mouth.png", torch.full((3, 8, 8), 255, dtype=torch.uint8))
    assert isinstance(open_segmenter(tmp_path / "masks"), FixedRegions)


def test_offline_a_face_parser_on_the_hub_is_not_asked_for(monkeypatch):
    from huggingface_hub import constants

    seen = []
    monkeypatch.setattr(region_sources, "open_face_parser", lambda *_: seen.append(constants.HF_HUB_OFFLINE))
    monkeypatch.setattr(region_sources, "RegionFinder", lambda parser: parser)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    open_segmenter("hf://me/parser", offline=True)
    open_segmenter("hf://me/parser")
    monkeypatch.setenv("STYLET2I_OFFLINE", "1")
    open_segmenter("hf://me/parser")
    assert seen == [True, False, True] and not constants.HF_HUB_OFFLINE


def test_a_command_told_to_stay_offline_keeps_the_hub_silent(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    seen = []

    @command()
    @click.option("--generator")
    @click.option("--segmenter")
    def main(generator, segmenter):
        seen.append(constants.HF_HUB_OFFLINE)

    for arguments in (["--segmenter", "hf://me/parser", "--offline"], ["--segmenter", "hf://me/parser"]):
        assert CliRunner().invoke(main, arguments).exit_code == 0
    assert seen == [True, False]


@pytest.mark.parametrize("load", [load_network, load_clip, open_segmenter])
def test_what_is_nothing_is_one_line(load):
    with pytest.raises(CheckpointError, match="no such file, and no checkpoint or model of that name") as caught:
        load("nothing-of-the-kind")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_a_name_of_openais_is_looked_for_where_their_package_keeps_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(CheckpointError, match="OpenAI's weights of that name are not in"):
        load_clip("ViT-B/32")
