"""Time of one Text-to-Direction training step at 256 px: frozen generator, frozen ViT-B/32 CLIP, Adam on 113 M weights.

Run `python benchmarks/t2d_step.py --batch 4 --repeats 3 --json FILE` in a checkout; the kernels are built first where
they are not. All weights are random. The step is that of the paper's setting: w + T2D(w, text) to an image, the
contrastive loss of its CLIP features, and the norm penalty. The same step runs with the generator compiled, in PyTorch,
with the ops as published under autograd ("twin"), and with `--against PATH` with that of a clone, as in synthesis.py;
the variants take turns, medians are compared. The JSON holds "speedup" (twin / ours) and the seconds of each part.
"""

import argparse
import functools
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

CAPTION = "a photo of a face with feature number {}"


class Step:
    """The networks of one training step, and how long its parts take."""

    def __init__(self, resolution, batch):
        import torch
        from synthesis import build_generator

        from styleT2I.networks.clip.model import CLIP, open_clip_config
        from styleT2I.networks.directions import DirectionConfig, TextToDirection

        self.G = build_generator(resolution, 32768, False)
        self.clip = CLIP(open_clip_config("ViT-B-32", "openai")).freeze()
        num_ws, w_dim = self.G.num_ws, self.G.w_dim
        self.t2d = TextToDirection(DirectionConfig(w_dim, num_ws, self.clip.embed_dim, hidden_dim=num_ws * w_dim))
        self.optimizer = torch.optim.Adam(self.t2d.parameters(), lr=1e-4, fused=True)
        self.captions = [CAPTION.format(i) for i in range(batch)]
        self.parts = {}

    def run(self, name, synthesis):
        """One step through `synthesis`; the parts' seconds are added to self.parts[name]."""
        import torch

        from styleT2I.training.losses import clip_contrastive_loss, norm_penalty_loss

        clock = Clock()
        with torch.no_grad():
            w = self.G.mapping(torch.randn(len(self.captions), self.G.z_dim), truncation_psi=0.5)[:, 0]
            target = self.clip.encode_text(self.captions)
        s = self.t2d(w, target)
        ws = w.unsqueeze(1) + s
        clock.lap("text, T2D forward")
        image = synthesis(ws)
        clock.lap("G forward")
        seen = image.detach().requires_grad_()
        features = self.clip.encode_image(seen)
        loss = clip_contrastive_loss(features, target, self.clip.temperature_scale)
        loss.backward()
        clock.lap("CLIP forward and backward")
        (grad,) = torch.autograd.grad(image, ws, seen.grad)
        clock.lap("G backward")
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward([ws, norm_penalty_loss(s, 8.0)], [grad, None])
        self.optimizer.step()
        clock.lap("T2D backward, Adam")
        self.parts.setdefault(name, []).append(clock.laps)


class Clock:
    """Seconds between laps."""

    def __init__(self):
        self.laps, self.start = {}, time.perf_counter()

    def lap(self, name):
        now = time.perf_counter()
        self.laps[name], self.start = now - self.start, now


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolution", type=int, default=256)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--against", metavar="PATH")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    import torch
    from synthesis import make_variants, ours_of
    from timing import interleave, machine, print_table

    from styleT2I.errors import StyleT2IError
    from styleT2I.torch_utils.files import write_json_atomic

    torch.set_num_threads(arguments.threads)
    step = Step(arguments.resolution, arguments.batch)
    try:
        variants = make_variants(step.G, arguments.against)
    except StyleT2IError as error:
        parser.exit(2, f"error: {error}\n")
    runs = {name: functools.partial(step.run, name, synthesis) for name, synthesis in variants.items()}
    times = interleave(runs, arguments.repeats)
    parts = {
        name: {part: statistics.median(laps[part] for laps in runs[1:]) for part in runs[0]}
        for name, runs in step.parts.items()
    }
    ours = ours_of(variants)
    result = {"what": "T2D step", "resolution": arguments.resolution, "batch": arguments.batch, "machine": machine(),
              "ours": ours, "times": times, "parts": parts,
              "speedup": times["twin"]["seconds"] / times[ours]["seconds"]}  # fmt: skip
    print(f"T2D step, {arguments.resolution} px, batch {arguments.batch}: {result['machine']}")
    print_table(times, "twin", arguments.batch)
    for name, seconds in parts.items():
        print(f"{name}: " + ", ".join(f"{part} {value:.2f} s" for part, value in seconds.items()))
    if arguments.json_file:
        write_json_atomic(arguments.json_file, result)


if __name__ == "__main__":
    main()
