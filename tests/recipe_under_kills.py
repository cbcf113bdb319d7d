"""A recipe whose every stage is killed once, with what it took: `python -m tests.recipe_under_kills DATA FILES OUTDIR`.

DATA is a stand-in of CelebA-HQ (tests.celebahq_stand_in), FILES holds ffhq256.pkl and ViT-B-32.pt (tests.real_scale).
"""

import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT

_STAGE = re.compile(r"^(\w+): python -m styleT2I", re.MULTILINE)
_PATIENCE = 6.0  # seconds of a stage before it is killed: most are at work then, on a free machine


def run_under_kills(data, files, outdir, *more):
    """Start the recipe again and again, each time killed (SIGKILL, all its processes) in the first stage that was
    not killed before, until it ends by itself.

    Returns the stages in which it was killed, its exit status, seconds by the clock and processor seconds.
    """
    command = [sys.executable, "-m", "styleT2I.recipe", "celebahq", "--data", str(data), "--generator",
               str(Path(files) / "ffhq256.pkl"), "--clip", str(Path(files) / "ViT-B-32.pt"), "--size", "toy",
               "--device", "cpu", "--outdir", str(outdir), *more]  # fmt: skip
    log = Path(f"{outdir}.log")
    environment, killed, start = {**os.environ, "OMP_NUM_THREADS": "1"}, [], time.monotonic()
    while True:
        with open(log, "w") as said:
            settings = {"cwd": ROOT, "env": environment, "stdout": said, "stderr": said}
            process = subprocess.Popen(command, **settings, start_new_session=True)
        stage = _new_stage(process, log, killed)
        if stage is None:
            used = resource.getrusage(resource.RUSAGE_CHILDREN)
            return killed, process.returncode, time.monotonic() - start, used.ru_utime + used.ru_stime
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        killed.append(stage)


def _new_stage(process, log, killed):
    """The first stage that was not killed before, once it has run a while; None where the recipe ended before."""
    seen = None
    while process.poll() is None:
        stages = [name for name in _STAGE.findall(log.read_text()) if name not in killed]
        if stages and seen is None:
            seen = stages[-1], time.monotonic()
        if seen and time.monotonic() - seen[1] > _PATIENCE:
            return seen[0]
        time.sleep(0.2)
    return None


if __name__ == "__main__":
    stages, status, clock, processor = run_under_kills(*sys.argv[1:])
    print(f"status {status}, killed in {', '.join(stages)}; {clock:.0f} s, {processor:.0f} processor seconds")
