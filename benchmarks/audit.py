"""Seconds and peak memory of an audit of the embedded model: 20 comparisons, 50, 100 and 200 pairs each.

Run `python benchmarks/audit.py --json FILE` in a checkout, after `python -m styleT2I.doctor --build`. Every number of
pairs is one `audit run` of 40 compositions, quality compared with 1,000 drawings, in a process of its own: seconds on
the clock, processor seconds, images per processor second, and the peak memory, which should not grow with the pairs.
`--profile FILE` writes where the time of the smallest goes (pstats).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

SHOWN = (
    "lipstick", "earrings", "bangs", "beard", "hat", "eyeglasses", "smiling", "old", "gray_hair", "dark_skin",
    "lipstick+hat", "earrings+old", "bangs+earrings", "beard+eyeglasses", "beard+hat", "gray_hair+bangs",
    "blond_hair+lipstick", "smiling+hat", "eyeglasses+old", "dark_skin+blond_hair",
)  # fmt: skip


def declared(num, comparisons):
    """A plan of the first so many comparisons."""
    return {
        "name": "benchmark",
        "num": num,
        "compositions": [f"{side}+{shown}" for shown in SHOWN[:comparisons] for side in ("she", "he")],
        "comparisons": [
            {"name": shown, "first": f"she+{shown}", "second": f"he+{shown}"} for shown in SHOWN[:comparisons]
        ],
        "quality_data": "minifaces:balanced/test:1000",
    }


def measure(num, comparisons, threads, profile):
    """Run one audit; returns what it took."""
    with tempfile.TemporaryDirectory() as folder:
        plan = Path(folder) / "plan.json"
        plan.write_text(json.dumps(declared(num, comparisons)), encoding="utf-8")
        profiled = ["-m", "cProfile", "-o", profile] if profile else []
        command = [sys.executable, *profiled, "-m", "styleT2I.audit", "run", plan, "--device", "cpu", "--outdir",
                   Path(folder) / "out"]  # fmt: skip
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        result = subprocess.run([str(part) for part in command], env=environment, capture_output=True, text=True)
        seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        if result.returncode:
            sys.exit(result.stderr)
    cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    pictures = num * 2 * comparisons
    return {"pairs": num, "comparisons": comparisons, "pictures": pictures, "seconds": seconds,
            "cpu_seconds": cpu_seconds, "pictures_per_cpu_second": pictures / cpu_seconds,
            "peak_memory_mb": after.ru_maxrss / 1024}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--pairs", type=int, nargs="+", default=[50, 100, 200])
    parser.add_argument("--comparisons", type=int, default=len(SHOWN), help="Fewer, where only the memory matters.")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    parser.add_argument("--profile", metavar="FILE")
    arguments = parser.parse_args()
    from timing import machine

    from styleT2I.torch_utils.files import write_json_atomic

    print(machine())
    print(f"{'pairs':>6}{'pictures':>10}{'seconds':>10}{'cpu s':>10}{'pictures/cpu s':>16}{'peak MB':>10}")
    rows = []
    for num in sorted(arguments.pairs):  # the peak of all children so far is that of the last one, if it grows
        rows.append(measure(num, arguments.comparisons, arguments.threads, arguments.profile if not rows else None))
        row = rows[-1]
        print(f"{row['pairs']:>6}{row['pictures']:>10}{row['seconds']:>10.1f}{row['cpu_seconds']:>10.1f}"
              f"{row['pictures_per_cpu_second']:>16.1f}{row['peak_memory_mb']:>10.0f}", flush=True)  # fmt: skip
    if arguments.json_file:
        write_json_atomic(arguments.json_file, {"machine": machine(), "threads": arguments.threads, "rows": rows})


if __name__ == "__main__":
    main()
