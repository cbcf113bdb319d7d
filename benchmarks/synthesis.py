"""Speed and error of StyleGAN2 synthesis on a CPU: compiled, in PyTorch, and the ops as published ("twin").

Run `python benchmarks/synthesis.py --resolution 256 --batch 4 --repeats 3 --json FILE` in a checkout, after
`python -m styleT2I.doctor --build`. Weights are random, of config-f's widths; the variants take turns, medians are
compared. `--backward` adds the way back to W+ with the weights frozen, and what is saved for it. `--against PATH` adds
a clone of NVlabs/stylegan2-ada-pytorch or rosinality/stylegan2-pytorch with the same weights. `--wide` scales the
styles by 10. The JSON holds "speedup" (twin / compiled) and "error" (max |d| / max |twin|) among the rest.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

VARIANTS = {"twin": "ref", "pytorch": "torch", "compiled": "cpp"}


def build_generator(resolution, channel_base, is_wide):
    """A frozen generator whose noise and biases matter."""
    import torch

    from styleT2I.networks.stylegan2 import Generator
    from styleT2I.networks.stylegan2_config import GeneratorConfig

    torch.manual_seed(0)
    G = Generator(GeneratorConfig(resolution, channel_base=channel_base)).eval().requires_grad_(False)
    for name, parameter in G.synthesis.named_parameters():
        if name.endswith(("noise_strength", ".bias")) and "affine" not in name:
            parameter.copy_(0.1 * torch.randn_like(parameter))
        elif name.endswith("affine.weight") and is_wide:
            parameter *= 10
    return G


def clone_synthesis(path, G):
    """The synthesis ws -> image of a clone at `path`, with the weights of G."""
    from styleT2I.config import to_dict
    from styleT2I.formats import export_ada, export_rosinality

    sys.path.insert(0, str(path))
    config, state = to_dict(G.config), G.state_dict()
    if (Path(path) / "training/networks.py").exists():
        from training.networks import Generator

        theirs = Generator(config["z_dim"], config["c_dim"], config["w_dim"], config["resolution"], 3,
                           synthesis_kwargs={"channel_base": config["channel_base"]})  # fmt: skip
        theirs.load_state_dict(export_ada.lay_out(config, state)[0]["G_ema"])
        theirs.eval().requires_grad_(False)
        return lambda ws: theirs.synthesis(ws, noise_mode="const")
    from model import Generator

    theirs = Generator(config["resolution"], config["w_dim"], config["mapping_layers"])
    theirs.load_state_dict(export_rosinality.lay_out(config, state)[0]["g_ema"])
    theirs.eval().requires_grad_(False)
    return lambda ws: theirs([ws], input_is_latent=True, randomize_noise=False)[0]


def make_variants(G, ws, against):
    """name -> synthesis of ws, each in its implementation."""
    from styleT2I.ops.impl import default_impl

    def own(impl):
        def synthesis(ws):
            with default_impl(impl):
                return G.synthesis(ws)

        return synthesis

    result = {name: own(impl) for name, impl in VARIANTS.items()}
    if against:
        result["clone"] = clone_synthesis(against, G)
    return result


def measure_backward(synthesis, ws, cotangent):
    """Bytes saved for the way back, and the gradient to ws."""
    import torch

    sizes = {}

    def pack(t):
        sizes[t.untyped_storage().data_ptr()] = t.untyped_storage().nbytes()
        return t

    ws = ws.clone().requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda t: t):
        image = synthesis(ws)
    own = {p.untyped_storage().data_ptr() for p in (ws, image)}
    image.backward(cotangent)
    return sum(size for pointer, size in sizes.items() if pointer not in own), ws.grad


def relative(ours, reference):
    return ((ours - reference).abs().max() / reference.abs().max()).item()


def measure(arguments):
    import torch
    from timing import interleave, machine

    torch.set_num_threads(arguments.threads)
    G = build_generator(arguments.resolution, arguments.channel_base, arguments.wide)
    ws = G.mapping(torch.randn(arguments.batch, G.z_dim))
    variants = make_variants(G, ws, arguments.against)
    with torch.no_grad():
        images = {name: synthesis(ws) for name, synthesis in variants.items()}
    result = {"what": "forward", **{k: getattr(arguments, k) for k in ("resolution", "batch", "repeats", "wide")},
              "errors": {name: relative(image, images["twin"]) for name, image in images.items()}}  # fmt: skip
    cotangent = torch.randn(images["twin"].shape, generator=torch.Generator().manual_seed(1))
    del images

    def run(synthesis):
        if not arguments.backward:
            with torch.no_grad():
                synthesis(ws)
        else:
            synthesis(ws.clone().requires_grad_()).backward(cotangent)

    if arguments.backward:
        measured = {name: measure_backward(synthesis, ws, cotangent) for name, synthesis in variants.items()}
        grad = measured["twin"][1]
        result |= {"what": "forward and backward", "saved_bytes": {n: size for n, (size, _) in measured.items()}}
        result["gradient_errors_l2"] = {n: ((g - grad).norm() / grad.norm()).item() for n, (_, g) in measured.items()}
    times = interleave({name: lambda s=synthesis: run(s) for name, synthesis in variants.items()}, arguments.repeats)
    base = times["twin"]["seconds"]
    result |= {"machine": machine(), "times": times, "error": result["errors"]["compiled"],
               "speedup": base / times["compiled"]["seconds"],
               "speedup_pytorch": base / times["pytorch"]["seconds"]}  # fmt: skip
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--channel-base", type=int, default=32768)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--backward", action="store_true")
    parser.add_argument("--wide", action="store_true")
    parser.add_argument("--against", metavar="PATH")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    from styleT2I.torch_utils.files import write_json_atomic

    result = measure(arguments)
    from timing import print_table

    print(f"{result['what']}, {arguments.resolution} px, batch {arguments.batch}: {result['machine']}")
    print_table(result["times"], "twin", arguments.batch)
    for name in ("errors", "gradient_errors_l2", "saved_bytes"):
        if name in result:
            print(name, {key: float(f"{value:.3g}") for key, value in result[name].items()})
    if arguments.json_file:
        write_json_atomic(arguments.json_file, result)


if __name__ == "__main__":
    main()
