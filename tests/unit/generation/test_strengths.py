"""Strengths of edits where no judge has measured them: CLIP does, once."""

import warnings

import pytest
import torch

from styleT2I import StyleT2I
from styleT2I.errors import ConfigError
from styleT2I.generation.editing import strengths as clip_strengths
from styleT2I.generation.observers import ZeroShotLogits
from tests.tiny_model import tiny_a2d, tiny_clip, tiny_generator, tiny_strengths, write_tiny, write_tiny_model


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model of generator, CLIP, T2D and A2D alone."""
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    return write_tiny_model(tmp_path / "model", without=("judges.guide",))


def without_strengths(folder, **info):
    a2d = write_tiny(folder.parent / "bare", "a2d", tiny_a2d(), clip_name="tiny-clip", **info)
    return StyleT2I.from_pretrained(folder, a2d=a2d, device="cpu")


def test_clip_finds_the_step_at_which_it_sees_the_attribute(folder, monkeypatch):
    """An A2D whose direction goes where CLIP says yes ever more: the step is the first that all faces follow."""
    pipeline = without_strengths(folder)
    logits = lambda image: image.mean(dim=(1, 2, 3)).unsqueeze(1) - 0.25  # noqa: E731
    monkeypatch.setattr(ZeroShotLogits, "__call__", lambda self, features: features)
    monkeypatch.setattr(pipeline.model.network("clip"), "encode_image", logits)
    ws = pipeline.latents(range(12))
    pipeline.model.network("generator").synthesis.forward = lambda ws, **settings: (
        (ws.flatten(1) @ direction / 10).view(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    )
    with torch.no_grad():
        a = pipeline.attribute_directions(ws[:, 0], ["hat"])[:, 0].flatten(1)  # [12, D]
    direction = torch.linalg.lstsq(a / a.norm(dim=1, keepdim=True), torch.ones(12)).solution
    with pytest.warns(UserWarning, match="strength of 'hat' .* CLIP measures it on 12 faces"):
        step = clip_strengths.clip_strength(pipeline.model, "hat", True)
    needed = (2.5 - (ws.flatten(1) @ direction)).max().item()  # the margin of each face grows by step / 10
    longest = 3 * a.norm(dim=1).mean().item()
    expected = min(max(needed, 0), longest)
    assert expected - 1e-3 <= step <= expected + longest / 2**6 + 1e-3


def test_the_strength_is_measured_once_and_kept(folder, monkeypatch):
    pipeline = without_strengths(folder)
    with pytest.warns(UserWarning, match="CLIP measures"):
        first = pipeline.edit([0, 1], {"hat": 1.0, "smiling": -0.5})
    assert len(list((folder.parent / "cache/strengths").iterdir())) == 2
    assert first.steps["hat"] > 0 > first.steps["smiling"] and first.strengths == {"hat": 1.0, "smiling": -0.5}
    monkeypatch.setattr(clip_strengths, "_measure", None)  # would be called
    with pytest.warns(UserWarning, match="CLIP measures"):
        again = without_strengths(folder).edit([0, 1], {"hat": 1.0, "smiling": -0.5})
    assert again.steps == first.steps and torch.equal(again.images_u8, first.images_u8)


def test_a_damaged_note_is_measured_again(folder):
    with pytest.warns(UserWarning):
        first = without_strengths(folder).edit(0, {"hat": 1.0})
    (path,) = (folder.parent / "cache/strengths").iterdir()
    for damaged in (path.read_text().replace('"step": ', '"step": 1'), "", "[]", path.read_text()[:-9]):
        path.write_text(damaged)
        with pytest.warns(UserWarning):
            assert without_strengths(folder).edit(0, {"hat": 1.0}).steps == first.steps


def test_a_judges_strength_and_a_strength_of_nothing_need_no_clip(folder, monkeypatch):
    monkeypatch.setattr(clip_strengths, "_measure", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert without_strengths(folder, strengths=tiny_strengths()).edit(0, {"hat": 1}).steps == {"hat": 1.5}
        assert without_strengths(folder).edit(0, {"hat": 0}).steps == {"hat": 0}


def test_parts_without_files_are_measured_and_not_kept(folder):
    parts = {"generator": tiny_generator(), "clip": tiny_clip(), "a2d": tiny_a2d()}
    pipeline = StyleT2I.from_components(**parts, vocabulary="minifaces", device="cpu")
    with pytest.warns(UserWarning, match="CLIP measures"):
        assert pipeline.edit(0, {"hat": 1}).steps["hat"] > 0
    assert not (folder.parent / "cache").exists()


def test_an_attribute_that_the_a2d_was_not_trained_on_is_refused(folder):
    with pytest.raises(ConfigError, match="was not trained on 'hat'"):
        without_strengths(folder, attributes=["lipstick"]).edit(0, {"hat": 1})
