"""The prompts of a large CLIP are encoded once, and what is kept is what would be encoded."""

import warnings

import pytest
import torch

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.generation import observers
from styleT2I.generation.observers import ZeroShotLogits, encode_prompts, fixed_prompts
from styleT2I.generation.pipeline import StyleT2I
from tests.tiny_model import tiny_clip, write_tiny_model

PROMPTS = [("he smiles", "a man"), ("she smiles", "a woman"), ("a hat", "he smiles")]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(observers, "LARGE", 1)
    return tmp_path / "cache/prompts"


def counting(clip):
    """The CLIP, and the texts that it encodes from now on."""
    encoded, encode = [], clip.encode_text
    clip.encode_text = lambda texts: encoded.extend(texts) or encode(texts)
    return clip, encoded


@torch.no_grad()
def test_each_text_is_encoded_once_and_kept_for_the_next_process(cache):
    clip, encoded = counting(tiny_clip())
    features = encode_prompts(clip, PROMPTS, "abc")
    assert features.shape == (3, 2, 8) and sorted(encoded) == sorted({text for pair in PROMPTS for text in pair})
    for row, pair in enumerate(PROMPTS):
        torch.testing.assert_close(features[row], tiny_clip().encode_text(list(pair)))
    again, encoded = counting(tiny_clip())
    assert torch.equal(encode_prompts(again, PROMPTS[1:], "abc"), features[1:]) and not encoded
    more = encode_prompts(again, [("a beard", "a hat")], "abc")
    assert encoded == ["a beard"] and torch.equal(more[0, 1], features[2, 0]) and len(list(cache.iterdir())) == 1


@torch.no_grad()
def test_another_file_shares_nothing_and_one_built_in_memory_keeps_nothing(cache):
    encode_prompts(tiny_clip(), PROMPTS, "abc")
    other, encoded = counting(tiny_clip())
    encode_prompts(other, PROMPTS, "def")
    assert len(encoded) == 5 and len(list(cache.iterdir())) == 2
    encode_prompts(other, PROMPTS)
    assert len(encoded) == 11 and len(list(cache.iterdir())) == 2


@torch.no_grad()
def test_a_small_clip_keeps_nothing(cache, monkeypatch):
    monkeypatch.setattr(observers, "LARGE", 10**6)
    encode_prompts(tiny_clip(), PROMPTS, "abc")
    assert not cache.exists()


@torch.no_grad()
def test_a_damaged_or_changed_cache_is_made_again(cache):
    features = encode_prompts(tiny_clip(), PROMPTS, "abc")
    (path,) = cache.iterdir()
    whole = path.read_bytes()
    place = whole.index(features[0, 0].numpy().tobytes()) + 1
    for damaged in (b"", whole[:-40], whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]):
        path.write_bytes(damaged)
        clip, encoded = counting(tiny_clip())
        assert torch.equal(encode_prompts(clip, PROMPTS, "abc"), features) and len(encoded) == 5
        assert path.read_bytes() == whole


@torch.no_grad()
def test_a_cache_that_cannot_be_written_is_a_warning(cache):
    cache.parent.mkdir()
    cache.write_text("a file in its place")
    with pytest.warns(UserWarning, match="encoded again each time"):
        features = encode_prompts(tiny_clip(), PROMPTS, "abc")
    assert features.shape == (3, 2, 8)


def test_logits_of_some_attributes_are_those_of_all():
    clip, vocabulary = tiny_clip(), load_vocabulary("minifaces")
    features = torch.nn.functional.normalize(torch.randn(4, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    names = ("gray_hair", "he", "lipstick")
    columns = [vocabulary.index(name) for name in names]
    some, encoded = counting(clip)
    logits = ZeroShotLogits(some, vocabulary, names)(features)
    torch.testing.assert_close(logits, ZeroShotLogits(clip, vocabulary)(features)[:, columns])
    assert len(set(encoded)) < 4 * len(vocabulary.names)


def test_without_adjustment_only_what_is_asked_for_is_encoded(tmp_path):
    folder = write_tiny_model(tmp_path, without=("judges.guide",))
    pipeline = StyleT2I.from_pretrained(folder, device="cpu")
    clip, encoded = counting(pipeline.model.network("clip"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = pipeline.generate("he smiles", [0], adjustment=None)
    attributes = {found.name: found for found in result.attributes}
    asked = {text for side in fixed_prompts(pipeline.model.vocabulary, attributes) for pair in side for text in pair}
    assert set(attributes) == {"he", "smiling"} and set(encoded) == {"he smiles", *asked}
    assert all(torch.isfinite(found.margins["clip"][1]).all() for found in attributes.values())
