"""Fit a StyleGAN2 generator to a renderer: `python -m styleT2I.fit_stylegan2 --outdir runs/fit`."""

import click

from styleT2I.cli import command, defaults_of, device_option, outdir_option, seed_option, trained

PRESETS = ("minifaces", "portraits")


def _defaults():
    from styleT2I.training.stylegan2.renderer_fit import fit_config

    return defaults_of(None, fit_config())


@command(preset_defaults=_defaults, has_offline=True)
@outdir_option
@click.option("--preset", default="minifaces", type=click.Choice(PRESETS), help="World of faces to draw.")
@click.option("--steps", type=click.IntRange(10), help="Optimisation steps.  [default: by preset]")
@click.option("--data", metavar="SPEC", help="Rendered portraits, portraits:DISTRIBUTION/SPLIT[:NUM].")
@click.option("--eval-data", metavar="SPEC", help="Rendered portraits to measure on.")
@click.option("--judge", metavar="FILE", help="Judge of Portraits whose features are compared beside pixels.")
@click.option("--batch", type=click.IntRange(1), help="Scenes a step at the final resolution.")
@click.option("--resolution", type=click.Choice(["32", "64", "128", "256"]), help="Side of the images.")
@click.option("--eval-every", default=1000, type=click.IntRange(1), help="Steps between evaluations and checkpoints.")
@click.option("--resume", default="auto", metavar="auto|never|FILE", help="Checkpoint to go on from.")
@seed_option
@device_option
def main(outdir, preset, eval_every, resume, seed, device, data, eval_data, judge, **settings):
    """Teach a StyleGAN2 generator to draw a world of faces by regression; the result is OUTDIR/generator.json.

    MiniFaces are painted on the way, in about 40 minutes on one CPU core; Portraits must be rendered before (python -m
    styleT2I.data.portraits), and take hours. `train_stylegan2 --init OUTDIR` continues adversarially from it.
    """
    import torch

    from styleT2I.errors import ConfigError
    from styleT2I.training.engine import RunConfig, run
    from styleT2I.training.rendered_fit import RenderedFit
    from styleT2I.training.stylegan2.renderer_fit import RendererFit
    from styleT2I.training.stylegan2.renderer_fit_config import fit_config, rendered_fit_config

    rendered = {"data": data, "eval_data": eval_data, "judge": judge}
    if preset == "portraits":
        task = RenderedFit(rendered_fit_config(**rendered, **settings))
    else:
        if any(rendered.values()):
            raise ConfigError("--data, --eval-data and --judge are of rendered portraits; add --preset portraits")
        torch.set_num_threads(1)  # the networks are small: a second thread gains nothing and leaves no core for others
        task = RendererFit(fit_config(**settings))
    run(task, RunConfig(
        outdir=outdir, steps=task.config.steps, seed=seed, device=device, log_every=100, eval_every=eval_every,
        snapshot_every=eval_every, checkpoint_every=eval_every, resume=resume))  # fmt: skip
    component = f"{outdir}/generator.json"
    trained(component, "styleT2I.train_t2d", "--generator", component, "--outdir", "runs/t2d")


if __name__ == "__main__":
    main()
