"""Train StyleGAN2: `python -m styleT2I.train_stylegan2 --data minifaces:biased/train --outdir runs/stylegan2`."""

import click

from styleT2I.cli import (
    build_kernels,
    command,
    defaults_of,
    device_option,
    outdir_option,
    precision_option,
    seed_option,
    trained,
)

PRESETS = ("stylegan2-config-f", "minifaces64", "minifaces128", "portraits128")


def _defaults():
    from styleT2I.training.stylegan2.config import stylegan2_config

    kimg, config = stylegan2_config("minifaces64")
    return defaults_of("minifaces64", config, kimg=kimg, resolution=config.generator.resolution)


@command(preset_defaults=_defaults)
@outdir_option
@click.option("--data", metavar="SPEC", help="Real images: a data set's folder, or minifaces:DISTRIBUTION/SPLIT[:NUM].")
@click.option("--preset", default="minifaces64", type=click.Choice(PRESETS), help="Settings to start from.")
@click.option("--resolution", type=click.IntRange(8, 1024), help="Side of the images, a power of two.")
@click.option("--init", metavar="SOURCE", help="Start from this generator, and the discriminator that comes with it.")
@click.option("--labels/--no-labels", "use_labels", default=None, help="Condition both networks on the attributes.")
@click.option("--kimg", type=click.FloatRange(0, min_open=True), help="Thousands of real images to train on in all.")
@click.option("--batch", "batch_size", type=click.IntRange(1), help="Images a step.")
@click.option("--micro-batch", type=click.IntRange(1), help="Images computed at a time, gradients summed to --batch.")
@click.option("--glr", "g_lr", type=float, help="Learning rate of the generator.")
@click.option("--dlr", "d_lr", type=float, help="Learning rate of the discriminator.")
@click.option("--gamma", "r1_gamma", type=click.FloatRange(0), help="Weight of R1; 0: off.")
@click.option("--pl-weight", type=click.FloatRange(0), help="Weight of path-length regularisation; 0: off.")
@click.option("--mixing", "style_mixing", type=click.FloatRange(0, 1), help="Probability of style mixing.")
@click.option("--ema-kimg", type=click.FloatRange(0), help="Half-life of the averaged generator, thousands of images.")
@click.option("--d-warmup-kimg", type=click.FloatRange(0), help="Thousands of images for D alone at the start.")
@click.option("--mirror/--no-mirror", default=None, help="Mirror real images at random.")
@click.option("--jitter", type=click.FloatRange(0), help="Colour jitter before the discriminator, share of the range.")
@click.option("--translate", type=click.FloatRange(0), help="Random shift before the discriminator, share of the side.")
@click.option("--judge", metavar="FILE", help="Attribute classifier for the log's distances; it never trains anything.")
@click.option("--eval-data", metavar="SPEC", help="Reals of the log's distances; by default the training data.")
@click.option("--eval-num", type=click.IntRange(8), help="Images of either kind in an evaluation.")
@click.option("--eval-kimg", default=20.0, type=click.FloatRange(0, min_open=True), help="Between two evaluations.")
@click.option("--checkpoint-kimg", type=click.FloatRange(0, min_open=True), help="Between checkpoints; as --eval-kimg.")
@click.option("--resume", default="auto", metavar="auto|never|FILE", help="Checkpoint to go on from.")
@seed_option
@device_option
@precision_option
def main(outdir, preset, resolution, init, kimg, eval_kimg, checkpoint_kimg, resume, seed, device, **settings):
    """Train a generator against a discriminator; the results are OUTDIR/generator.json and discriminator.json."""
    from styleT2I.networks.stylegan2.precision import check_precision
    from styleT2I.torch_utils.devices import resolve_device
    from styleT2I.training.engine import RunConfig, run
    from styleT2I.training.stylegan2.config import stylegan2_config
    from styleT2I.training.stylegan2.task import StyleGAN2Task

    preset_kimg, config = stylegan2_config(preset, resolution=resolution, init=init, **settings)
    if config.judge is None:
        click.echo("note: no --judge given, so distances are between images averaged down to 8x8 pixels", err=True)

    def steps(thousands):
        return max(round(thousands * 1000 / config.batch_size), 1)

    every, num_steps = steps(eval_kimg), steps(kimg or preset_kimg)
    device = resolve_device(device)
    check_precision(config.precision, device)
    build_kernels(device, num_steps)
    run(
        StyleGAN2Task(config, num_steps, seed),
        RunConfig(
            outdir=outdir, steps=num_steps, seed=seed, device=str(device),
            log_every=max(every // 10, 1), eval_every=every, snapshot_every=every,
            checkpoint_every=steps(checkpoint_kimg or eval_kimg), resume=resume,
        ),
    )  # fmt: skip
    component = f"{outdir}/generator.json"
    trained(component, "styleT2I.train_t2d", "--generator", component, "--clip", "CLIP", "--data", "DATA", "--outdir",
            "runs/t2d")  # fmt: skip


if __name__ == "__main__":
    main()
