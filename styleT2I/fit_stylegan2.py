"""Fit a StyleGAN2 generator to a renderer: `python -m styleT2I.fit_stylegan2 --outdir runs/fit`."""

import click

from styleT2I.cli import command, defaults_of, outdir_option, trained
from styleT2I.errors import ConfigError
from styleT2I.options.training import file_option, run_options, run_steps
from styleT2I.training.stylegan2.renderer_fit_config import fit_config, paired_finish_config, rendered_fit_config

PRESETS = ("minifaces", "portraits", "portraits-finish")


def _defaults():
    return defaults_of(None, fit_config())


@command(preset_defaults=_defaults, has_offline=True)
@outdir_option
@click.option("--preset", default="minifaces", type=click.Choice(PRESETS), help="World of faces to draw, or the "
              "finish of a generator that was fitted to it.")  # fmt: skip
@file_option("file", "A file of settings of one's own that replace the preset's, .yaml or .json (docs/commands.md).")
@click.option("--data", metavar="SPEC", multiple=True, help="Rendered portraits, portraits:DISTRIBUTION/SPLIT[:NUM]; "
              "give it several times to mix.")  # fmt: skip
@click.option("--eval-data", metavar="SPEC", help="Rendered portraits to measure on.")
@click.option("--judge", metavar="FILE", help="Judge of Portraits whose features are compared beside pixels.")
@click.option("--init", metavar="DIR", help="Folder of a fit to Portraits: what another fit, or "
              "portraits-finish, starts from.")  # fmt: skip
@click.option("--num-latents", type=click.IntRange(1), help="Scenes of Portraits, not rendered, that the mapping "
              "network learns from.")  # fmt: skip
@click.option("--batch", type=click.IntRange(1), help="Scenes per step at the final resolution.")
@click.option("--resolution", type=click.Choice(["32", "64", "128", "256"]), help="Side of the images.")
@run_options(every=1000, first=10, steps_text="Optimisation steps.  [default: by preset]",
             every_text="Steps between evaluations and checkpoints.")  # fmt: skip
def main(
    outdir, preset, file, eval_every, resume, workers, graphs, seed, device, data, eval_data, judge, init,
    num_latents, **settings,
):  # fmt: skip
    """Teach a StyleGAN2 generator to draw a world of faces by regression; the result is OUTDIR/generator.json.

    MiniFaces are painted on the way, in about 40 minutes on one CPU core; Portraits must be rendered before (python -m
    styleT2I.data.portraits), and take hours; `--preset portraits-finish --init OUTDIR` then makes them
    crisp with a discriminator of patches, and `train_stylegan2 --init` continues without any renders' scenes.
    """
    rendered = {"data": data or None, "eval_data": eval_data, "judge": judge, "init": init}
    if preset == "portraits":
        config = rendered_fit_config(file, num_latents=num_latents, **rendered, **settings)
        from styleT2I.training.stylegan2.rendered_fit import RenderedFit

        task = RenderedFit(config)
    elif preset == "portraits-finish":
        if num_latents or settings.pop("resolution"):
            raise ConfigError("--num-latents and --resolution are of a fit; its finish takes the generator as it is")
        config = paired_finish_config(file, **rendered, **settings)
        from styleT2I.training.stylegan2.paired_finish import PairedFinish

        task = PairedFinish(config)
    else:
        if num_latents or any(rendered.values()):
            raise ConfigError(
                "--data, --eval-data, --judge, --init and --num-latents are of rendered portraits; "
                "add --preset portraits"
            )
        config = fit_config(file, **settings)
        import torch

        from styleT2I.training.stylegan2.renderer_fit import RendererFit

        torch.set_num_threads(1)  # the networks are small: a second thread gains nothing and leaves no core for others
        task = RendererFit(config)
    run_steps(
        task, config.steps, outdir=outdir, eval_every=eval_every, log_every=100, resume=resume, workers=workers,
        graphs=graphs, seed=seed, device=device,
    )  # fmt: skip
    component = f"{outdir}/generator.json"
    trained(component, "styleT2I.train_t2d", "--generator", component, "--outdir", "runs/t2d")


if __name__ == "__main__":
    main()
