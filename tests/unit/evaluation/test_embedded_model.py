"""The model that ships: complete, small, and as good as docs/results.md says, on few images."""

import pytest
import torch

from styleT2I.data.dataset import open_dataset
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.generator import evaluate_generator
from styleT2I.evaluation.suites.judges import evaluate_clip, evaluate_judges
from styleT2I.evaluation.suites.t2d import evaluate_captions
from styleT2I.formats.model_folder import ROLES, SYSTEMS, read_model_folder
from styleT2I.generation.model import Model
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.metrics.fidelity import psnr
from styleT2I.torch_utils.images import from_uint8

OTHERS = {"text_encoder", "clip_words", "style_encoder", "unclip_prior", "unclip_ar_prior", "unclip_upsampler"}
SHIPPED = set(ROLES) - {"a2d", *OTHERS, *SYSTEMS}


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)
    return Model.from_pretrained("minifaces", device="cpu")


def test_every_component_is_there_and_the_folder_stays_under_24_megabytes():
    folder = read_model_folder("minifaces")
    assert set(folder.files) >= SHIPPED
    assert sum(path.stat().st_size for path in folder.path.iterdir()) <= 24_000_000


def test_the_judges_see_what_renders_show(model):
    for figures in evaluate_judges(Request(model, "minifaces:balanced/test:256", 256)).values():
        assert min(figures["attributes"].values()) >= 0.98


def test_the_clips_know_every_attribute_without_training_on_it_as_a_class(model):
    for figures in evaluate_clip(Request(model, "minifaces:balanced/test:256", 256)).values():
        assert min(figures["attributes"].values()) >= 0.95


def test_the_encoder_keeps_what_renders_show(model):
    data = open_dataset("minifaces:balanced/test:100", with_masks=False).batch(range(100))
    G, judge = model.network("generator"), model.network("judges.heldout")
    with torch.no_grad():
        drawn = G.synthesis(model.network("encoder")(from_uint8(data.images_u8))).clamp(-1, 1)
        kept = (judge(drawn) > 0) == data.attributes
    assert kept.double().mean() >= 0.88 and kept.double().mean(dim=0).min() >= 0.5
    assert psnr(drawn, from_uint8(data.images_u8)).mean() >= 22


def test_plain_samples_are_legible_and_distributed_like_the_data(model):
    figures = evaluate_generator(Request(model, "minifaces:biased/train:400", 400, 1.0))
    assert min(figures["agreement"].values()) >= 0.95
    assert figures["worst_rate_difference"] <= 0.12  # of 400 samples; docs/results.md has 4,000


def test_edits_show_what_unseen_captions_ask_for(model):
    figures = evaluate_captions(Request(model, "minifaces:biased/test:200", 200))
    assert figures["success"] >= 0.75 > figures["unedited"] + 0.2
    assert figures["r_precision_ratio"] >= 0.8


def test_a_sentence_gives_faces_that_differ_from_the_unedited_ones():
    result = StyleT2I.from_pretrained("minifaces", device="cpu").generate("she is wearing eyeglasses", seeds=range(4))
    assert result.images_u8.shape == (4, 3, 64, 64)
    assert (result.images_u8.float() - result.unedited_u8.float()).abs().mean() > 1
