"""Fit a StyleGAN2 generator to the MiniFaces renderer: `python -m styleT2I.fit_stylegan2 --outdir runs/fit`."""

import click

from styleT2I.cli import command, defaults_of, device_option, outdir_option, seed_option, trained


def _defaults():
    from styleT2I.training.stylegan2.renderer_fit import fit_config

    return defaults_of(None, fit_config())


@command(preset_defaults=_defaults, has_offline=True)
@outdir_option
@click.option("--steps", default=37000, type=click.IntRange(10), help="Optimisation steps of all stages together.")
@click.option("--batch", type=click.IntRange(1), help="Scenes a step at the final resolution.")
@click.option("--resolution", type=click.Choice(["32", "64", "128"]), help="Side of the images.")
@click.option("--eval-every", default=1000, type=click.IntRange(1), help="Steps between evaluations and checkpoints.")
@click.option("--resume", default="auto", metavar="auto|never|FILE", help="Checkpoint to go on from.")
@seed_option
@device_option
def main(outdir, steps, eval_every, resume, seed, device, **settings):
    """Teach a StyleGAN2 generator to draw MiniFaces by regression; the result is OUTDIR/generator.json.

    About 40 minutes on one CPU core. `train_stylegan2 --init OUTDIR` continues adversarially from it.
    """
    import torch

    from styleT2I.training.engine import RunConfig, run
    from styleT2I.training.stylegan2.renderer_fit import RendererFit, fit_config

    torch.set_num_threads(1)  # the networks are small: a second thread gains nothing and leaves no core for others
    task = RendererFit(fit_config(steps=steps, **settings))
    run(task, RunConfig(
        outdir=outdir, steps=steps, seed=seed, device=device, log_every=100, eval_every=eval_every,
        snapshot_every=eval_every, checkpoint_every=eval_every, resume=resume))  # fmt: skip
    component = f"{outdir}/generator.json"
    trained(component, "styleT2I.train_t2d", "--generator", component, "--outdir", "runs/t2d")


if __name__ == "__main__":
    main()
