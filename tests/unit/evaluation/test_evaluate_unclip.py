"""The suite "unclip": its ways of drawing, what it measures on a tiny model, and that a true decoder scores fully."""

import dataclasses
import json

import pytest
import torch
from click.testing import CliRunner

from styleT2I.data.worlds import WORLDS
from styleT2I.evaluate import main
from styleT2I.evaluation.suites import Request, unclip
from styleT2I.evaluation.suites.systems.candidates import open_rows
from styleT2I.evaluation.suites.systems.suite import evaluate_systems
from styleT2I.evaluation.suites.systems.task import ComparisonTask
from styleT2I.evaluation.tables import systems_tables
from styleT2I.generation.model import Model
from styleT2I.generation.systems.interface import open_system
from tests.tiny_model import tiny_judge, write_tiny_model
from tests.tiny_systems import write_system, write_unclip

FAST = {"steps": 1, "prior_steps": 1, "upsampler_steps": 1}


@pytest.fixture
def few(monkeypatch):
    """As little as the suite can be run on."""
    for name, value in (("NUM_PROBED", 60), ("NUM_LATENTS", 2), ("NUM_DECODED", 4),
                        ("NUM_EDITED", 2), ("ETAS", (0.0,)), ("THETAS", (0.25,)), ("GUIDANCES", (2.0,)),
                        ("NUM_CANDIDATES", (2,)), ("DIFFS", ("smiling", "hat"))):  # fmt: skip
        monkeypatch.setattr(unclip, name, value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_unclip(tmp_path_factory.mktemp("unclip"))


def test_every_way_of_drawing_is_measured(few, folder):
    system = open_system(folder, device="cpu", unclip=FAST)
    model = Model({"judges.heldout": tiny_judge()}, vocabulary="minifaces", device="cpu")
    figures = unclip.evaluate_unclip(Request(model, "minifaces:biased/test:8", 6, options={"system": system}))
    assert json.dumps(figures) and figures["num"] == 6
    ways = set(figures["priors"])
    assert {"true embeddings", "the caption's embedding", "diffusion prior, best of 2", "diffusion prior, 1 step",
            "diffusion prior, guidance 2", "autoregressive prior, guidance 2"} <= ways  # fmt: skip
    true = figures["priors"]["true embeddings"]
    assert true["cos_true"] == pytest.approx(1) and true["spread"] == pytest.approx(1) and true["rates_off"] == 0
    text = figures["priors"]["the caption's embedding"]
    assert text["cos_text"] == pytest.approx(1) and 0 <= text["rare"] <= 1 and len(text["frequent_interval"]) == 2
    assert 0 <= figures["decoder"]["labels"] <= 1 and figures["decoder"]["num"] == 4
    assert figures["edits"]["variations"]["eta 0"]["psnr"] > 0
    assert figures["edits"]["text_diffs"]["theta 0.25"]["num"] > 0


def test_a_decoder_that_returns_the_scene_has_every_label_that_the_judge_sees_in_it(few, folder, monkeypatch):
    """The judge's own verdict on renders takes the labels' place: whatever it sees, the same image has all of it."""
    system = open_system(folder, device="cpu", unclip=FAST)
    judge = unclip.HeldOutJudge(Model({"judges.heldout": tiny_judge()}, vocabulary="minifaces", device="cpu"))
    pictures = unclip.EmbeddedData("minifaces:biased/test:4", system.encoder, system.device, keep_images=True)
    images = unclip.from_uint8(pictures.images_u8)
    monkeypatch.setattr(unclip, "_labels", lambda *given: unclip._verdict(judge, images).bool())
    monkeypatch.setattr(system, "redraw", lambda given, texts, seeds: given)
    figures = unclip._decoded(system, pictures, judge, 4)
    assert figures["labels"] == figures["labels_of_renders"] == 1
    monkeypatch.setattr(unclip, "_labels", lambda *given: ~unclip._verdict(judge, images).bool())
    assert unclip._decoded(system, pictures, judge, 4)["labels"] == 0


def test_a_redrawn_image_is_the_decoders_of_its_own_embedding_and_caption(folder):
    system = open_system(folder, device="cpu", unclip=FAST)
    images = torch.rand(3, 3, 40, 40, generator=torch.Generator().manual_seed(0)) * 2 - 1
    texts = ["she is smiling", "he is wearing a hat", "she is smiling"]
    made = system.redraw(images, texts, [4, 5, 6])
    z = system.encoder.clip.encode_image(images[1:2])
    alone = system.decode(z, system.captions(texts[1:2]), [5])
    torch.testing.assert_close(made[1:2], alone, rtol=0, atol=1e-3)
    assert torch.equal(system.redraw(images[1:2], texts[1:2], [5])[0], made[1])


def test_the_comparison_bounds_an_unclip_by_its_decoder_on_true_embeddings(folder, monkeypatch):
    """A decoder that gives back what it is shown scores as the renders do; a blind one as a blind system."""
    observers = Model.from_pretrained("minifaces", device="cpu")
    task = ComparisonTask(observers, WORLDS["minifaces"], "minifaces:biased/test:40", 12)
    seen = task.redraw(lambda images, texts, seeds: images, "same")
    renders, _ = task.renders()
    assert torch.equal(seen.verdict, renders.verdict) and len(seen.verdict) == len(task.sentences)
    asked = []
    task.redraw(lambda images, texts, seeds: asked.append((texts, seeds)) or images, "asked")
    assert [text for texts, _ in asked for text in texts] == task.sentences
    assert [seed for _, seeds in asked for seed in seeds] == task.seeds
    rows = open_rows([str(folder)], [], 0.7, "cpu")
    assert [row.redraw is not None for row in rows] == [False, False, True, False]


def test_the_comparison_has_a_row_for_every_prior_that_the_model_has(folder, tmp_path):
    names = [row.name.partition(", ")[2] for row in open_rows([str(folder)], [], 0.7, "cpu")]
    assert names == ["diffusion prior", "autoregressive prior", "no prior", "decoder on the caption"]
    rows = open_rows([str(write_unclip(tmp_path, without=("unclip_ar_prior",)))], [], 0.7, "cpu")
    assert [row.facts["kind"] for row in rows] == ["unclip diffusion", "unclip none", "unclip text"]
    assert len({id(row.untrained) for row in rows}) == 1  # one twin for all, drawn once
    twin, own = rows[0].untrained(["she is smiling"]), rows[0].system
    assert not torch.equal(twin.network.step_in[0].weight, own.network.step_in[0].weight)


def test_the_command_refuses_what_is_no_unclip_in_one_line(tmp_path):
    model = str(write_tiny_model(tmp_path / "model"))
    for source in (tmp_path / "nothing", write_system(tmp_path / "dfgan", "dfgan")):
        result = CliRunner().invoke(main, ["--suite", "unclip", "--model", model, "--systems", str(source)])
        assert result.exit_code == 2 and result.output.count("\n") == 1 and source.name in result.output


def test_a_bound_is_measured_on_the_datas_own_images_and_kept(folder, tmp_path, monkeypatch):
    observers = Model.from_pretrained("minifaces", device="cpu")
    row = next(row for row in open_rows([str(folder)], [], 0.7, "cpu") if row.redraw is not None)
    asked = []

    def redraw(images, texts, seeds):
        asked.append(len(texts))
        return images

    class Still:
        name, understand, describe = "still", row.system.understand, row.system.describe

        def sample(self, prompts, seeds):
            return torch.zeros(len(seeds), 3, 64, 64)

    row = dataclasses.replace(row, system=Still(), untrained=None, redraw=redraw)
    for _ in range(2):
        settings = {"cells_dir": tmp_path / "cached", "options": {"rows": [row]}}
        report = evaluate_systems(Request(observers, "minifaces:biased/test:40", 12, **settings))
    assert sum(asked) == 12 + 2 * 26  # once: the second report's is kept
    (bound,) = report["bounds"]
    assert bound["name"].endswith(", true embeddings") and bound["figures"]["success"] == report["renders"]["success"]
    assert bound["figures"]["success"] > report["systems"][0]["figures"]["success"]
    assert f"| {bound['name']} |" in systems_tables(report)
