"""Rebuild the embedded model from nothing: `python -m styleT2I.build_minifaces --outdir runs/minifaces`."""

import click

from styleT2I.cli import command, device_option, outdir_option, trained


def stages(outdir, device):
    """The commands in order: name -> (module, arguments, the file that shows it is done)."""
    generator, guide = f"{outdir}/generator/generator.json", f"{outdir}/guide/judge-guide.json"
    heldout, segmenter = f"{outdir}/heldout/judge-heldout.json", f"{outdir}/segmenter/segmenter.json"
    clip, clip_eval = f"{outdir}/clip/minifaces-clip.json", f"{outdir}/clip_eval/minifaces-clip-eval.json"
    t2d, a2d, model = f"{outdir}/t2d/t2d.json", f"{outdir}/a2d/a2d.json", f"{outdir}/model"
    on = ["--device", device]
    return {
        "generator": ("fit_stylegan2", ["--outdir", f"{outdir}/generator", *on], generator),
        "guide": ("train_judge", ["--preset", "guide", "--outdir", f"{outdir}/guide", *on], guide),
        "heldout": (
            "train_judge",
            ["--preset", "heldout", "--seed", "1", "--outdir", f"{outdir}/heldout", *on],
            heldout,
        ),
        "segmenter": ("train_segmenter", ["--outdir", f"{outdir}/segmenter", *on], segmenter),
        "clip": (
            "train_clip",
            ["--preset", "minifaces", "--outdir", f"{outdir}/clip", *on],
            clip,
        ),
        "clip_eval": (
            "train_clip",
            ["--preset", "minifaces-eval", "--seed", "1", "--outdir", f"{outdir}/clip_eval", *on],
            clip_eval,
        ),
        "t2d": (
            "train_t2d",
            ["--generator", generator, "--clip", clip, "--judge", guide, "--outdir", f"{outdir}/t2d", *on],
            t2d,
        ),
        "a2d": (
            "train_a2d",
            ["--generator", generator, "--clip", clip, "--judge", guide, "--segmenter", segmenter,
             "--outdir", f"{outdir}/a2d", *on],
            a2d,
        ),
        "package": (
            "package_model",
            ["--generator", generator, "--clip", clip, "--t2d", t2d, "--a2d", a2d, "--segmenter", segmenter,
             "--judges-guide", guide, "--judges-heldout", heldout, "--clip-eval", clip_eval, "--name", "minifaces",
             "--half", "--outdir", model],
            f"{model}/model.json",
        ),
        "evaluate": ("evaluate", ["--model", model, "--out", f"{outdir}/results.json", *on], f"{outdir}/results.json"),
    }  # fmt: skip


@command()
@outdir_option
@click.option("--dry-run", is_flag=True, help="Print the commands and stop.")
@device_option
def main(outdir, dry_run, device):
    """Train every network of the embedded model, put them into OUTDIR/model and measure it; about 2 hours on two cores.

    Call it again after an interruption: finished stages are skipped, an unfinished training goes on where it was.
    """
    import subprocess
    import sys
    from pathlib import Path

    from styleT2I.errors import TrainingError

    for name, (module, arguments, result) in stages(outdir, device).items():
        line = f"python -m styleT2I.{module} {' '.join(arguments)}"
        if dry_run:
            click.echo(line)
        elif Path(result).exists():
            click.echo(f"{name}: done ({result})")
        else:
            click.echo(f"{name}: {line}")
            if subprocess.run([sys.executable, "-m", f"styleT2I.{module}", *arguments], check=False).returncode:
                raise TrainingError(f"stage {name} failed; mend what it says above and call the same command again")
    if not dry_run:
        model = f"{outdir}/model"
        trained(model, "styleT2I.generate", "--model", model, "--text", "he is wearing lipstick", "--outdir", "out")


if __name__ == "__main__":
    main()
