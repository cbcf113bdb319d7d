"""The CUDA sources compiled for the processor: the very kernels, run thread after thread where there is no GPU."""

import re
import shutil
from pathlib import Path

import torch

from styleT2I.ops.kernels import cuda_extension
from styleT2I.torch_utils.extensions import Extension, build, load

NAME = "stylet2i_host_cuda"
HEADER = Path(__file__).parent / "host_cuda.h"
# All that differs from what a GPU runs: CUDA's headers, the operators' name, where tensors must lie, and that indices
# have 64 bits from 512 numbers on, so that small tensors try both kinds.
CHANGES = {
    r"#include <(cuda_|c10/cuda/).*": f'#include "{HEADER.name}"',
    "stylet2i_cuda": NAME,
    r"x\.is_cuda\(\)": "x.is_cpu()",
    "1ll << 31": "1ll << 9",
}


def host_kernels(folder):
    """Return the operators of the CUDA sources, compiled from a copy in `folder` unless the user's cache has them."""
    folder = Path(folder)
    unused = set(CHANGES)
    for path in cuda_extension().folder.iterdir():
        text = path.read_text()
        for old, new in CHANGES.items():
            text, number = re.subn(old, new, text)
            unused -= {old} if number else set()
        (folder / (f"{path.stem}_kernel.cpp" if path.suffix == ".cu" else path.name)).write_text(text)
    assert not unused, f"the sources have no {unused}"
    shutil.copy(HEADER, folder)
    extension = Extension(NAME, folder, cflags=("-O1", "-Wno-unknown-pragmas"))
    build(extension)
    assert load(extension) is not None
    return getattr(torch.ops, NAME)
