"""Train an earlier text-to-image GAN, or its DAMSM: `python -m styleT2I.train_baseline --system dfgan --outdir DIR`."""

import click

from styleT2I.cli import command, defaults_of, trained
from styleT2I.options.training import kimg_run_options, options_of, recipe_options, run_kimg, steps_of
from styleT2I.recipes import given, read_recipe
from styleT2I.training.baselines.config import BaselineConfig

GANS = ("gan_int_cls", "stackgan", "damsm", "attngan", "dfgan")
UNCLIP = ("unclip_prior", "unclip_ar_prior", "unclip_upsampler", "unclip")

_PRESETS = (
    "Settings to start from: the paper's, or small networks for MiniFaces at 64 pixels; of unCLIP with 64 larger "
    "batches and a decoder at that size, for a GPU."
)


def _defaults():
    from styleT2I.training.baselines.registry import task_config

    kimg, config = task_config("dfgan", "minifaces", clip="")
    shown = defaults_of("dfgan, minifaces", config, kimg=kimg)
    return {name: text for name, text in shown.items() if name != "clip"}


@command(preset_defaults=_defaults, renamed={"--model": "--system"})
@recipe_options("baselines", default="minifaces", names=("paper", "minifaces", "minifaces64"), text=_PRESETS)
@click.option(
    "--system",
    required=True,
    type=click.Choice(GANS + UNCLIP),
    help="Which system; damsm is the text and image encoder that attngan needs, unclip the decoder of unCLIP, beside "
    "which the other unclip names are trained.",
)
@click.option(
    "--damsm",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="Folder of a training of --system damsm, whose encoders attngan learns from and dfgan may read its sentences "
    "with.",
)
@options_of(BaselineConfig)
@click.option("--prior", metavar="DIR", help="Folder of a --system unclip_prior training, for unclip's model folder.")
@click.option("--ar-prior", metavar="DIR", help="Likewise of a --system unclip_ar_prior training.")
@click.option("--upsampler", metavar="DIR", help="Likewise of a --system unclip_upsampler training.")
@click.option("--inception", metavar="FILE", help="Torchvision's inception_v3 weights, for damsm's paper preset.")
@click.option("--lr", type=float, help="Learning rate of one of unCLIP's networks.")
@kimg_run_options(every=16.0)
def main(outdir, system, recipe, kimg, eval_kimg, resume, workers, graphs, seed, device, **settings):
    """Train a baseline; OUTDIR then is a model that generate takes: python -m styleT2I.generate --model OUTDIR."""
    from styleT2I.formats.model_folder import read_model_folder
    from styleT2I.training.baselines.registry import CONFIGS, new_task, task_config

    _, written = read_recipe(f"baselines/{system}", recipe, CONFIGS[system])
    named = given(settings).keys() | written.keys()
    if system not in ("damsm", "attngan") and not named & {"clip", "embeddings", "damsm", "text_encoder"}:
        settings["clip"] = str(read_model_folder("minifaces").file("clip"))
    recipe_kimg, config = task_config(system, recipe, **settings)
    num_steps = steps_of(kimg, recipe_kimg, config.batch_size)
    run_kimg(
        new_task(system, config, num_steps, seed), num_steps, config.batch_size, outdir=outdir, eval_kimg=eval_kimg,
        resume=resume, workers=workers, graphs=graphs, seed=seed, device=device,
    )  # fmt: skip
    if system == "damsm":
        trained(outdir, "styleT2I.train_baseline", "--system", "attngan", "--damsm", outdir, "--outdir", "runs/attngan")
    else:
        trained(outdir, "styleT2I.generate", "--model", outdir, "--text", "she is smiling", "--outdir", "out")


if __name__ == "__main__":
    main()
