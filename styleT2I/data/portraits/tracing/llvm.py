"""Whether a modern LLVM is installed: the fast renderer needs one, and an old one ends the whole process."""

from __future__ import annotations

import ctypes.util
import glob
import os
import re
from pathlib import Path

OLDEST = 17  # older ones cannot compile the renderer's `fminimum` on AVX-512 and abort
_FOLDERS = ("/usr/lib/*-linux-gnu", "/usr/lib64", "/usr/lib/llvm-*/lib", "/usr/local/lib", "/opt/homebrew/opt/llvm/lib",
            "/usr/local/opt/llvm/lib")  # fmt: skip
_NUMBERED = re.compile(r"libLLVM(?:-|\.so\.|\.)(\d+)")


def library_version(path: str) -> int | None:
    """Return LLVM's major version of a shared library, None where neither its name nor the library itself states it.

    Follows links, as `libLLVM.so` may be one; LLVM 17 and newer also have a function that returns their version.
    """
    for name in (Path(path).name, Path(os.path.realpath(path)).name):
        if found := _NUMBERED.match(name):
            return int(found.group(1))
    try:
        ask = ctypes.CDLL(path).LLVMGetVersion
    except (OSError, AttributeError):
        return None
    major, minor, patch = (ctypes.c_uint() for _ in range(3))
    ask(ctypes.byref(major), ctypes.byref(minor), ctypes.byref(patch))
    return major.value


def _candidates() -> list[str]:
    """Return the LLVM libraries of this machine: the one that DRJIT_LIBLLVM_PATH names, else all that are found."""
    if named := os.environ.get("DRJIT_LIBLLVM_PATH"):
        return [named]
    found = [
        path
        for folder in _FOLDERS
        for path in glob.glob(f"{folder}/libLLVM*.so*") + glob.glob(f"{folder}/libLLVM*.dylib")
    ]
    named = ctypes.util.find_library("LLVM")
    return found + ([named] if named else [])


def modern_llvm() -> str | None:
    """Return the newest LLVM library that is new enough for `llvm_ad_rgb`, or None."""
    versions = {path: library_version(path) or 0 for path in _candidates()}
    usable = [path for path, version in versions.items() if version >= OLDEST]
    return max(usable, key=lambda path: (versions[path], path), default=None)
