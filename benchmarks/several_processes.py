"""Steps a second of a StyleGAN2 training in one process and in two that share its batch over gloo, on two cores.

Run `python benchmarks/several_processes.py --repeats 3 --json FILE` in a checkout. The variants take turns: one process
with one thread, one with two, and two processes with one thread each; all train the preset minifaces64 at 64 px on the
same batch of `--batch` images. A figure is the mean of a cycle of 16 steps, which holds every regulariser, after some
steps that are not counted; medians over the repeats are compared. Processor seconds are of all processes of a variant.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

WARM_UPS, CYCLE = 4, 16
VARIANTS = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes": (2, 1)}


def member(batch, outdir):
    """Train, and print the seconds and the processor seconds of the steps that count."""
    from styleT2I.training.engine import RunConfig, run
    from styleT2I.training.stylegan2.config import stylegan2_config
    from styleT2I.training.stylegan2.task import StyleGAN2Task

    class Timed(StyleGAN2Task):
        def step(self, step, rng):
            if step == WARM_UPS:
                self.since = time.perf_counter(), time.process_time()
            figures = super().step(step, rng)
            if step == WARM_UPS + CYCLE - 1:
                taken = time.perf_counter() - self.since[0], time.process_time() - self.since[1]
                print(json.dumps([value / CYCLE for value in taken]), flush=True)
            return figures

        def export(self, outdir, step):
            """Nothing is kept."""

    data = f"minifaces:biased/train:{WARM_UPS * batch}"  # all painted before it counts
    _, config = stylegan2_config("minifaces64", data=data, batch_size=batch)
    steps = WARM_UPS + CYCLE
    never = {"log_every": 0, "eval_every": 0, "snapshot_every": 0, "checkpoint_every": 0}
    run(Timed(config, steps), RunConfig(outdir, steps, device="cpu", **never))


def measured(processes, threads, batch):
    """Seconds and processor seconds of a step."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as outdir:
        command = [sys.executable, __file__, "--batch", str(batch), "--member", outdir]
        started = []
        for index in range(processes):
            told = {"RANK": index, "LOCAL_RANK": index, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes,
                    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": threads}  # fmt: skip
            environment = {**os.environ, **{name: str(value) for name, value in told.items()}}
            started.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True))
        said = [json.loads(process.communicate()[0].splitlines()[-1]) for process in started]
    return max(wall for wall, _ in said), sum(cpu for _, cpu in said)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16, help="images per step, of all processes together")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--member", metavar="DIR", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.member:
        member(options.batch, options.member)
        return
    runs = {name: [] for name in VARIANTS}
    for _ in range(options.repeats):
        for name, (processes, threads) in VARIANTS.items():
            runs[name].append(measured(processes, threads, options.batch))
            print(f"{name}: {runs[name][-1][0]:.3f} s a step, {runs[name][-1][1]:.3f} processor seconds", flush=True)
    medians = {name: statistics.median(wall for wall, _ in taken) for name, taken in runs.items()}
    for name, seconds in medians.items():
        print(f"{name}: {1 / seconds:.2f} steps a second, {seconds / medians['two processes']:.2f}x of two processes")
    if options.json:
        from timing import machine

        record = {"batch": options.batch, "runs": runs, "median_seconds": medians, "machine": machine()}
        Path(options.json).write_text(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
