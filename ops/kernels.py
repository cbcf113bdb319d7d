"""The compiled operators of this package: found when built, never built unasked."""

from pathlib import Path

from styleT2I.torch_utils.extensions import Extension, load

_CSRC = Path(__file__).parent / "csrc"

CPU = Extension(
    name="stylet2i_cpu",
    folder=_CSRC / "cpu",
    cflags=("-O3", "-fopenmp", "-fno-math-errno"),
    ldflags=("-fopenmp",),
)


def cpu_kernels():
    """Return the operators of the compiled synthesis, or None; `why_not_loaded(CPU)` then tells why."""
    return load(CPU)
