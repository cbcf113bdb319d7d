"""Suite "inversion": pairs share all but their composition, differences are those of pairs, edits are fair."""

import json
import math

import pytest
import torch
from click.testing import CliRunner

from styleT2I.errors import CheckpointError, ConfigError
from styleT2I.evaluate import main
from styleT2I.evaluation.suites import Request
from styleT2I.evaluation.suites.inversion import _compared, _mean, _Measuring, check_options
from styleT2I.generation.model import Model
from tests.tiny_model import tiny_judge, write_tiny_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    observers = {"judges.heldout": tiny_judge(seed=7)}
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), onlookers=observers)


def measuring(folder, num):
    options = {"inversions": ["w"], "inversion_steps": 2}
    return _Measuring(Request(Model.from_pretrained(folder, device="cpu"), num=num, options=options))


def test_pairs_share_everything_but_what_the_composition_decides(folder):
    one = measuring(folder, 15)  # the first two of thirteen compositions have two faces
    rare, frequent = one.faces("rare"), one.faces("frequent")
    assert rare[0].shape == (15, 3, 16, 16)
    at = 0
    for index, composition in enumerate(one.compositions):
        count = 2 if index < 2 else 1
        for row in range(at, at + count):
            for name, value in composition.attributes.items():
                assert bool(rare[1][row, one.judge.attribute_names.index(name)]) == value
            for name, value in composition.twin.items():
                assert bool(frequent[1][row, one.judge.attribute_names.index(name)]) == value
        at += count
    differing = (rare[1] != frequent[1]).sum(dim=1)
    assert differing.min() >= 1 and differing.max() <= 6


def test_edits_turn_round_what_may_be_edited_and_leave_exclusive_others_out(folder):
    one = measuring(folder, 2)
    names = list(one.judge.attribute_names)
    label = torch.tensor([name in ("he", "black_hair") for name in names])
    may_edit = torch.tensor([name != "old" for name in names])
    edits = {edit.name: edit for edit in one._edits(label, may_edit)}
    assert "old" not in edits and "black_hair" not in edits  # turned off, no colour would be there
    assert edits["he"].value is False and edits["lipstick"].value and edits["gray_hair"].value
    others = {names[index] for index in edits["gray_hair"].others}
    assert not others & {"black_hair", "brown_hair", "blond_hair", "gray_hair"} and "he" in others


def test_differences_are_those_of_pairs():
    base = torch.linspace(20, 30, 12).double()
    values = {
        "frequent": {name: base for name in ("psnr", "identity", "kept", "edited", "drift", "seconds", "bytes")},
        "rare": {
            "psnr": base - 1, "identity": base, "kept": base + 1, "edited": base.roll(1), "drift": base,
            "seconds": base, "bytes": base,
        },
    }  # fmt: skip
    kept = {kind: torch.tensor([[True, True], [True, False]]) for kind in values}
    found = _compared(values, kept)
    gaps = found["rare_minus_frequent"]
    assert gaps["psnr"]["mean"] == pytest.approx(-1) and gaps["psnr"]["interval"] == pytest.approx([-1, -1])
    seen = {"psnr": "worse", "identity": "no different that is seen", "kept": "better"}
    assert found["rare_faces_are"].items() >= seen.items() and "seconds" not in gaps
    assert found["rare_faces_are"]["edited"] == "no different that is seen"
    assert found["kept_worst_attribute"] == 0.5


def test_faces_without_an_edit_are_left_out_of_the_mean():
    assert _mean(torch.tensor([1.0, math.nan, 3.0]), "x")["mean"] == 2
    assert math.isnan(_mean(torch.tensor([math.nan]), "x")["mean"])


def test_the_suite_runs_and_its_table_has_both_kinds(folder, tmp_path):
    arguments = ["--suite", "inversion", "--model", str(folder), "--num", "2", "--inversions", "w,pivotal"]
    arguments += ["--inversion-steps", "2", "--device", "cpu", "--out", str(tmp_path / "out.json")]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "out.json").read_text())["suites"]["inversion"]
    assert found["num"] == 2 and set(found["methods"]) == {"w", "pivotal"} and 0 <= found["own"]["edited"]["mean"] <= 1
    one = found["methods"]["pivotal"]
    assert one["rare"]["psnr"]["mean"] > found["methods"]["w"]["rare"]["psnr"]["mean"] - 1e-3
    gap = one["rare"]["psnr"]["mean"] - one["frequent"]["psnr"]["mean"]
    assert one["rare_minus_frequent"]["psnr"]["mean"] == pytest.approx(gap)
    assert "| pivotal | rare |" in result.output and "| none | the generator's samples |" in result.output


def test_what_cannot_be_measured_is_one_line_before_anything_is_drawn(folder):
    model = Model.from_pretrained(folder, device="cpu")
    with pytest.raises(ConfigError, match="did you mean"):
        check_options(Request(model, num=2, options={"inversions": ["w++"]}))
    with pytest.raises(CheckpointError, match="train_encoder"):
        check_options(Request(model, num=2, options={"inversions": ["encoder"]}))
