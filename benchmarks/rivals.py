"""Our synthesis on a CPU beside torch.compile, onnxruntime and OpenVINO: the same weights, the images compared.

Run `python benchmarks/rivals.py --resolution 256 --batch 4 --threads 1 --json FILE` in a checkout, and with 1024 pixels
and two threads alike. The others are extras of this benchmark alone (`pip install onnx onnxruntime openvino`); what is
not installed, or does not run, is named with its reason and left out. They are given what PyTorch does for this network
(`impl="torch"`), as one graph of its operations. Weights are random, of config-f's widths; the variants take turns,
medians are compared. `--backward` adds the way to W+, which torch.compile alone has beside us; `--rivals` chooses among
them. In the JSON "speedup" is the fastest rival's time over ours, "cpu_speedup" the same of processor time (which says
more where a machine has other work), and "errors" are max |d| / max |twin|.
"""

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]


def graph_of(G, ws):
    """The synthesis as a module of PyTorch's operations, without ours, for ws of this shape."""
    from torch.fx.experimental.proxy_tensor import make_fx

    from styleT2I.ops.kernels import default_impl

    with default_impl("torch"):
        return make_fx(lambda ws: G.synthesis(ws))(ws)


def compiled(graph, path, threads):
    import torch

    return torch.compile(graph, dynamic=False)


def in_onnxruntime(graph, path, threads):
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda ws: torch.from_numpy(session.run(None, {"ws": ws.numpy()})[0])


def in_openvino(graph, path, threads):
    import openvino
    import torch

    settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.compile_model(path, "CPU", settings)
    return lambda ws: torch.from_numpy(model(ws.numpy())[0].copy())


RIVALS = {"torch.compile": compiled, "onnxruntime": in_onnxruntime, "openvino": in_openvino}


def rivals_of(G, ws, names, threads, is_backward):
    """name -> synthesis of ws for those that run here, and name -> why not for the others."""
    import torch

    graph, runs, left_out = graph_of(G, ws), {}, {}
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/synthesis.onnx"
        for name in names:
            make = RIVALS[name]
            if is_backward and make is not compiled:
                left_out[name] = "has no way back"
                continue
            try:
                if make is not compiled and not Path(path).exists():
                    torch.onnx.export(graph, (ws,), path, input_names=["ws"], dynamo=False)
                runs[name] = make(graph, path, threads)
                with torch.no_grad():
                    runs[name](ws)
            except Exception as error:  # of whatever kind another's code raises
                runs.pop(name, None)
                left_out[name] = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"
    return runs, left_out


def measure(arguments):
    import torch
    from synthesis import build_generator, errors, make_variants, ours_of
    from timing import interleave, machine

    torch.set_num_threads(arguments.threads)
    G = build_generator(arguments.resolution, arguments.channel_base, False)
    ws = G.mapping(torch.randn(arguments.batch, G.z_dim))
    own = make_variants(G)
    ours = ours_of(own)
    rivals, left_out = rivals_of(G, ws, arguments.rivals, arguments.threads, arguments.backward)
    runs = {ours: own[ours], **rivals}
    measured = errors({"twin": own["twin"], **runs}, ws, False, False, G)["errors"]

    def run(synthesis):
        if not arguments.backward:
            with torch.no_grad():
                synthesis(ws)
        else:
            image = synthesis(ws.clone().requires_grad_())
            image.backward(torch.ones_like(image))

    times = interleave({name: lambda s=synthesis: run(s) for name, synthesis in runs.items()}, arguments.repeats)
    speedups = {}
    for name, of in (("speedup", "seconds"), ("cpu_speedup", "cpu_seconds")):
        fastest = min((times[rival][of] for rival in rivals), default=None)
        speedups[name] = fastest and fastest / times[ours][of]
    return {
        "what": "forward and backward" if arguments.backward else "forward",
        **{name: getattr(arguments, name) for name in ("resolution", "channel_base", "batch", "threads", "repeats")},
        "machine": machine(), "ours": ours, "times": times, "left_out": left_out,
        "errors": {name: measured[name] for name in runs},
        **speedups,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--channel-base", type=int, default=32768)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rivals", nargs="*", default=list(RIVALS), choices=list(RIVALS))
    parser.add_argument("--backward", action="store_true")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    from timing import print_table

    from styleT2I.torch_utils.files import write_json_atomic

    result = measure(arguments)
    print(f"{result['what']}, {arguments.resolution} px, batch {arguments.batch}: {result['machine']}")
    print_table(result["times"], result["ours"], arguments.batch)
    print("errors", {name: float(f"{error:.3g}") for name, error in result["errors"].items()})
    for name, reason in result["left_out"].items():
        print(f"{name} left out: {reason}")
    if arguments.json_file:
        write_json_atomic(arguments.json_file, result)


if __name__ == "__main__":
    main()
