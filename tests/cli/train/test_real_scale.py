"""The whole way at the size of real weights, from files to an audit: a 256-px config-f generator, a ViT-B/32, random.

`python -m pytest -m slow -s tests/cli/train/test_real_scale.py` prints seconds and memory of each command; about ten
minutes on two cores, 6 GB of memory and 9 GB of disk.
"""

import json
import os
import subprocess
import sys
import time

import pytest
import yaml

from styleT2I.torch_utils import extensions
from tests.conftest import ROOT
from tests.real_scale import WITHOUT_VECTOR, write_all

pytestmark = pytest.mark.slow

ATTRIBUTES = ("Male", "Wearing_Lipstick", "Wearing_Hat")
GB = 2**30


class Run:
    """A command in a process of its own, what it said and what it took."""

    def __init__(self, tmp_path, module, *arguments):
        command = [sys.executable, "-m", f"styleT2I.{module}", *map(str, arguments)]
        # One thread: those that wait for each other on a busy machine count as processor seconds too.
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "STYLET2I_CACHE": str(tmp_path / "cache"),
                       "TORCH_EXTENSIONS_DIR": str(extensions.cache_dir())}  # fmt: skip
        start, log = time.monotonic(), tmp_path / f"{module}.log"
        with open(log, "w") as output:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
            _, status, usage = os.wait4(process.pid, 0)
        self.said, self.status = log.read_text(), os.waitstatus_to_exitcode(status)
        self.cpu, self.peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024
        wall = time.monotonic() - start
        print(f"\n{module:14s} {wall:5.0f} s wall, {self.cpu:5.0f} processor seconds, {self.peak / 1e9:.1f} GB", end="")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a command that must succeed without a traceback."""
    folder = tmp_path_factory.mktemp("runs")

    def run(module, *arguments):
        done = Run(folder, module, *arguments)
        assert done.status == 0 and "Traceback" not in done.said, done.said
        return done

    return run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def parts(files, run, tmp_path_factory):
    """The foreign files as components."""
    folder = tmp_path_factory.mktemp("parts")
    for source, name in (("ffhq256.pkl", "generator"), ("ViT-B-32.pt", "clip")):
        done = run("convert", files / source, folder / f"{name}.json")
        assert f"{name}.json" in done.said and done.cpu < 60
    config = json.loads((folder / "clip.json").read_text())["config"]
    assert (config["name"], config["quick_gelu"], config["model"]["embed_dim"]) == ("ViT-B-32", True, 512)
    assert json.loads((folder / "generator.json").read_text())["config"]["resolution"] == 256
    return ("--generator", folder / "generator.json", "--clip", folder / "clip.json")


@pytest.fixture(scope="module")
def t2d(files, parts, run, tmp_path_factory):
    """Two steps of the paper's training, the batch in parts, after being told what all of it takes."""
    outdir = tmp_path_factory.mktemp("t2d")
    done = run("train_t2d", "--preset", "celebahq", *parts, "--data", files / "faces", "--glove", files / "vectors.txt",
               "--batch", 4, "--micro-batch", 2, "--steps", 2, "--device", "cpu", "--outdir", outdir)  # fmt: skip
    assert "2 steps of 4 take about" in done.said and "GB of memory" in done.said and "GB of disk" in done.said
    named = [word for word in WITHOUT_VECTOR if repr(word) in done.said]
    assert named == list(WITHOUT_VECTOR) and "are not read" in done.said
    made = json.loads((outdir / "t2d.json").read_text())
    assert made["info"]["vocabulary"] == "celeba" and made["config"]["hidden_dim"] == 7168
    assert {"mustache", "pale"} <= set(made["config"]["text_encoder"]["words"])  # which no caption has
    assert done.peak < 6 * GB
    return outdir / "t2d.json"


@pytest.fixture(scope="module")
def a2d(files, parts, run, tmp_path_factory):
    outdir = tmp_path_factory.mktemp("a2d")
    done = run("train_a2d", "--preset", "celebahq", *parts, "--segmenter", files / "masks", "--glove",
               files / "vectors.txt", "--attributes", ",".join(ATTRIBUTES), "--batch", 2, "--micro-batch", 1,
               "--steps", 1, "--device", "cpu", "--outdir", outdir)  # fmt: skip
    assert "1 steps of 2 take about" in done.said and "edits are not calibrated" in done.said
    assert json.loads((outdir / "a2d.json").read_text())["info"]["attributes"] == list(ATTRIBUTES)
    assert done.peak < 6 * GB
    return outdir / "a2d.json"


@pytest.fixture(scope="module")
def model(parts, t2d, a2d, run, tmp_path_factory):
    """A model folder, whose vocabulary nobody had to name."""
    outdir = tmp_path_factory.mktemp("model")
    done = run("package_model", *parts, "--t2d", t2d, "--a2d", a2d, "--name", "real", "--outdir", outdir)
    assert json.loads((outdir / "model.json").read_text())["components"]["vocabulary"] == {"name": "celeba"}
    assert "and 31 others: nothing will be adjusted for these" in done.said
    return outdir


def test_one_face_of_a_sentence_takes_few_seconds_beside_loading(model, run, tmp_path):
    arguments = ("--model", model, "--seeds", 0, "--device", "cpu")
    loading = run("generate", *arguments, "--text", "a man", "--no-adjust", "--outdir", tmp_path / "plain")
    done = run("generate", *arguments, "--text", "he is wearing lipstick", "--outdir", tmp_path / "out")
    assert done.cpu < loading.cpu + 15
    record = json.loads((tmp_path / "out/generate.json").read_text())
    found = record["images"][0]["attributes"]
    assert set(found) == {"Male", "Wearing_Lipstick"} and all(one["cosine"] is not None for one in found.values())
    (warning,) = record["warnings"]  # of the word that has no vector, and of nothing else
    assert "wearing" in warning and (tmp_path / "out/seed0000.png").is_file()


def test_what_the_a2d_was_not_trained_on_is_said(model, run, tmp_path):
    done = run("generate", "--model", model, "--seeds", 1, "--device", "cpu", "--adjust-method", "paper",
               "--text", "she has a mustache", "--outdir", tmp_path)  # fmt: skip
    warning = json.loads((tmp_path / "generate.json").read_text())["warnings"][-1]
    assert "was not trained on Mustache" in warning and warning in done.said


def test_edits_are_calibrated_by_clip(model, run, tmp_path):
    done = run("edit", "--model", model, "--seeds", 0, "--set", "Wearing_Hat=1", "--device", "cpu",
               "--outdir", tmp_path)  # fmt: skip
    assert "no strength of 'Wearing_Hat' that a judge has measured; CLIP measures it" in done.said
    record = json.loads((tmp_path / "edit.json").read_text())
    assert record["steps"]["Wearing_Hat"] > 0 and (tmp_path / "strip.png").is_file()


def test_an_audit_by_clip_says_that_it_is_not_independent(model, run, tmp_path):
    pair = ("Male+Wearing_Hat", "Male+Wearing_Lipstick")
    plan = {"name": "hats", "num": 2, "vocabulary": "celeba", "compositions": list(pair), "adjustment": ["none"],
            "comparisons": [{"name": "hats", "first": pair[0], "second": pair[1]}],
            "judge": {"kind": "clip", "source": str(model / "clip.json")}}  # fmt: skip
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    arguments = (tmp_path / "plan.yaml", "--model", model, "--device", "cpu", "--outdir", tmp_path / "audit")
    done = run("audit", "run", *arguments)
    assert "flatters them" in done.said
    result = json.loads((tmp_path / "audit/audit.json").read_text())
    assert len(result["cells"]) == 2 and (tmp_path / "audit/audit.html").is_file()
