"""Speed and error of StyleGAN2 on a GPU: CUDA kernels, half precision, CUDA graphs, and the ops as published ("twin").

Run `python benchmarks/gpu_ops.py --json FILE` in a checkout, after `python -m styleT2I.doctor --build`. Three --parts:
synthesis and the way back to W+ with the weights frozen, at each --resolutions and --batches, of config-f's widths with
random weights; one Text-to-Direction training step; the kernels' share of the memory bandwidth, which a copy sets.
Variants take turns, medians of CUDA events are compared; errors are max |d| / max |twin in float32|. TF32 is off.
`--against PATH` adds a clone of NVlabs/stylegan2-ada-pytorch or rosinality/stylegan2-pytorch with the same weights.
`--device cpu` runs the same without the kernels, only to try the script.
"""

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

VARIANTS = {  # name -> implementation of the ops, precision
    "twin": ("ref", "fp32"),
    "pytorch": ("torch", "fp32"),
    "kernels": ("auto", "fp32"),
    "kernels fp16": ("auto", "fp16"),
    "kernels bf16": ("auto", "bf16"),
}
PARTS = ("synthesis", "step", "kernels")
COPY_ELEMENTS = 1 << 28


def seconds_of(function, device):
    """Time of one call on the device's own clock."""
    import torch

    if device.type == "cpu":
        start = time.perf_counter()
        function()
        return time.perf_counter() - start
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    function()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1000


def medians(functions, repeats, device):
    """name -> median seconds of functions that take turns, after two calls each to warm up."""
    runs = {name: [] for name in functions}
    for i in range(repeats + 2):
        for name, function in functions.items():
            seconds = seconds_of(function, device)
            if i >= 2:
                runs[name].append(seconds)
    return {name: statistics.median(values) for name, values in runs.items()}


def draw_with(G, impl, precision):
    """The synthesis ws -> image of a generator in one variant; generators of a precision share their weights."""
    import copy

    from styleT2I.networks.stylegan2.precision import set_precision
    from styleT2I.ops.impl import default_impl

    synthesis = set_precision(copy.deepcopy(G), precision).synthesis

    def draw(ws):
        with default_impl(impl):
            return synthesis(ws)

    return draw


def relative(ours, exact):
    return ((ours - exact).abs().max() / exact.abs().max()).item()


def measure_synthesis(resolution, batch, arguments, device):
    """Rows of forward, and of forward and backward to W+, for one resolution and batch."""
    import torch
    from synthesis import build_generator

    from styleT2I.torch_utils.cuda_graphs import Graphed

    G = build_generator(resolution, arguments.channel_base, False)
    draws = {name: draw_with(G, *variant) for name, variant in VARIANTS.items()}
    if arguments.against:
        from clones import clone_synthesis

        draws["clone"] = clone_synthesis(arguments.against, G)
    recorded = {f"{name}, graph": Graphed(draws[name]) for name in ("kernels", "kernels fp16")}  # has no way back
    with torch.no_grad():
        ws = G.mapping(torch.randn(batch, G.z_dim))

    def forward(draw, ws):
        with torch.no_grad():
            return draw(ws)

    def backward(draw, ws):
        ws = ws.clone().requires_grad_()
        return torch.autograd.grad(draw(ws).square().sum(), ws)[0]

    def row(what, run, variants):
        exact = torch.cat([run(draws["twin"], one) for one in ws.split(1)])
        errors, left_out = {}, []
        for name, draw in variants.items():
            try:
                errors[name] = relative(run(draw, ws), exact)
            except torch.OutOfMemoryError:
                left_out.append(name)
        calls = {name: lambda d=variants[name]: run(d, ws) for name in errors}
        times = medians(calls, arguments.repeats, device)
        speedups = {name: times["twin"] / seconds for name, seconds in times.items() if "twin" in times}
        return {"what": what, "resolution": resolution, "batch": batch, "seconds": times, "speedups": speedups,
                "errors": errors, "out_of_memory": left_out}  # fmt: skip

    return [row("forward", forward, draws | recorded), row("forward and backward", backward, draws)]


def measure_step(arguments, device):
    """Seconds of one Text-to-Direction training step by variant of the generator."""
    from t2d_step import Step

    step = Step(arguments.step_resolution, arguments.step_batch)
    draws = {name: draw_with(step.G, *variant) for name, variant in VARIANTS.items()}
    times = medians({name: lambda n=name: step.run(n, draws[n]) for name in draws}, arguments.repeats, device)
    return {"resolution": arguments.step_resolution, "batch": arguments.step_batch, "seconds": times,
            "speedups": {name: times["twin"] / seconds for name, seconds in times.items()}}  # fmt: skip


def measure_kernels(arguments, device):
    """Bytes a second of each kernel, every number read and written once, as a share of a copy's."""
    import torch

    num = arguments.copy_elements
    source, place = torch.zeros(num), torch.zeros(num)
    limit = 2 * num * 4 / medians({"copy": lambda: place.copy_(source)}, arguments.repeats, device)["copy"]
    rows = []
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for memory_format in (torch.contiguous_format, torch.channels_last):
            with torch.no_grad():
                rates = kernel_rates(num, dtype, memory_format, arguments.repeats, device)
            shares = {name: rate / limit for name, rate in rates.items()}
            rows.append({"dtype": str(dtype), "memory_format": str(memory_format), "share_of_copy": shares})
    return {"copy_bytes_per_second": limit, "rows": rows}


def kernel_rates(num, dtype, memory_format, repeats, device):
    """name -> bytes a second on eight samples of 32 channels, together about `num` numbers."""
    import torch

    from styleT2I.ops.bias_act import bias_act
    from styleT2I.ops.upfirdn2d import setup_filter, upfirdn2d

    side = 1 << ((num // 256).bit_length() - 1) // 2
    x = torch.randn(8, 32, side, side, dtype=dtype).contiguous(memory_format=memory_format)
    small = x[:, :, : side // 2, : side // 2].contiguous(memory_format=memory_format)
    f, b, scale, noise = setup_filter([1, 3, 3, 1]), torch.randn(32), torch.randn(8, 32), torch.randn(side, side)
    calls = {
        "bias_act": (2, lambda: bias_act(x, b, scale=scale, noise=noise, act="lrelu", clamp=256)),
        "filter": (2, lambda: upfirdn2d(x, f, padding=(2, 1, 2, 1))),
        "up": (1.25, lambda: upfirdn2d(small, f, up=2, padding=(2, 1, 2, 1), gain=4)),
        "down": (1.25, lambda: upfirdn2d(x, f, down=2, padding=1)),
    }
    times = medians({name: call for name, (_, call) in calls.items()}, repeats, device)
    return {name: passes * x.nbytes / times[name] for name, (passes, _) in calls.items()}


def machine(device):
    import torch

    from styleT2I.ops.kernels import cuda_kernels

    is_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if is_gpu else "cpu",
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "has_kernels": is_gpu and cuda_kernels() is not None,
    }


def print_rows(result):
    print(result["machine"])
    for row in result.get("synthesis", ()):
        print(f"{row['what']}, {row['resolution']} px, batch {row['batch']}")
        for name, seconds in row["seconds"].items():
            each, speedup = 1000 * seconds / row["batch"], row["speedups"].get(name, float("nan"))
            print(f"  {name:<22}{each:>10.3f} ms/image{speedup:>8.2f}x  error {row['errors'][name]:.1e}")
        for name in row["out_of_memory"]:
            print(f"  {name:<22}out of memory")
    if step := result.get("step"):
        print(f"T2D step, {step['resolution']} px, batch {step['batch']}")
        for name, seconds in step["seconds"].items():
            print(f"  {name:<22}{1000 * seconds:>10.1f} ms{step['speedups'][name]:>8.2f}x")
    if kernels := result.get("kernels"):
        print(f"share of a copy's {kernels['copy_bytes_per_second'] / 1e12:.3f} TB/s")
        for row in kernels["rows"]:
            shares = ", ".join(f"{name} {share:.2f}" for name, share in row["share_of_copy"].items())
            print(f"  {row['dtype']:<16}{row['memory_format']:<26}{shares}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--resolutions", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--channel-base", type=int, default=32768)
    parser.add_argument("--step-resolution", type=int, default=256)
    parser.add_argument("--step-batch", type=int, default=16)
    parser.add_argument("--copy-elements", type=int, default=COPY_ELEMENTS)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--against", metavar="PATH")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    import torch

    from styleT2I.torch_utils.devices import resolve_device
    from styleT2I.torch_utils.files import write_json_atomic

    device = resolve_device(arguments.device)
    torch.manual_seed(0)
    sizes = itertools.product(arguments.resolutions, arguments.batches)
    parts = {
        "synthesis": lambda: [row for size in sizes for row in measure_synthesis(*size, arguments, device)],
        "step": lambda: measure_step(arguments, device),
        "kernels": lambda: measure_kernels(arguments, device),
    }
    with device, torch.backends.cudnn.flags(enabled=True, benchmark=True, allow_tf32=False):
        result = {"machine": machine(device)} | {part: parts[part]() for part in arguments.parts}
    print_rows(result)
    if arguments.json_file:
        write_json_atomic(arguments.json_file, result)


if __name__ == "__main__":
    main()
