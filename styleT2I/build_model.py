"""Rebuild an embedded model from nothing: `python -m styleT2I.build_model portraits --outdir runs/portraits`."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import click

from styleT2I.cli import command, device_option, outdir_option, trained
from styleT2I.data.worlds import WORLDS
from styleT2I.errors import TrainingError

# Images of each part of a world that the presets read. Of a rendered world they are made in an order in which what is
# there is useful, should it end early.
_IMAGES = {
    "biased/train": 14000, "balanced/judge-train": 4000, "balanced/test": 1000, "balanced/train": 4000,
    "biased/val": 1000, "biased/test": 1000,
}  # fmt: skip
_FIRST = {"biased/train": (2000, 6000), "balanced/judge-train": (2000,), "balanced/test": (500,),
          "balanced/train": (1000,), "biased/val": (500,)}  # fmt: skip
_LEAST = 110  # images of a part, so that R-precision ranks some


@dataclass(frozen=True)
class Size:
    """How much of its presets a build takes: the whole, or less of images and steps to try the way."""

    images: float = 1.0  # share of them
    steps: Mapping[str, float] = field(
        default_factory=dict
    )  # by stage, of the generator kimg; others take the preset's
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # further options by stage

    def num(self, part: str) -> int:
        """Images of a part of the world."""
        return max(round(self.images * _IMAGES[part]), _LEAST)


_TOY, _TOY_SIDE = ("--batch", "4"), ("--resolution", "32")
SIZES = {
    "full": Size(),
    "small": Size(
        0.2,
        {"guide": 800, "heldout": 900, "segmenter": 600, "fit": 8000, "generator": 100, "clip": 800, "clip_eval": 800,
         "t2d": 1500, "a2d": 500},
    ),
    "toy": Size(
        0.0,
        {"guide": 2, "heldout": 2, "segmenter": 2, "fit": 10, "generator": 0.008, "clip": 2, "clip_eval": 2, "t2d": 2,
         "a2d": 2},
        {
            "guide": (*_TOY, *_TOY_SIDE), "heldout": (*_TOY, *_TOY_SIDE), "segmenter": (*_TOY, *_TOY_SIDE),
            "fit": ("--batch", "2", *_TOY_SIDE, "--num-latents", "64"), "generator": (*_TOY, "--eval-num", "16"),
            "clip": _TOY, "clip_eval": _TOY, "t2d": _TOY, "a2d": (*_TOY, "--attributes", "Smiling"),
        },
    ),
}  # fmt: skip


class Stage(NamedTuple):
    """One command of a build."""

    module: str
    arguments: list[str]
    result: str | None  # file that shows it is done; None: the command itself knows what is left


def stages(outdir, device, world="minifaces", size="full", publish=None) -> dict[str, Stage]:
    """The stages in order, by name. publish: a folder that the finished model is put into as well."""
    files = {name: f"{outdir}/{name}/{file.format(world=world)}" for name, file in _NAMES.items()}
    build, on, is_rendered = SIZES[size], ["--device", device], not WORLDS[world].is_drawn

    def training(name, module, *arguments, data=(), eval_data=None, kind=None):
        sized = build.options.get(kind or name, ())
        number = build.steps.get(kind or name)
        steps = [] if number is None else ["--kimg" if module == "train_stylegan2" else "--steps", f"{number:g}"]
        parts = [("--data", part) for part in data] + ([("--eval-data", eval_data)] if eval_data else [])
        named = [word for option, part in parts for word in (option, f"{world}:{part}:{build.num(part)}")]
        less = [] if size == "full" else [*steps, *sized, *named]
        return Stage(module, [*arguments, *less, "--outdir", f"{outdir}/{name}", *on], files[name])

    judges = "portraits-" if world == "portraits" else ""
    frozen = ["--generator", files["generator"], "--clip", files["clip"], "--judge", files["guide"]]
    preset, labelled = ["--preset", world], {"data": ["balanced/judge-train"], "eval_data": "balanced/test"}
    captioned = {"data": ["balanced/train", "biased/train"], "eval_data": "balanced/test"}
    looking = {
        "guide": training("guide", "train_judge", "--preset", f"{judges}guide", **labelled),
        "heldout": training("heldout", "train_judge", "--preset", f"{judges}heldout", "--seed", "1", **labelled),
        "segmenter": training("segmenter", "train_segmenter", *preset, **labelled),
    }
    reading = {
        "clip": training("clip", "train_clip", *preset, **captioned),
        "clip_eval": training("clip_eval", "train_clip", "--preset", f"{world}-eval", "--seed", "1", **captioned),
        "t2d": training("t2d", "train_t2d", *preset, *frozen, data=["biased/train"], eval_data="biased/test"),
        "a2d": training("a2d", "train_a2d", *preset, *frozen, "--segmenter", files["segmenter"]),
    }
    model, results = f"{outdir}/model", f"{outdir}/results.json"
    measured = ["--model", model, *_suites(build, size, world), "--out", results, *on]
    finished = {
        "package": Stage("package_model", _packaged(files, world, model), f"{model}/model.json"),
        "evaluate": Stage("evaluate", measured, results),
    }
    if publish:
        finished["publish"] = Stage("package_model", _packaged(files, world, publish), None)
    if not is_rendered:
        generator = training("generator", "fit_stylegan2", kind="fit")
        return {"generator": generator, **looking, **reading, **finished}
    drawn = {"data": ["biased/train"], "eval_data": "biased/val"}
    fitted = ["--preset", "portraits128", "--init", f"{outdir}/fit"]
    return {
        "renders": Stage("data.portraits", [*_renders(build), "--workers", str(os.cpu_count() or 1)], None),
        **looking,
        "fit": training("fit", "fit_stylegan2", *preset, "--judge", files["guide"], **drawn),
        "generator": training("generator", "train_stylegan2", *fitted, **drawn),
        **reading,
        **finished,
    }


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
_OF_ALL = ("package", "evaluate")  # stages that take what every stage before them made


def _renders(build):
    """Sets to render in their order: first some of each that trainings begin with, at last all."""
    early = [(part, num) for k in range(2) for part, nums in _FIRST.items() for num in nums[k : k + 1]]
    whole = [(part, build.num(part)) for part in (*list(_IMAGES)[1:], "biased/train")]
    return [f"{part}:{num}" for part, num in (*early, *whole) if num <= build.num(part)]


def _suites(build, size, world):
    """Options of the last measurement: all suites, or of a smaller build those that few images are enough for."""
    if size == "full":
        return []
    num = build.num("balanced/test")
    return ["--suite", "judges", "--suite", "clip", "--num", str(num), "--data", f"{world}:balanced/test:{num}"]


def _packaged(files, world, folder):
    roles = {"generator": "generator", "clip": "clip", "t2d": "t2d", "a2d": "a2d", "segmenter": "segmenter",
             "judges-guide": "guide", "judges-heldout": "heldout", "clip-eval": "clip_eval"}  # fmt: skip
    named = [word for role, name in roles.items() for word in (f"--{role}", files[name])]
    return [*named, "--vocabulary", world, "--name", world, "--half", "--outdir", folder]


def build(world, outdir, device, dry_run, size="full", publish=None):
    """Run the stages that are not done, one after the other, or print their commands."""
    plan = stages(outdir, device, world, size, publish)
    lines = {name: f"python -m styleT2I.{stage.module} {' '.join(stage.arguments)}" for name, stage in plan.items()}
    if dry_run:
        click.echo("\n".join(lines.values()))
        return
    _echo_plan(plan, world, size, outdir)
    for name, stage in plan.items():
        if _is_done(name, plan):
            continue
        click.echo(f"{name}: {lines[name]}")
        command = [sys.executable, "-m", f"styleT2I.{stage.module}", *stage.arguments]
        if subprocess.run(command, check=False).returncode:
            raise TrainingError(f"stage {name} failed; mend what it says above and call the same command again")
    model = publish or f"{outdir}/model"
    trained(model, "styleT2I.generate", "--model", model, "--text", "he is wearing lipstick", "--outdir", "out")


def _echo_plan(plan, world, size, outdir):
    left = sum(not _is_done(name, plan) for name in plan)
    click.echo(f"{world}, size {size}, in {outdir}: {left} of {len(plan)} stages to do")
    for name, stage in plan.items():
        state = f"done ({stage.result})" if _is_done(name, plan) else "to do"
        click.echo(f"  {name:10s}{state}")


def _is_done(name, plan):
    """Whether a stage's result is there; of a stage that takes all others' results, whether none of them is newer."""
    result = plan[name].result and Path(plan[name].result)
    if not (result and result.exists()):
        return False
    if name not in _OF_ALL:
        return True
    earlier = [plan[other].result for other in list(plan)[: list(plan).index(name)]]
    there = [Path(file) for file in earlier if file]
    return all(file.exists() and file.stat().st_mtime_ns <= result.stat().st_mtime_ns for file in there)


@command()
@click.argument("world", type=click.Choice(tuple(WORLDS)))
@outdir_option
@click.option("--size", default="full", type=click.Choice(tuple(SIZES)), help="The presets' images and steps, a fifth "
              "of them or fewer, or two steps each: toy shows in minutes whether all fits.")  # fmt: skip
@click.option("--publish", metavar="DIR", help="Put the finished model into this folder too, as checkpoints/portraits.")
@click.option("--dry-run", is_flag=True, help="Print the commands and stop.")
@device_option
def main(world, outdir, size, publish, dry_run, device):
    """Make every network of a world's model from nothing, package and measure them: OUTDIR/model and results.json.

    minifaces takes about 2 hours on two cores. portraits renders its data first (into the user's cache, hours) and
    trains its generator adversarially at the end, which wants a GPU. Prints the plan first. Call it again after an
    interruption: finished stages are skipped, an unfinished one goes on where it was; delete a result to make it anew.
    """
    build(world, outdir, device, dry_run, size, publish)


if __name__ == "__main__":
    main()
