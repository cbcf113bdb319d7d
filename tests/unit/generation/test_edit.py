"""Editing along attribute directions: calibrated steps, latents of every kind, and the pictures that explain."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from styleT2I import StyleT2I
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.formats.numpy_files import read_latents
from styleT2I.generation.explain import explain_u8, strip_u8
from styleT2I.networks.directions import GruTextConfig
from tests.tiny_model import tiny_a2d, tiny_generator, write_tiny_model


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return StyleT2I.from_pretrained(write_tiny_model(tmp_path_factory.mktemp("tiny")), device="cpu")


def unit(pipeline, ws, phrase):
    a = pipeline.model.network("a2d")(
        ws[:, 0], pipeline.model.network("clip").encode_text([phrase]).expand(len(ws), -1)
    )
    return a / a.flatten(1).norm(dim=1)[:, None, None]


def test_a_strength_of_one_is_the_calibrated_step_along_the_attributes_direction(pipeline):
    ws = pipeline.latents([3, 4])
    result = pipeline.edit([3, 4], {"lipstick": 1.0, "smiling": -0.5})
    expected = ws + 1.5 * unit(pipeline, ws, "wearing lipstick") - 0.5 * 0.5 * unit(pipeline, ws, "smiling")
    torch.testing.assert_close(result.ws, expected, rtol=1e-4, atol=1e-5)
    assert result.steps == {"lipstick": 1.5, "smiling": -0.25}  # forwards and back are calibrated apart
    assert (result.images_u8 != result.unedited_u8).any()


def test_seeds_and_the_latents_they_stand_for_give_the_same_pictures(pipeline):
    by_seed = pipeline.edit(3, {"hat": 1})
    ws = pipeline.latents([3])
    for latents in (ws, ws[0], ws[0, 0], ws.numpy()):
        assert torch.equal(pipeline.edit(latents, {"hat": 1}).images_u8, by_seed.images_u8)
    assert torch.equal(pipeline.edit([9, 3], {"hat": 1}).images_u8[1], by_seed.images_u8[0])


def test_an_antonym_counts_against_its_name(pipeline):
    young = pipeline.edit(0, {"young": 1.0})
    assert young.strengths == {"old": -1.0}
    assert torch.equal(young.images_u8, pipeline.edit(0, {"old": -1.0}).images_u8)


@pytest.mark.parametrize(
    "attributes, named",
    [
        ({}, "no attribute"),
        ({"lipstik": 1}, "lipstick"),
        ({"lipstick": float("nan")}, "nan"),
        ({"old": 1, "young": 1}, "second time"),
    ],
)
def test_what_cannot_be_edited_is_refused_by_name(pipeline, attributes, named):
    with pytest.raises(ConfigError, match=named):
        pipeline.edit(0, attributes)


@pytest.mark.parametrize("shape", [(7,), (5, 8), (2, 6, 9), (0, 6, 8), (1, 1, 6, 8)])
def test_latents_of_another_shape_are_refused(pipeline, shape):
    with pytest.raises(ConfigError, match=r"w has shape \[8\], ws \[6, 8\]"):
        pipeline.edit(torch.zeros(shape), {"hat": 1})


def test_an_a2d_without_calibrated_strengths_names_the_command_that_makes_them():
    words = tuple("wearing a hat".split())
    a2d = tiny_a2d(text_encoder=GruTextConfig(words, embedding_dim=4, hidden_dim=8))
    parts = {"generator": tiny_generator(), "a2d": a2d}
    with pytest.raises(ConfigError, match="no clip .* styleT2I.train_a2d"):
        StyleT2I.from_components(**parts, vocabulary="minifaces", device="cpu").edit(0, {"hat": 1})


def test_a_model_without_a2d_names_the_command_that_trains_one(tmp_path):
    bare = StyleT2I.from_pretrained(write_tiny_model(tmp_path, without=("a2d",)), device="cpu")
    with pytest.raises(CheckpointError, match="styleT2I.train_a2d --generator"):
        bare.edit(0, {"hat": 1})


def test_the_strip_shows_every_face_a_row_and_every_strength_a_column(pipeline):
    strip = strip_u8(pipeline, [1, 2], "hat", strengths=(-1.0, 0.0, 2.0))
    assert strip.shape == (3, 20 + 2 * 128, 3 * 128)
    middle = strip[:, 20:148, 128:256].float()
    small = torch.nn.functional.avg_pool2d(middle, 8)  # of noise, enlarged: near, not equal
    assert (small - pipeline.edit(1, {"hat": 0}).unedited_u8[0].float()).abs().mean() < 12


def test_explain_shows_a_row_an_attribute_and_four_panels_a_seed(pipeline):
    result = pipeline.generate("he is wearing lipstick", range(3))
    picture = explain_u8(pipeline, result, num_seeds=2)
    num_found = 2 + sum(one.value is None and bool(one.step[:2].any()) for one in result.attributes)
    assert picture.shape == (3, (3 + num_found) * 20 + (1 + num_found) * 128, 2 * 4 * 128)
    adjusted = torch.nn.functional.avg_pool2d(picture[:, 40:168, 256:384].float(), 8)
    assert (adjusted - result.images_u8[0].float()).abs().mean() < 12


def test_explain_shows_the_faces_that_were_stepped_before_others(pipeline):
    result = pipeline.generate("he is wearing lipstick", range(6), adjustment="none")
    first = result.attributes[0]
    stepped = replace(first, step=torch.tensor([0.0, 0.0, 0.5, 0.0, -1.0, 0.0]))
    result = replace(result, attributes=(stepped, *result.attributes[1:]))
    picture = explain_u8(pipeline, result, num_seeds=3)
    adjusted = [picture[:, 40:168, 256 + 512 * n : 384 + 512 * n].float() for n in range(3)]
    shown = [torch.nn.functional.avg_pool2d(one, 8) for one in adjusted]
    for face, row in zip(shown, (0, 2, 4), strict=True):
        assert (face - result.images_u8[row].float()).abs().mean() < 12


def test_explain_needs_an_attribute_and_an_a2d(pipeline):
    with pytest.raises(ConfigError, match="nothing to explain"):
        explain_u8(pipeline, pipeline.generate("a photo of a person", [0]))


def test_latents_are_read_from_both_kinds_of_file(tmp_path):
    ws = torch.randn(2, 6, 8)
    np.save(tmp_path / "ws.npy", ws.double().numpy())
    save_file({"ws": ws}, str(tmp_path / "ws.safetensors"))
    for name in ("ws.npy", "ws.safetensors"):
        assert torch.equal(read_latents(tmp_path / name), ws)


def test_a_latents_file_that_is_none_is_one_line(tmp_path):
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "nan.npy", np.array([np.nan, 1.0]))
    np.save(tmp_path / "whole.npy", np.arange(8))
    (tmp_path / "text.npy").write_text("w")
    save_file({"a": torch.zeros(8), "b": torch.zeros(8)}, str(tmp_path / "two.safetensors"))
    for name in ("pickled.npy", "nan.npy", "whole.npy", "text.npy", "two.safetensors", "missing.npy"):
        with pytest.raises(CheckpointError, match=name):
            read_latents(tmp_path / name)


@pytest.mark.parametrize(
    "attributes, named",
    [
        ({"lipstick": "much"}, "strength of 'lipstick' is 'much'"),
        ({"lipstick": None}, "strength of 'lipstick' is None"),
        ("lipstick", "give each its strength"),
        ({"blond_hair": 1, "black_hair": 0.5}, "exclude each other"),
    ],
)
def test_strengths_are_checked_as_the_command_checks_them(pipeline, attributes, named):
    with pytest.raises(ConfigError, match=named):
        pipeline.edit([0], attributes)


def test_a_strength_may_be_written_and_one_of_a_group_may_be_on_while_others_go_off(pipeline):
    assert pipeline.edit([0], {"lipstick": "1"}).strengths == {"lipstick": 1.0}
    assert pipeline.edit([0], {"blond_hair": 1, "black_hair": -1}).strengths == {"blond_hair": 1, "black_hair": -1}


def test_a_strength_beyond_what_faces_bear_is_a_warning(pipeline):
    with pytest.warns(UserWarning, match="lipstick is beyond 2"):
        pipeline.edit([0], {"lipstick": 2.5})
