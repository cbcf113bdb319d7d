"""Images per second of the embedded model's `generate`, the share of the generator, and memory by number of images.

Run `python benchmarks/generate.py --json FILE` in a checkout, after `python -m styleT2I.doctor --build`. One sentence
is drawn for 16, 64 and 256 seeds, warm, to tensors (no files), a number in a process of its own: images per second
(each is drawn with the edit and without it), processor time, its share outside synthesis, and the peak memory.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

TEXT = "a woman with a hat who is smiling"


def measure(num, impl, threads):
    """Print one JSON line for `num` images."""
    import resource

    import torch

    from styleT2I import StyleT2I
    from styleT2I.ops.impl import default_impl

    torch.set_num_threads(threads)
    pipeline = StyleT2I.from_pretrained("minifaces", device="cpu")
    synthesis = pipeline.model.network("generator").synthesis
    inside = []

    def timed(*args, **kwargs):
        start = time.process_time()
        image = type(synthesis).forward(synthesis, *args, **kwargs)
        inside.append(time.process_time() - start)
        return image

    synthesis.forward = timed
    with default_impl(impl):
        pipeline.generate(TEXT, seeds=range(8))
        before, inside[:] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, []
        start, start_cpu = time.perf_counter(), time.process_time()
        pipeline.generate(TEXT, seeds=range(num))
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"images": num, "impl": impl, "seconds": seconds, "cpu_seconds": cpu,
                      "images_per_second": num / seconds, "share_outside_generator": 1 - sum(inside) / cpu,
                      "peak_memory_mb": peak / 1024, "growth_mb": (peak - before) / 1024}))  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    parser.add_argument("--measure", nargs=2, metavar=("NUM", "IMPL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        return measure(int(arguments.measure[0]), arguments.measure[1], arguments.threads)
    rows = []
    for impl, num in [("cpp", 16), ("cpp", 64), ("cpp", 256), ("torch", 64), ("ref", 64)]:
        command = [sys.executable, __file__, "--threads", arguments.threads, "--measure", num, impl]
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
        rows.append(json.loads(result.stdout.splitlines()[-1]))
    from timing import machine

    from styleT2I.torch_utils.files import write_json_atomic

    print(machine())
    print(
        f"{'impl':<8}{'images':>8}{'images/s':>10}{'cpu s/image':>13}{'outside G':>11}{'peak MB':>10}{'growth MB':>11}"
    )
    for row in rows:
        print(f"{row['impl']:<8}{row['images']:>8}{row['images_per_second']:>10.1f}"
              f"{row['cpu_seconds'] / row['images']:>13.4f}{row['share_outside_generator']:>11.0%}"
              f"{row['peak_memory_mb']:>10.0f}{row['growth_mb']:>11.1f}")  # fmt: skip
    if arguments.json_file:
        write_json_atomic(arguments.json_file, {"machine": machine(), "rows": rows})


if __name__ == "__main__":
    main()
