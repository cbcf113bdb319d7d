"""Speed and error of StyleGAN2 synthesis on a CPU: compiled, in PyTorch, and the ops as published ("twin").

Run `python benchmarks/synthesis.py --resolution 256 --batch 4 --repeats 3 --json FILE` in a checkout; the kernels are
built first where they are not. Weights are random, of config-f's widths; the variants take turns, medians are compared.
`--backward` adds the way back to W+ with the weights frozen, and what is saved for it. `--exact` measures every error
from a run in fp64 as well. `--against PATH` adds a clone of NVlabs/stylegan2-ada-pytorch or of
rosinality/stylegan2-pytorch with the same weights. `--wide` scales the styles by 10. `--avx2` keeps all variants to
that instruction set. The JSON holds "speedup" (twin / ours), "error" (max |d| / max |twin|) and "ours" ("compiled", or
"pytorch" where there is no compiler) among the rest.
"""

import argparse
import copy
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

VARIANTS = {"twin": "ref", "pytorch": "torch", "compiled": "cpp"}


def build_generator(resolution, channel_base, is_wide):
    """A frozen generator whose noise and biases matter."""
    import torch

    from styleT2I.networks.stylegan2.config import GeneratorConfig
    from styleT2I.networks.stylegan2.generator import Generator

    torch.manual_seed(0)
    G = Generator(GeneratorConfig(resolution, channel_base=channel_base)).eval().requires_grad_(False)
    for name, parameter in G.synthesis.named_parameters():
        if name.endswith(("noise_strength", ".bias")) and "affine" not in name:
            parameter.copy_(0.1 * torch.randn_like(parameter))
        elif name.endswith("affine.weight") and is_wide:
            parameter *= 10
    return G


def make_variants(G, against=None):
    """name -> synthesis of ws, each in its implementation; without a compiler none is "compiled"."""
    from clones import clone_synthesis

    from styleT2I.ops.kernels import CPU, cpu_kernels, default_impl
    from styleT2I.torch_utils.extensions import build_or_warn

    def own(impl):
        def synthesis(ws):
            with default_impl(impl):
                return G.synthesis(ws)

        return synthesis

    build_or_warn(CPU, lambda text: print(text, file=sys.stderr))
    result = {name: own(impl) for name, impl in VARIANTS.items() if name != "compiled" or cpu_kernels()}
    if against:
        result["clone"] = clone_synthesis(against, G)
    return result


def ours_of(variants):
    """The variant that a user gets here."""
    return "compiled" if "compiled" in variants else "pytorch"


def exact_synthesis(G):
    """The synthesis in fp64."""
    from styleT2I.ops.kernels import default_impl

    G = copy.deepcopy(G).double()

    def synthesis(ws):
        with default_impl("torch"):
            return G.synthesis(ws.double())

    return synthesis


def measure_backward(synthesis, ws, cotangent):
    """The image, the gradient to ws, and the bytes saved for it."""
    import torch

    sizes = {}

    def pack(t):
        sizes[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    ws = ws.clone().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        image = synthesis(ws)
    own = {p.untyped_storage().data_ptr() for p in (ws, image)}
    image.backward(cotangent.to(image.dtype))
    return image.detach(), ws.grad, sum(size for pointer, size in sizes.items() if pointer not in own)


def errors(variants, ws, is_backward, is_exact, G):
    """Errors of all images from the twin's and, where asked for, from fp64's; alike of the gradients."""
    import torch

    runs, reference = dict(variants), {"errors": "twin"}
    if is_exact:
        runs["fp64"], reference["errors_from_fp64"] = exact_synthesis(G), "fp64"
    images, grads, saved = {}, {}, {}
    cotangent = torch.randn(len(ws), 3, G.resolution, G.resolution, generator=torch.Generator().manual_seed(1))
    for name, synthesis in runs.items():
        if is_backward:
            images[name], grads[name], saved[name] = measure_backward(synthesis, ws, cotangent)
        else:
            with torch.no_grad():
                images[name] = synthesis(ws)
    result = {
        key: {name: relative(images[name], images[base], torch.Tensor.amax) for name in variants}
        for key, base in reference.items()
    }
    if is_backward:
        for key, base in reference.items():
            result[f"gradient_{key}_l2"] = {n: relative(grads[n], grads[base], torch.Tensor.norm) for n in variants}
        result["saved_bytes"] = {name: saved[name] for name in variants}
    return result


def relative(ours, reference, size):
    return (size((ours - reference).abs()) / size(reference.abs())).item()


def measure(arguments):
    import torch
    from timing import interleave, machine

    from styleT2I.ops.kernels import cpu_kernels

    torch.set_num_threads(arguments.threads)
    G = build_generator(arguments.resolution, arguments.channel_base, arguments.wide)
    ws = G.mapping(torch.randn(arguments.batch, G.z_dim))
    variants = make_variants(G, arguments.against)
    ours = ours_of(variants)
    if arguments.avx2 and cpu_kernels():
        cpu_kernels().use_instruction_set("avx2")
    result = {"what": "forward and backward" if arguments.backward else "forward", "ours": ours,
              **{k: getattr(arguments, k) for k in ("resolution", "channel_base", "batch", "repeats", "wide")},
              **errors(variants, ws, arguments.backward, arguments.exact, G)}  # fmt: skip

    def run(synthesis):
        if not arguments.backward:
            with torch.no_grad():
                synthesis(ws)
        else:
            image = synthesis(ws.clone().requires_grad_())
            image.backward(torch.ones_like(image))

    times = interleave({name: lambda s=synthesis: run(s) for name, synthesis in variants.items()}, arguments.repeats)
    base = times["twin"]["seconds"]
    return result | {"machine": machine(), "times": times, "error": result["errors"][ours],
                     "speedup": base / times[ours]["seconds"],
                     "speedup_pytorch": base / times["pytorch"]["seconds"]}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--channel-base", type=int, default=32768)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--backward", action="store_true")
    parser.add_argument("--exact", action="store_true")
    parser.add_argument("--wide", action="store_true")
    parser.add_argument("--avx2", action="store_true")
    parser.add_argument("--against", metavar="PATH")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    if arguments.avx2:  # read when torch is imported
        os.environ |= {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2"}
    from timing import print_table

    from styleT2I.errors import StyleT2IError
    from styleT2I.torch_utils.files import write_json_atomic

    try:
        result = measure(arguments)
    except StyleT2IError as error:
        parser.exit(2, f"error: {error}\n")
    print(f"{result['what']}, {arguments.resolution} px, batch {arguments.batch}: {result['machine']}")
    print_table(result["times"], "twin", arguments.batch)
    for name, values in result.items():
        if name.startswith(("errors", "gradient_", "saved_")):
            print(name, {key: float(f"{value:.3g}") for key, value in values.items()})
    if arguments.json_file:
        write_json_atomic(arguments.json_file, result)


if __name__ == "__main__":
    main()
