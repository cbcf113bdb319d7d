"""Does the audit see a bias that was put in? One small GAN, trained on data with more or fewer men with lipstick.

Run `python benchmarks/bias_injection.py --outdir runs/bias --json FILE` in a checkout. For every share (of all images,
in per cent) a data set of MiniFaces is written: a quarter women with lipstick, a quarter women without, so many men
with lipstick, the other men without. GAN-INT-CLS is trained on each in the same way (32 pixels, minutes on one core),
and an audit of "she / he is wearing lipstick" is run on each model, from the same seeds. Printed: success of both sides
and the gap with their intervals, the verdict, and whether the gaps fall as the share grows.

A finished training is not run again, so a killed benchmark resumes.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

SHARES = (0, 1, 5, 20)  # per cent of images that show a man with lipstick
RESOLUTION = 32
SETTINGS = {  # of recipes/baselines/gan_int_cls/minifaces.yaml, for half the side and without midpoints between texts
    "data": "DATA", "batch_size": 16, "ema_kimg": 2.0, "interpolation_weight": 0.0, "style_share": 0.02, "eval_num": 64,
    "generator": {"z_dim": 8, "cond_dim": 32, "widths": [96, 64, 48], "num_residual": 1},
    "discriminator": {"cond_dim": 32, "widths": [32, 64, 96]},
    "style_encoder": {"z_dim": 8, "widths": [8, 16, 32]},
}  # fmt: skip
PLAN = {
    "name": "bias injection",
    "compositions": ["she+lipstick", "he+lipstick"],
    "comparisons": [{"name": "lipstick", "first": "she+lipstick", "second": "he+lipstick"}],
    "thresholds": [{"comparison": "lipstick", "max_gap": 0.1}],
}


def counts(share, num):
    """Images in a data set of num images, by (sex, whether with lipstick)."""
    rare, quarter = round(num * share / 100), num // 4
    return {("she", True): quarter, ("she", False): quarter, ("he", True): rare,
            ("he", False): num - 2 * quarter - rare}  # fmt: skip


def write_data(folder, share, num):
    """A captioned folder of drawings in these proportions."""
    from styleT2I.data.minifaces.dataset import MiniFaces
    from styleT2I.data.writer import write_folder_dataset

    def samples():
        for (sex, has_lipstick), count in counts(share, num).items():
            if not count:
                continue
            wanted = {"he": sex == "he", "lipstick": has_lipstick}
            world = MiniFaces("composition", "train", count, RESOLUTION, wanted=wanted, with_masks=False)
            for start in range(0, count, 64):
                indices = range(start, min(start + 64, count))
                batch = world.batch(indices)
                for row, index in enumerate(indices):
                    label = batch.attributes[row].tolist()
                    yield (
                        f"{sex}-{'with' if has_lipstick else 'without'}-{index:05d}",
                        batch.images_u8[row],
                        batch.captions[row],
                        label,
                        None,
                        (),
                    )

    names = MiniFaces("composition", "train", 1, RESOLUTION, wanted={"he": True}, with_masks=False).attribute_names
    write_folder_dataset(folder, samples(), attribute_names=names, info={"generator": "MiniFaces", "share": share})


def train(folder, data, kimg, seed):
    """The model folder of a training, which is resumed or left alone where it is finished."""
    model, settings = folder / "model", folder / "settings.json"
    if (folder / "done").exists():
        return model
    settings.write_text(json.dumps({**SETTINGS, "kimg": kimg, "data": str(data)}), encoding="utf-8")
    command = [sys.executable, "-m", "styleT2I.train_baseline", "--system", "gan_int_cls", "--config", settings,
               "--seed", seed, "--eval-kimg", max(1, kimg // 4), "--device", "cpu", "--outdir", model]  # fmt: skip
    command += ["--resume"] if (model / "checkpoint.pt").exists() else []
    result = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    if result.returncode:
        sys.exit(result.stderr)
    (folder / "done").touch()
    return model


def audited(model, outdir, num):
    """The result of the audit of one model."""
    from styleT2I.attributes.vocabulary import load_vocabulary
    from styleT2I.config import from_dict
    from styleT2I.fairness.plan import AuditPlan, checked_plan
    from styleT2I.fairness.run import Audit
    from styleT2I.generation.systems.interface import open_system

    vocabulary = load_vocabulary("minifaces")
    plan = checked_plan(from_dict(AuditPlan, {**PLAN, "num": num}), vocabulary).without_settings()
    audit = Audit(plan, vocabulary, open_system(str(model), device="cpu"), device="cpu")
    audit.run(outdir)
    return audit.result(outdir)


def row_of(share, result, seconds):
    """What the audit says of one model."""
    compared, (threshold,) = result.comparisons[0], result.thresholds
    intervals = {cell.cell: cell.success_interval for cell in result.cells}
    return {
        "share": share / 100, "she": compared.success[0], "she_interval": intervals["she+lipstick"],
        "he": compared.success[1], "he_interval": intervals["he+lipstick"], "gap": compared.gap,
        "gap_interval": compared.gap_interval, "verdict": threshold.verdict, "training_seconds": seconds,
    }  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outdir", required=True, type=Path, help="Data sets, trainings and audits go here.")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, metavar="PERCENT")
    parser.add_argument("--images", type=int, default=3000, help="Of each data set.")
    parser.add_argument("--kimg", type=int, default=64, help="Length of a training, thousands of images.")
    parser.add_argument("--num", type=int, default=300, help="Pairs of each audit.")
    parser.add_argument("--seed", type=int, default=0, help="Of the trainings.")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    from styleT2I.torch_utils.files import write_json_atomic

    rows = []
    for share in arguments.shares:
        folder = arguments.outdir.resolve() / f"share-{share:g}-seed-{arguments.seed}"
        folder.mkdir(parents=True, exist_ok=True)
        data, start = folder / "data", time.perf_counter()
        if not (data / "dataset.json").exists():
            write_data(data, share, arguments.images)
        model = train(folder, data, arguments.kimg, arguments.seed)
        rows.append(row_of(share, audited(model, folder / "audit", arguments.num), time.perf_counter() - start))
        row = rows[-1]
        print(f"{share:>5g} %   she {row['she']:.3f}   he {row['he']:.3f}   gap {row['gap']:+.3f} "
              f"({row['gap_interval'][0]:+.3f} to {row['gap_interval'][1]:+.3f})   {row['verdict']}   "
              f"{row['training_seconds']:.0f} s", flush=True)  # fmt: skip
    gaps = [row["gap"] for row in rows]
    print(f"gaps fall as the share grows: {all(a > b for a, b in zip(gaps, gaps[1:], strict=False))}")
    if arguments.json_file:
        write_json_atomic(arguments.json_file, rows)


if __name__ == "__main__":
    main()
