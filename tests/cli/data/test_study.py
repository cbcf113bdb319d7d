"""`python -m styleT2I.study`: a form of random sides that tells nothing, and the count of what people answered."""

import csv
import json

import pytest
from click.testing import CliRunner

from styleT2I.study import main
from tests.tiny_model import write_tiny_model


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    write_tiny_model(folder / "model")
    result = invoke("export", "--model", folder / "model", "--data", "minifaces:biased/test:12", "--num", 12,
                    "--device", "cpu", "--outdir", folder / "out")  # fmt: skip
    assert result.exit_code == 0 and "12 pairs in" in result.output, result.output
    return folder / "out"


def test_every_pair_has_both_systems_once_on_sides_of_chance(study):
    key = rows_of(study / "key.csv")
    assert sorted(int(row["caption_index"]) for row in key) == list(range(12))
    assert [int(row["caption_index"]) for row in key] != list(range(12))
    assert all({row["left"], row["right"]} == {"paper", "none"} for row in key)
    assert 0 < sum(row["left"] == "paper" for row in key) < 12
    assert len(list(study.glob("*-left.png"))) == len(list(study.glob("*-right.png"))) == 12


def test_the_form_loads_nothing_and_does_not_tell_the_systems(study):
    page = (study / "index.html").read_text()
    key = rows_of(study / "key.csv")
    assert all(row["caption"] in page.replace("&#x27;", "'") for row in key)
    assert page.count('type="radio"') == 12 * 2 * 3 and "http://" not in page and "https://" not in page
    assert "paper" not in page and "none" in page  # "none": an answer


def write_answers(path, study, answer):
    rows = [("participant", "pair", "question", "answer")]
    for row in rows_of(study / "key.csv"):
        rows += [("anna", row["pair"], question, answer(row, question)) for question in ("fits", "real")]
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return path


def test_the_count_knows_which_side_was_whose(study, tmp_path):
    def prefers(row, question):
        wanted = "paper" if question == "fits" else "none"
        if row["pair"] in ("001", "002") and question == "real":
            return ("none", "")[row["pair"] == "002"]
        return "left" if row["left"] == wanted else "right"

    answers = write_answers(tmp_path / "answers.csv", study, prefers)
    result = invoke("tally", answers, "--key", study / "key.csv", "--out", tmp_path / "tally.json")
    assert result.exit_code == 0 and "Which image fits" in result.output, result.output
    found = json.loads((tmp_path / "tally.json").read_text())
    systems = found["fits"]["systems"]
    assert found["fits"]["wins"][systems.index("paper")] == 12 and found["fits"]["ties"] == 0
    assert found["fits"]["p"] == pytest.approx(2 * 0.5**12)
    assert found["real"]["wins"][systems.index("none")] == 10 and found["real"]["ties"] == 1
    assert found["real"]["participants"] == 1


def test_what_cannot_be_counted_or_asked_is_refused_in_one_line(study, tmp_path):
    wrong = write_answers(tmp_path / "wrong.csv", study, lambda row, question: "middle")
    result = invoke("tally", wrong, "--key", study / "key.csv")
    assert result.exit_code == 2 and "line 2, '001,fits,middle': no such pair" in result.output
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    assert "not a table with columns" in invoke("tally", wrong, "--key", tmp_path / "other.csv").output
    write_tiny_model(tmp_path / "model", without=("a2d",))
    result = invoke(
        "export", "--model", tmp_path / "model", "--data", "minifaces:biased/test:4", "--outdir", tmp_path / "x"
    )
    assert result.exit_code == 2 and "nothing to compare; add --against" in result.output
    assert not (tmp_path / "x").exists()
