"""Train Attribute-to-Direction: `python -m styleT2I.train_a2d --outdir runs/a2d` (on the embedded model)."""

import functools

import click

from styleT2I.cli import (
    build_kernels,
    command,
    defaults_of,
    device_option,
    outdir_option,
    parts_of_model,
    report_costs,
    seed_option,
    trained,
)

PRESETS = ("minifaces", "portraits", "celebahq", "cub", "ffhq", "nabirds")


def _defaults():
    from styleT2I.training.directions.a2d_config import preset_config

    steps, config = preset_config("minifaces", generator="", clip="")
    config = defaults_of("minifaces", config, steps=steps, text_features=config.text_encoder)
    return {name: text for name, text in config.items() if name not in ("generator", "clip")}


@command(preset_defaults=_defaults, renamed={"--text-encoder": "--text-features"})
@outdir_option
@click.option("--preset", default="minifaces", type=click.Choice(PRESETS), help="Settings to start from.")
@click.option(
    "--model", metavar="NAME|DIR", help="Model whose generator, CLIP, segmenter and guide judge serve where none is "
    "named."
)  # fmt: skip
@click.option("--generator", metavar="FILE", help="Component of the frozen generator.")
@click.option("--clip", metavar="FILE", help="Component of the frozen CLIP.")
@click.option("--segmenter", metavar="SOURCE", help="Source of regions for the spatial constraint (docs/regions.md).")
@click.option("--judge", metavar="FILE", help="Attribute classifier for the log's figures and the strengths of edits; "
              "it never trains anything.")  # fmt: skip
@click.option("--vocabulary", metavar="NAME|FILE", help="Attributes to learn directions of.")
@click.option("--attributes", metavar="LIST", help="Only these of them, separated by commas.")
@click.option("--steps", type=click.IntRange(1), help="Optimisation steps.")
@click.option("--batch", "batch_size", type=int, help="Latents a step.")
@click.option("--micro-batch", type=click.IntRange(1), metavar="ROWS", help="Rows of the batch whose graph is held at "
              "a time: less memory and the same gradients, for a third more time. [default: all]")  # fmt: skip
@click.option("--lr", type=float, help="Learning rate of Adam.")
@click.option(
    "--trunc", "truncation_psi", type=click.FloatRange(0, 2), help="Truncation psi of the latents trained on."
)
@click.option("--alpha", type=click.FloatRange(0), help="Margin of the semantic matching loss, in cosine.")
@click.option("--semantic-weight", type=click.FloatRange(0), help="Weight of the semantic matching loss.")
@click.option("--spatial-weight", type=click.FloatRange(0), help="Weight of the spatial constraint; 0 drops it.")
@click.option("--rest-region", metavar="REGION", help="Region of attributes that have none of their own, say face; "
              "without it they skip the constraint.")  # fmt: skip
@click.option("--keep-weight", type=click.FloatRange(0), help="Weight of the loss that holds the other attributes' "
              "verdicts, as CLIP sees them.")  # fmt: skip
@click.option("--theta", type=float, help="Norm of a direction that is free of penalty, in units of W.")
@click.option("--theta-rel", type=float, help="The same in units of the mean distance of w from its mean.")
@click.option("--no-norm-penalty", is_flag=True, help="Train without the norm penalty.")
@click.option("--text-features", type=click.Choice(["clip", "gru"]), help="Of the frozen CLIP, or of word "
              "vectors and a GRU that is trained along.")  # fmt: skip
@click.option("--glove", metavar="FILE", help="GloVe text file for --text-features gru.")
@click.option("--space", type=click.Choice(["w+", "low-rank", "w"]), help="Where a direction lives.")
@click.option("--rank", type=click.IntRange(1), help="Directions that --space low-rank mixes.")
@click.option("--hidden-dim", type=click.IntRange(1), help="Width of the network.")
@click.option("--eval-every", default=250, type=click.IntRange(1), help="Steps between log lines with all figures.")
@click.option("--resume", default="auto", metavar="auto|never|FILE", help="Checkpoint to go on from.")
@seed_option
@device_option
def main(outdir, preset, model, attributes, steps, no_norm_penalty, eval_every, resume, seed, device, **settings):
    """Train the network that turns a latent and an attribute's phrase into a direction: OUTDIR/a2d.json."""
    from styleT2I.training.directions.a2d_config import preset_config

    roles = {"generator": "generator", "clip": "clip", "segmenter": "segmenter", "judge": "judges.guide"}
    given = {option: settings.pop(option) for option in roles}
    is_embedded = preset == "minifaces" and model in (None, "minifaces") and not (given["generator"] or given["clip"])
    frozen = parts_of_model(given, roles, model or ("minifaces" if preset == "minifaces" else None))
    if no_norm_penalty:
        settings["use_norm_penalty"] = False
    if attributes:
        settings["attributes"] = tuple(name.strip() for name in attributes.split(","))
    settings["text_encoder"] = settings.pop("text_features")
    preset_steps, config = preset_config(preset, **frozen, **settings)
    from styleT2I.torch_utils.devices import resolve_device
    from styleT2I.training.directions.a2d import A2DTask
    from styleT2I.training.engine import RunConfig, run

    if config.judge is None:
        click.echo("note: no --judge given, so the log holds losses only and edits are not calibrated", err=True)
    num_steps = steps or preset_steps
    task = A2DTask(config, num_steps, seed, functools.partial(report_costs, config.micro_batch, outdir))
    device = resolve_device(device)
    build_kernels(device, num_steps)
    run(
        task,
        RunConfig(
            outdir=outdir, steps=num_steps, seed=seed, device=str(device), log_every=eval_every,
            eval_every=eval_every, snapshot_every=eval_every, checkpoint_every=eval_every, resume=resume,
        ),
    )  # fmt: skip
    component = f"{outdir}/a2d.json"
    if is_embedded:
        trained(component, "styleT2I.edit", "--a2d", component, "--set", "lipstick=1", "--outdir=out")
    else:
        parts = ("--generator", frozen["generator"], "--clip", frozen["clip"], "--a2d", component)
        trained(component, "styleT2I.package_model", *parts, "--outdir", "models/mine")


if __name__ == "__main__":
    main()
