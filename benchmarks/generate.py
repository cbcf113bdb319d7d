"""Images per second of the embedded model's `generate`, what its time goes to, and memory by number of images.

Run `python benchmarks/generate.py --json FILE` in a checkout; the kernels are built first where they are not. One
sentence is drawn for 16, 64 and 256 seeds, warm, to tensors (no files), a number in a process of its own. For an image
asked for several are drawn: with the edit and without it, and those that the adjustment and CLIP look at on the way.
Shares are of processor time: the generator, the guide judge and CLIP's image tower, which look, and the rest. "hold" is
the default method, "none" is Text-to-Direction alone.
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
RUNS = [  # images, method, impl
    (16, "hold", "auto"), (64, "hold", "auto"), (256, "hold", "auto"), (64, "none", "auto"), (64, "hold", "torch"),
    (64, "hold", "ref"),
]  # fmt: skip
NAMES = {"auto": "compiled", "torch": "pytorch", "ref": "twin"}


class Watch:
    """Processor seconds inside some methods, and how many images went in."""

    def __init__(self):
        self.seconds, self.images = {}, {}

    def over(self, name, owner, method):
        """Watch owner.method, whose first argument is a batch."""
        function = getattr(owner, method)
        self.seconds[name], self.images[name] = 0.0, 0

        def watched(batch, *args, **kwargs):
            start = time.process_time()
            result = function(batch, *args, **kwargs)
            self.seconds[name] += time.process_time() - start
            self.images[name] += len(batch)
            return result

        setattr(owner, method, watched)

    def reset(self):
        for counts in (self.seconds, self.images):
            counts.update(dict.fromkeys(counts, 0))


def measure(num, method, impl, threads):
    """Return the metrics of `num` images."""
    import resource

    import torch

    from styleT2I import StyleT2I
    from styleT2I.generation.adjustment import AdjustmentConfig
    from styleT2I.ops.kernels import default_impl

    torch.set_num_threads(threads)
    pipeline = StyleT2I.from_pretrained("minifaces", device="cpu")
    watch, adjustment = Watch(), AdjustmentConfig(method)
    watch.over("generator", pipeline.model.network("generator").synthesis, "forward")
    watch.over("judge", pipeline.model.network("judges.guide"), "forward")
    watch.over("clip", pipeline.model.network("clip"), "encode_image")
    with default_impl(impl):
        pipeline.generate(TEXT, seeds=range(16), adjustment=adjustment)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        watch.reset()
        start, start_cpu = time.perf_counter(), time.process_time()
        pipeline.generate(TEXT, seeds=range(num), adjustment=adjustment)
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    shares = {name: inside / cpu for name, inside in watch.seconds.items()}
    return {"images": num, "method": method, "variant": NAMES[impl], "seconds": seconds, "cpu_seconds": cpu,
            "images_per_second": num / seconds, "share_outside_generator": 1 - shares["generator"], "shares": shares,
            "seen_per_image": {name: count / num for name, count in watch.images.items()},
            "peak_memory_mb": peak / 1024, "growth_mb": (peak - before) / 1024}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    parser.add_argument("--measure", nargs=3, metavar=("NUM", "METHOD", "IMPL"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        num, method, impl = arguments.measure
        print(json.dumps(measure(int(num), method, impl, arguments.threads)))
        return
    from timing import machine

    from styleT2I.ops.kernels import CPU
    from styleT2I.torch_utils.extensions import build_or_warn
    from styleT2I.torch_utils.files import write_json_atomic

    build_or_warn(CPU, lambda text: print(text, file=sys.stderr))
    rows = []
    for run in RUNS:
        command = [sys.executable, __file__, "--threads", arguments.threads, "--measure", *run]
        result = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=True)
        rows.append(json.loads(result.stdout.splitlines()[-1]))
    facts = machine() | {"threads": arguments.threads}
    print(f"{TEXT!r}: {facts}")
    print(f"{'variant':<10}{'method':<8}{'images':>7}{'images/s':>10}{'cpu s/image':>13}{'drawn/image':>13}"
          f"{'outside G':>11}{'judge':>7}{'CLIP':>7}{'rest':>7}{'peak MB':>9}{'growth':>8}")  # fmt: skip
    for row in rows:
        shares = row["shares"]
        print(f"{row['variant']:<10}{row['method']:<8}{row['images']:>7}{row['images_per_second']:>10.1f}"
              f"{row['cpu_seconds'] / row['images']:>13.4f}{row['seen_per_image']['generator']:>13.1f}"
              f"{row['share_outside_generator']:>11.0%}{shares['judge']:>7.0%}{shares['clip']:>7.0%}"
              f"{1 - sum(shares.values()):>7.0%}{row['peak_memory_mb']:>9.0f}{row['growth_mb']:>8.1f}")  # fmt: skip
    if arguments.json_file:
        write_json_atomic(arguments.json_file, {"what": "generate", "machine": facts, "rows": rows})


if __name__ == "__main__":
    main()
