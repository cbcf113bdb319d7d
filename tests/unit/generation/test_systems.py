"""The promises that every system of systems.TextToImage keeps, whatever it is made of."""

import numpy as np
import pytest
import torch

from styleT2I.baselines.config import TextEncoderConfig
from styleT2I.baselines.damsm import TextEncoder
from styleT2I.errors import CheckpointError, ConfigError, PromptError
from styleT2I.formats.model_folder import SYSTEMS
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.systems.interface import StyleT2ISystem, open_system
from styleT2I.generation.systems.text_gan import TextGAN
from tests.foreign_files import write_rosinality
from tests.tiny_model import tiny_clip, tiny_generator, write_tiny, write_tiny_model
from tests.tiny_systems import MAX_WORDS, WORDS, tiny_network, write_system

SENTENCES = ("she is smiling", "he is wearing glasses and a hat")


@pytest.fixture(scope="module", params=[*SYSTEMS, "dfgan by clip", "stylet2i", "stylet2i adjusted"])
def system(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    if "stylet2i" in request.param:
        pipeline = StyleT2I.from_pretrained(write_tiny_model(folder), device="cpu")
        return StyleT2ISystem(pipeline, AdjustmentConfig("paper") if "adjusted" in request.param else None)
    role, _, reader = request.param.partition(" by ")
    return open_system(write_system(folder, role, reader), device="cpu")


def test_images_are_in_range_and_of_the_systems_size(system):
    prompts = [system.understand(sentence) for sentence in SENTENCES]
    image = system.sample(prompts, [0, 1])
    assert image.shape == (2, 3, system.resolution, system.resolution) and image.device.type == "cpu"
    assert image.isfinite().all() and image.min() >= -1 and image.max() <= 1


def test_a_row_follows_from_its_sentence_and_seed_alone(system):
    first, second = (system.understand(sentence) for sentence in SENTENCES)
    many = system.sample([first, second] * 6, list(range(12)))
    for row in (1, 4, 11):
        assert torch.equal(system.sample([second if row % 2 else first], [row])[0], many[row])


def test_the_sentence_and_the_seed_are_seen(system):
    first, second = (system.understand(sentence) for sentence in SENTENCES)
    image = system.sample([first, first, second], [0, 1, 0])
    assert not torch.equal(image[0], image[1]) and not torch.equal(image[0], image[2])


@pytest.mark.parametrize("text", ["  ", "!?", "he " * 400, "he is wearing a hat " + "and glasses " * 20])
def test_what_cannot_be_drawn_is_refused_in_one_line(system, text):
    with pytest.raises(PromptError) as caught:
        system.understand(text)
    assert "\n" not in str(caught.value)


def test_a_word_that_is_not_known_is_warned_of_or_refused(system):
    text = "she is smiling xyzzy"
    assert any("xyzzy" in warning for warning in system.understand(text).warnings)
    with pytest.raises(PromptError, match="xyzzy"):
        system.understand(text, strict=True)


def test_the_record_names_the_parts_in_use_by_their_hashes(system):
    prompt = system.understand(SENTENCES[0])
    assert prompt.attributes["smiling"] is True
    system.sample([prompt], [0])
    described = system.describe()
    assert described["name"] == system.name and len(described["components"]) >= 2
    assert all(len(digest) == 64 for digest in described["components"].values())


def test_a_drawing_is_the_sample_and_has_a_grid(system):
    drawer = system.pipeline if isinstance(system, StyleT2ISystem) else system
    result = drawer.generate(SENTENCES[0], seeds=[3, 4, 5])
    assert result.images_u8.shape == (3, 3, system.resolution, system.resolution)
    grid = result.grid_u8(2)
    assert grid.dtype == torch.uint8 and grid.shape[0] == 3 and min(grid.shape[1:]) > system.resolution
    with pytest.raises(ConfigError, match="no seeds"):
        drawer.generate(SENTENCES[0], seeds=[])


def test_every_word_of_a_sentence_reaches_attngan_and_has_a_map(tmp_path):
    gan = open_system(write_system(tmp_path, "attngan"), device="cpu")
    _, words, mask = gan.features(SENTENCES)
    assert words.shape == (2, 8, MAX_WORDS) and (~mask).sum(dim=1).tolist() == [3, 7]
    assert not words.transpose(1, 2)[mask].any()
    prompts = [gan.understand(sentence) for sentence in SENTENCES]
    three, seven = (gan.attention_u8(prompt, 0) for prompt in prompts)
    assert three.dtype == torch.uint8 and seven.shape[1] > three.shape[1]  # more words take a second row


def test_the_legacy_mask_makes_rows_depend_on_each_other_as_released(tmp_path):
    pictures = {}
    for is_legacy in (False, True):
        folder = write_system(tmp_path / str(is_legacy), "attngan", legacy_mask=is_legacy)
        gan = open_system(folder, device="cpu")
        prompts = [gan.understand(sentence) for sentence in SENTENCES]
        pictures[is_legacy] = (gan.sample(prompts, [0, 1]), gan.sample(prompts[:1], [0]))
    assert torch.equal(pictures[False][0][:1], pictures[False][1])
    assert not torch.equal(pictures[True][0][:1], pictures[True][1])
    torch.testing.assert_close(pictures[True][1], pictures[False][1])  # one sentence: nothing to mix


def test_readers_that_do_not_fit_are_one_line(tmp_path):
    folder = write_system(tmp_path / "dfgan", "dfgan")
    clip = write_tiny(tmp_path, "clip", tiny_clip())
    with pytest.raises(ConfigError, match="does not read its sentences by the clip given; leave it out"):
        open_system(folder, device="cpu", clip=clip)
    with pytest.raises(ConfigError, match="name that too, with --text-encoder"):
        open_system(folder, device="cpu", captions="captions.pickle")
    attngan = write_tiny(tmp_path, "attngan", tiny_network("attngan"))
    np.save(tmp_path / "said.npy", np.zeros((2, 8)))
    with pytest.raises(CheckpointError, match="features of every word.*--text-encoder"):
        open_system(attngan, device="cpu", embeddings=tmp_path / "said.npy")
    with pytest.raises(PromptError, match="cannot answer a free sentence; give DAMSM's with --text-encoder"):
        open_system(attngan, device="cpu").understand("she is smiling")
    drawn = open_system(attngan, device="cpu", text_encoder=folder)  # the model's own
    assert drawn.sample([drawn.understand("she is smiling")], [0]).isfinite().all()


def test_a_text_encoder_of_another_width_is_refused():
    torch.manual_seed(0)
    wide = TextEncoder(TextEncoderConfig(WORDS, embedding_dim=4, text_dim=10)).eval()
    with pytest.raises(CheckpointError, match="text_dim"):
        TextGAN(Model({"attngan": tiny_network("attngan"), "text_encoder": wide}, device="cpu"), "attngan")


@pytest.mark.parametrize("seeds", [[-1], [2**63], [0.5], ["1"], None])
def test_seeds_that_are_none_are_refused_alike(system, seeds):
    drawer = system.pipeline if isinstance(system, StyleT2ISystem) else system
    with pytest.raises(ConfigError, match="integer"):
        drawer.generate(SENTENCES[0], seeds=seeds)
    assert len(drawer.generate(SENTENCES[0], seeds=[2**63 - 1]).images_u8) == 1


def test_bytes_that_are_no_utf8_are_refused(system):
    with pytest.raises(PromptError, match="has bytes that are not UTF-8; type it anew"):
        system.understand("she is smiling \udce9")


def test_the_hashes_of_networks_that_nothing_asked_for_are_those_they_have_once_loaded(tmp_path):
    folder = write_tiny_model(tmp_path)
    model = Model.from_pretrained(folder, device="cpu")
    before = model.describe(unused=True)
    assert model.describe()["components"] == {}
    for role in model.sources:
        model.network(role)
    assert before == model.describe() == model.describe(unused=True)
    assert len(before["components"]) == 5 and all(len(sha256) == 64 for sha256 in before["components"].values())


def test_the_hash_of_a_foreign_file_needs_no_look_at_its_tensors(tmp_path):
    write_rosinality(tmp_path / "G.pt", G_ema=tiny_generator(architecture="skip"))
    model = Model({"generator": tmp_path / "G.pt", "clip": tiny_clip()}, device="cpu")
    before = model.describe(unused=True)
    model.network("generator")
    assert before["components"] == {"generator": model.describe()["components"]["generator"], "clip": None}
