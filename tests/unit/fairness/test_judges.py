"""Judges of every kind: three outcomes, the vocabulary's names whatever theirs are, hashes, one-line errors."""

import warnings

import numpy as np
import pytest
import torch
import yaml

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict, to_dict
from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.fairness.judges.judge import Judge, Scores, open_judge
from styleT2I.fairness.judges.spec import JudgePlan, OnnxInput, check_judge
from styleT2I.generation.model import Model
from styleT2I.generation.observers import ZeroShotLogits
from styleT2I.metrics.attributes import NO, UNDETERMINED, YES
from styleT2I.torch_utils.files import sha256_file
from styleT2I.torch_utils.images import from_uint8
from tests import fake_faces
from tests.onnx_file import mean_colour_network
from tests.tiny_model import tiny_clip, tiny_judge, write_tiny, write_tiny_model

VOCABULARY = load_vocabulary("minifaces")


def random_images(num=3, size=16):
    return torch.randint(0, 256, (num, 3, size, size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def judge_of(scores, names=("she", "lipstick", "shoes"), **settings):
    return Judge(JudgePlan(**settings), Scores(names, lambda images_u8: torch.tensor(scores), None), VOCABULARY)


def test_verdicts_are_three_way_and_under_the_vocabularys_names():
    scores = [[2.0, -2.0, 9.0], [0.4, -0.4, 9.0], [-2.0, float("nan"), 9.0]]
    judge = judge_of(scores, margin=0.5)
    assert judge.attribute_names == ("he", "lipstick")
    assert judge.verdicts(random_images()).tolist() == [[NO, NO], [UNDETERMINED, UNDETERMINED], [YES, UNDETERMINED]]
    assert judge_of(scores).verdicts(random_images()).tolist() == [[NO, NO], [NO, NO], [YES, UNDETERMINED]]


def test_probabilities_are_read_around_their_threshold():
    judge = judge_of([[0.9, 0.1], [0.55, 0.45], [0.5, 0.2]], ("she", "lipstick"), threshold=0.5, margin=0.1)
    assert judge.verdicts(random_images()).tolist() == [[NO, NO], [UNDETERMINED, UNDETERMINED], [UNDETERMINED, NO]]


def test_images_of_many_sizes_are_judged_one_by_one():
    sizes = []

    def scores(images_u8):
        sizes.append(images_u8.shape)
        return torch.ones(1, 1)

    judge = Judge(JudgePlan(), Scores(("he",), scores, None), VOCABULARY)
    assert judge.verdicts([random_images(1, 8)[0], random_images(1, 4)[0]]).tolist() == [[YES], [YES]]
    assert sizes == [(1, 3, 8, 8), (1, 3, 4, 4)]


def test_an_attribute_that_the_judge_does_not_know_is_one_line():
    with pytest.raises(ConfigError, match="does not know hat; leave"):
        judge_of([[0.0]], ("he",)).check({"he", "hat"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"))


def test_a_network_and_a_clip_judge_as_they_do_by_themselves(folder, tmp_path):
    network, clip = tiny_judge(seed=7), tiny_clip()
    sources = [str(write_tiny(tmp_path, name, one)) for name, one in (("judge", network), ("clip", clip))]
    plans = [JudgePlan(source=sources[0]), JudgePlan(kind="clip", source=sources[1], margin=0.01)]
    judges = [open_judge(plan, VOCABULARY) for plan in plans]
    images = from_uint8(random_images())
    wanted = [network(images), ZeroShotLogits(clip, VOCABULARY)(clip.encode_image(images))]
    for judge, logits, margin in zip(judges, wanted, (0.0, 0.01), strict=True):
        assert judge.attribute_names == VOCABULARY.names and len(judge.sha256) == 64
        assert torch.equal(judge.verdicts(random_images()) == YES, logits > margin)
        assert torch.equal(judge.verdicts(random_images()) == UNDETERMINED, logits.abs() < margin)


def test_a_judge_that_steers_or_trained_what_it_judges_is_said_to(folder):
    model = Model.from_pretrained(folder, device="cpu")
    for plan in (
        JudgePlan(role="judges.guide"),
        JudgePlan(source=str(folder / "judges_guide.json")),
        JudgePlan(kind="clip", source=str(folder / "clip.json")),
    ):
        with pytest.warns(UserWarning, match="which flatters them"):
            judge = open_judge(plan, VOCABULARY, model)
        assert judge.describe()["is_independent"] is False


def test_an_independent_judge_is_opened_without_a_word(folder, tmp_path):
    other = str(write_tiny(tmp_path, "judge", tiny_judge(seed=8)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        judge = open_judge(JudgePlan(source=other), VOCABULARY, Model.from_pretrained(folder, device="cpu"))
    assert judge.describe() == {
        "kind": "network", "role": "judges.heldout", "source": other, "margin": 0.0, "threshold": 0.0,
        "sha256": judge.sha256, "is_independent": True,
    }  # fmt: skip


def test_a_model_without_the_judge_is_one_line_and_what_has_no_model_takes_the_embedded_one(folder):
    with pytest.raises(CheckpointError, match="no judges.heldout"):
        open_judge(JudgePlan(), VOCABULARY, Model.from_pretrained(folder, device="cpu"))
    assert open_judge(JudgePlan(), VOCABULARY).attribute_names == VOCABULARY.names
    with pytest.raises(ConfigError, match="no judge of 'celeba' comes with the package; name one in the plan"):
        open_judge(JudgePlan(), load_vocabulary("celeba"))


def test_a_function_judges_by_what_it_returns():
    plan = JudgePlan(kind="python", source="tests.fake_faces:look")
    judge = open_judge(plan, VOCABULARY)
    drawn = [fake_faces.draw(*one) for one in (("a woman with lipstick", 1), ("a man with lipstick", 9), ("a man", 0))]
    images = [torch.from_numpy(array).permute(2, 0, 1) for array in drawn]
    assert judge.verdicts(images).tolist() == [[NO, YES], [YES, UNDETERMINED], [YES, NO]]
    assert judge.sha256 == sha256_file(fake_faces.__file__)


@pytest.mark.parametrize(
    "found, message",
    [
        (None, "returned a NoneType; return a dict"),
        ({}, "returned a dict"),
        ({"he": [1.0]}, "returned 1 scores of 'he' for 2 images"),
        ({"he": "yes"}, "scores of 'he' are a str, not numbers"),
    ],
)
def test_a_function_that_returns_no_scores_is_one_line(monkeypatch, found, message):
    monkeypatch.setattr(fake_faces, "look", lambda images: found)
    with pytest.raises(ConfigError, match=message):
        open_judge(JudgePlan(kind="python", source="tests.fake_faces:look"), VOCABULARY)


def test_a_function_that_fails_or_forgets_an_attribute_is_one_line(monkeypatch):
    with pytest.raises(ConfigError, match="failed on uint8.*RuntimeError: no more memory"):
        open_judge(JudgePlan(kind="python", source="tests.fake_faces:fail"), VOCABULARY)
    names = iter(["he", "hat"])
    monkeypatch.setattr(fake_faces, "look", lambda images: {next(names): np.zeros(len(images))})
    judge = open_judge(JudgePlan(kind="python", source="tests.fake_faces:look"), VOCABULARY)
    with pytest.raises(ConfigError, match="returned no scores of 'he' this time"):
        judge.verdicts(random_images())


SPEC = {"attributes": ["she", "lipstick", "shoes"], "size": 8, "scale": 1.0, "mean": [100.0] * 3}


@pytest.fixture
def colours(tmp_path):
    """An ONNX file that averages each colour, with a description beside it."""
    pytest.importorskip("onnxruntime")
    path = tmp_path / "colours.onnx"
    path.write_bytes(mean_colour_network(8))
    path.with_suffix(".yaml").write_text(yaml.safe_dump(SPEC))
    return path


@pytest.mark.parametrize("batch", [None, 2])
def test_an_onnx_file_judges_in_its_own_size_and_colours(colours, batch):
    colours.write_bytes(mean_colour_network(8, batch=batch))
    judge = open_judge(JudgePlan(kind="onnx", source=str(colours), margin=5.0), VOCABULARY)
    flat = torch.tensor([[200, 0, 0], [0, 200, 0], [102, 98, 0]], dtype=torch.uint8).view(3, 3, 1, 1)
    images = flat.expand(3, 3, 16, 16)
    assert judge.verdicts(images).tolist() == [[NO, NO], [YES, YES], [UNDETERMINED, UNDETERMINED]]
    assert judge.sha256 == sha256_file(colours) and judge.describe()["onnx"]["size"] == 8
    spec = from_dict(OnnxInput, {**SPEC, "channels": "BGR", "attributes": ["shoes", "lipstick", "she"]})
    turned = open_judge(JudgePlan(kind="onnx", source=str(colours), onnx=spec, margin=5.0), VOCABULARY)
    assert torch.equal(turned.verdicts(images), judge.verdicts(images))


def test_an_onnx_file_that_does_not_fit_is_one_line(colours):
    plan = JudgePlan(kind="onnx", source=str(colours))

    def opened(**changes):
        spec = from_dict(OnnxInput, {**SPEC, **changes})
        return open_judge(JudgePlan(kind="onnx", source=str(colours), onnx=spec), VOCABULARY)

    with pytest.raises(CheckpointError, match=r"returned \[3, 3, 1, 1\] numbers instead of \[3, 2\]"):
        opened(attributes=["he", "hat"]).verdicts(random_images())
    with pytest.raises(CheckpointError, match=r"does not take \[3, 3, 16, 16\]"):
        opened(size=16).verdicts(random_images())
    with pytest.raises(ConfigError, match="has no output 'logits'; it has means"):
        opened(output="logits")
    colours.with_suffix(".yaml").write_text("attributes: []")
    with pytest.raises(ConfigError, match="colours.yaml.attributes is empty"):
        open_judge(plan, VOCABULARY)
    colours.with_suffix(".yaml").unlink()
    with pytest.raises(ConfigError, match="colours.yaml beside it"):
        open_judge(plan, VOCABULARY)
    colours.with_suffix(".yaml").write_text(yaml.safe_dump(SPEC))
    colours.write_bytes(b"not ONNX")
    with pytest.raises(CheckpointError, match="not an ONNX file that can be run") as caught:
        open_judge(plan, VOCABULARY)
    assert "\n" not in str(caught.value)
    colours.unlink()
    with pytest.raises(CheckpointError, match="no such file"):
        open_judge(plan, VOCABULARY)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"margin": -1.0}, "judge.margin is -1.0"),
        ({"threshold": float("nan")}, "judge.threshold is nan"),
        ({"kind": "onnx"}, "judge.source is not given; name an ONNX file"),
        ({"kind": "python"}, "judge.source is not given; name module:function"),
        ({"onnx": SPEC}, "judge.onnx does not fit a judge of kind 'network'"),
        ({"kind": "onnx", "source": "a", "onnx": {**SPEC, "std": [1.0, 0.0, 1.0]}}, "divides by scale"),
        ({"kind": "onnx", "source": "a", "onnx": {**SPEC, "size": 0}}, "size is 0"),
    ],
)
def test_a_judge_that_cannot_be_is_one_line_of_the_plan(settings, message):
    with pytest.raises(ConfigError, match=message):
        check_judge(from_dict(JudgePlan, settings), "judge")
    assert to_dict(JudgePlan())["kind"] == "network"
