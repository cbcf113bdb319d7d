"""C++ and CUDA operators: compiled on request into the user's cache, once for all that they depend on, then loaded.

A library's name holds a digest of its sources, flags, torch, CUDA and machine, so an outdated one is never loaded.
Several processes may build at once: one does, the others wait for its lock, which the system frees if it is killed.
"""

import contextlib
import functools
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from styleT2I.errors import ExtensionError, OutputError
from styleT2I.torch_utils.files import atomic_path, check_writable_dir, write_text_atomic

BUILD_COMMAND = "python -m styleT2I.doctor --build"
_COMPILE = "import json, sys; from torch.utils.cpp_extension import load; load(**json.load(sys.stdin))"
_LOADED = {}  # path of a library -> its operators
_FAILED = {}  # path of a library -> why it cannot be loaded


@dataclass(frozen=True)
class Extension:
    """Sources that register the operators torch.ops.NAME; everything in `folder` belongs to them."""

    name: str  # stylet2i_*: the cache may be shared with other projects
    folder: Path
    cflags: tuple[str, ...] = ()
    ldflags: tuple[str, ...] = ()
    cuda_flags: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()  # of the compiler
    links: tuple[tuple[str, str], ...] = ()  # other names under which the linker finds libraries: (name, path)

    @property
    def sources(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if path.suffix in (".cpp", ".cu"))

    @property
    def is_cuda(self) -> bool:
        return any(source.suffix == ".cu" for source in self.sources)


def cache_dir() -> Path:
    """The folder of built libraries: $TORCH_EXTENSIONS_DIR, or styleT2I in the user's cache."""
    if os.environ.get("TORCH_EXTENSIONS_DIR"):
        return Path(os.environ["TORCH_EXTENSIONS_DIR"])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "styleT2I"


@functools.cache
def digest(extension: Extension) -> str:
    """Return 16 hexadecimal digits that change with whatever the compiled library depends on."""
    settings = [extension.name, extension.cflags, extension.ldflags, extension.cuda_flags, extension.environment]
    machine = [torch.__version__, torch.version.cuda, platform.system(), platform.machine()]
    result = hashlib.sha256(json.dumps([settings, machine]).encode())
    for path in sorted(extension.folder.iterdir()):
        if path.is_file():
            result.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return result.hexdigest()[:16]


def library_path(extension: Extension) -> Path:
    """Where the built library is or would be."""
    return cache_dir() / f"{extension.name}-{digest(extension)}.so"


def load(extension: Extension):
    """Return the operators of a built extension, torch.ops.NAME, or None when it is not built or does not load."""
    path = library_path(extension)
    if path in _LOADED:
        return _LOADED[path]
    if path in _FAILED or not path.exists():
        return None
    try:
        torch.ops.load_library(path)
    except OSError as error:
        _FAILED[path] = f"{path} does not load ({' '.join(str(error).split())}); remove it and run {BUILD_COMMAND}"
        return None
    return _LOADED.setdefault(path, getattr(torch.ops, extension.name))


def why_not_loaded(extension: Extension) -> str:
    """Return in one line why `load` gave None, and the remedy."""
    path = library_path(extension)
    return _FAILED.get(path) or why_not_buildable(extension) or f"not built yet; run {BUILD_COMMAND}"


def why_not_buildable(extension: Extension) -> str | None:
    """Return in one line what a build lacks here, and the remedy; None when nothing is known to be missing."""
    if platform.system() != "Linux":
        return f"built on Linux only, and this is {platform.system()}"
    environment = _environment(extension)
    compiler = environment.get("CXX", "c++")
    if shutil.which(compiler, path=environment["PATH"]) is None:
        return f"no C++ compiler {compiler!r} found; install g++, or name one in CXX"
    if shutil.which("ninja", path=environment["PATH"]) is None:
        return "ninja is missing; run pip install ninja"
    if extension.is_cuda and not torch.version.cuda:
        return "this torch is built without CUDA; install one that has it"
    if extension.is_cuda and "CUDA_HOME" not in environment:
        return f"no nvcc found; {_how_to_get_nvcc()}, or name a CUDA toolkit's folder in CUDA_HOME"
    return None


def build(extension: Extension, report: Callable[[str], None] = lambda text: None) -> Path:
    """Return the path of the library, compiled first where that is needed; report gets a line before a wait.

    Raises ExtensionError, with the compiler's first complaint and the place of its log, or OutputError.
    """
    path = library_path(extension)
    if path.exists():
        return path
    if reason := why_not_buildable(extension):
        raise ExtensionError(f"{extension.name}: {reason}")
    check_writable_dir(path.parent)
    report(f"building {extension.name}, once for this machine (about a minute)")
    with _locked(path.with_suffix(".lock")):
        if not path.exists():  # else another process built it meanwhile
            _compile(extension, path)
    _FAILED.pop(path, None)
    return path


def build_or_warn(extension: Extension, report: Callable[[str], None]) -> None:
    """Build where possible; a warning says why where it is not, as work goes on without."""
    try:
        build(extension, report)
    except (ExtensionError, OutputError) as error:
        warnings.warn(f"{error}; going on in PyTorch alone, which is slower", stacklevel=2)


@contextlib.contextmanager
def _locked(path):
    """Hold the lock file alone; a process that dies loses it, whatever it leaves behind."""
    import fcntl

    with open(path, "w") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def _compile(extension, path):
    for leftover in path.parent.glob(f"tmp.{path.stem}.*"):  # of builders that were killed: we hold the lock
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"tmp.{path.stem}.", dir=path.parent) as folder:
        for name, library in extension.links:
            (Path(folder) / name).symlink_to(library)
        arguments = {
            "name": extension.name,
            "sources": [str(source) for source in extension.sources],
            "extra_cflags": extension.cflags,
            "extra_cuda_cflags": extension.cuda_flags,
            "extra_ldflags": [*extension.ldflags, *([f"-L{folder}"] if extension.links else [])],
            "build_directory": folder,
            "with_cuda": extension.is_cuda,
            "is_python_module": False,
        }
        # A process of its own: what the compilation needs in its environment is no business of ours.
        result = subprocess.run(
            [sys.executable, "-c", _COMPILE], input=json.dumps(arguments), env=_environment(extension), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip
        if result.returncode != 0:
            log = path.with_suffix(".log")
            write_text_atomic(log, result.stdout)
            raise ExtensionError(f"{extension.name}: {_first_complaint(result.stdout)}; the whole log is {log}")
        with atomic_path(path) as temporary:
            shutil.copyfile(Path(folder) / f"{extension.name}.so", temporary)


def _environment(extension):
    """The environment of the compiler, in which ninja is found as well when it is a package of this Python."""
    folders = [os.environ.get("PATH", os.defpath), str(Path(sys.executable).parent)]
    with contextlib.suppress(ImportError):
        import ninja

        folders.append(ninja.BIN_DIR)
    return {**os.environ, "PATH": os.pathsep.join(folders), **dict(extension.environment)}


def _how_to_get_nvcc():
    version = torch.version.cuda
    if int(version.partition(".")[0]) < 13:  # the packages of CUDA 12 lie in other folders
        return f"install the CUDA toolkit {version}"
    return f'run pip install "cuda-toolkit[nvcc]=={version}.*"'


def _first_complaint(log):
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    complaints = [line for line in lines if "error: " in line or "fatal" in line] or lines[-1:]
    return complaints[0] if complaints else "the compilation failed"
