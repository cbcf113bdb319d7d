"""tools/gpu_work.sh says in one line what it lacks, before it makes anything."""

import os
import subprocess
import sys

import pytest
import torch

from tests.conftest import ROOT


def gpu_work(outdir, python):
    environment = {**os.environ, "PYTHON": str(python), "PYTHONPATH": ""}
    command = ["bash", str(ROOT / "tools/gpu_work.sh"), str(outdir)]
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1, result.stderr
    assert not outdir.exists()
    return result.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU, and the work would begin")
def test_without_a_gpu_nothing_begins(tmp_path):
    assert "finds no CUDA GPU" in gpu_work(tmp_path / "out", sys.executable)


def test_an_interpreter_without_torch_is_named_with_the_remedy(tmp_path):
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S -I "$@"\n')
    bare.chmod(0o755)
    assert "has no torch; activate the environment" in gpu_work(tmp_path / "out", bare)


def test_an_interpreter_that_is_not_there_is_named(tmp_path):
    assert f"no interpreter {tmp_path}/none" in gpu_work(tmp_path / "out", tmp_path / "none")
