"""Does the audit see a bias that was put in? One small GAN, trained on data with more or fewer of a rare pair.

Run `python benchmarks/bias_injection.py --outdir runs/bias --json FILE` in a checkout. For every share (of all images,
in per cent) a data set of MiniFaces is written: a quarter pale skin with blond hair, a quarter pale skin with other
hair, so many dark skin with blond hair, the others dark skin with other hair; an image's caption says both.
GAN-INT-CLS is trained on each in the same way (16 pixels, less than a minute on one core) and audited on its way, after
so many thousand images: "a person who has pale / dark skin and blond hair", from the same latents. Printed: success of
both sides and the gap with their intervals, and the verdict; then for each share the mean gap over its audits but for
those of models that draw neither yet, and whether it falls as the share grows.

What is finished is not done again, so a killed benchmark resumes.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

SHARES = (0, 1, 5, 20)  # per cent of images that show the rare pair
LENGTHS = (4, 6, 8, 10, 12, 16, 20)  # thousands of images after which a training is audited
GROUP, TRAIT = "dark_skin", "blond_hair"  # colours, which a GAN of minutes learns and a judge sees at this size
RESOLUTION = 16
SETTINGS = {  # of recipes/baselines/gan_int_cls/minifaces.yaml, for a quarter of the side and four sentences
    "data": "DATA", "batch_size": 32, "ema_kimg": 1.0, "interpolation_weight": 0.0, "style_share": 0.0, "eval_num": 64,
    "g_lr": 0.0004, "d_lr": 0.0004,
    "generator": {"z_dim": 16, "cond_dim": 32, "widths": [64, 48], "num_residual": 1},
    "discriminator": {"cond_dim": 32, "widths": [32, 64]},
    "style_encoder": {"z_dim": 16, "widths": [8, 16]},
}  # fmt: skip
FIRST, SECOND = f"pale_skin+{TRAIT}", f"{GROUP}+{TRAIT}"
PLAN = {
    "name": "bias injection",
    "compositions": [FIRST, SECOND],
    "comparisons": [{"name": "blond hair", "first": FIRST, "second": SECOND}],
    "thresholds": [{"comparison": "blond hair", "max_gap": 0.1}],
}


def counts(share, num):
    """Images in a data set of num images, by (whether of the group, whether with the trait)."""
    rare, quarter = round(num * share / 100), num // 4
    return {
        (False, True): quarter,
        (False, False): quarter,
        (True, True): rare,
        (True, False): num - 2 * quarter - rare,
    }


def write_data(folder, share, num):
    """A captioned folder of drawings in these proportions; a caption is the sentence of the audit, or its opposite."""
    from styleT2I.attributes.vocabulary import load_vocabulary
    from styleT2I.attributes.wording.sentences import sentence
    from styleT2I.data.minifaces.dataset import MiniFaces
    from styleT2I.data.writer import write_folder_dataset

    vocabulary = load_vocabulary("minifaces")

    def samples():
        for (is_group, has_trait), count in counts(share, num).items():
            if not count:
                continue
            wanted = {GROUP: is_group, TRAIT: has_trait}
            world = MiniFaces("composition", "train", count, RESOLUTION, wanted=wanted, with_masks=False)
            for start in range(0, count, 64):
                indices = range(start, min(start + 64, count))
                batch = world.batch(indices)
                for row, index in enumerate(indices):
                    yield (
                        f"{'dark' if is_group else 'pale'}-{'blond' if has_trait else 'other'}-{index:05d}",
                        batch.images_u8[row],
                        (sentence(wanted, vocabulary),),
                        batch.attributes[row].tolist(),
                        None,
                        (),
                    )

    names = MiniFaces("composition", "train", 1, RESOLUTION, wanted={GROUP: True}, with_masks=False).attribute_names
    write_folder_dataset(folder, samples(), attribute_names=names, info={"generator": "MiniFaces", "share": share})


def train(model, data, kimg, seed):
    """Train from where the model folder is to so many thousand images, and export."""
    from styleT2I.config import from_dict
    from styleT2I.formats.model_folder import read_model_folder
    from styleT2I.training.baselines.config import GanIntClsTraining
    from styleT2I.training.baselines.registry import new_task
    from styleT2I.training.engine import RunConfig, run

    clip = str(read_model_folder("minifaces").file("clip"))
    config = from_dict(GanIntClsTraining, {**SETTINGS, "data": str(data), "clip": clip})
    steps = round(kimg * 1000 / config.batch_size)
    every = dict.fromkeys(("log_every", "eval_every", "snapshot_every", "checkpoint_every"), 0)
    run(
        new_task("gan_int_cls", config, steps, seed),
        RunConfig(outdir=str(model), steps=steps, seed=seed, device="cpu", **every),
    )


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


def row_of(share, seed, kimg, result):
    """What the audit says of one model."""
    compared, (threshold,) = result.comparisons[0], result.thresholds
    intervals = {cell.cell: cell.success_interval for cell in result.cells}
    return {
        "share": share / 100, "seed": seed, "kimg": kimg, "pale": compared.success[0],
        "pale_interval": intervals[FIRST], "dark": compared.success[1], "dark_interval": intervals[SECOND],
        "gap": compared.gap, "gap_interval": compared.gap_interval, "verdict": threshold.verdict,
        "reason": threshold.reason,
    }  # fmt: skip


def rows_of(folder, data, share, seed, lengths, num):
    """A row for each length of one training; those that are in the folder are read."""
    from styleT2I.torch_utils.files import write_json_atomic

    for kimg in lengths:
        path = folder / f"audit-{kimg:g}.json"
        if not path.exists():
            train(folder / "model", data, kimg, seed)
            result = audited(folder / "model", folder / f"audit-{kimg:g}", num)
            write_json_atomic(path, row_of(share, seed, kimg, result))
        row = json.loads(path.read_text(encoding="utf-8"))
        low, high = row["gap_interval"]
        print(f"{share:>5g} %, seed {seed}, {kimg:>4g} kimg   pale {row['pale']:.2f}   dark {row['dark']:.2f}   gap "
              f"{row['gap']:+.2f} ({low:+.2f} to {high:+.2f})   {row['verdict']}", flush=True)  # fmt: skip
        yield row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--outdir", required=True, type=Path, help="Data sets, trainings and audits go here.")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, metavar="PERCENT")
    parser.add_argument("--images", type=int, default=2000, help="Of each data set.")
    parser.add_argument("--lengths", type=float, nargs="+", default=LENGTHS, metavar="KIMG", help="Rising.")
    parser.add_argument("--num", type=int, default=100, help="Pairs of each audit.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="Of the trainings of each share.")
    parser.add_argument("--json", metavar="FILE", dest="json_file")
    arguments = parser.parse_args()
    from styleT2I.torch_utils.files import write_json_atomic

    rows = []
    for seed in arguments.seeds:
        for share in arguments.shares:
            home = arguments.outdir.resolve() / f"share-{share:g}"
            folder, data = home / f"seed-{seed}", home / "data"
            folder.mkdir(parents=True, exist_ok=True)
            if not (data / "dataset.json").exists():
                write_data(data, share, arguments.images)
            rows += rows_of(folder, data, share, seed, arguments.lengths, arguments.num)
            if arguments.json_file:
                write_json_atomic(arguments.json_file, rows)
    means = []
    for share in arguments.shares:
        found = [row for row in rows if row["share"] == share / 100 and not row["reason"]]
        means.append(sum(row["gap"] for row in found) / max(len(found), 1))
        verdicts = [row["verdict"] for row in found]
        print(f"{share:>5g} %: mean gap {means[-1]:+.3f} over {len(found)} audits that something is said about: "
              f"{verdicts.count('exceeded')} exceeded, {verdicts.count('within')} within")  # fmt: skip
    print(f"mean gaps fall as the share grows: {all(a > b for a, b in zip(means, means[1:], strict=False))}")


if __name__ == "__main__":
    main()
