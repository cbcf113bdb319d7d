"""Suite "protocol": R-precision of CLIPs whose answer is known, the Frechet distance of equal sets, attributes."""

import pytest
import torch

from styleT2I.errors import DataError
from styleT2I.evaluation.suites import SUITES, Request, load, protocol
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.model import Model
from tests.tiny_model import tiny_clip, tiny_judge, write_tiny_model

DATA = "minifaces:biased/test:110"


class OrderedClip:
    """A CLIP by role: the guiding one knows image k by the order in which it comes, the other says the same of all."""

    name, sha256, size, versions, clip = "known", None, 16, {}, None

    def __init__(self, model, role="clip_eval"):
        self.role, self.clip, self.start = role, role, 0

    def __call__(self, images_u8):
        if self.role == "clip_eval":
            return {"features": torch.ones(len(images_u8), 110)}
        rows = torch.eye(110)[[row % 110 for row in range(self.start, self.start + len(images_u8))]]
        self.start += len(images_u8)
        return {"features": rows}


@pytest.fixture
def model(tmp_path):
    onlookers = {"judges.heldout": tiny_judge(seed=7), "clip_eval": tiny_clip("other")}
    return Model.from_pretrained(write_tiny_model(tmp_path, onlookers=onlookers), device="cpu")


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(protocol, "ClipObserver", OrderedClip)
    monkeypatch.setattr(protocol, "encode_texts", lambda role, texts: torch.eye(110)[: len(texts)])


def measure(model, data=DATA, num=110, real=None):
    request = Request(model, data, num, 0.5, [AdjustmentConfig("none"), AdjustmentConfig("paper")],
                      options={"features": "judge", "real": real})  # fmt: skip
    options = {**request.options, **load(SUITES["protocol"].prepare)(request)}
    return load(SUITES["protocol"].run)(Request(model, data, num, 0.5, request.adjustments, options=options))


def test_a_clip_that_knows_every_image_finds_all_and_one_that_knows_none_guesses(model, known):
    found = measure(model)
    assert found["num"] == found["ranked"] == 110 and list(found["methods"]) == ["none", "paper"]
    for metrics in (*found["methods"].values(), found["real"]):
        assert metrics["r_precision_guided"]["value"] == 1
        assert metrics["r_precision"]["value"] == pytest.approx(1 / 100)  # among 100 equal ones
        assert metrics["r_precision"]["settings"]["candidates"] == 100
        assert 0 <= metrics["attributes_all"]["value"] <= metrics["attributes_each"]["value"] <= 1
    frechet = found["methods"]["none"]["frechet"]
    assert frechet["value"] > 0 and frechet["real"] == DATA and not frechet["settings"]["mostly_bias"]
    assert "frechet" not in found["real"]
    table = load(SUITES["protocol"].table)(found)
    assert table.count("\n") == 4 and "1.000" in table and "| real images |" in table


def test_the_distance_of_images_from_themselves_is_nothing(model, tmp_path, known, monkeypatch):
    from styleT2I.evaluation.image_sources import open_images

    monkeypatch.setattr(protocol, "DrawnImages", lambda *given: open_images(DATA))
    assert measure(model)["methods"]["none"]["frechet"]["value"] == pytest.approx(0, abs=1e-6)


def test_a_model_without_a2d_is_measured_without_the_adjustment(tmp_path, known):
    onlookers = {"judges.heldout": tiny_judge(seed=7), "clip_eval": tiny_clip("other")}
    folder = write_tiny_model(tmp_path, without=("a2d",), onlookers=onlookers)
    found = measure(Model.from_pretrained(folder, device="cpu"))
    assert list(found["methods"]) == ["none"] and "no Attribute-to-Direction" in found["left_out"]["paper"]


def test_too_few_different_captions_are_refused(model, known):
    with pytest.raises(DataError, match="different captions in 60; R-precision ranks one among 100"):
        measure(model, num=60)
