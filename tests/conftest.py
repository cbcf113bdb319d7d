"""Fixtures every test may use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def single_thread():
    """One thread: faster on tiny tensors, and the order of sums does not depend on the machine."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def fixed_date():
    """One moment for everything that records a date, so that results can be compared byte for byte."""
    os.environ.setdefault("SOURCE_DATE_EPOCH", "1764320400")


@pytest.fixture(scope="session")
def shared_dir():
    """The folder of reference files that STYLET2I_SHARED names; tests that need it are skipped where it is absent."""
    path = os.environ.get("STYLET2I_SHARED")
    if not path or not Path(path).is_dir():
        pytest.skip("STYLET2I_SHARED names no folder of reference files")
    return Path(path)


@pytest.fixture
def run_python(tmp_path):
    """Run Python on this checkout in a process of its own, in an empty folder unless `cwd` is given."""

    def run(*arguments, cwd=tmp_path, timeout=300):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *map(str, arguments)]
        return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=timeout)

    return run
