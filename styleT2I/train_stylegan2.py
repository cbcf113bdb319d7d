"""Train StyleGAN2: `python -m styleT2I.train_stylegan2 --data minifaces:biased/train --outdir runs/stylegan2`."""

import click

from styleT2I.cli import build_kernels, command, defaults_of, trained
from styleT2I.options.training import kimg_run_options, options_of, recipe_options, run_kimg, steps_of
from styleT2I.training.stylegan2.config import StyleGAN2Config, stylegan2_config

_ABOVE_ZERO = click.FloatRange(0, min_open=True)


def _defaults():
    kimg, config = stylegan2_config("minifaces64")
    return defaults_of("minifaces64", config, kimg=kimg, resolution=config.generator.resolution)


@command(preset_defaults=_defaults)
@recipe_options("stylegan2", default="minifaces64")
@click.option("--resolution", type=click.IntRange(8, 1024), help="Side of the images, a power of two.")
@click.option("--init", metavar="SOURCE", help="Start from this generator, and the discriminator that comes with it.")
@options_of(StyleGAN2Config)
@click.option("--checkpoint-kimg", type=_ABOVE_ZERO, help="Between checkpoints; as --eval-kimg.")
@kimg_run_options(every=20.0)
def main(
    outdir, recipe, resolution, init, kimg, eval_kimg, checkpoint_kimg, resume, workers, graphs, seed, device,
    **settings,
):  # fmt: skip
    """Train a generator against a discriminator; the results are OUTDIR/generator.json and discriminator.json."""
    recipe_kimg, config = stylegan2_config(recipe, resolution=resolution, init=init, **settings)
    if config.judge is None:
        click.echo("note: no --judge given, so distances are between images averaged down to 8x8 pixels", err=True)
    num_steps = steps_of(kimg, recipe_kimg, config.batch_size)
    from styleT2I.networks.stylegan2.config import check_precision
    from styleT2I.torch_utils.hardware.devices import resolve_device
    from styleT2I.training.stylegan2.task import StyleGAN2Task

    device = resolve_device(device)
    check_precision(config.precision, device)
    build_kernels(device, num_steps)
    run_kimg(
        StyleGAN2Task(config, num_steps, seed), num_steps, config.batch_size, outdir=outdir, eval_kimg=eval_kimg,
        checkpoint_kimg=checkpoint_kimg, resume=resume, workers=workers, graphs=graphs, seed=seed, device=device,
    )  # fmt: skip
    component = f"{outdir}/generator.json"
    trained(component, "styleT2I.train_t2d", "--generator", component, "--clip", "CLIP", "--data", "DATA", "--outdir",
            "runs/t2d")  # fmt: skip


if __name__ == "__main__":
    main()
