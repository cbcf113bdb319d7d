"""The speed benchmarks on tiny generators: what they write, and clones of other code (fakes in their layout)."""

import json

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
from styleT2I.formats.foreign.stylegan2_rosinality import read_rosinality
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


def test_a_clone_in_nvidias_layout_gets_the_same_weights(run_python, tmp_path, needs_kernels):
    clone = tmp_path / "clone"
    for path, text in {"training/networks.py": ADA, "training/__init__.py": "", "torch_utils/misc.py": "",
                       "torch_utils/__init__.py": "", "dnnlib/__init__.py": ""}.items():  # fmt: skip
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text(text)
    result, _ = measure(run_python, tmp_path, "synthesis.py", *TINY, "--against", clone)
    assert result["errors"]["clone"] < 1e-5 and result["times"]["clone"]["seconds"] > 0


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
