"""The CUDA sources compile wherever there is nvcc, and the toolkit is found where pip puts it."""

import subprocess

import pytest
import torch

from styleT2I.ops import kernels
from styleT2I.ops.cuda_ops import WRONG_OPERANDS
from styleT2I.torch_utils.extensions import Extension, build, load, why_not_buildable

HAS_NO_NVCC = why_not_buildable(kernels.cuda_extension())


@pytest.fixture
def extension():
    """The CUDA extension as an environment of its own has it."""
    kernels.cuda_extension.cache_clear()
    yield kernels.cuda_extension
    kernels.cuda_extension.cache_clear()


@pytest.mark.slow
@pytest.mark.skipif(HAS_NO_NVCC is not None, reason=f"the CUDA sources cannot be compiled here: {HAS_NO_NVCC}")
def test_the_cuda_sources_compile_for_every_gpu_and_load(tmp_path, monkeypatch, extension):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    monkeypatch.setenv("TORCH_CUDA_ARCH_LIST", "7.5;8.0;9.0+PTX")
    assert build(extension()).stat().st_size > 0
    operators = load(extension())
    x = torch.zeros(1, 1, 4, 4)  # on no GPU
    assert operators.upfirdn2d(x, x.clone(), torch.ones(1, 1), (1, 1), (1, 1), (0, 0)) == WRONG_OPERANDS


def toolkit(folder, runtime):
    for name in ("bin/nvcc", "include/cuda_runtime.h", f"lib/{runtime}"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_toolkit_of_pips_is_found_beside_torch_and_its_runtime_linked(tmp_path, monkeypatch, extension):
    for name in ("CUDA_HOME", "CUDA_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(torch, "__file__", str(tmp_path / "torch/__init__.py"))
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    toolkit(tmp_path / "nvidia/cu13", "libcudart.so.13")
    found = extension()
    assert dict(found.environment)["CUDA_HOME"] == str(tmp_path / "nvidia/cu13")
    assert found.links == (("libcudart.so", str(tmp_path / "nvidia/cu13/lib/libcudart.so.13")),)
    kernels.cuda_extension.cache_clear()
    toolkit(tmp_path / "own", "libcudart.so")
    monkeypatch.setenv("CUDA_HOME", str(tmp_path / "own"))
    assert dict(extension().environment)["CUDA_HOME"] == str(tmp_path / "own") and extension().links == ()


def test_without_nvcc_the_remedy_is_named(monkeypatch):
    without = Extension("stylet2i_cuda", kernels.cuda_extension().folder)
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    assert 'pip install "cuda-toolkit[nvcc]==13.2.*"' in why_not_buildable(without)
    monkeypatch.setattr(torch.version, "cuda", "12.8")
    assert "install the CUDA toolkit 12.8" in why_not_buildable(without)


@pytest.mark.skipif(why_not_buildable(kernels.CPU) is not None, reason="needs a C++ compiler and ninja")
def test_a_library_is_linked_under_another_name(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path / "cache"))
    library, sources = tmp_path / "libseven.so.7", tmp_path / "sources"
    sources.mkdir()
    (tmp_path / "seven.cpp").write_text('extern "C" int seven() { return 7; }\n')
    name = f"-Wl,-soname,{library.name}"  # by which it is found again, as the CUDA runtime is
    subprocess.run(["c++", "-shared", "-fPIC", name, tmp_path / "seven.cpp", "-o", library], check=True)
    (sources / "tiny.cpp").write_text('extern "C" int seven();\nextern "C" int tiny() { return seven(); }\n')
    flags = ("-lseven", "-Wl,--no-undefined", f"-Wl,-rpath,{tmp_path}")
    assert build(Extension("stylet2i_tiny", sources, ldflags=flags, links=(("libseven.so", str(library)),))).exists()
