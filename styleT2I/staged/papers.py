"""The stages of StyleT2I's experiments on real data: from a download, a generator and a CLIP to the measured model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from styleT2I.config import read_mapping
from styleT2I.errors import ConfigError
from styleT2I.recipes import FOLDER
from styleT2I.staged.engine import PLANS, Stage
from styleT2I.staged.splits import Splits

__all__ = ["PAPERS", "SIZES", "Paper", "Wanted", "given_stages", "paper_stages", "preset_of"]


@dataclass(frozen=True)
class Paper:
    """One of the paper's experiments."""

    name: str  # of its presets of T2D and A2D
    title: str
    images: str  # kind of the download that its generator draws
    texts: str  # kind of the download whose captions and labels it is steered by
    clip: str  # preset of the fine-tuning of CLIP
    vocabulary: str
    has_regions: bool  # whether the captions' download has parts of which A2D's vocabulary names regions


PAPERS = {
    paper.name: paper
    for paper in (
        Paper("celebahq", "StyleT2I on CelebA-HQ", "celebahq", "celebahq", "celebahq", "celeba", True),
        Paper("cub", "StyleT2I on CUB-200-2011", "cub", "cub", "cub", "cub", False),
        Paper(
            "ffhq", "StyleT2I-XD: faces of FFHQ, captions of CelebA-HQ", "ffhq", "celebahq", "celebahq", "celeba", True
        ),
        Paper("nabirds", "StyleT2I-XD: NABirds, captions of CUB-200-2011", "nabirds", "cub", "cub", "cub", False),
    )
}


@dataclass(frozen=True)
class Length:
    """How much of its presets a run takes."""

    factor: float = 1.0  # of the steps; 0: a few
    num: int | None = None  # images of a split that are read
    options: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by stage


_TWO, _FOUR = ("--steps", "2", "--eval-every", "2"), ("--batch", "4")
_SIDE = ("--resolution", "64")
SIZES = {
    "full": Length(),
    "small": Length(0.1),
    "toy": Length(
        0.0,
        110,
        {
            "generator": ("--kimg", "0.008", *_FOUR, "--eval-num", "16"),
            "clip": (*_TWO, *_FOUR), "clip_eval": (*_TWO, *_FOUR),
            "guide": (*_TWO, *_FOUR, *_SIDE), "heldout": (*_TWO, *_FOUR, *_SIDE), "segmenter": (*_TWO, *_FOUR, *_SIDE),
            "t2d": ("--steps", "2", "--batch", "2", "--micro-batch", "1"),
            "a2d": ("--steps", "1", "--batch", "2", "--micro-batch", "1"),
        },
    ),
}  # fmt: skip
KIMG = 4_800  # thousands of images of the paper's StyleGAN2: 300,000 iterations of 16


@dataclass(frozen=True)
class Wanted:
    """What a recipe was asked for."""

    paper: Paper
    outdir: str
    images: Splits
    texts: Splits
    device: str = "auto"
    size: str = "full"
    sources: Mapping[str, str] = field(default_factory=dict)  # generator, clip, clip_eval, segmenter, glove
    given: Mapping[str, str] = field(default_factory=dict)  # stage -> its result, made elsewhere

    @property
    def length(self) -> Length:
        """Of the size."""
        return SIZES[self.size]

    def file(self, stage: str) -> str:
        """The result of a stage: the one given, else that in the run's folder."""
        return self.given.get(stage) or f"{self.outdir}/{_FILES[stage].format(clip=self.paper.clip)}"


_FILES = {
    "report": "data/dataset-report.json",
    "generator": "generator/generator.json",
    "clip": "clip/{clip}-clip.json",
    "clip_eval": "clip_eval/{clip}-clip-eval.json",
    "guide": "guide/judge-guide.json",
    "heldout": "heldout/judge-heldout.json",
    "segmenter": "segmenter/segmenter.json",
    "t2d": "t2d/t2d.json",
    "a2d": "a2d/a2d.json",
    "package": "model/model.json",
    "evaluate": "results.json",
    "audit": "audit/audit.json",
    "study": "study/study.json",
}
TRAININGS = ("train_stylegan2", "train_clip", "train_judge", "train_segmenter", "train_t2d", "train_a2d")


def given_stages() -> tuple[str, ...]:
    """The stages whose results may be given."""
    return tuple(name for name in _FILES if name not in ("report", "package"))


def paper_stages(wanted: Wanted) -> dict[str, Stage]:
    """The stages in order, by name, less those whose results are given.

    ConfigError where a generator is to be trained or a CLIP to be tuned of which nothing is known, or an unknown stage
    is given.
    """
    known = given_stages()
    for name in wanted.given:
        if name not in known:
            raise ConfigError(f"--given {name}: no such stage; one of {', '.join(known)}")
    if not ({"clip"} & (wanted.sources.keys() | wanted.given.keys())):
        raise ConfigError("no CLIP to tune; add --clip SOURCE, for example --clip clip-vit-b-32")
    builder = _Builder(wanted)
    stages = {
        **builder.looking_at_data(), **builder.drawing(), **builder.reading(), **builder.judging(),
        **builder.steering(), **builder.finishing(),
    }  # fmt: skip
    return {name: stage for name, stage in stages.items() if name not in wanted.given}


class _Builder:
    """The commands of one run."""

    def __init__(self, wanted: Wanted):
        self.wanted, self.paper, self.outdir = wanted, wanted.paper, wanted.outdir
        self.images, self.texts = wanted.images, wanted.texts

    def looking_at_data(self):
        """A page about the data, which names what is missing."""
        pages = {"report": self.stage("report", "dataset", "report", self.images.train, "--outdir", "{}/data")}
        if self.texts != self.images:
            arguments = ("report", self.texts.train, "--outdir", f"{self.outdir}/data_texts")
            pages["texts"] = Stage("dataset", list(arguments), f"{self.outdir}/data_texts/dataset-report.json")
        return pages

    def drawing(self):
        """The generator: read from its source, or trained as the paper's was."""
        source = self.wanted.sources.get("generator")
        if source:
            return {
                "generator": Stage("convert", [source, self.wanted.file("generator")], self.wanted.file("generator"))
            }
        data = ("--data", self.images.train, "--eval-data", self.images.val)
        size = ("--preset", "stylegan2-config-f", "--batch", "16", "--resolution", "256", *self.kimg())
        return {"generator": self.training("generator", "train_stylegan2", *size, *data)}

    def reading(self):
        """CLIP, tuned on the captions as the paper does; and one that only scores, from a source of its own or tuned
        on all images."""
        sources, preset = self.wanted.sources, ("--preset", self.paper.clip)
        start = ("--clip", sources["clip"]) if "clip" in sources else ("--clip", self.wanted.file("clip"))
        watched = ("--eval-data", self.texts.val)
        tuned = self.training("clip", "train_clip", *preset, *start, "--data", self.texts.train, *watched)
        name = ("--name", Path(self.wanted.file("clip_eval")).stem, "--seed", "1")
        if "clip_eval" in sources:
            start = ("--clip", sources["clip_eval"])
        everything = ("--data", self.texts.everything, *watched)
        scoring = self.training("clip_eval", "train_clip", *preset, *start, *everything, *name)
        return {"clip": tuned, "clip_eval": scoring}

    def judging(self):
        """Two attribute classifiers trained on the real labels, and the parts of a face."""
        labelled = ("--data", self.texts.train, "--eval-data", self.texts.test)
        stages = {
            "guide": self.training("guide", "train_judge", "--preset", "photos-guide", *labelled),
            "heldout": self.training("heldout", "train_judge", "--preset", "photos-heldout", "--seed", "1", *labelled),
        }
        if self.paper.has_regions and "segmenter" not in self.wanted.sources:
            stages["segmenter"] = self.training("segmenter", "train_segmenter", "--preset", "photos", *labelled)
        return stages

    def steering(self):
        """Text-to-Direction and Attribute-to-Direction."""
        wanted, preset = self.wanted, ("--preset", self.paper.name)
        frozen = ("--generator", wanted.file("generator"), "--clip", wanted.file("clip"))
        glove = ("--glove", wanted.sources["glove"]) if "glove" in wanted.sources else ()
        watched = () if wanted.size == "toy" else ("--judge", wanted.file("guide"))  # it draws thousands of images
        seen = ("--eval-data", self.texts.val) if watched else ()
        parts, few = (), ()
        if self.paper.has_regions:
            parts = ("--segmenter", wanted.sources.get("segmenter") or wanted.file("segmenter"))
        if wanted.size == "toy":
            few = ("--attributes", "Male,Wearing_Lipstick,Wearing_Hat") if self.paper.vocabulary == "celeba" else ()
        t2d = self.training("t2d", "train_t2d", *preset, *frozen, *watched, "--data", self.texts.train, *seen, *glove)
        a2d = self.training("a2d", "train_a2d", *preset, *frozen, *watched, *parts, *glove, *few)
        return {"t2d": t2d, "a2d": a2d}

    def finishing(self):
        """All of it in one folder, measured by the paper's protocol, audited, and shown to people."""
        wanted, model = self.wanted, f"{self.outdir}/model"
        roles = {"generator": "generator", "clip": "clip", "t2d": "t2d", "a2d": "a2d", "judges-guide": "guide",
                 "judges-heldout": "heldout", "clip-eval": "clip_eval"}  # fmt: skip
        if self.paper.has_regions and "segmenter" not in wanted.sources:
            roles["segmenter"] = "segmenter"
        named = [word for role, name in roles.items() for word in (f"--{role}", wanted.file(name))]
        named += ["--vocabulary", self.paper.vocabulary, "--name", self.paper.name, "--outdir", model]
        methods = ("--adjust-method", "none", "--adjust-method", "paper")
        measured = ("--model", model, "--suite", "protocol", "--data", self.texts.unseen, "--real", self.texts.test)
        stages = {
            "package": Stage("package_model", named, wanted.file("package")),
            "evaluate": self.stage("evaluate", "evaluate", *measured, *methods, "--trunc", "0.5", "--out",
                                   wanted.file("evaluate"), "--device", wanted.device),
        }  # fmt: skip
        plan = PLANS / f"{self.paper.vocabulary}.yaml"
        if plan.is_file():
            few = ("--num", "2") if wanted.size == "toy" else ()
            arguments = ("run", str(plan), "--model", model, "--outdir", "{}/audit", "--device", wanted.device, *few)
            stages["audit"] = self.stage("audit", "audit", *arguments)
        num = ("--num", "4" if wanted.size == "toy" else "50")
        arguments = ("export", "--model", model, "--data", self.texts.unseen, *num, "--outdir", "{}/study")
        stages["study"] = self.stage("study", "study", *arguments, "--device", wanted.device)
        return stages

    def training(self, name, module, *arguments):
        """A training into the folder of its stage, as long as the size has it."""
        length = self.wanted.length
        words = [*arguments, *length.options.get(name, ()), "--outdir", f"{self.outdir}/{name}"]
        if 0 < length.factor < 1 and module != "train_stylegan2":
            words += self.shorter(name, module)
        return Stage(module, [*words, "--device", self.wanted.device], self.wanted.file(name))

    def stage(self, name, module, *arguments):
        """A command whose arguments may name the run's folder as {}."""
        words = [word.replace("{}", self.outdir) if word.startswith("{}") else word for word in arguments]
        return Stage(module, words, self.wanted.file(name))

    def kimg(self):
        """The length of the generator's training, unless the toy's."""
        return () if self.wanted.size == "toy" else ("--kimg", f"{KIMG * self.wanted.length.factor:g}")

    def shorter(self, name, module):
        """Options of a training that takes a part of its preset's length."""
        factor, kind = self.wanted.length.factor, module.removeprefix("train_")
        presets = {"clip": self.paper.clip, "judge": f"photos-{name}", "segmenter": "photos"}
        preset = preset_of(kind, presets.get(kind, self.paper.name))
        unit = "epochs" if "epochs" in preset else "steps"
        return [f"--{unit}", str(max(round(preset[unit] * factor), 1))]


def preset_of(training: str, name: str) -> dict:
    """The settings of a preset as its file has them.

    >>> preset_of("t2d", "celebahq")["steps"]
    60001
    """
    return read_mapping(FOLDER / training / f"{name}.yaml")
