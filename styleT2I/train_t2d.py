"""Train Text-to-Direction: `python -m styleT2I.train_t2d --outdir runs/t2d` (on the embedded generator and CLIP)."""

import functools

import click

from styleT2I.cli import build_kernels, command, defaults_of, parts_of_model, report_costs, trained
from styleT2I.training.directions.config import T2DConfig, direction_config
from styleT2I.training_options import options_of, recipe_options, run_options, run_steps, steps_or_open

ROLES = {"generator": "generator", "clip": "clip", "judge": "judges.guide"}


def _defaults():
    steps, config = direction_config("t2d", "minifaces", generator="", clip="")
    shown = defaults_of("minifaces", config, steps=steps, text_features=config.text_encoder)
    return {name: text for name, text in shown.items() if name not in ("generator", "clip")}


@command(preset_defaults=_defaults, renamed={"--text-encoder": "--text-features"})
@recipe_options("t2d", default="minifaces")
@click.option(
    "--model", metavar="NAME|DIR", help="Model whose generator, CLIP and guide judge serve where none is named."
)
@options_of(T2DConfig)
@run_options(every=250)
def main(outdir, recipe, model, steps, eval_every, resume, workers, seed, device, text_features, **settings):
    """Train the network that turns a latent and a sentence into a direction; the result is OUTDIR/t2d.json."""
    from styleT2I.recipes import read_recipe

    _, written = read_recipe("t2d", recipe, T2DConfig)
    given = {option: settings.pop(option) or written.get(option) for option in ROLES}
    is_minifaces = written.get("vocabulary", "minifaces") == "minifaces"
    is_embedded = is_minifaces and model in (None, "minifaces") and not (given["generator"] or given["clip"])
    frozen = parts_of_model(given, ROLES, model or ("minifaces" if is_minifaces else None))
    recipe_steps, config = direction_config("t2d", recipe, text_encoder=text_features, **frozen, **settings)
    num_steps = steps_or_open(steps, recipe_steps)
    from styleT2I.torch_utils.devices import resolve_device
    from styleT2I.training.directions.t2d import T2DTask

    if config.judge is None or config.eval_data is None:
        click.echo("note: no --judge and --eval-data given, so the log holds losses only", err=True)
    task = T2DTask(config, num_steps, seed, functools.partial(report_costs, config.micro_batch, outdir))
    device = resolve_device(device)
    build_kernels(device, num_steps)
    run_steps(
        task, num_steps, outdir=outdir, eval_every=eval_every, log_every=eval_every, resume=resume,
        workers=workers, seed=seed, device=str(device),
    )  # fmt: skip
    component = f"{outdir}/t2d.json"
    if is_embedded:
        trained(component, "styleT2I.generate", "--t2d", component, "--text", "he is wearing lipstick", "--outdir=out")
    else:
        parts = ("--generator", frozen["generator"], "--clip", frozen["clip"], "--t2d", component)
        trained(component, "styleT2I.package_model", *parts, "--outdir", "models/mine")


if __name__ == "__main__":
    main()
