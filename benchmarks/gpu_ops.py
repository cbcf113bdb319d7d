"""Speed and error of StyleGAN2 on a GPU: CUDA kernels, half precision, CUDA graphs, and the ops as published ("twin").

Run `python benchmarks/gpu_ops.py --json FILE` in a checkout, after `python -m styleT2I.doctor --build`. Three --parts:
synthesis and the way back to W+ with the weights frozen, at each of --sizes, of config-f's widths with random weights;
the kernels' share of the memory bandwidth, which a copy sets; one Text-to-Direction training step. A row is printed and
FILE written as soon as it is measured; together they take about --seconds, and what no time was left for is named. A
row has the median of CUDA events; errors are max |d| / max |twin in float32|. TF32 is off.
`--against PATH` adds a clone of NVlabs/stylegan2-ada-pytorch, whose CUDA ops are compiled before the clock starts (a
minute, once), or of rosinality/stylegan2-pytorch, with the same weights.
`--device cpu` runs the same without the kernels, only to try the script.
"""

import argparse
import functools
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
PARTS = ("synthesis", "kernels", "step")
SIZES = ((256, 1), (256, 16), (1024, 1))  # resolution, batch
GRAPHS = ("kernels", "kernels fp16")  # recorded as well
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


def line_of(row):
    size = f"{row['resolution']:>5} px x {row['batch']:<3}" if "resolution" in row else ""
    text = f"{row['what']:<22}{size:<13}{row['variant']:<22}"
    if "left_out" in row:
        return f"{text}left out: {row['left_out']}"
    if "share_of_copy" in row:
        return f"{text}{row['share_of_copy']:>8.2f} of a copy"
    speedup = f"{row['speedup']:>7.2f}x" if row["speedup"] else " " * 8
    error = f"  error {row['error']:.1e}" if "error" in row else ""
    return f"{text}{1000 * row['seconds'] / row['batch']:>10.3f} ms/image{speedup}{error}"


def median(function, device, seconds, repeats):
    """Median seconds of a function that was called before, over at most `repeats` calls and about `seconds`."""
    runs, start = [], time.monotonic()
    while not runs or (len(runs) < repeats and time.monotonic() - start < seconds):
        runs.append(seconds_of(function, device))
    return statistics.median(runs)


def measure(report, functions, error_of, arguments, device, **row):
    """Add a row for every function of a name; the speed-ups are over the first.

    error_of: from what a function returns to further entries of its row.
    """
    import torch

    base = None
    for name, function in functions.items():
        seconds = report.share()
        if seconds <= 0:
            report.add(**row, variant=name, left_out="no time left")
            continue
        start = time.monotonic()
        try:
            figures = error_of(function())
            seconds_each = median(function, device, seconds - (time.monotonic() - start), arguments.repeats)
        except torch.OutOfMemoryError:
            report.add(**row, variant=name, left_out="out of memory")
            continue
        base = seconds_each if name == next(iter(functions)) else base
        report.add(**row, variant=name, seconds=seconds_each, speedup=base and base / seconds_each, **figures)


def draw_with(G, impl, precision):
    """The synthesis ws -> image of a generator in one variant; generators of a precision share their weights."""
    import copy

    from styleT2I.networks.stylegan2.config import set_precision
    from styleT2I.ops.kernels import default_impl

    synthesis = set_precision(copy.deepcopy(G), precision).synthesis

    def draw(ws):
        with default_impl(impl):
            return synthesis(ws)

    return draw


def relative(ours, exact):
    return ((ours - exact).abs().max() / exact.abs().max()).item()


def draws_of(G, clone):
    """name -> synthesis ws -> image, the twin first; a clone of NVIDIA's code has two."""
    draws = {name: draw_with(G, *variant) for name, variant in VARIANTS.items()}
    if clone:
        from clones import clone_synthesis, has_half

        draws["clone"] = clone_synthesis(clone, G)
        if has_half(clone):
            draws["clone fp16"] = clone_synthesis(clone, G, is_half=True)
    return draws


def forward(draw, ws):
    import torch

    with torch.no_grad():
        return draw(ws)


def backward(draw, ws):
    import torch

    ws = ws.clone().requires_grad_()
    return torch.autograd.grad(draw(ws).square().sum(), ws)[0]


def measure_synthesis(report, arguments, device):
    """Rows of forward, and of forward and backward to W+, for each size."""
    import torch
    from synthesis import build_generator

    from styleT2I.torch_utils.hardware.cuda_graphs import Graphed

    for resolution, batch in arguments.sizes:
        G = build_generator(resolution, arguments.channel_base, False)
        ws = forward(G.mapping, torch.randn(batch, G.z_dim))
        draws = draws_of(G, arguments.against)
        recorded = {f"{name}, graph": Graphed(draws[name]) for name in GRAPHS}  # have no way back
        runs = [("forward", forward, draws | recorded), ("forward and backward", backward, draws)]
        for what, run, variants in runs:
            exact = torch.cat([run(draws["twin"], row) for row in ws.split(1)])
            functions = {name: functools.partial(run, draw, ws) for name, draw in variants.items()}
            row = {"what": what, "resolution": resolution, "batch": batch}
            measure(report, functions, functools.partial(error_from, exact), arguments, device, **row)


def error_from(exact, ours):
    return {"error": relative(ours, exact)}


def measure_step(report, arguments, device):
    """Rows of one Text-to-Direction training step by variant of the generator."""
    from t2d_step import Step

    step = Step(arguments.step_resolution, arguments.step_batch)
    draws = {name: draw_with(step.G, *variant) for name, variant in VARIANTS.items()}
    runs = {name: lambda name=name: step.run(name, draws[name]) for name in draws}
    size = {"resolution": arguments.step_resolution, "batch": arguments.step_batch}
    measure(report, runs, lambda nothing: {}, arguments, device, what="T2D step", **size)


def measure_kernels(report, arguments, device):
    """Rows of each kernel's bytes per second, every number read and written once, as a fraction of a copy's."""
    import torch

    num = arguments.copy_elements
    source, place = torch.zeros(num), torch.zeros(num)
    place.copy_(source)
    limit = 2 * num * 4 / median(lambda: place.copy_(source), device, 1, arguments.repeats)
    report.result["copy_bytes_per_second"] = limit
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        for memory_format in (torch.contiguous_format, torch.channels_last):
            row = {
                "what": str(dtype).removeprefix("torch."),
                "memory_format": str(memory_format).removeprefix("torch."),
            }
            for name, passes, nbytes, call in kernel_calls(num, dtype, memory_format):
                variant, seconds = f"{name} {row['memory_format']}", report.share()
                if seconds <= 0:
                    report.add(**row, variant=variant, left_out="no time left")
                    continue
                with torch.no_grad():
                    call()
                    rate = passes * nbytes / median(call, device, seconds, arguments.repeats)
                report.add(**row, variant=variant, share_of_copy=rate / limit)


def kernel_calls(num, dtype, memory_format):
    """(name, passes over the large image, its bytes, call) on eight samples of 32 channels, about `num` numbers."""
    import torch

    from styleT2I.ops.bias_act import bias_act
    from styleT2I.ops.upfirdn2d import setup_filter, upfirdn2d

    side = 1 << ((num // 256).bit_length() - 1) // 2
    x = torch.randn(8, 32, side, side, dtype=dtype).contiguous(memory_format=memory_format)
    small = x[:, :, : side // 2, : side // 2].contiguous(memory_format=memory_format)
    f, b, scale, noise = setup_filter([1, 3, 3, 1]), torch.randn(32), torch.randn(8, 32), torch.randn(side, side)
    return [
        ("bias_act", 2, x.nbytes, lambda: bias_act(x, b, scale=scale, noise=noise, act="lrelu", clamp=256)),
        ("filter", 2, x.nbytes, lambda: upfirdn2d(x, f, padding=(2, 1, 2, 1))),
        ("up", 1.25, x.nbytes, lambda: upfirdn2d(small, f, up=2, padding=(2, 1, 2, 1), gain=4)),
        ("down", 1.25, x.nbytes, lambda: upfirdn2d(x, f, down=2, padding=1)),
    ]


def number_of_rows(arguments):
    """How many rows each part will have, by which the time is shared."""
    each = 2 * len(VARIANTS) + len(GRAPHS) + (4 if arguments.against else 0)
    numbers = {"synthesis": len(arguments.sizes) * each, "kernels": 3 * 2 * 4, "step": len(VARIANTS)}
    return sum(numbers[part] for part in arguments.parts)


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


def compile_clone(path, device):
    """Draw one small image with a clone, which compiles its CUDA ops; return which of them it then has."""
    import torch
    from clones import clone_synthesis, compiled_ops
    from synthesis import build_generator

    G = build_generator(16, 32768, False)
    with torch.no_grad():
        clone_synthesis(path, G)(torch.zeros(1, G.num_ws, G.w_dim, device=device))
    return compiled_ops()


def size_of(text):
    """256x16 -> (256, 16): resolution and batch."""
    resolution, _, batch = text.partition("x")
    return int(resolution), int(batch)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--parts", nargs="+", default=PARTS, choices=PARTS)
    parser.add_argument("--sizes", type=size_of, nargs="+", default=SIZES, metavar="RESOLUTIONxBATCH")
    parser.add_argument("--seconds", type=float, default=110, help="for all rows together")
    parser.add_argument("--channel-base", type=int, default=32768)
    parser.add_argument("--step-resolution", type=int, default=256)
    parser.add_argument("--step-batch", type=int, default=16)
    parser.add_argument("--copy-elements", type=int, default=COPY_ELEMENTS)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--against", metavar="PATH")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    import torch
    from report import Report

    from styleT2I.errors import StyleT2IError
    from styleT2I.torch_utils.hardware.devices import resolve_device

    device = resolve_device(arguments.device)
    torch.manual_seed(0)
    parts = {"synthesis": measure_synthesis, "kernels": measure_kernels, "step": measure_step}
    with device, torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        about = machine(device)
        try:
            about |= {"clone_ops": compile_clone(arguments.against, device)} if arguments.against else {}
        except StyleT2IError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(2)
        report = Report(about, arguments.seconds, number_of_rows(arguments), arguments.json_file, line_of)
        for part in arguments.parts:
            parts[part](report, arguments, device)


if __name__ == "__main__":
    main()
