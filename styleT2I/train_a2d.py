"""Train Attribute-to-Direction: `python -m styleT2I.train_a2d --outdir runs/a2d` (on the embedded model)."""

import functools

import click

from styleT2I.cli import command
from styleT2I.options.directions import (
    RENAMED,
    direction_defaults,
    direction_options,
    direction_training,
    run_direction,
)

ROLES = {"generator": "generator", "clip": "clip", "segmenter": "segmenter", "judge": "judges.guide"}


@command(preset_defaults=functools.partial(direction_defaults, "a2d"), renamed=RENAMED)
@direction_options("a2d", "Model whose generator, CLIP, segmenter and guide judge are used where none is named.")
def main(outdir, eval_every, resume, workers, graphs, seed, device, **options):
    """Train the network that turns a latent and an attribute's phrase into a direction: OUTDIR/a2d.json.

    What is not named is the embedded model's. A segmenter holds edits inside the attribute's region; a judge measures
    edits while it trains, and at the end the step that each strength of `edit` stands for.

    \b
    Examples:
      python -m styleT2I.train_a2d --outdir runs/a2d
      python -m styleT2I.train_a2d --outdir runs/a2d --attributes lipstick,hat --steps 500
    """
    training = direction_training("a2d", ROLES, **options)
    from styleT2I.training.directions.a2d import A2DTask

    if training.config.judge is None:
        click.echo("note: no --judge given, so the log holds losses only and edits are not calibrated", err=True)
    shown_by = ("styleT2I.edit", "--set", "lipstick=1")
    run_direction(
        A2DTask, training, shown_by, outdir=outdir, eval_every=eval_every, resume=resume, workers=workers,
        graphs=graphs, seed=seed, device=device,
    )  # fmt: skip


if __name__ == "__main__":
    main()
