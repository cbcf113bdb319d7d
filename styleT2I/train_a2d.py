"""Train Attribute-to-Direction: `python -m styleT2I.train_a2d --outdir runs/a2d` (on the embedded model)."""

import functools

import click

from styleT2I.cli import build_kernels, command, defaults_of, parts_of_model, report_costs, trained
from styleT2I.training.directions.config import A2DConfig, direction_config
from styleT2I.training_options import options_of, recipe_options, run_options, run_steps, steps_or_open

ROLES = {"generator": "generator", "clip": "clip", "segmenter": "segmenter", "judge": "judges.guide"}


def _defaults():
    steps, config = direction_config("a2d", "minifaces", generator="", clip="")
    shown = defaults_of("minifaces", config, steps=steps, text_features=config.text_encoder)
    return {name: text for name, text in shown.items() if name not in ("generator", "clip")}


@command(preset_defaults=_defaults, renamed={"--text-encoder": "--text-features"})
@recipe_options("a2d", default="minifaces")
@click.option(
    "--model",
    metavar="NAME|DIR",
    help="Model whose generator, CLIP, segmenter and guide judge serve where none is named.",
)
@options_of(A2DConfig)
@run_options(every=250)
def main(outdir, recipe, model, steps, eval_every, resume, workers, seed, device, text_features, **settings):
    """Train the network that turns a latent and an attribute's phrase into a direction: OUTDIR/a2d.json."""
    from styleT2I.recipes import read_recipe

    _, written = read_recipe("a2d", recipe, A2DConfig)
    given = {option: settings.pop(option) or written.get(option) for option in ROLES}
    is_minifaces = written.get("vocabulary", "minifaces") == "minifaces"
    is_embedded = is_minifaces and model in (None, "minifaces") and not (given["generator"] or given["clip"])
    frozen = parts_of_model(given, ROLES, model or ("minifaces" if is_minifaces else None))
    recipe_steps, config = direction_config("a2d", recipe, text_encoder=text_features, **frozen, **settings)
    num_steps = steps_or_open(steps, recipe_steps)
    from styleT2I.torch_utils.devices import resolve_device
    from styleT2I.training.directions.a2d import A2DTask

    if config.judge is None:
        click.echo("note: no --judge given, so the log holds losses only and edits are not calibrated", err=True)
    task = A2DTask(config, num_steps, seed, functools.partial(report_costs, config.micro_batch, outdir))
    device = resolve_device(device)
    build_kernels(device, num_steps)
    run_steps(
        task, num_steps, outdir=outdir, eval_every=eval_every, log_every=eval_every, resume=resume,
        workers=workers, seed=seed, device=str(device),
    )  # fmt: skip
    component = f"{outdir}/a2d.json"
    if is_embedded:
        trained(component, "styleT2I.edit", "--a2d", component, "--set", "lipstick=1", "--outdir=out")
    else:
        parts = ("--generator", frozen["generator"], "--clip", frozen["clip"], "--a2d", component)
        trained(component, "styleT2I.package_model", *parts, "--outdir", "models/mine")


if __name__ == "__main__":
    main()
