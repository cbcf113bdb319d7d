"""The promises that every system of systems.TextToImage keeps, whatever it is made of."""

import pytest
import torch

from styleT2I.adjustment import AdjustmentConfig
from styleT2I.errors import PromptError
from styleT2I.model import Model
from styleT2I.networks.registry import network_class
from styleT2I.pipeline import StyleT2I
from styleT2I.systems import StyleT2ISystem, TextGAN
from tests.tiny_model import tiny_clip, write_tiny_model

GANS = {"gan_int_cls": "gan-int-cls-generator", "stackgan": "stackgan-generator", "dfgan": "dfgan-generator"}
SENTENCES = ("she is smiling", "he is wearing glasses")


def text_gan(role):
    torch.manual_seed(0)
    example, _ = network_class(GANS[role]).example()
    network = type(example)(type(example.config)(**{**vars(example.config), "text_dim": 8}))
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape)  # so that sentences and seeds are seen
    parts = {role: network.eval().requires_grad_(False), "clip": tiny_clip()}
    return TextGAN(Model(parts, vocabulary="minifaces", device="cpu"), role)


@pytest.fixture(scope="module", params=[*GANS, "stylet2i", "stylet2i adjusted"])
def system(request, tmp_path_factory):
    if request.param in GANS:
        return text_gan(request.param)
    pipeline = StyleT2I.from_pretrained(write_tiny_model(tmp_path_factory.mktemp("model")), device="cpu")
    return StyleT2ISystem(pipeline, AdjustmentConfig("paper") if "adjusted" in request.param else None)


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


def test_what_cannot_be_drawn_is_refused_and_the_record_names_the_parts(system):
    with pytest.raises(PromptError, match="empty"):
        system.understand("  ")
    assert system.understand(SENTENCES[0]).attributes["smiling"] is True
    assert system.name and system.describe()["components"]
