"""Rivals as systems: the promises of systems.interface.TextToImage, for both kinds."""

import pytest
import torch

from styleT2I.errors import ConfigError, PromptError
from styleT2I.fairness.subjects.base import SystemSubject, as_subject
from styleT2I.rivals.systems import open_rival


@pytest.fixture(params=["sefa", "stylespace", "a2d", "optimize", "tedigan"])
def system(request, pipeline):
    is_optimised = request.param in ("optimize", "tedigan")
    return open_rival(pipeline, request.param, steps=2 if is_optimised else None, num_samples=60)


def test_a_row_follows_from_its_sentence_and_seed_alone(system):
    first, second = (system.understand(text) for text in ("she is smiling", "he is wearing glasses and a hat"))
    image = system.sample([first, second, first], [0, 1, 1])
    assert image.shape == (3, 3, 16, 16) and image.min() >= -1 and image.max() <= 1
    assert torch.equal(system.sample([second], [1])[0], image[1])
    assert not torch.equal(image[0], image[2]) and not torch.equal(image[1], image[2])


def test_a_drawing_records_what_it_was_made_by_and_takes_psi(system):
    drawn = system.generate("she is smiling", [0, 1], truncation_psi=0.5)
    assert drawn.images_u8.shape == (2, 3, 16, 16)
    record = drawn.to_dict()
    assert system.method in record["model"]["name"] and record["attributes"] == {"he": False, "smiling": True}
    assert not torch.equal(drawn.images_u8, system.generate("she is smiling", [0, 1]).images_u8)
    with pytest.raises(ConfigError, match="psi"):
        system.generate("she is smiling", [0], truncation_psi=3.0)


def test_an_audit_takes_it_as_a_system(system):
    subject = as_subject(system)
    assert isinstance(subject, SystemSubject) and subject.resolution == 16


def test_a_sentence_without_attributes_has_no_direction_but_can_be_optimised(pipeline):
    with pytest.raises(PromptError, match="optimize"):
        open_rival(pipeline, "sefa", num_samples=4).understand("and wearing")
    assert open_rival(pipeline, "optimize").understand("and wearing").attributes == {}


def test_steps_are_of_optimisations_and_methods_have_names(pipeline):
    with pytest.raises(ConfigError, match="steps"):
        open_rival(pipeline, "sefa", steps=3)
    with pytest.raises(ConfigError, match="stylespace"):
        open_rival(pipeline, "stylspace")
