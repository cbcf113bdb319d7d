"""This machine's capabilities, and which are used: `python -m styleT2I.doctor`; `--build` compiles the kernels."""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click

from styleT2I.cli import command

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")


@command()
@click.option("--build", is_flag=True, help="Compile the kernels that this machine can use, once.")
@click.option("--build-cuda", is_flag=True, help="Compile the CUDA kernels too, even where there is no GPU.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(build, build_cuda, as_json):
    """Report Python, torch, tools, processor and compiled kernels: what is there, what is used, how to get the rest."""
    from styleT2I.ops import kernels
    from styleT2I.torch_utils import extensions

    wanted = kernels.useful_extensions() if build else []
    if build_cuda and kernels.cuda_extension() not in wanted:
        wanted.append(kernels.cuda_extension())
    for extension in wanted:
        extensions.build(extension, report=lambda text: click.echo(text, err=True))
    facts = gather()
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        if name not in ("kernels", "advice"):
            click.echo(f"{name.replace('_', ' '):<12} {'none' if value is None else value}")
    for name, kernel in facts["kernels"].items():
        click.echo(f"{name + ' kernels':<12} {kernel['state']}")
    for line in facts["advice"]:
        click.echo(f"advice: {line}")


def gather() -> dict:
    """Return the facts by name: texts or None; "kernels" holds a dict for each extension, "advice" lines."""
    import torch

    from styleT2I import __version__
    from styleT2I.formats.model_folder import cache_dir
    from styleT2I.torch_utils import extensions

    kernels = _kernels()
    advice = []
    if any(not kernel["is_loaded"] and kernel["is_useful"] and kernel["is_buildable"] for kernel in kernels.values()):
        advice.append(f"compile the kernels, once: {extensions.BUILD_COMMAND}")
    if platform.system() == "Linux" and not _uses_huge_pages():
        advice.append("set THP_MEM_ALLOC_ENABLE=1 in the environment: torch then asks for huge pages, which makes "
                      "large tensors on a CPU cheaper")  # fmt: skip
    is_gpu = torch.cuda.is_available()
    return {
        "styleT2I": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "torch": f"{torch.__version__} (CUDA {torch.version.cuda or 'none'}), {torch.get_num_threads()} threads",
        "system": f"{platform.system()} {platform.release()} on {platform.machine()}",
        "cpu": f"{_cpu_name()}, {torch.backends.cpu.get_cpu_capability()}",
        "gpu": torch.cuda.get_device_name() if is_gpu else None,
        "compiler": _version_of([os.environ.get("CXX", "c++"), "--version"]),
        "ninja": _ninja_version(),
        "nvcc": _version_of([_nvcc(), "--version"], r"release.*"),
        "huge_pages": _huge_pages(),
        "cache": f"{cache_dir()} (downloads, models; $STYLET2I_CACHE)",
        "kernel_cache": f"{extensions.cache_dir()} ($TORCH_EXTENSIONS_DIR)",
        "kernels": kernels,
        "advice": advice,
    }


def _kernels():
    """For each extension: is it useful here, built and loaded, and in one line what follows."""
    from styleT2I.ops import kernels
    from styleT2I.torch_utils.extensions import library_path, load, why_not_buildable, why_not_loaded

    useful = kernels.useful_extensions()
    result = {}
    for name, extension in (("cpu", kernels.CPU), ("cuda", kernels.cuda_extension())):
        is_useful, operators = extension in useful, load(extension)
        if operators is None:
            state = why_not_loaded(extension) if is_useful else "not needed (no CUDA device)"
        else:
            state = "built" if name == "cuda" else f"built, used with {operators.instruction_set()}"
        result[name] = {
            "is_useful": is_useful,
            "is_buildable": why_not_buildable(extension) is None,
            "is_loaded": operators is not None,
            "library": str(library_path(extension)) if operators is not None else None,
            "state": state,
        }
    return result


def _uses_huge_pages():
    return os.environ.get("THP_MEM_ALLOC_ENABLE", "0") not in ("", "0")


def _huge_pages():
    kernel = re.search(r"\[(\w+)\]", HUGE_PAGES.read_text()) if HUGE_PAGES.exists() else None
    state = "on" if _uses_huge_pages() else "off"
    return f"{kernel[1] if kernel else 'unknown'} in the kernel, THP_MEM_ALLOC_ENABLE {state}"


def _cpu_name():
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        found = None
    return f"{found[1] if found else platform.processor() or platform.machine()} x{os.cpu_count()}"


def _ninja_version():
    folders = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.executable).parent)])
    path = shutil.which("ninja", path=folders)
    return _version_of([path, "--version"]) if path else None


def _nvcc():
    from styleT2I.ops.kernels import cuda_extension

    home = dict(cuda_extension().environment).get("CUDA_HOME")
    return f"{home}/bin/nvcc" if home else "nvcc"


def _version_of(arguments, pattern=r".+"):
    """The part of a program's output that says its version, None when it cannot be run."""
    try:
        result = subprocess.run(arguments, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(pattern, result.stdout)
    return found[0] if found and result.returncode == 0 else None


if __name__ == "__main__":
    main()
