"""A recipe whose every stage is killed once, with what it took: `python -m tests.recipe_under_kills DATA FILES OUTDIR`.

DATA is a stand-in of CelebA-HQ (tests.celebahq_stand_in), FILES holds ffhq256.pkl and ViT-B-32.pt (tests.real_scale).
"""

import json
import os
import re
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

    Returns the stages in which it was killed, its exit status, seconds by the clock and processor seconds by stage,
    which OUTDIR.seconds.json has while it runs: user and system time of all its processes, those killed among them.
    """
    command = [sys.executable, "-m", "styleT2I.recipe", "celebahq", "--data", str(data), "--generator",
               str(Path(files) / "ffhq256.pkl"), "--clip", str(Path(files) / "ViT-B-32.pt"), "--size", "toy",
               "--device", "cpu", "--outdir", str(outdir), *more]  # fmt: skip
    log = Path(f"{outdir}.log")
    environment, killed, start = {**os.environ, "OMP_NUM_THREADS": "1"}, [], time.monotonic()
    used = Processor(Path(f"{outdir}.seconds.json"))
    while True:
        with open(log, "w") as said:
            settings = {"cwd": ROOT, "env": environment, "stdout": said, "stderr": said}
            process = subprocess.Popen(command, **settings, start_new_session=True)
        stage = _new_stage(process, log, killed, used)
        if stage is None:
            return killed, process.returncode, time.monotonic() - start, used.by_stage()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        killed.append(stage)


class Processor:
    """Processor seconds of the processes of a group by the stage in which they began, as /proc has them."""

    def __init__(self, file):
        self.file, self.seen, self.tick = file, {}, os.sysconf("SC_CLK_TCK")

    def look(self, group, stage):
        """Note what all processes of the group have used."""
        for entry in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = entry.read_text().rpartition(")")[2].split()
            except OSError:  # it ended
                continue
            if int(fields[2]) == group:
                key = entry.parent.name, fields[19]  # and when it began, as numbers come again
                first = self.seen.get(key, (stage, 0.0))[0]
                self.seen[key] = first, (int(fields[11]) + int(fields[12])) / self.tick
        self.file.write_text(json.dumps(self.by_stage()))

    def by_stage(self):
        """{stage: seconds}; the recipe's own are under "recipe"."""
        total = {}
        for stage, seconds in self.seen.values():
            total[stage] = round(total.get(stage, 0.0) + seconds, 1)
        return total


def _new_stage(process, log, killed, used):
    """The first stage that was not killed before, once it has run a while; None where the recipe ended before."""
    seen = None
    while process.poll() is None:
        begun = _STAGE.findall(log.read_text())
        used.look(process.pid, begun[-1] if begun else "recipe")
        stages = [name for name in begun if name not in killed]
        if stages and seen is None:
            seen = stages[-1], time.monotonic()
        if seen and time.monotonic() - seen[1] > _PATIENCE:
            return seen[0]
        time.sleep(0.2)
    return None


if __name__ == "__main__":
    stages, status, clock, processor = run_under_kills(*sys.argv[1:])
    print(f"status {status}, killed in {', '.join(stages)}; {clock:.0f} s, processor seconds {processor}")
