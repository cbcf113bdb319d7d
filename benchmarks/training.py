"""Speed of trainings: images a second of train_stylegan2, steps a second of Text-to-Direction.

Run `python benchmarks/training.py --device cuda --json FILE` in a checkout, after `python -m styleT2I.doctor --build`.
The steps are those of the commands' own tasks, with all losses, regularisers and the batch's way to the device:
StyleGAN2 of MiniFaces' presets at 64 and 128 pixels and of config-f's widths at 256; Text-to-Direction by the paper's
losses with a generator of config-f's widths at 256 pixels and a ViT-B/32, of random weights. On a GPU each is timed
with its steps run eagerly and recorded (after one call of each part, where a training makes three), StyleGAN2 also in
fp16, recorded. Images are painted before the clock starts. A row is printed, and FILE written, as soon as it is
measured; all together take about --seconds, and what no time was left for is named. Regularisers come every 16 steps,
so whole sixteens of steps are counted where there is time for one ("steps" says how many). `--clip FILE` takes another
CLIP.
"""

import argparse
import functools
import itertools
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

RECIPES = {64: "minifaces64", 128: "minifaces128"}  # of other sizes config-f's
CYCLE = 16  # steps from one R1 penalty to the next, in which there are all other regularisers too
VARIANTS = (("fp32", "eager"), ("fp32", "recorded"), ("fp16", "recorded"))  # on a GPU
NUM_EVALUATED = 8  # images, the fewest: evaluation is not timed


def line_of(row):
    text = f"{row['what']:<20}{row['resolution']:>5} px x {row['batch']:<4}{row['variant']:<16}"
    if "left_out" in row:
        return f"{text}left out: {row['left_out']}"
    images, steps = row["images_per_second"], row["steps_per_second"]
    return f"{text}{images:>10.1f} images/s{steps:>10.2f} steps/s  ({row['steps']} steps)"


def time_steps(task, device, seconds, most, skipped):
    """Seconds of each step behind those skipped, at most `most`, for about `seconds`; of whole cycles if it can be."""
    import torch

    from styleT2I.torch_utils.seeding import generator

    taken, start = [], time.monotonic()
    while len(taken) < skipped + 1 or (len(taken) < skipped + most and time.monotonic() - start < seconds):
        since, step = time.monotonic(), len(taken)
        task.step(step, generator("step", 0, step))
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.monotonic() - since)
    taken = taken[skipped:]
    return taken[: len(taken) // CYCLE * CYCLE or len(taken)]


def faces_for(batch):
    """Some MiniFaces, more than a batch."""
    return f"minifaces:biased/train:{max(2 * batch, NUM_EVALUATED)}"


def stylegan2_task(resolution, batch, precision):
    """The task of train_stylegan2 on a few MiniFaces."""
    from styleT2I.training.stylegan2.config import stylegan2_config
    from styleT2I.training.stylegan2.task import StyleGAN2Task

    recipe, data = RECIPES.get(resolution, "stylegan2-config-f"), faces_for(batch)
    shape = {"data": data, "eval_data": data, "eval_num": NUM_EVALUATED, "batch_size": batch, "precision": precision}
    _, config = stylegan2_config(recipe, resolution=resolution, **shape)
    return StyleGAN2Task(config, 1 << 20)


def t2d_task(resolution, batch, channel_base, clip, folder):
    """The task of train_t2d with the paper's losses, its frozen networks in `folder`."""
    from synthesis import build_generator

    from styleT2I.config import to_dict
    from styleT2I.formats.component import write_component
    from styleT2I.networks.clip.model import CLIP, open_clip_config
    from styleT2I.training.directions.config import T2DConfig
    from styleT2I.training.directions.t2d import T2DTask

    frozen = {"generator": build_generator(resolution, channel_base, False)}
    if not clip:
        frozen["clip"] = CLIP(open_clip_config("ViT-B-32", "openai"))
    files = {"clip": clip} | {
        role: str(write_component(folder, role, network.kind, to_dict(network.config), network.state_dict()))
        for role, network in frozen.items()
    }
    return T2DTask(T2DConfig(**files, data=faces_for(batch), batch_size=batch, theta=8.0), 1 << 20)


def measure(report, make, device, most, is_recorded=False, **row):
    """Add one row: a task is made, its images are painted, its steps are timed."""
    import torch

    from styleT2I.torch_utils.hardware import cuda_graphs

    skipped = 1  # which also prepares
    if is_recorded:  # once all parts of a cycle have been run, and recorded in the next one
        cuda_graphs.WARM_UPS, skipped = 1, CYCLE + 1
    seconds, since = report.share(), time.monotonic()
    if seconds <= 0:
        report.add(**row, left_out="no time left")
        return
    try:
        with cuda_graphs.switched(is_recorded):
            task = make()
            task.setup(device)
        task.data.batch(list(range(len(task.data))))
        taken = time_steps(task, device, seconds - (time.monotonic() - since), most, skipped)
    except torch.OutOfMemoryError:
        report.add(**row, left_out="out of memory")
        return
    rate = len(taken) / sum(taken)
    report.add(**row, steps=len(taken), steps_per_second=rate, images_per_second=rate * row["batch"])


def size_of(text):
    """128x32 -> (128, 32): resolution and batch."""
    resolution, _, batch = text.partition("x")
    return int(resolution), int(batch)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    size = {"type": size_of, "metavar": "RESOLUTIONxBATCH"}
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--sizes", nargs="*", default=((64, 64), (128, 32), (256, 16)), help="of StyleGAN2", **size)
    parser.add_argument("--t2d-sizes", nargs="*", default=((256, 8),), help="of Text-to-Direction", **size)
    parser.add_argument("--seconds", type=float, default=60, help="for all rows together")
    parser.add_argument("--steps", type=int, default=1 << 20, help="of a row at most")
    parser.add_argument("--channel-base", type=int, default=32768, help="of Text-to-Direction's generator")
    parser.add_argument(
        "--clip", metavar="FILE", help="component of Text-to-Direction's CLIP; default: a random ViT-B/32"
    )
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    from gpu_ops import machine
    from report import Report

    from styleT2I.errors import StyleT2IError
    from styleT2I.torch_utils.hardware.devices import resolve_device

    try:
        device, most = resolve_device(arguments.device), arguments.steps
        variants = VARIANTS if device.type == "cuda" else (("fp32", "eager"),)
        t2d_variants = [variant for variant in variants if variant[0] == "fp32"]
        num_rows = len(arguments.sizes) * len(variants) + len(arguments.t2d_sizes) * len(t2d_variants)
        report = Report(machine(device), arguments.seconds, num_rows, arguments.json_file, line_of)
        for (resolution, batch), (precision, how) in itertools.product(arguments.sizes, variants):
            row = {"resolution": resolution, "batch": batch, "variant": f"{precision} {how}"}
            make = functools.partial(stylegan2_task, resolution, batch, precision)
            measure(report, make, device, most, how == "recorded", what="train_stylegan2", **row)
        for (resolution, batch), (precision, how) in itertools.product(arguments.t2d_sizes, t2d_variants):
            row = {"what": "train_t2d", "resolution": resolution, "batch": batch, "variant": f"{precision} {how}"}
            with tempfile.TemporaryDirectory() as folder:
                given = resolution, batch, arguments.channel_base, arguments.clip, folder
                measure(report, functools.partial(t2d_task, *given), device, most, how == "recorded", **row)
    except StyleT2IError as error:
        parser.exit(2, f"error: {error}\n")


if __name__ == "__main__":
    main()
