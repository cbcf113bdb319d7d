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
    steps: Mapping[str, float] = field(default_factory=dict)  # by stage, kimg of train_stylegan2; others: the preset's
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # further options by stage
    latents: tuple[str, ...] = ()  # further options of a fit to renders
    terms: tuple[str, ...] = ()  # attributes that A2D learns, in words of every world; (): all

    @property
    def is_full(self) -> bool:
        """Whether the presets decide everything."""
        return not self.steps

    def num(self, part: str) -> int:
        """Images of a part of the world."""
        return max(round(self.images * _IMAGES[part]), _LEAST)


_TOY, _TOY_SIDE = ("--batch", "4"), ("--resolution", "32")
SIZES = {
    "full": Size(),
    "small": Size(
        0.2,
        {"guide": 800, "heldout": 900, "segmenter": 600, "fit": 8000, "generator": 100, "clip": 800, "clip_eval": 800,
         "encoder": 800, "t2d": 1500, "a2d": 500},
    ),
    "toy": Size(
        0.0,
        {"guide": 2, "heldout": 2, "segmenter": 2, "fit": 10, "generator": 0.008, "clip": 2, "clip_eval": 2,
         "encoder": 2, "t2d": 2, "a2d": 2},
        {
            "guide": (*_TOY, *_TOY_SIDE), "heldout": (*_TOY, *_TOY_SIDE), "segmenter": (*_TOY, *_TOY_SIDE),
            "fit": ("--batch", "2", *_TOY_SIDE), "generator": (*_TOY, "--eval-num", "16"),
            "clip": _TOY, "clip_eval": _TOY, "encoder": (*_TOY, "--eval-num", "4"), "t2d": _TOY, "a2d": _TOY,
        },
        ("--num-latents", "64"),
        ("smiling",),
    ),
}  # fmt: skip


class Stage(NamedTuple):
    """One command of a build."""

    module: str
    arguments: list[str]
    result: str | None  # file that shows it is done; None: the command itself knows what is left


def stages(outdir, device, world="minifaces", size="full", publish=None) -> dict[str, Stage]:
    """The stages in order, by name. publish: a folder that the finished model is put into as well."""
    build = _Build(outdir, device, world, size)
    parts = [build.looking(), build.reading(), build.finished(publish)]
    if WORLDS[world].is_drawn:
        return {name: stage for part in ({"generator": build.fit("generator")}, *parts) for name, stage in part.items()}
    looking, *rest = parts
    fitted = ("--preset", "portraits128", "--init", f"{outdir}/fit")
    drawing = {
        "fit": build.fit("fit", "--preset", world, "--judge", build.files["guide"], *build.size.latents, **_DRAWN),
        "generator": build.training("generator", "train_stylegan2", *fitted, **_DRAWN),
    }
    renders = {"renders": Stage("data.portraits", [*_renders(build.size), "--workers", str(os.cpu_count() or 1)], None)}
    return {name: stage for part in (renders, looking, drawing, *rest) for name, stage in part.items()}


class _Build:
    """The commands of one build."""

    def __init__(self, outdir, device, world, size):
        self.outdir, self.world, self.size, self._on = outdir, world, SIZES[size], ["--device", device]
        self.files = {name: f"{outdir}/{name}/{file.format(world=world)}" for name, file in _NAMES.items()}

    def training(self, name, module, *arguments, data=(), eval_data=None, sized=None):
        """The training of a component on parts of the world; what a size changes stands under the name `sized`."""
        less = [*self._steps(module, sized or name), *self.size.options.get(sized or name, ())]
        if not self.size.is_full:
            parts = [("--data", part) for part in data] + ([("--eval-data", eval_data)] if eval_data else [])
            less += [word for option, part in parts for word in (option, f"{self.world}:{part}:{self.size.num(part)}")]
        return Stage(module, [*arguments, *less, "--outdir", f"{self.outdir}/{name}", *self._on], self.files[name])

    def fit(self, name, *arguments, **data):
        """The regression of a generator onto the world's renderer or renders."""
        return self.training(name, "fit_stylegan2", *arguments, **data, sized="fit")

    def looking(self):
        """Networks that look at faces."""
        judges = "portraits-" if self.world == "portraits" else ""
        heldout = ("--preset", f"{judges}heldout", "--seed", "1")
        return {
            "guide": self.training("guide", "train_judge", "--preset", f"{judges}guide", **_LABELLED),
            "heldout": self.training("heldout", "train_judge", *heldout, **_LABELLED),
            "segmenter": self.training("segmenter", "train_segmenter", "--preset", self.world, **_LABELLED),
        }

    def reading(self):
        """Networks that read sentences, and those that steer the generator by them."""
        preset, files = ("--preset", self.world), self.files
        frozen = ("--generator", files["generator"], "--clip", files["clip"], "--judge", files["guide"])
        seen = ("--generator", files["generator"], "--judge", files["guide"])
        scoring, segmenter = ("--preset", f"{self.world}-eval", "--seed", "1"), ("--segmenter", files["segmenter"])
        return {
            "clip": self.training("clip", "train_clip", *preset, **_CAPTIONED),
            "clip_eval": self.training("clip_eval", "train_clip", *scoring, **_CAPTIONED),
            "encoder": self.training(
                "encoder", "train_encoder", *preset, *seen, data=["biased/train"], eval_data="biased/test"
            ),
            "t2d": self.training("t2d", "train_t2d", *preset, *frozen, data=["biased/train"], eval_data="biased/test"),
            "a2d": self.training("a2d", "train_a2d", *preset, *frozen, *segmenter, *self._attributes()),
        }

    def finished(self, publish):
        """All of it in one folder, measured, and published where that is asked for."""
        model, results = f"{self.outdir}/model", f"{self.outdir}/results.json"
        measured = ["--model", model, *self._suites(), "--out", results, *self._on]
        found = {
            "package": Stage("package_model", self._packaged(model), f"{model}/model.json"),
            "evaluate": Stage("evaluate", measured, results),
        }
        return {**found, "publish": Stage("package_model", self._packaged(publish), None)} if publish else found

    def _steps(self, module, sized):
        number = self.size.steps.get(sized)
        return [] if number is None else ["--kimg" if module == "train_stylegan2" else "--steps", f"{number:g}"]

    def _attributes(self):
        names = [WORLDS[self.world].vocabulary.resolve(term)[0] for term in self.size.terms]
        return ["--attributes", ",".join(names)] if names else []

    def _suites(self):
        """Options of the last measurement: all suites, or of a smaller build those that few images are enough for."""
        if self.size.is_full:
            return []
        num = self.size.num("balanced/test")
        data = f"{self.world}:balanced/test:{num}"
        return ["--suite", "judges", "--suite", "clip", "--num", str(num), "--data", data]

    def _packaged(self, folder):
        roles = {"generator": "generator", "clip": "clip", "t2d": "t2d", "a2d": "a2d", "segmenter": "segmenter",
                 "encoder": "encoder", "judges-guide": "guide", "judges-heldout": "heldout",
                 "clip-eval": "clip_eval"}  # fmt: skip
        named = [word for role, name in roles.items() for word in (f"--{role}", self.files[name])]
        return [*named, "--vocabulary", self.world, "--name", self.world, "--half", "--outdir", folder]


_LABELLED = {"data": ["balanced/judge-train"], "eval_data": "balanced/test"}
_CAPTIONED = {"data": ["balanced/train", "biased/train"], "eval_data": "balanced/test"}
_DRAWN = {"data": ["biased/train"], "eval_data": "biased/val"}
_NAMES = {  # stage -> file that shows it is done
    "guide": "judge-guide.json",
    "heldout": "judge-heldout.json",
    "segmenter": "segmenter.json",
    "fit": "generator.json",
    "generator": "generator.json",
    "clip": "{world}-clip.json",
    "clip_eval": "{world}-clip-eval.json",
    "encoder": "encoder.json",
    "t2d": "t2d.json",
    "a2d": "a2d.json",
}
_OF_ALL = ("package", "evaluate")  # stages that take what every stage before them made


def _renders(size):
    """Sets to render in their order: first some of each that trainings begin with, at last all."""
    early = [(part, num) for k in range(2) for part, nums in _FIRST.items() for num in nums[k : k + 1]]
    whole = [(part, size.num(part)) for part in (*list(_IMAGES)[1:], "biased/train")]
    return [f"{part}:{num}" for part, num in (*early, *whole) if num <= size.num(part)]


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
            raise TrainingError(f"stage {name} failed; correct the error above and call the same command again")
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
    trains its generator adversarially at the end, which needs a GPU. Prints the plan first. Call it again after an
    interruption: finished stages are skipped, an unfinished one goes on where it was; delete a result to make it anew.
    """
    build(world, outdir, device, dry_run, size, publish)


if __name__ == "__main__":
    main()
