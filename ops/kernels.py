"""Which implementation an op runs with: the one named, else compiled kernels, found when built, never built unasked."""

import contextlib
import contextvars
import functools
import os
import shutil
import warnings
from pathlib import Path

import torch

from styleT2I.errors import ConfigError, ExtensionError
from styleT2I.torch_utils.extensions import Extension, load, why_not_loaded

IMPLEMENTATIONS = ("auto", "ref", "torch", "cpp", "cuda")
_DEFAULT = contextvars.ContextVar("impl", default="auto")


@contextlib.contextmanager
def default_impl(impl):
    """Make `impl` what "auto" means within the block, for every op that has it: a whole network runs as 'ref', say."""
    token = _DEFAULT.set(_checked(impl))
    try:
        yield
    finally:
        _DEFAULT.reset(token)


def resolve_impl(impl, kernels=()):
    """Return "auto", "ref", "torch" or one of `kernels`, the compiled forms of an op; ConfigError for another name."""
    if _checked(impl) == "auto":
        impl = _DEFAULT.get()
        return impl if impl in ("ref", "torch", *kernels) else "auto"
    if impl not in ("ref", "torch", *kernels):
        raise ConfigError(
            f"this op has no impl {impl!r}; choose one of {', '.join(('auto', 'ref', 'torch', *kernels))}"
        )
    return impl


def _checked(impl):
    if impl not in IMPLEMENTATIONS:
        raise ConfigError(f"unknown impl {impl!r} of an op; choose one of {', '.join(IMPLEMENTATIONS)}")
    return impl


_DTYPES = (torch.float32, torch.float16, torch.bfloat16)  # that the CUDA kernels compute in
_has_warned = False
_CSRC = Path(__file__).parent / "csrc"
_ANY_GPU = "7.5;8.0;9.0+PTX"  # compiled for where no GPU is at hand

CPU = Extension(
    name="stylet2i_cpu",
    folder=_CSRC / "cpu",
    cflags=("-O3", "-fopenmp", "-fno-math-errno"),
    ldflags=("-fopenmp",),
)


@functools.cache
def cuda_extension():
    """Return the Extension of the CUDA kernels, for the GPUs at hand."""
    # torch may guess another folder than the toolkit's own, and without a GPU it knows no architecture.
    environment = {"TORCH_CUDA_ARCH_LIST": os.environ.get("TORCH_CUDA_ARCH_LIST") or _architectures()}
    links = ()
    if home := _cuda_home():
        environment["CUDA_HOME"] = str(home)
        links = _runtime_links(home)
    return Extension(
        name="stylet2i_cuda",
        folder=_CSRC / "cuda",
        cflags=("-O3",),
        environment=(*environment.items(),),
        links=links,
    )


def cpu_kernels():
    """Return the operators of the compiled synthesis, or None; `why_not_loaded(CPU)` then tells why."""
    return load(CPU)


def cuda_kernels():
    """Return the CUDA operators, or None; `why_not_loaded(cuda_extension())` then tells why."""
    return load(cuda_extension())


def takes_cuda(x, impl):
    """Whether the CUDA kernels compute on x under `impl`; ExtensionError where that is "cuda" and they cannot."""
    if impl in ("ref", "torch") or (impl == "auto" and not x.is_cuda):
        return False
    if not x.is_cuda or x.dtype not in _DTYPES:
        reason = f"it computes in float32, float16 or bfloat16 on a GPU, not in {x.dtype} on {x.device}"
    else:
        reason = why_not_loaded(cuda_extension()) if cuda_kernels() is None else None
        if reason and impl == "auto":
            _warn_once(f"ops run without their CUDA kernels: {reason}")
    if reason and impl == "cuda":
        raise ExtensionError(f"impl 'cuda' does not apply: {reason}")
    return reason is None


def _warn_once(text):
    global _has_warned
    if not _has_warned:
        _has_warned = True
        warnings.warn(text, stacklevel=4)


def useful_extensions(device=None):
    """Return the extensions that are of use for work on `device` (a torch.device), or on all devices here."""
    if device is None:
        return [CPU, cuda_extension()] if torch.cuda.is_available() else [CPU]
    return {"cpu": [CPU], "cuda": [cuda_extension()]}.get(device.type, [])


def _architectures():
    if not torch.cuda.is_available():
        return _ANY_GPU
    capabilities = {torch.cuda.get_device_capability(i) for i in range(torch.cuda.device_count())}
    return ";".join(f"{major}.{minor}" for major, minor in sorted(capabilities))


def _cuda_home():
    """The CUDA toolkit's folder, None where there is none; the one that pip installed beside torch fits it for sure."""
    nvcc = shutil.which("nvcc")
    packaged = Path(torch.__file__).parents[1] / "nvidia" / f"cu{(torch.version.cuda or '').partition('.')[0]}"
    folders = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), packaged, "/usr/local/cuda"]
    folders += [Path(nvcc).resolve().parent.parent] if nvcc else []
    for folder in folders:
        if folder and (Path(folder) / "include/cuda_runtime.h").exists() and (Path(folder) / "bin/nvcc").exists():
            return Path(folder)
    return None


def _runtime_links(home):
    """pip's toolkit has the CUDA runtime under its full name alone; torch links it under the short one."""
    if any((home / folder / "libcudart.so").exists() for folder in ("lib64", "lib")):
        return ()
    return tuple(("libcudart.so", str(path)) for path in sorted((home / "lib").glob("libcudart.so.*"))[:1])
