"""The baselines that ship under checkpoints/: small, complete, trained as said; skipped where there are none."""

import json
from pathlib import Path

import pytest

from styleT2I.formats.model_folder import SYSTEMS, read_model_folder
from styleT2I.generation.systems.interface import open_system
from tests.tiny_systems import FURTHER

CHECKPOINTS = Path(__file__).resolve().parents[3] / "checkpoints"
MAX_BYTES = {"unclip": 8_000_000}


@pytest.fixture(params=SYSTEMS)
def folder(request):
    if not (CHECKPOINTS / request.param).is_dir():
        pytest.skip(f"no weights of {request.param} are shipped")
    return read_model_folder(request.param)


def test_the_folder_is_small_and_has_every_part(folder):
    size = sum(path.stat().st_size for path in folder.path.iterdir())
    assert size <= MAX_BYTES.get(folder.name, 4_000_000)
    parts = {folder.name} | FURTHER[folder.name]
    assert set(folder.files) == parts and folder.vocabulary == "minifaces"
    assert "not StyleT2I" in (folder.path / "README.md").read_text()
    manifests = [path.read_text() for path in folder.path.glob("*.json")]
    assert not [text for text in manifests if '"/' in text]  # no folder of the machine that trained it


def test_it_saw_the_biased_captions_and_each_with_its_own_picture(folder):
    training = json.loads(folder.file(folder.name).read_text())["info"]["training"]
    data = training["data"]
    assert "minifaces:biased/train" in (data if isinstance(data, str) else data[0])
    assert not training.get("shuffle_captions")


def test_it_draws_a_sentence_at_64_pixels_and_sentences_differ(folder):
    gan = open_system(folder.name, device="cpu")
    prompts = [gan.understand(text) for text in ("he has a beard and black hair", "she is wearing lipstick and a hat")]
    first, second = gan.sample(prompts, [0, 0])
    assert first.shape == (3, 64, 64) and (first - second).abs().mean() > 0.05
