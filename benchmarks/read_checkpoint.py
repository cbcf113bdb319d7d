"""Time and memory of reading a 1024-pixel StyleGAN2 generator (30 million parameters) from each kind of file.

Run `python benchmarks/read_checkpoint.py` in a checkout. The files hold random weights; each is read in a process of
its own with one thread. Prints a table: seconds from the call of `load_network` until the network is ready, of those
the seconds of processor time (on a busy machine the one that counts), and by how much the process's peak memory rose,
as a multiple of the file's size.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def write_files(folder, resolution):
    """Write the generator (as G_ema) in every format that can be written here; yield (what, path)."""
    import torch

    from styleT2I.config import to_dict
    from styleT2I.formats.component import write_component
    from styleT2I.networks.stylegan2.config import GeneratorConfig
    from styleT2I.networks.stylegan2.generator import Generator
    from tests.foreign_files import write_nvidia, write_rosinality, write_tensorflow

    torch.manual_seed(0)
    G = Generator(GeneratorConfig(resolution)).eval().requires_grad_(False)
    print(f"{sum(p.numel() for p in G.parameters()) / 1e6:.1f} million parameters, {resolution} pixels")
    for protocol in (2, 3, 4, 5):
        write_nvidia(folder / f"ada{protocol}.pkl", protocol, G_ema=G)
        yield f"NVIDIA pickle, protocol {protocol}", folder / f"ada{protocol}.pkl"
    write_tensorflow(folder / "tf.pkl", G_ema=G)
    yield "TensorFlow pickle", folder / "tf.pkl"
    write_rosinality(folder / "zip.pt", G_ema=G)
    yield "rosinality, zip", folder / "zip.pt"
    write_rosinality(folder / "legacy.pt", legacy=True, G_ema=G)
    yield "rosinality, before torch 1.6", folder / "legacy.pt"
    yield "our component", write_component(folder, "ours", G.kind, to_dict(G.config), G.state_dict())


def measure(path):
    """Read `path` and print seconds and bytes of peak memory above what the imports and one small network took."""
    import torch

    import styleT2I
    from styleT2I.networks.registry import network_class

    torch.set_num_threads(1)
    network_class("stylegan2-generator").example()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    before, start, start_cpu = status("VmRSS"), time.perf_counter(), time.process_time()
    styleT2I.load_network(path)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    print(json.dumps([seconds, cpu, status("VmHWM") - before]))


def status(name):
    """A value of /proc/self/status in bytes."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) * 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--resolution", type=int, default=1024)
    parser.add_argument("--measure", metavar="FILE", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure)
        return
    with tempfile.TemporaryDirectory() as folder:
        files = list(write_files(Path(folder), arguments.resolution))
        print(f"{'file':32}{'MB':>8}{'seconds':>10}{'of CPU':>10}{'peak / size':>13}")
        for what, path in files:
            command = [sys.executable, __file__, "--measure", str(path)]
            result = subprocess.run(command, capture_output=True, text=True, check=True)
            seconds, cpu, peak = json.loads(result.stdout)
            weights = path.with_suffix(".safetensors")
            size = (weights if weights.is_file() else path).stat().st_size
            print(f"{what:32}{size / 1e6:8.1f}{seconds:10.2f}{cpu:10.2f}{peak / size:13.2f}")


if __name__ == "__main__":
    main()
