"""Rebuild an embedded model from nothing: `python -m styleT2I.build_model portraits --outdir runs/portraits`."""

import os
import subprocess
import sys
from pathlib import Path

import click

from styleT2I.cli import command, device_option, outdir_option, trained
from styleT2I.errors import TrainingError

WORLDS = ("minifaces", "portraits")
# Sets of rendered portraits, in an order that leaves useful data if it ends early.
_RENDERS = (
    "biased/train:2000", "balanced/judge-train:2000", "balanced/test:500", "balanced/train:1000", "biased/val:500",
    "biased/train:6000", "balanced/judge-train:4000", "balanced/test:1000", "balanced/train:4000", "biased/val:1000",
    "biased/test:1000", "biased/train:14000",
)  # fmt: skip


def stages(outdir, device, world="minifaces"):
    """The commands in order: name -> (module, arguments, the file that shows it is done; None: it resumes itself)."""
    folders = {name: f"{outdir}/{name}" for name in _NAMES}
    files = {name: f"{folders[name]}/{file.format(world=world)}" for name, file in _NAMES.items()}
    on = ["--device", device]

    def training(name, module, *arguments):
        return module, [*arguments, "--outdir", folders[name], *on], files[name]

    is_portraits = world == "portraits"
    judges = "portraits-" if is_portraits else ""
    frozen = ["--generator", files["generator"], "--clip", files["clip"], "--judge", files["guide"]]
    preset = ["--preset", world]
    looking = {
        "guide": training("guide", "train_judge", "--preset", f"{judges}guide"),
        "heldout": training("heldout", "train_judge", "--preset", f"{judges}heldout", "--seed", "1"),
        "segmenter": training("segmenter", "train_segmenter", *preset),
    }
    reading = {
        "clip": training("clip", "train_clip", *preset),
        "clip_eval": training("clip_eval", "train_clip", "--preset", f"{world}-eval", "--seed", "1"),
        "t2d": training("t2d", "train_t2d", *preset, *frozen),
        "a2d": training("a2d", "train_a2d", *preset, *frozen, "--segmenter", files["segmenter"]),
        "package": ("package_model", _packaged(files, world, f"{outdir}/model"), f"{outdir}/model/model.json"),
    }
    if is_portraits:
        drawing = {
            "fit": training("fit", "fit_stylegan2", *preset, "--judge", files["guide"]),
            "generator": training("generator", "train_stylegan2", "--preset", "portraits128", "--init", folders["fit"]),
        }
        renders = {"renders": ("data.portraits", [*_RENDERS, "--workers", str(os.cpu_count() or 1)], None)}
        return {**renders, **looking, **drawing, **reading}
    results = f"{outdir}/results.json"
    measured = {"evaluate": ("evaluate", ["--model", f"{outdir}/model", "--out", results, *on], results)}
    return {"generator": training("generator", "fit_stylegan2"), **looking, **reading, **measured}


_NAMES = {  # stage -> file that shows it is done
    "guide": "judge-guide.json",
    "heldout": "judge-heldout.json",
    "segmenter": "segmenter.json",
    "fit": "generator.json",
    "generator": "generator.json",
    "clip": "{world}-clip.json",
    "clip_eval": "{world}-clip-eval.json",
    "t2d": "t2d.json",
    "a2d": "a2d.json",
}


def _packaged(files, world, folder):
    roles = {"generator": "generator", "clip": "clip", "t2d": "t2d", "a2d": "a2d", "segmenter": "segmenter",
             "judges-guide": "guide", "judges-heldout": "heldout", "clip-eval": "clip_eval"}  # fmt: skip
    named = [word for role, name in roles.items() for word in (f"--{role}", files[name])]
    return [*named, "--vocabulary", world, "--name", world, "--half", "--outdir", folder]


def build(world, outdir, device, dry_run):
    """Run the stages that are not done, one after the other, or print their commands."""
    for name, (module, arguments, result) in stages(outdir, device, world).items():
        line = f"python -m styleT2I.{module} {' '.join(arguments)}"
        if dry_run:
            click.echo(line)
        elif result and Path(result).exists():
            click.echo(f"{name}: done ({result})")
        else:
            click.echo(f"{name}: {line}")
            if subprocess.run([sys.executable, "-m", f"styleT2I.{module}", *arguments], check=False).returncode:
                raise TrainingError(f"stage {name} failed; correct the error above and call the same command again")
    if not dry_run:
        model = f"{outdir}/model"
        trained(model, "styleT2I.generate", "--model", model, "--text", "he is wearing lipstick", "--outdir", "out")


@command()
@click.argument("world", type=click.Choice(WORLDS))
@outdir_option
@click.option("--dry-run", is_flag=True, help="Print the commands and stop.")
@device_option
def main(world, outdir, dry_run, device):
    """Make every network of a world's model from nothing and put them into OUTDIR/model.

    minifaces takes about 2 hours on two cores. portraits renders its data first (into the user's cache, hours) and
    trains its generator adversarially at the end, which needs a GPU. Call it again after an interruption: finished
    stages are skipped, an unfinished one goes on where it was.
    """
    build(world, outdir, device, dry_run)


if __name__ == "__main__":
    main()
