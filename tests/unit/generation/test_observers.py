"""Who may look while a picture is made, and what an observer's margins are."""

import pytest
import torch

from styleT2I.attributes.wording.sentences import phrase, sentence
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.generation.model import Model
from styleT2I.generation.observers import open_observer
from styleT2I.networks.faces.attribute_classifier import AttributeClassifier, ClassifierConfig
from tests.tiny_model import tiny_clip, tiny_generator, tiny_judge

IMAGE = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def model(**parts):
    parts = {"generator": tiny_generator(), "clip": tiny_clip(), **parts}
    return Model({role.replace("__", "."): part for role, part in parts.items()}, vocabulary="minifaces", device="cpu")


def test_the_judges_margins_are_its_logits_in_the_order_asked_for():
    judge = tiny_judge()
    observer = open_observer(model(judges__guide=judge), ("hat", "he"))
    assert (observer.name, observer.names) == ("judge", ("hat", "he"))
    columns = [judge.attribute_names.index(name) for name in ("hat", "he")]
    assert torch.equal(observer.margins(IMAGE), judge(IMAGE)[:, columns])


def test_clips_margin_is_the_scaled_difference_of_the_cosines_to_yes_and_no():
    clip = tiny_clip()
    margins = open_observer(model(), ("hat",), "clip").margins(IMAGE)
    sides = []
    for value in (True, False):
        wordings = [phrase("hat", value), sentence({"hat": value})]
        mean = torch.nn.functional.normalize(clip.encode_text(wordings), dim=1).mean(dim=0)
        sides.append(mean / mean.norm())
    expected = clip.temperature_scale * (clip.encode_image(IMAGE) @ (sides[0] - sides[1]))
    torch.testing.assert_close(margins[:, 0], expected, rtol=1e-4, atol=1e-5)


def test_in_an_exclusive_group_clip_sees_one_though_only_one_was_asked_about():
    clip = model()
    hair = ("black_hair", "brown_hair", "blond_hair", "gray_hair")
    one_by_one = torch.cat([open_observer(clip, (name,), "clip").margins(IMAGE) for name in hair], dim=1)
    assert (one_by_one > 0).sum(dim=1).tolist() == [1, 1, 1]


def test_auto_takes_the_judge_if_it_knows_all_the_names_and_clip_otherwise():
    partial = AttributeClassifier(ClassifierConfig(("he", "hat"), resolution=16, widths=(4, 6), feature_dim=5)).eval()
    knows_two = model(judges__guide=partial)
    assert open_observer(knows_two, ("he",)).name == "judge"
    assert open_observer(knows_two, ("he", "beard")).name == "clip"
    assert open_observer(model(), ("he",)).name == "clip"
    with pytest.raises(ConfigError, match="does not know 'beard'.*--adjust-by clip"):
        open_observer(knows_two, ("he", "beard"), "judge")


def test_the_held_out_judge_and_the_scoring_clip_are_never_asked():
    blind = model(judges__heldout=tiny_judge(), clip_eval=tiny_clip())
    assert open_observer(blind, ("he",)).name == "clip"
    assert set(blind.describe()["components"]) == {"clip"}
    with pytest.raises(CheckpointError, match="judges.guide"):
        open_observer(blind, ("he",), "judge")
    for name in ("heldout", "judges.heldout", "clip_eval", ""):
        with pytest.raises(ConfigError, match="unknown observer"):
            open_observer(blind, ("he",), name)
