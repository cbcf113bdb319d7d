"""The speed benchmarks on tiny generators: what they write, and clones of other code (fakes in their layout)."""

import csv
import importlib
import json
import os
import re
import sys
import types

import pytest

from styleT2I.ops.kernels import CPU, cpu_kernels
from styleT2I.torch_utils.extensions import why_not_loaded
from tests.conftest import ROOT

TINY = ["--resolution", 16, "--channel-base", 32768 // 64, "--batch", 2, "--repeats", 1]
WIDE = ["--resolution", 16, "--batch", 1, "--repeats", 1]  # of that code's fixed widths

# Both fakes draw by our own generator, so their images must be ours; that of NVIDIA's layout also has its packages.
ADA = """
import dnnlib
from torch_utils import misc
import torch
from styleT2I.networks.stylegan2.config import GeneratorConfig
from styleT2I.networks.stylegan2.generator import Generator as Ours

class Generator(Ours):
    def __init__(self, z_dim, c_dim, w_dim, img_resolution, img_channels, mapping_kwargs, synthesis_kwargs):
        config = GeneratorConfig(img_resolution, z_dim, c_dim, w_dim, img_channels, **synthesis_kwargs,
                                 mapping_layers=mapping_kwargs["num_layers"])
        super().__init__(config)

    def load_state_dict(self, state):
        filters = {name for name in state if name.endswith("resample_filter")}
        assert len(filters) == 8, filters
        super().load_state_dict({name: value for name, value in state.items() if name not in filters})
"""
ROSINALITY = """
import torch
from torch.utils import cpp_extension
from styleT2I.config import from_dict
from styleT2I.formats.foreign.stylegan2.rosinality import read_rosinality
from styleT2I.formats.pickles.torch_files import Content
from styleT2I.networks.stylegan2.config import GeneratorConfig
from styleT2I.networks.stylegan2.generator import Generator as Ours

assert cpp_extension.load("fused", sources=["there_is_none.cu"]) is None

class Generator(torch.nn.Module):
    def __init__(self, size, style_dim, n_mlp, channel_multiplier):
        super().__init__()
        assert (size, style_dim, n_mlp, channel_multiplier) == (16, 512, 8, 2)

    def load_state_dict(self, state):
        reading = read_rosinality(Content(None, "zip", {"g_ema": state}), "G_ema")
        self.ours = Ours(from_dict(GeneratorConfig, reading.config))
        self.ours.load_state_dict(reading.state_dict)

    def forward(self, styles, input_is_latent, randomize_noise):
        assert input_is_latent and not randomize_noise
        return self.ours.synthesis(styles[0], noise_mode="const"), None
"""


@pytest.fixture
def needs_kernels():
    if cpu_kernels() is None:
        pytest.skip(f"compiled kernels: {why_not_loaded(CPU)}")


def measure(run_python, tmp_path, script, *arguments):
    result = run_python(ROOT / "benchmarks" / script, *arguments, "--json", tmp_path / "result.json")
    assert result.returncode == 0, result.stderr
    return json.loads((tmp_path / "result.json").read_text()), result.stdout


def test_synthesis_writes_speedup_and_error(run_python, tmp_path, needs_kernels):
    result, text = measure(run_python, tmp_path, "synthesis.py", *TINY, "--backward", "--exact", "--wide")
    assert result["ours"] == "compiled" and result["wide"] and 0 < result["error"] < 1e-5
    times = result["times"]
    assert result["speedup"] == times["twin"]["seconds"] / times["compiled"]["seconds"]
    for name in ("errors_from_fp64", "gradient_errors_from_fp64_l2"):
        assert set(result[name]) == {"twin", "pytorch", "compiled"} and 0 < result[name]["compiled"] < 1e-2
    assert result["errors_from_fp64"]["compiled"] < 1e-5
    assert result["saved_bytes"]["compiled"] < result["saved_bytes"]["twin"] / 2
    assert "THP_MEM_ALLOC_ENABLE" in text and "compiled" in text


def test_without_a_compiler_the_pytorch_form_is_ours(run_python, tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv("CXX", "no-such-compiler")
    result, _ = measure(run_python, tmp_path, "synthesis.py", *TINY)
    assert result["ours"] == "pytorch" and set(result["times"]) == {"twin", "pytorch"}
    assert result["speedup"] == result["speedup_pytorch"] and result["error"] < 1e-5


@pytest.fixture
def nvidia_clone(tmp_path):
    """Its layout, and imports that need requests installed or made do without."""
    for path, text in {"training/networks.py": ADA, "training/__init__.py": "", "torch_utils/misc.py": "",
                       "torch_utils/__init__.py": "", "dnnlib/__init__.py": "import requests"}.items():  # fmt: skip
        (tmp_path / "clone" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "clone" / path).write_text(text)
    return tmp_path / "clone"


def test_a_clone_in_nvidias_layout_gets_the_same_weights(run_python, tmp_path, nvidia_clone, needs_kernels):
    result, _ = measure(run_python, tmp_path, "synthesis.py", *TINY, "--against", nvidia_clone)
    assert result["errors"]["clone"] < 1e-5 and result["times"]["clone"]["seconds"] > 0


GPU_OPS = [
    "gpu_ops.py",
    "--device",
    "cpu",
    "--sizes",
    "16x2",
    "--channel-base",
    512,
    "--copy-elements",
    65536,
    "--repeats",
    1,
]


def test_gpu_ops_prints_and_writes_each_row_beside_a_clone(run_python, tmp_path, nvidia_clone):
    parts = ["--parts", "synthesis", "kernels"]
    result, text = measure(run_python, tmp_path, *GPU_OPS, *parts, "--seconds", 100, "--against", nvidia_clone)
    assert result["machine"]["clone_ops"] == {"bias_act": False, "upfirdn2d": False}
    rows = {(row["what"], row["variant"]): row for row in result["rows"]}
    assert len(rows) == len(result["rows"]) == 7 + 5 + 2 * 2 + 24
    for what in ("forward", "forward and backward"):
        assert rows[what, "twin"]["speedup"] == 1 and rows[what, "twin"]["resolution"] == 16
        assert all(rows[what, name]["error"] < 1e-4 for name in ("twin", "pytorch", "kernels", "clone", "clone fp16"))
        assert rows[what, "kernels fp16"]["error"] < 0.02
    assert ("forward", "kernels fp16, graph") in rows and ("forward and backward", "kernels, graph") not in rows
    assert rows["float16", "up channels_last"]["share_of_copy"] > 0
    assert len(text.splitlines()) == 1 + len(rows) and "of a copy" in text


def test_gpu_ops_names_what_no_time_was_left_for(run_python, tmp_path):
    result, text = measure(run_python, tmp_path, *GPU_OPS, "--parts", "synthesis", "--seconds", 0)
    assert [row["left_out"] for row in result["rows"]] == ["no time left"] * 12 and text.count("left out:") == 12


def test_trainings_are_timed_and_written_row_by_row(run_python, tmp_path):
    sizes = ["--sizes", "64x2", "--t2d-sizes", "16x2", "--channel-base", 512, "--steps", 1]
    given = ["--device", "cpu", *sizes, "--clip", ROOT / "checkpoints/minifaces/clip.json"]
    result, text = measure(run_python, tmp_path, "training.py", *given, "--seconds", 200)
    assert [row["what"] for row in result["rows"]] == ["train_stylegan2", "train_t2d"]
    for row in result["rows"]:
        assert row["steps"] == 1 and row["images_per_second"] == 2 * row["steps_per_second"] > 0
    assert text.count("images/s") == 2
    result, text = measure(run_python, tmp_path, "training.py", *given, "--seconds", 0)
    assert [row["left_out"] for row in result["rows"]] == ["no time left"] * 2 and text.count("left out:") == 2


def test_rivals_on_a_cpu_are_measured_or_left_out_with_the_reason(run_python, tmp_path):
    names = ["onnxruntime", "openvino"]
    result, text = measure(run_python, tmp_path, "rivals.py", *TINY, "--rivals", *names)
    assert set(result["times"]) | set(result["left_out"]) == {result["ours"], *names}
    assert all(error < 1e-5 for error in result["errors"].values()) and set(result["errors"]) == set(result["times"])
    for name, reason in result["left_out"].items():
        assert f"{name} left out: {reason}" in text and reason
    assert (result["speedup"] is None) == (set(result["times"]) == {result["ours"]})


def test_what_torch_compiles_for_a_clone_is_found_by_name_and_pips_headers_too(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    clones = importlib.import_module("clones")
    monkeypatch.setattr(clones.cpp_extension, "load", lambda name, sources=(): types.ModuleType(name))
    monkeypatch.setattr(clones.torch, "__file__", str(tmp_path / "torch/__init__.py"))
    monkeypatch.setenv("CPATH", "/own")
    (tmp_path / "nvidia/cusparse/include").mkdir(parents=True)
    for _ in range(2):  # wrapped once, named once
        clones._let_its_ops_compile()
    assert os.environ["CPATH"] == f"/own{os.pathsep}{tmp_path / 'nvidia/cusparse/include'}"
    module = clones.cpp_extension.load("a_plugin_of_a_clone", sources=["a.cu"])
    assert importlib.import_module("a_plugin_of_a_clone") is module is sys.modules.pop("a_plugin_of_a_clone")


def test_a_clone_in_rosinalitys_layout_compiles_nothing_and_gets_weights(run_python, tmp_path, needs_kernels):
    (tmp_path / "model.py").write_text(ROSINALITY)
    result, _ = measure(run_python, tmp_path, "synthesis.py", *WIDE, "--against", tmp_path)
    assert result["errors"]["clone"] < 1e-5


@pytest.mark.parametrize("code, reason", [(None, "holds neither"), ("import nothing_like_it", "No module named")])
def test_what_is_no_clone_or_does_not_run_is_one_line(run_python, tmp_path, code, reason):
    if code:
        (tmp_path / "model.py").write_text(code)
    result = run_python(ROOT / "benchmarks/synthesis.py", *TINY, "--against", tmp_path)
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.returncode == 2 and len(lines) == 1 and reason in lines[0]


def test_the_audits_dial_measures_coverage_and_verdicts(tmp_path, run_python):
    out = tmp_path / "dial.json"
    done = run_python(ROOT / "benchmarks/audit_dial.py", "--repetitions", 3, "--cells", "gap 30", "--json", out)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(out.read_text())
    assert row["cell"] == "gap 30" and row["gap"] == pytest.approx(0.3) and abs(row["bias"]) < 0.15
    assert 0.1 < row["width"] < 0.4 and row["within"] == row["false"] == 0 and 0 <= row["coverage"] <= 1


@pytest.mark.parametrize("question, truth", [((), 0.1), (("--share",), 0.644)])
def test_rivals_are_compared_on_the_same_truth(tmp_path, run_python, question, truth):
    out, cell = tmp_path / "rivals.json", "pool 400" if question else "n 200"
    arguments = ("--repetitions", 30, "--cells", cell, "--json", out, *question)
    done = run_python(ROOT / "benchmarks/audit_rivals.py", *arguments)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(out.read_text())
    methods = row["methods"]
    assert row["truth"] == pytest.approx(truth)
    assert methods["CLEAM"]["coverage"] < 0.6 < methods["PPI++"]["coverage"] and methods["calibrated"]["coverage"] > 0.6
    assert methods["CLEAM"]["width"] < methods["CLEAM, fair"]["width"] < methods["Rogan-Gladen"]["width"]


def test_a_blind_run_opens_what_was_sealed_and_nothing_else(tmp_path, run_python):
    blind, folder = ROOT / "benchmarks/blind_audit.py", tmp_path / "blind"
    sealed = run_python(blind, "seal", folder)
    assert (
        re.fullmatch("[0-9a-f]{64}\n", sealed.stdout)
        and sealed.stdout.strip() in (folder / "commitment.txt").read_text()
    )
    said = json.loads(run_python(blind, "audit", folder).stdout)
    assert "true_gap" not in said and "setting" not in said
    truth = json.loads(run_python(blind, "open", folder).stdout)
    assert truth["gap"] == said["gap"] and abs(truth["true_gap"]) <= 0.3
    assert run_python(blind, "seal", folder).returncode != 0
    (folder / "sealed.json").write_text((folder / "sealed.json").read_text().replace('"seed": ', '"seed": 1'))
    changed = run_python(blind, "open", folder)
    assert changed.returncode == 1 and "not the file whose hash was published" in changed.stderr


def test_rates_by_labels_err_as_often_as_their_level(run_python):
    done = run_python(ROOT / "benchmarks/label_rates.py", "--repetitions", 400)
    assert done.returncode == 0, done.stderr
    _, *rows = done.stdout.splitlines()
    below = [float(row[40:].split()[3]) for row in rows]
    assert len(rows) == 7 and max(below) <= 5 + 3 * 1.1  # of the audit; a standard error is 1.1
    assert max(float(row[40:].split()[0]) for row in rows) > 10  # of PPI++


def test_bias_is_injected_in_the_shares_that_are_asked_for(tmp_path, run_python):
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT / 'benchmarks')!r}); "
        "from pathlib import Path; import bias_injection as b;"
        f"b.write_data(Path({str(tmp_path / 'data')!r}), 5, 80); print(sum(b.counts(5, 80).values()))"
    )
    done = run_python("-c", code)
    assert done.stdout.strip() == "80", done.stderr
    rows = list(csv.DictReader((tmp_path / "data/attributes.csv").open()))
    pairs = [(row["dark_skin"], row["blond_hair"]) for row in rows]
    assert [pairs.count(pair) for pair in (("0", "1"), ("0", "0"), ("1", "1"), ("1", "0"))] == [20, 20, 4, 36]
    said = {text for texts in json.loads((tmp_path / "data/captions.json").read_text()).values() for text in texts}
    assert len(said) == 4 and "a person who has dark skin and blond hair" in said
