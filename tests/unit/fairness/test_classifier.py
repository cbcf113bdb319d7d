"""Audit of a classifier on edited faces, in a world of colours where every edit, drift and answer is known."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from scipy.stats import binomtest

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.errors import ConfigError, DataError, StyleT2IError
from styleT2I.fairness import run as run_module
from styleT2I.fairness.classifier.scoring import open_classifier
from styleT2I.fairness.classifier.spec import ClassifierPlan
from styleT2I.fairness.classifier.subject import EditedFaces
from styleT2I.fairness.plan import AuditPlan, checked_plan
from styleT2I.fairness.report.page import read_result, render, write_report
from styleT2I.fairness.run import Audit
from styleT2I.statistics.intervals import wilson_interval
from styleT2I.torch_utils.files import sha256_file
from tests.onnx_file import mean_colour_network
from tests.unit.fairness.report.test_report import Page

VOCABULARY = load_vocabulary("minifaces")
HERE = "tests.unit.fairness.test_classifier"
NUM = 200
PLAN = {
    "name": "smiles",
    "num": NUM,
    "floor": 0.0,
    "classifier": {"source": f"{HERE}:answers", "target": "smiling", "threshold": 0.5},
    "compositions": ["pale_skin", "dark_skin"],
    "comparisons": [{"name": "skin", "first": "pale_skin", "second": "dark_skin"}],
    "thresholds": [{"comparison": "skin", "max_gap": 0.1, "max_flips": 0.1}],
    "judge": {"kind": "python", "source": f"{HERE}:judge"},
}
FAILS = 10  # every tenth face, from 3, stays dark whatever is edited
DRIFTS = 40  # every fortieth face, from 5, smiles on dark skin only


class Colours:
    """A pipeline whose faces are colours: red is dark skin, green a smile, the first row of blue the seed."""

    def edit(self, seeds, strengths, truncation_psi):
        def face(seed, dark):
            dark = True if seed % FAILS == 3 % FAILS else dark
            smile = seed % 2 == 0 or (seed % DRIFTS == 5 and dark)
            image = torch.zeros(3, 8, 8, dtype=torch.uint8)
            image[0], image[1], image[2, 0] = 200 * dark, 200 * smile, seed % 256
            return image

        edited = torch.stack([face(seed, strengths["dark_skin"] > 0) for seed in seeds])
        return SimpleNamespace(images_u8=edited, unedited_u8=torch.stack([face(seed, False) for seed in seeds]))


def judge(images):
    return {"dark_skin": images[:, 0, 0, 0] / 100.0 - 1, "smiling": images[:, 0, 0, 1] / 100.0 - 1}


def answers(images):
    """Sees every smile."""
    return {"smiling": images[:, 0, 0, 1] / 200.0}


def biased(images):
    """Misses the smiles on dark skin of faces whose seeds are multiples of 4."""
    is_missed = (images[:, 0, 0, 0] > 0) & (images[:, 0, 0, 2] % 4 == 0)
    return {"smiling": np.where(is_missed, 0.0, images[:, 0, 0, 1] / 200.0)}


def embedding(images):
    """Skin turns the vector away by a right angle."""
    return np.stack([images[:, 0, 0, 0] > 0, images[:, 0, 0, 0] == 0], axis=1).astype(np.float32)


def not_an_embedding(images):
    return images[:1]


@pytest.fixture
def audited(monkeypatch, tmp_path):
    class Faces(EditedFaces):
        def __init__(self, model, plan):
            model = SimpleNamespace(
                name="colours", has=lambda role: False, describe=lambda: {"components": {"generator": "a" * 64}}
            )
            self.model, self.pipeline, self.plan, self._last = model, Colours(), plan, None
            self.classifier = open_classifier(plan)

        def prepare(self, plan, vocabulary):
            pass

        def describe(self):
            return EditedFaces.describe(self)

    monkeypatch.setattr(run_module, "EditedFaces", Faces)

    def run(**changes):
        plan = checked_plan(from_dict(AuditPlan, {**PLAN, **changes}), VOCABULARY)
        audit = Audit(plan, VOCABULARY, None, device="cpu")
        audit.run(tmp_path)
        return audit.result(tmp_path)

    return run


def test_pairs_whose_edit_failed_are_left_out_and_those_that_drifted_are_undetermined(audited):
    (row,) = audited().edits.rows
    kept = [seed for seed in range(NUM) if seed % FAILS != 3]
    moved = [seed for seed in kept if seed % DRIFTS == 5]
    assert (row["faces"], row["left_out"]) == (NUM, NUM - len(kept)) and len(moved) == 5
    assert row["changed_by_the_edit"] == len(moved) / len(kept)
    assert row["changed_by_the_edit_interval"] == pytest.approx(wilson_interval(len(moved), len(kept)))
    assert row["flips"] == 0.0


def test_a_fair_classifier_is_within_though_its_answer_follows_the_drift(audited):
    result = audited()
    assert [(each.kind, each.verdict) for each in result.thresholds] == [("max_gap", "within"), ("max_flips", "within")]
    assert [cell.num for cell in result.cells] == [180, 180] and [cell.undetermined for cell in result.cells] == [5, 5]
    low, high = result.thresholds[0].interval
    assert low < -5 / 180 and high > 5 / 180  # both extremes of the faces that drifted


def test_a_biased_classifier_is_found_with_the_flips_that_were_made(audited):
    result = audited(classifier={**PLAN["classifier"], "source": f"{HERE}:biased"})
    kept = [seed for seed in range(NUM) if seed % FAILS != 3]
    lost = sum(seed % 4 == 0 for seed in kept)
    (compared,) = result.comparisons
    assert (compared.pairs.only_first, compared.pairs.only_second) == (lost, 0)
    assert compared.gap == pytest.approx(lost / len(kept))
    assert compared.p == pytest.approx(binomtest(lost, lost, 0.5).pvalue, rel=1e-6)
    assert [each.verdict for each in result.thresholds] == ["exceeded", "exceeded"]
    text = Page(render(result, {})).text
    assert "The same faces are called “smiling” in" in text and "as people with pale skin" in text
    assert f"{lost} of {len(kept)} faces are answered differently" in text
    assert "Fairness audit of a face classifier" in text and "Edits of the faces" in text


def test_an_edit_that_changes_what_is_asked_decides_nothing(audited, monkeypatch):
    """The judge sees a third of the smiles go with the skin: neither within nor exceeded is shown, whatever is said."""
    monkeypatch.setattr(f"{HERE}.DRIFTS", 2)
    monkeypatch.setattr(f"{HERE}.Colours.edit", _drifting)
    for source in ("answers", "biased"):
        result = audited(classifier={**PLAN["classifier"], "source": f"{HERE}:{source}"})
        assert {each.verdict for each in result.thresholds} == {"not decided"}


def _drifting(self, seeds, strengths, truncation_psi):
    dark = strengths["dark_skin"] > 0
    images = torch.zeros(len(seeds), 3, 8, 8, dtype=torch.uint8)
    for image, seed in zip(images, seeds, strict=True):
        image[0], image[1], image[2, 0] = 200 * dark, 200 * (not dark or seed % 3 > 0), seed % 256
    return SimpleNamespace(images_u8=images, unedited_u8=images)


def test_where_all_edits_fail_it_is_said(audited, monkeypatch):
    monkeypatch.setattr(f"{HERE}.FAILS", 1)
    with pytest.raises(DataError, match="the edits of comparison 'skin' took on none of 200 faces"):
        audited()


def test_another_threshold_or_target_is_another_audit_in_the_same_folder(audited):
    assert audited().cells[0].success > 0.4
    assert audited(classifier={**PLAN["classifier"], "threshold": 2.0}).cells[0].success == 0.0


def test_where_few_edits_take_nothing_is_decided(audited, monkeypatch):
    monkeypatch.setattr("styleT2I.fairness.classifier.pairs.LEAST_PAIRS", 0.95)  # 90 % do
    result = audited(classifier={**PLAN["classifier"], "source": f"{HERE}:biased"})
    assert {each.verdict for each in result.thresholds} == {"not decided"}


def test_an_embedding_is_asked_whether_the_edited_face_is_the_same(audited):
    chosen = {"kind": "embedding", "source": f"{HERE}:embedding", "threshold": 0.5}
    result = audited(classifier=chosen)
    rates = {cell.cell: cell.success for cell in result.cells}
    assert rates["pale_skin"] > 0.9 and rates["dark_skin"] == 0.0  # unedited faces are pale
    assert result.thresholds[0].verdict == "exceeded"


def test_the_result_is_read_back_and_written_again(audited, tmp_path):
    result = audited()
    page = write_report(result, tmp_path, [tmp_path]).read_text(encoding="utf-8")
    again = read_result(tmp_path)
    assert again == result and again.edits == result.edits and len(again.frame()) == 2 * NUM * 2
    assert write_report(again, tmp_path, [tmp_path]).read_text(encoding="utf-8") == page


MEANS = {"attributes": ["dark", "smiling", "seed"], "size": 8}  # the mean of each colour, divided by 255


@pytest.fixture
def means(tmp_path):
    """An ONNX file whose columns are the means of red, green and blue, with its description beside it."""
    pytest.importorskip("onnxruntime")
    path = tmp_path / "classifier" / "means.onnx"
    path.parent.mkdir()
    path.write_bytes(mean_colour_network(8))
    path.with_suffix(".yaml").write_text(yaml.safe_dump(MEANS))
    return path


def by_onnx(path, **changes):
    return {"kind": "onnx", "source": str(path), "target": "smiling", "threshold": 0.5, **changes}


def test_an_onnx_file_is_audited_with_the_answers_of_the_same_function_and_known_by_its_hash(audited, means):
    by_function, by_file = audited(), audited(classifier=by_onnx(means))
    assert by_file.comparisons == by_function.comparisons and by_file.thresholds == by_function.thresholds
    assert [each.verdict for each in by_file.thresholds] == ["within", "within"]
    hashes = [each.provenance.model["components"]["classifier"] for each in (by_file, by_function)]
    assert hashes[0] == sha256_file(means) != hashes[1]
    turned = {**MEANS, "channels": "BGR", "attributes": ["seed", "smiling", "dark"]}
    assert audited(classifier=by_onnx(means, onnx=turned)).comparisons == by_function.comparisons


def test_an_onnx_file_that_answers_by_the_skin_is_found_biased_on_every_face(audited, means):
    result = audited(classifier=by_onnx(means, target="dark"))
    rates = {cell.cell: cell.success for cell in result.cells}
    assert rates == {"pale_skin": 0.0, "dark_skin": 175 / 180}  # the edit's own drift leaves 5 undetermined
    assert [each.verdict for each in result.thresholds] == ["exceeded", "exceeded"]


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"onnx": {**MEANS, "size": 16}}, r"means.onnx: does not take \[2, 3, 16, 16\], as its size and layout are"),
        ({"onnx": {**MEANS, "layout": "NHWC"}}, r"means.onnx: does not take \[2, 8, 8, 3\]"),
        (
            {"onnx": {**MEANS, "attributes": ["dark", "smiling"]}},
            r"returned \[2, 3, 1, 1\] numbers instead of \[2, 2\]",
        ),
        ({"onnx": {**MEANS, "output": "logits"}}, "has no output 'logits'; it has means"),
        ({"target": "smile"}, "has no column 'smile'; did you mean 'smiling'"),
    ],
)
def test_an_onnx_file_that_does_not_fit_is_one_line_before_any_face(means, changes, said):
    with pytest.raises(StyleT2IError, match=said) as caught:
        open_classifier(from_dict(ClassifierPlan, by_onnx(means, **changes)))
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_onnx_file_gone_or_not_described_is_one_line(means):
    plan = from_dict(ClassifierPlan, by_onnx(means))

    def refusal():
        with pytest.raises(StyleT2IError) as caught:
            open_classifier(plan)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    means.write_bytes(b"not ONNX")
    assert "not an ONNX file that can be run" in refusal()
    means.with_suffix(".yaml").unlink()
    assert "write classifier.onnx in the plan, or means.yaml beside it" in refusal()
    means.with_suffix(".yaml").write_text(yaml.safe_dump(MEANS))
    means.unlink()
    assert "no such file; a classifier of kind onnx is an ONNX file" in refusal()


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"classifier": {"source": ""}}, "classifier needs a source"),
        ({"classifier": {**PLAN["classifier"], "strength": 0}}, "classifier.strength is 0"),
        ({"classifier": {**PLAN["classifier"], "truncation_psi": 3}}, "classifier.truncation_psi is 3"),
        ({"unprompted": [{"prompt": "hat", "attribute": "he"}]}, "unprompted does not apply to a classifier"),
        ({"compositions": ["pale_skin", "dark_skin", "he"]}, "'he' is in no comparison"),
        ({"classifier": None}, "the plan has no classifier"),
        ({"compositions": ["pale_skin", "she+dark_skin"],
          "comparisons": [{"name": "skin", "first": "pale_skin", "second": "she+dark_skin"}]}, "more than one"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_audited_is_one_line(changes, said):
    with pytest.raises(ConfigError, match=said) as caught:
        checked_plan(from_dict(AuditPlan, {**PLAN, **changes}), VOCABULARY)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "plan, said",
    [
        (ClassifierPlan(f"{HERE}:answers", "smile"), "has no column 'smile'"),
        (ClassifierPlan(f"{HERE}:nothing", "smiling"), "has no 'nothing'"),
        (ClassifierPlan(f"{HERE}:not_an_embedding", kind="embedding"), r"for 2 faces; return \[N, D\]"),
    ],
)
def test_a_classifier_that_cannot_be_asked_is_one_line(plan, said):
    with pytest.raises(ConfigError, match=said) as caught:
        open_classifier(plan)
    assert "\n" not in str(caught.value)


def test_only_a_model_draws_faces_to_edit():
    plan = checked_plan(from_dict(AuditPlan, PLAN), VOCABULARY)
    with pytest.raises(ConfigError, match="edits faces of a StyleT2I model"):
        Audit(plan, VOCABULARY, lambda prompt, seed: None, device="cpu")
