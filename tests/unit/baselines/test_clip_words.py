"""CLIP's tokens as AttnGAN's words: whose features they are, what is cut and masked, what trains, what is drawn."""

import json

import pytest
import torch

from styleT2I.baselines.clip_words import ClipWords
from styleT2I.errors import ConfigError
from styleT2I.formats.model_folder import read_model_folder
from styleT2I.generation.systems.interface import open_system
from styleT2I.networks.clip.model import CLIP, CLIPConfig
from styleT2I.networks.clip.tokenizers import BPETokenizer
from styleT2I.networks.registry import load_network
from styleT2I.training.baselines.attngan import AttnGANTask
from styleT2I.training.baselines.damsm import DAMSMTask
from styleT2I.training.baselines.registry import baseline_config
from styleT2I.training.engine import RunConfig, run
from tests.tiny_model import CONTEXT_LENGTH, tiny_clip, write_tiny

DATA = {"data": ("minifaces:biased/train:8",), "eval_data": None, "batch_size": 4}
IMAGE = {"trunk": "small", "text_dim": 6, "resolution": 16, "widths": (4, 6, 8)}
GENERATOR = {"z_dim": 4, "cond_dim": 3, "width": 2, "num_stages": 2, "first_resolution": 8, "num_residual": 1}


@pytest.fixture(scope="module")
def clip():
    return tiny_clip()


@pytest.fixture(scope="module")
def words(clip):
    torch.manual_seed(0)
    return ClipWords.of_clip(clip, 6).eval().requires_grad_(False)


def test_the_sentence_is_clips_own_feature_and_every_word_has_one(clip, words):
    texts = ["she is smiling", "he is wearing a hat and glasses"]
    features = words.encode(texts)
    torch.testing.assert_close(features.sentence, words.sentence(clip.encode_text(texts)))
    assert features.words.shape == (2, 6, CONTEXT_LENGTH - 2) and features.mask.shape == (2, CONTEXT_LENGTH - 2)
    assert (~features.mask).sum(dim=1).tolist() == [3, 7] and features.mask.int().diff(dim=1).min() == 0
    assert not features.words.transpose(1, 2)[features.mask].any()
    assert (features.words.transpose(1, 2)[~features.mask].norm(dim=1) > 0).all()


def test_a_words_feature_knows_what_stands_before_it_and_nothing_after(words):
    short, long, other = (words.encode([text]).words[0] for text in ("she is", "she is smiling", "he is smiling"))
    torch.testing.assert_close(short[:, :2], long[:, :2])
    assert not torch.allclose(long[:, 1], other[:, 1])


def test_a_long_sentence_is_read_up_to_the_words_asked_for(words):
    assert torch.equal(words.tokenize(["she is smiling and old"], 2), words.tokenize(["she is"]))
    assert torch.equal(words.tokenize(["she is"], 5), words.tokenize(["she is"]))
    assert words.overlong("she " * (CONTEXT_LENGTH - 2)) == 0 and words.overlong("she " * CONTEXT_LENGTH) == 2
    with pytest.raises(ConfigError, match="'!' has no word"):
        words.tokenize(["she is", "!"])


def test_openais_tokens_are_named_as_they_are_written():
    assert BPETokenizer(16).pieces("A red bird!") == ["a", "red", "bird", "!"]


def test_a_clip_of_another_layout_is_one_line():
    model = {**CLIP.example()[0].config.model, "custom_text": True}
    with pytest.raises(ConfigError, match="its tokens' states cannot be read"):
        ClipWords.of_clip(CLIP(CLIPConfig(model=model, name="other", tokenizer={"kind": "none"})), 6)


def test_damsm_trains_the_projections_and_attngan_draws_by_them(clip, tmp_path):
    path = write_tiny(tmp_path, "clip", clip)
    task = DAMSMTask(
        baseline_config("damsm", "minifaces", clip=str(path), image=IMAGE, vocabulary=None, **DATA)[1], num_steps=8
    )
    run(task, RunConfig(str(tmp_path / "damsm"), 1, device="cpu", eval_every=0, snapshot_every=0))
    trained = load_network(tmp_path / "damsm" / "text_encoder.json").state_dict()
    fresh = ClipWords.of_clip(clip, 6).state_dict()
    assert trained.keys() == fresh.keys() and not any("visual" in name for name in trained)
    kept = {name for name in fresh if torch.equal(trained[name], fresh[name].half().float())}
    assert {name for name in fresh if name.startswith("tower.")} == kept
    encoders = {name: str(tmp_path / "damsm" / f"{name}.json") for name in ("text_encoder", "image_encoder")}
    settings = {**DATA, **encoders, "generator": GENERATOR, "d_width": 2}
    gan_task = AttnGANTask(baseline_config("attngan", "minifaces", **settings)[1], num_steps=8)
    run(gan_task, RunConfig(str(tmp_path / "gan"), 1, device="cpu", eval_every=0, snapshot_every=1))
    assert set(read_model_folder(tmp_path / "gan").files) == {"attngan", "clip_words"}
    assert json.loads((tmp_path / "gan" / "model.json").read_text())["agreement"]["text_dim"] == 6
    gan = open_system(tmp_path / "gan", device="cpu")
    prompts = [gan.understand(text) for text in ("she is smiling", "he is wearing a hat and glasses")]
    both = gan.sample(prompts, [0, 1])
    assert torch.equal(gan.sample(prompts[1:], [1])[0], both[1]) and both.abs().max() <= 1
    assert gan.attention_u8(prompts[0], 0).shape[0] == 3
