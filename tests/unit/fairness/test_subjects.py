"""What an audit can look at: a function, any system, a folder of images; the same truth is found in each."""

import csv
import json

import numpy as np
import PIL.Image
import pytest
import torch
from scipy.stats import fisher_exact

from styleT2I.attributes.prompt import Prompt
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.errors import ConfigError, DataError
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.run import Audit
from styleT2I.fairness.subjects.base import as_subject
from styleT2I.fairness.subjects.functions import CallableSubject
from styleT2I.fairness.subjects.images import ImagesSubject
from styleT2I.fairness.subjects.user_functions import EntryPoint, load_entry_point
from styleT2I.generation.adjustment import AdjustmentConfig
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.systems.interface import StyleT2ISystem
from styleT2I.statistics.intervals import newcombe_interval
from styleT2I.torch_utils.images import save_png
from tests.fake_faces import PLAN, SEXES, draw
from tests.tiny_model import tiny_judge, write_tiny, write_tiny_model

VOCABULARY = load_vocabulary("minifaces")
TRUTH = {"both": 10, "only_first": 8, "only_second": 0, "neither": 2}


def plan(**changes):
    return from_dict(AuditPlan, {**PLAN, **changes})


def audited(subject, outdir, **changes):
    audit = Audit(plan(**changes), VOCABULARY, subject, device="cpu")
    audit.run(outdir)
    return audit.result(outdir).to_json()


class FakeSystem:
    """A systems.TextToImage that draws the fake faces."""

    name, resolution = "fake", 8

    def understand(self, text, *, strict=False):
        return Prompt(text, {}, ())

    def sample(self, prompts, seeds):
        images = [torch.from_numpy(draw(one.text, seed)) for one, seed in zip(prompts, seeds, strict=True)]
        return torch.stack(images).permute(0, 3, 1, 2) / 127.5 - 1

    def describe(self):
        return {"name": self.name, "components": {"all": "0" * 64}}


def write_images(folder, num=20, with_seeds=True, by="prompt"):
    """The fake faces as PNG files with a table of them."""
    folder.mkdir(parents=True)
    sentences = plan().sentences_of(VOCABULARY)
    with open(folder.parent / "prompts.csv", "w", newline="") as f:
        table = csv.writer(f)
        table.writerow(["file", by, "seed"])
        for name, text in sentences.items():
            for seed in range(num):
                file = f"{name.partition('+')[0]}{seed}.png"
                PIL.Image.fromarray(draw(text, seed)).save(folder / file)
                said = f"  {text.capitalize()}." if by == "prompt" else name
                table.writerow([file, said, seed if with_seeds else ""])
    return ImagesSubject(folder, folder.parent / "prompts.csv")


@pytest.mark.parametrize("kind", ["callable", "system", "images", "images by composition"])
def test_the_truth_is_found_whatever_drew_it_and_pairs_are_those_of_a_seed(kind, tmp_path):
    if kind.startswith("images"):
        subject = write_images(tmp_path / "images", by="composition" if "by" in kind else "prompt")
    else:
        subject = draw if kind == "callable" else FakeSystem()
    result = audited(subject, tmp_path / "out")
    (lipstick,) = result["comparisons"]
    assert (lipstick["design"], lipstick["pairs"], lipstick["gap"]) == ("paired", TRUTH, 0.4)
    assert [cell["undetermined"] for cell in result["cells"]] == [2, 2]
    assert result["subject"] == {"kind": kind.split()[0], "is_paired": True, "has_settings": False}
    assert list(result["summary"]) == ["as drawn"] and all(cell["drift"] == {} for cell in result["cells"])
    assert result["num"] == 20 and len(result["judge"]["sha256"]) == 64
    assert all(len(sha256) == 64 for sha256 in result["model"]["components"].values())
    sheets = [json.loads(path.read_text())["sheet"] for path in sorted((tmp_path / "out/cells").glob("*.json"))]
    assert sorted(row["seeds"][:2] for sheet in sheets for row in sheet["rows"]) == [
        [0, 1], [0, 2], [1, 3], [9, 19], [9, 19]
    ]  # fmt: skip


def test_images_without_seeds_are_two_samples(tmp_path):
    result = audited(write_images(tmp_path / "images", with_seeds=False), tmp_path / "out")
    (lipstick,) = result["comparisons"]
    assert lipstick["design"] == "unpaired" and set(lipstick["pairs"].values()) == {None}
    assert lipstick["success"] == [0.9, 0.5] and lipstick["gap"] == pytest.approx(0.4)
    assert lipstick["gap_interval"] == list(newcombe_interval(18, 20, 10, 20))
    assert lipstick["p"] == pytest.approx(fisher_exact([[18, 2], [10, 10]]).pvalue)
    assert any("not paired" in limit for limit in result["limits"])


def test_compositions_of_different_numbers_are_two_samples_and_said(tmp_path):
    write_images(tmp_path / "images", num=3)
    table = (tmp_path / "prompts.csv").read_text().splitlines()
    (tmp_path / "prompts.csv").write_text("\n".join(table[:-1]))
    file = table[-1].partition(",")[0]
    (tmp_path / "images" / file).unlink()
    with pytest.warns(UserWarning, match="do not have the same seeds throughout"):
        result = audited(ImagesSubject(tmp_path / "images", tmp_path / "prompts.csv"), tmp_path / "out")
    assert result["num"] == 2 and [cell["num"] for cell in result["cells"]] == [3, 2]
    assert "Compositions have from 2 to 3 images." in result["limits"]
    assert result["comparisons"][0]["gap"] == pytest.approx(0.5)


def test_words_that_a_system_does_not_know_are_a_warning():
    class Deaf(FakeSystem):
        def understand(self, text, *, strict=False):
            return Prompt(text, {}, (f'the word "{text.split()[-1]}" is not known to this model',))

    with pytest.warns(UserWarning, match='the word "lipstick" is not known'):
        Audit(plan(), VOCABULARY, Deaf(), device="cpu")


def test_settings_that_a_system_does_not_have_are_left_out_and_recorded(tmp_path):
    with pytest.warns(UserWarning, match="the plan's 2 settings are replaced by one"):
        result = audited(FakeSystem(), tmp_path, truncation=[0.7, 0.5])
    assert result["settings_left_out"] == ["psi 0.7, hold, strength 1", "psi 0.5, hold, strength 1"]
    assert result["plan"]["truncation"] == [0.7, 0.5] and len(result["cells"]) == 2


class Counted:
    """A function under audit that counts its calls, and is killed at the one named."""

    def __init__(self, killed_at=None):
        self.calls, self.killed_at = [], killed_at

    def __call__(self, prompt, seed):
        if len(self.calls) == self.killed_at:
            raise KeyboardInterrupt
        self.calls.append((prompt, seed))
        return draw(prompt, seed)


def test_a_killed_audit_goes_on_without_drawing_a_finished_image_again(tmp_path):
    def subject(counted, sha256="1" * 64):
        return CallableSubject(EntryPoint("counted", counted, sha256))

    whole = audited(subject(Counted()), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        audited(subject(Counted(killed_at=30)), tmp_path / "out")
    rest = Counted()
    assert audited(subject(rest), tmp_path / "out") == whole
    assert [seed for _, seed in rest.calls] == list(range(10, 20))
    kept, expected = (sorted((tmp_path / name / "cells").iterdir()) for name in ("out", "whole"))
    assert [path.name for path in kept] == [path.name for path in expected]
    assert [path.read_bytes() for path in kept] == [path.read_bytes() for path in expected]
    for sha256, num_calls in (("2" * 64, 40), (None, 40)):  # other code, and code of no file
        again = Counted()
        audited(subject(again, sha256), tmp_path / "out")
        assert len(again.calls) == num_calls


def test_sentences_of_the_plan_are_what_is_said(tmp_path):
    counted = Counted()
    audited(counted, tmp_path, num=1, sentences={"she+lipstick": "photo of a woman, lipstick"})
    assert [prompt for prompt, _ in counted.calls] == ["photo of a woman, lipstick", "a man who wears lipstick"]


def test_a_image_may_come_as_pil_numpy_or_torch_and_is_cut_to_its_square():
    array = np.arange(6 * 4 * 3, dtype=np.uint8).reshape(6, 4, 3)
    cell = type("Cell", (), {"sentence": "a man"})
    for found in (array, PIL.Image.fromarray(array), torch.from_numpy(array).permute(2, 0, 1)):
        (image,) = CallableSubject.of(lambda prompt, seed, found=found: found).images(cell, [3])
        assert image.permute(1, 2, 0).tolist() == array[1:5].tolist()


@pytest.mark.parametrize(
    "found, message",
    [
        (None, "returned a NoneType for 'a man' with seed 3; return a PIL image"),
        (np.zeros((4, 4, 3)), "ndarray of float64"),
        (torch.zeros(3, 4, 4), "Tensor of float32"),
        (np.zeros((4, 4), np.uint8), r"shape \[4, 4\]"),
        (torch.zeros(4, 4, 3, dtype=torch.uint8), r"shape \[4, 4, 3\]"),
        (np.zeros((0, 4, 3), np.uint8), r"shape \[0, 4, 3\]"),
    ],
)
def test_what_is_no_image_is_one_line(found, message):
    cell = type("Cell", (), {"sentence": "a man"})
    with pytest.raises(DataError, match=message) as caught:
        CallableSubject.of(lambda prompt, seed: found).images(cell, [3])
    assert "\n" not in str(caught.value)


def test_an_error_inside_the_function_is_one_line_that_names_sentence_and_seed():
    subject = CallableSubject("tests.fake_faces:fail")
    with pytest.raises(DataError, match="fail: failed on 'a man' with seed 3: RuntimeError: no more memory"):
        subject.images(type("Cell", (), {"sentence": "a man"}), [3])


@pytest.mark.parametrize(
    "text, message",
    [
        ("draw", "names no function"),
        ("tests.fake_faces:", "names no function"),
        ("tests.no_such:draw", "cannot import tests.no_such: ModuleNotFoundError"),
        ("tests.fake_faces:drew", "did you mean 'draw'"),
        ("tests.fake_faces:not_a_function", "is a int and cannot be called"),
    ],
)
def test_a_function_that_is_not_there_is_one_line(text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        load_entry_point(text)
    assert "\n" not in str(caught.value)


def test_what_cannot_be_audited_is_refused():
    with pytest.raises(ConfigError, match="a int cannot be audited"):
        as_subject(3)


GOOD = "file,prompt,seed\na.png,a man who wears lipstick,0\nb.png,a woman who wears lipstick,0\n"
BAD_TABLES = [
    ("", "lists no image"),
    ("file,prompt,seed\n", "lists no image"),
    ("name,prompt\na.png,x\n", "needs file, and prompt or composition"),
    ("file,seed\na.png,1\n", "needs file, and prompt or composition"),
    ("file,file,prompt\na.png,a.png,x\n", "names a column twice"),
    (GOOD + "c.png,a man who wears lipstick,1\n", "lists 'c.png', which is not in"),
    ("file,prompt\na.png,a man who wears lipstick\n", "has 'b.png', which .*does not list"),
    (GOOD + "a.png,a man who wears lipstick,1\n", "line 4: lists 'a.png' again, after line 2"),
    (GOOD + f"{'c' * 300}.png,a man who wears lipstick,1\n", "lists 'ccc"),
    (GOOD.replace("a.png", "../a.png"), "line 2: '../a.png' is not a file below"),
    (GOOD.replace("a.png", "/etc/passwd"), "line 2: '/etc/passwd' is not a file below"),
    (GOOD.replace("lipstick,0", "lipstick,-1", 1), "line 2: the seed '-1' is not an integer"),
    (GOOD.replace("lipstick,0", "lipstick,9999999999999999999", 1), "is not an integer from 0"),
    (GOOD.replace("lipstick,0", "lipstick,0,1", 1), "line 2: has 4 fields in place of 3"),
    (
        GOOD.replace("a man who", "a dog that"),
        "line 2: 'a dog that wears lipstick' is not the sentence of any composition",
    ),
    (GOOD.replace("a woman", "a man"), "has seed 0 of 'he\\+lipstick' twice|has no image of 'she\\+lipstick'"),
    ("file,composition\na.png,he+lipstick\nb.png,he+hat\n", "line 3: the plan declares no composition 'he\\+hat'"),
    ("file,composition\na.png,he+lipstick\nb.png,she+lipstik\n", "line 3: unknown attribute 'lipstik'"),
    ('file,prompt\na.png,"a man\n', "not a CSV file"),
    (b"file,prompt\na.png,\xff\n", "not a CSV file in UTF-8"),
]


@pytest.mark.parametrize("table, message", BAD_TABLES)
def test_a_table_that_does_not_fit_the_images_or_the_plan_is_one_line(table, message, tmp_path):
    (tmp_path / "images").mkdir()
    for name in ("a", "b"):
        PIL.Image.fromarray(draw("", 0)).save(tmp_path / f"images/{name}.png")
    path = tmp_path / "prompts.csv"
    path.write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(DataError, match=message) as caught:
        ImagesSubject(tmp_path / "images", path).prepare(plan(), VOCABULARY)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_image_is_named_before_anything_is_judged(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_text("not an image")
    (tmp_path / "prompts.csv").write_text("file,composition\na.png,he+lipstick\n")
    with pytest.raises(DataError, match="a.png: not a"):
        ImagesSubject(tmp_path / "images", tmp_path / "prompts.csv")


def test_other_images_and_other_words_have_other_hashes(tmp_path):
    first = write_images(tmp_path / "a/images", num=2).describe()["components"]
    assert write_images(tmp_path / "b/images", num=2).describe()["components"] == first
    PIL.Image.fromarray(draw("a woman", 9)).save(tmp_path / "b/images/he0.png")
    other = ImagesSubject(tmp_path / "b/images", tmp_path / "b/prompts.csv").describe()["components"]
    assert other["images"] != first["images"] and other["prompts"] == first["prompts"]
    assert SEXES == tuple(plan().cells(VOCABULARY))


def test_the_same_images_through_any_door_have_the_same_outcomes(tmp_path):
    """A model is audited itself, as a system, as a function, and by the files that it wrote."""
    pipeline = StyleT2I.from_pretrained(write_tiny_model(tmp_path / "model"), device="cpu")
    adjustment = AdjustmentConfig("paper")
    judge = {"source": str(write_tiny(tmp_path, "judge", tiny_judge(seed=7)))}
    changes = {"num": 9, "adjustment": ["paper"], "judge": judge}

    def generated(prompt, seed):
        return pipeline.generate(prompt, [seed], adjustment=adjustment).images_u8[0]

    (tmp_path / "images").mkdir()
    rows = [["file", "composition", "seed"]]
    for name, text in plan(**changes).sentences_of(VOCABULARY).items():
        for seed in range(9):
            rows.append([f"{name}{seed}.png", name, seed])
            save_png(tmp_path / "images" / rows[-1][0], generated(text, seed))
    (tmp_path / "prompts.csv").write_text("\n".join(",".join(map(str, row)) for row in rows))
    doors = {
        "model": pipeline,
        "system": StyleT2ISystem(pipeline, adjustment, 0.7),
        "function": generated,
        "images": ImagesSubject(tmp_path / "images", tmp_path / "prompts.csv"),
    }
    found = {name: audited(subject, tmp_path / name, **changes) for name, subject in doors.items()}
    of_cells = {
        name: [(cell["successes"], cell["attributes"]) for cell in result["cells"]] for name, result in found.items()
    }
    assert of_cells["system"] == of_cells["function"] == of_cells["images"] == of_cells["model"]
    pairs = [result["comparisons"][0]["pairs"] for result in found.values()]
    assert pairs[1:] == pairs[:1] * 3
    sheets = [sorted(path.read_bytes() for path in (tmp_path / name / "cells").glob("*.png")) for name in doors]
    assert sheets[1:] == sheets[:1] * 3
    assert found["model"]["cells"][0]["drift"] and not found["images"]["cells"][0]["drift"]
