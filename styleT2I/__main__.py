"""All commands by what they are for: `python -m styleT2I`, which also runs one: `python -m styleT2I generate ...`."""

import importlib
import sys

import click

from styleT2I.cli import Group, group
from styleT2I.config import suggestion

COMMANDS = {
    "Draw": {
        "generate": "faces from a sentence",
        "edit": "faces moved along attribute directions, with a strip of strengths",
        "video": "faces that change: between seeds, between sentences, along attributes",
        "app": "a page on this machine: write, edit, compare, audit",
        "transfer_style": "GAN-INT-CLS's: other sentences in an image's style",
        "manipulate": "unCLIP's: variations, interpolations, text differences of images",
        "align": "faces cut out of photos as FFHQ's are",
        "invert": "latents that draw the faces of photos again",
        "attributes": "what the parser reads in a sentence",
    },
    "Measure": {
        "evaluate": "a model on unseen data",
        "audit": "declared combinations of attributes, tested for gaps",
        "study": "two systems, compared by people: a form, and the count of answers",
    },
    "Train": {
        "train_t2d": "Text-to-Direction, on any generator and CLIP",
        "train_a2d": "Attribute-to-Direction, likewise",
        "train_stylegan2": "a generator, adversarially on any images",
        "fit_stylegan2": "a generator, by regression onto the MiniFaces renderer",
        "train_clip": "a small CLIP from scratch, or the paper's fine-tuning of a large one",
        "train_judge": "an attribute classifier",
        "train_segmenter": "a network that finds the parts of a face",
        "train_landmarks": "a network that finds faces and their landmarks",
        "train_encoder": "a network that estimates the latent of an image",
        "train_baseline": "GAN-INT-CLS, StackGAN, AttnGAN with its DAMSM, DF-GAN, unCLIP",
        "build_model": "a whole embedded model, from nothing",
        "recipe": "a whole experiment of the paper, from its data to its table",
    },
    "Put together": {
        "package_model": "components in one model folder, with a model card",
        "export_onnx": "a model as ONNX files, which run without PyTorch",
        "export_web": "a page that runs a model in the browser",
        "convert": "any known checkpoint to safetensors, or to another code's layout",
        "data.minifaces": "the drawn faces as a captioned, labelled, segmented data set",
        "data.portraits": "rendered faces, likewise",
        "dataset": "downloads (CelebA-HQ, CUB, FFHQ, tar shards ...) checked, described, written as a folder",
        "data.celebahq": "the released CelebAMask-HQ as a data set: an older way of `dataset convert`",
    },
    "This machine": {"doctor": "what computes fast here, and how to get the rest"},
}


class _Commands(Group):
    """Commands that are imported when they are called, so that the list takes no time."""

    def list_commands(self, ctx):
        return [name for named in COMMANDS.values() for name in named]

    def get_command(self, ctx, name):
        if name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"styleT2I.{name}")
        return getattr(module, "main", None) or importlib.import_module(f"styleT2I.{name}.__main__").main

    def resolve_command(self, ctx, args):
        known = self.list_commands(ctx)
        if args and args[0] not in known:
            raise click.UsageError(f"no command {args[0]!r}{suggestion(args[0], known)}")
        if sys.argv[1:2] == args[:1]:  # a record of the command names its own module
            del sys.argv[1]
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx, formatter):
        for title, named in COMMANDS.items():
            with formatter.section(title):
                formatter.write_dl(list(named.items()))


@group(cls=_Commands)
def main():
    """StyleT2I: text to faces, also for combinations of attributes that are rare in the training data.

    Help of a command: python -m styleT2I COMMAND --help. First images: python -m styleT2I generate --text "he is
    wearing lipstick" --outdir out.
    """


if __name__ == "__main__":
    main(prog_name="python -m styleT2I")
