"""`audit label`: from a run that keeps a sample to a verdict that rests on two raters' answers."""

import json
import re
import shutil
import threading
import time
import urllib.request

import pytest
import yaml
from click.testing import CliRunner

from styleT2I.audit import main
from styleT2I.fairness.labels import server as label_server
from styleT2I.torch_utils.images import load_image
from tests.fake_faces import PLAN as FAKE

PLAN = {
    **FAKE, "num": 80, "labels": 40, "max_undetermined": 0.5,
    "thresholds": [{"comparison": "lipstick", "max_gap": 0.1}],
}  # fmt: skip


def audit(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def run(folder, **changes):
    path = folder / "plan.yaml"
    path.write_text(yaml.safe_dump({**PLAN, **changes}))
    return audit("run", path, "--callable", "tests.fake_faces:draw_apart", "--outdir", folder / "out")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("label")
    done = run(folder)
    assert done.exit_code == 3, done.output
    return folder


@pytest.fixture
def audited(finished, tmp_path):
    shutil.copytree(finished / "out", tmp_path / "out")
    return tmp_path / "out"


def look(image, attribute):
    """What a person sees: sex in red, lipstick in green."""
    red, green = (float(channel.float().mean()) for channel in image[:2])
    return ("no" if red > 100 else "yes") if attribute == "he" else ("yes" if green > 100 else "no")


def label(monkeypatch, folder, *arguments, answer=look):
    """Run the command while a client answers everything by the images alone, then finishes."""
    seen = {}

    class Watched(label_server.LabelServer):
        def __init__(self, *given):
            super().__init__(*given)
            seen["server"] = self

    monkeypatch.setattr(label_server, "LabelServer", Watched)

    def client():
        for _ in range(1000):
            if "server" in seen:
                break
            time.sleep(0.05)
        address = seen["server"].address

        def ask(place, body=None):
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(address + place, data, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.load(response)

        shown = ask("next")
        while "image" in shown:
            image = load_image(seen["server"].session.path_of(shown["image"]))
            answers = {each["attribute"]: answer(image, each["attribute"]) for each in shown["questions"]}
            shown = ask("answers", {"image": shown["image"], "answers": answers})
        ask("finish", {})

    thread = threading.Thread(target=client, daemon=True)
    thread.start()
    done = audit("label", folder, *arguments)
    thread.join(30)
    return done


def test_two_raters_and_a_resolver_make_the_verdict_rest_on_their_labels(audited, monkeypatch):
    images = sorted((audited / "label-images").glob("*.png"))
    assert len(images) == 80 and all(re.fullmatch(r"[0-9a-f]{16}\.png", path.name) for path in images)
    before = json.loads((audited / "audit.json").read_text())
    assert before["labels"]["reason"].startswith("0 of 2 raters") and "corrected" not in before["comparisons"][0]
    first = label(monkeypatch, audited, "--rater", "anna")
    assert first.exit_code == 0 and "80 of 80 images answered by anna" in first.stdout, first.output
    assert "1 of 2 raters have finished" in first.stdout

    def hasty(image, attribute):  # takes those of whom the judge cannot tell for women
        return "no" if attribute == "he" and float(image[2].float().mean()) > 150 else look(image, attribute)

    second = label(monkeypatch, audited, "--rater", "ben", answer=hasty)
    assert second.exit_code == 0 and second.stdout.splitlines()[-1].startswith("exceeded: "), second.output
    result = json.loads((audited / "audit.json").read_text())
    labels, (compared,) = result["labels"], result["comparisons"]
    assert labels["pairs"] == 40 and labels["images"] == 80 and labels["differing"] > 0
    assert [each["name"] for each in labels["raters"]] == ["anna", "ben"]
    assert compared["corrected"]["by"] == "labels" and "reason" not in labels
    third = label(monkeypatch, audited, "--rater", "carla", "--resolve")
    assert third.exit_code == 0, third.output
    result = json.loads((audited / "audit.json").read_text())
    assert result["labels"]["undetermined"] == 0
    low, high = result["comparisons"][0]["corrected"]["gap_interval"]
    assert low < 0.5 < high and high - low < 0.4
    page = (audited / "audit.html").read_text()
    for text in ("Labels and calibration", "Cohen&#x27;s kappa", "anna", "resolver", "rest on people&#x27;s labels"):
        assert text in page
    again = audit("report", audited)
    assert again.exit_code == 0 and json.loads((audited / "audit.json").read_text()) == result


def test_the_run_again_keeps_the_labels_and_a_changed_file_is_refused(finished, audited, monkeypatch, tmp_path):
    for rater in ("anna", "ben"):
        assert label(monkeypatch, audited, "--rater", rater).exit_code == 0
    wanted = json.loads((audited / "audit.json").read_text())["comparisons"]
    (tmp_path / "plan.yaml").write_text((finished / "plan.yaml").read_text())
    done = run(tmp_path)
    assert done.exit_code == 3, done.output
    assert json.loads((audited / "audit.json").read_text())["comparisons"] == wanted
    path = audited / "labels/ben.csv"
    path.write_text(path.read_text().replace(",yes,", ",no,", 1))
    refused = audit("label", audited, "--rater", "carla")
    assert refused.exit_code == 2 and "was changed after it was finished" in refused.output


def test_a_sample_that_is_asked_for_later_is_drawn_again_and_merged_shards_have_it(tmp_path, monkeypatch):
    assert run(tmp_path, labels=0).exit_code == 3
    refused = audit("label", tmp_path / "out", "--rater", "anna")
    assert refused.exit_code == 2 and "asks for no labels" in refused.output
    assert not (tmp_path / "out/label-images").exists()
    assert run(tmp_path).exit_code == 3
    assert len(list((tmp_path / "out/label-images").iterdir())) == 80
    next((tmp_path / "out/label-images").iterdir()).unlink()
    gone = audit("label", tmp_path / "out", "--rater", "anna")
    assert gone.exit_code == 2 and "an image to label is missing" in gone.output
    assert run(tmp_path).exit_code == 3
    plan, parts = tmp_path / "plan.yaml", [tmp_path / "a", tmp_path / "b"]
    for index, part in enumerate(parts, 1):
        part_of = "--shard", f"{index}/2", "--outdir", part
        assert audit("run", plan, "--callable", "tests.fake_faces:draw_apart", *part_of).exit_code == 0
    assert audit("merge", plan, *parts, "--outdir", tmp_path / "whole").exit_code == 3
    names = [{path.name for path in (tmp_path / name / "label-images").iterdir()} for name in ("whole", "out")]
    assert names[0] == names[1]
    for rater in ("anna", "ben"):
        assert label(monkeypatch, tmp_path / "whole", "--rater", rater).exit_code == 0
    wanted = json.loads((tmp_path / "whole/audit.json").read_text())["comparisons"]
    assert wanted[0]["corrected"]["by"] == "labels"
    assert audit("merge", plan, *parts, "--outdir", tmp_path / "whole").exit_code == 3
    assert json.loads((tmp_path / "whole/audit.json").read_text())["comparisons"] == wanted


def test_the_number_of_labels_is_planned(tmp_path):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({**PLAN, "num": 400, "labels": 100}))
    said = audit("plan", path, "--label-width", "0.05", "--correlation", "0.4")
    assert said.exit_code == 0 and "label about 207 of 400 pairs" in said.stdout, said.output
    assert "unprompted" not in said.stdout
    unprompted = [{"prompt": "lipstick", "attribute": "he", "max_share": 0.2}]
    (tmp_path / "open.yaml").write_text(yaml.safe_dump({**PLAN, "num": 400, "unprompted": unprompted}))
    said = audit("plan", tmp_path / "open.yaml", "--label-width", "0.05", "--correlation", "0.4")
    assert said.exit_code == 0 and "images of each unprompted sentence" in said.stdout, said.output
    for arguments, message in (
        ((path, "--label-width", "0.001"), "even labels of all 400 pairs"),
        ((path, "--label-width", "2"), "half width"),
        ((path, "--label-width", "0.05", "--judge-accuracy", "0.2"), "accuracy"),
        (("--detect", "0.9", "0.8", "--label-width", "0.05"), "give PLAN.yaml"),
    ):
        refused = audit("plan", *arguments)
        assert refused.exit_code == 2 and message in refused.output and refused.output.count("error:") == 1
