"""The stages of an embedded model: every network of a world, from nothing, packaged and measured."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from styleT2I.data.worlds import WORLDS
from styleT2I.staged.engine import PLANS, Stage

__all__ = ["SIZES", "Size", "recipe_stages", "stages"]

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
    steps: Mapping[str, int] = field(default_factory=dict)  # by stage; others: the preset's
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
        {"guide": 800, "heldout": 900, "segmenter": 600, "fit": 8000, "generator": 600, "clip": 800, "clip_eval": 800,
         "encoder": 800, "t2d": 1500, "a2d": 500},
    ),
    "toy": Size(
        0.0,
        {"guide": 2, "heldout": 2, "segmenter": 2, "fit": 10, "generator": 10, "clip": 2, "clip_eval": 2,
         "encoder": 2, "t2d": 2, "a2d": 2},
        {
            "guide": (*_TOY, *_TOY_SIDE), "heldout": (*_TOY, *_TOY_SIDE), "segmenter": (*_TOY, *_TOY_SIDE),
            "fit": ("--batch", "2", *_TOY_SIDE), "generator": ("--batch", "2"),
            "clip": _TOY, "clip_eval": _TOY, "encoder": (*_TOY, "--eval-num", "4"), "t2d": _TOY, "a2d": _TOY,
        },
        ("--num-latents", "64"),
        ("smiling",),
    ),
}  # fmt: skip


def stages(outdir, device, world="minifaces", size="full", publish=None) -> dict[str, Stage]:
    """The stages in order, by name. publish: a folder that the finished model is put into as well."""
    build = _Build(outdir, device, world, size)
    parts = [build.looking(), build.reading(), build.finished(publish)]
    if WORLDS[world].is_drawn:
        return {name: stage for part in ({"generator": build.fit("generator")}, *parts) for name, stage in part.items()}
    looking, *rest = parts
    guided = ("--judge", build.files["guide"])
    finish = ("--preset", f"{world}-finish", "--init", f"{outdir}/fit", *guided)
    drawing = {
        "fit": build.fit("fit", "--preset", world, *guided, *build.size.latents, **_DRAWN),
        "generator": build.training("generator", "fit_stylegan2", *finish, **_DRAWN),
    }
    renders = {"renders": Stage("data.portraits", [*_renders(build.size), "--workers", str(os.cpu_count() or 1)], None)}
    return {name: stage for part in (renders, looking, drawing, *rest) for name, stage in part.items()}


def recipe_stages(outdir, device, world="minifaces", size="full", model=None) -> dict[str, Stage]:
    """The stages of a build, and what a paper's experiment has besides: its measurement, an audit, a user study.

    model: a finished model in place of a build, the one that comes with the package or another's.
    """
    build, plan = _Build(outdir, device, world, size), {} if model else stages(outdir, device, world, size)
    model = model or f"{outdir}/model"
    num, is_toy = build.size.num("balanced/test"), size == "toy"
    captions = f"{world}:biased/test:{build.size.num('biased/test')}"
    measured = ("--suite", "protocol", "--adjust-method", "none", "--adjust-method", "paper", "--num", str(num))
    plan["evaluate"] = Stage(
        "evaluate", ["--model", model, "--data", captions, *measured, "--out", f"{outdir}/results.json", *build.on],
        f"{outdir}/results.json",
    )  # fmt: skip
    few = ["--num", "2"] if is_toy else []
    audited = ["run", str(PLANS / f"{world}.yaml"), "--model", model, "--outdir", f"{outdir}/audit", *few, *build.on]
    plan["audit"] = Stage("audit", audited, f"{outdir}/audit/audit.json")
    shown = ["export", "--model", model, "--data", captions, "--num", "4" if is_toy else "50"]
    plan["study"] = Stage("study", [*shown, "--outdir", f"{outdir}/study", *build.on], f"{outdir}/study/study.json")
    return plan


class _Build:
    """The commands of one build."""

    def __init__(self, outdir, device, world, size):
        self.outdir, self.world, self.size, self.on = outdir, world, SIZES[size], ["--device", device]
        self.files = {name: f"{outdir}/{name}/{file.format(world=world)}" for name, file in _NAMES.items()}

    def training(self, name, module, *arguments, data=(), eval_data=None, sized=None):
        """The training of a component on parts of the world; what a size changes stands under the name `sized`."""
        less = [*self._steps(sized or name), *self.size.options.get(sized or name, ())]
        if not self.size.is_full:
            parts = [("--data", part) for part in data] + ([("--eval-data", eval_data)] if eval_data else [])
            less += [word for option, part in parts for word in (option, f"{self.world}:{part}:{self.size.num(part)}")]
        return Stage(module, [*arguments, *less, "--outdir", f"{self.outdir}/{name}", *self.on], self.files[name])

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
        measured = ["--model", model, *self._suites(), "--out", results, *self.on]
        found = {
            "package": Stage("package_model", self._packaged(model), f"{model}/model.json"),
            "evaluate": Stage("evaluate", measured, results),
        }
        return {**found, "publish": Stage("package_model", self._packaged(publish), None)} if publish else found

    def _steps(self, sized):
        return ["--steps", str(self.size.steps[sized])] if sized in self.size.steps else []

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


def _renders(size):
    """Sets to render in their order: first some of each that trainings begin with, at last all."""
    early = [(part, num) for k in range(2) for part, nums in _FIRST.items() for num in nums[k : k + 1]]
    whole = [(part, size.num(part)) for part in (*list(_IMAGES)[1:], "biased/train")]
    return [f"{part}:{num}" for part, num in (*early, *whole) if num <= size.num(part)]
