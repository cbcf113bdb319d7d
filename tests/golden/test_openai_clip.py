"""OpenAI CLIP files against outputs of OpenAI's own code, on the tiny random checkpoints of STYLET2I_SHARED."""

import numpy as np
import pytest
import torch

from styleT2I import load_clip
from styleT2I.errors import ConfigError
from styleT2I.formats.foreign.registry import read_network

FILES = {
    "vit_state_dict": "vit",
    "vit_small_vocab_state_dict": "vit_small_vocab",
    "vit_small_vocab_jit": "vit_small_vocab",
    "rn_small_vocab_state_dict": "rn_small_vocab",
    "rn_small_vocab_jit": "rn_small_vocab",
}


def reference(shared_dir, name):
    folder = shared_dir / "golden" / "openai_clip_tiny"
    return folder / f"{name}.pt", dict(np.load(folder / f"{FILES[name]}_reference.npz"))


@pytest.mark.parametrize("name", FILES)
def test_features_and_logits_are_those_of_openai(shared_dir, name):
    path, expected = reference(shared_dir, name)
    clip = load_clip(path)
    pixels, ids = torch.from_numpy(expected["image"]), torch.from_numpy(expected["token_ids"])
    with torch.no_grad():
        image_features, text_features = clip.model.encode_image(pixels), clip.model.encode_text(ids.long())
        image = (pixels * clip.image_std + clip.image_mean) * 2 - 1  # what preprocess turns into these pixels
        logits = clip(image, ids)
    np.testing.assert_allclose(image_features, expected["image_features"], atol=1e-4)
    np.testing.assert_allclose(text_features, expected["text_features"], atol=1e-4)
    np.testing.assert_allclose(logits, expected["logits_per_image"], atol=1e-4)
    assert clip.config.name == name and not clip.training


def test_sentences_give_openais_token_ids_and_features(shared_dir):
    path, expected = reference(shared_dir, "vit_state_dict")
    clip = load_clip(path)
    texts = [str(text) for text in expected["texts"]]
    np.testing.assert_array_equal(clip.tokenize(texts), expected["token_ids"])
    features = torch.nn.functional.normalize(torch.from_numpy(expected["text_features"]), dim=1)
    with torch.no_grad():
        np.testing.assert_allclose(clip.encode_text(texts), features, atol=1e-4)


@pytest.mark.parametrize("name", FILES)
def test_quick_gelu_is_forced_recorded_and_matters(shared_dir, name):
    path, expected = reference(shared_dir, name)
    component = read_network(path)
    assert component.config["quick_gelu"] is True and component.info["format"] == "openai-clip"
    plain = load_clip(path)
    plain = type(plain)(type(plain.config)(**{**vars(plain.config), "quick_gelu": False})).eval()
    plain.load_state_dict(component.state_dict)
    with torch.no_grad():
        features = plain.model.encode_text(torch.from_numpy(expected["token_ids"]).long())
    assert np.abs(features.numpy() - expected["text_features"]).max() > 1e-3


@pytest.mark.parametrize("tower", ["vit", "rn"])
def test_an_archive_and_its_state_dict_are_one_network(shared_dir, tower):
    folder = shared_dir / "golden" / "openai_clip_tiny"
    archive, plain = (read_network(folder / f"{tower}_small_vocab_{form}.pt") for form in ("jit", "state_dict"))
    assert archive.config["model"] == plain.config["model"]
    assert archive.state_dict.keys() == plain.state_dict.keys()
    assert all(torch.equal(tensor, plain.state_dict[key]) for key, tensor in archive.state_dict.items())


def test_a_small_foreign_vocabulary_takes_ids_and_refuses_sentences(shared_dir):
    clip = load_clip(reference(shared_dir, "rn_small_vocab_state_dict")[0])
    assert clip.config.tokenizer == {"kind": "none"}
    with pytest.raises(ConfigError, match="without a tokenizer"):
        clip.encode_text(["a man"])
