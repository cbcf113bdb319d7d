"""Train Text-to-Direction: `python -m styleT2I.train_t2d --outdir runs/t2d` (on the embedded generator and CLIP)."""

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

ROLES = {"generator": "generator", "clip": "clip", "judge": "judges.guide"}


@command(preset_defaults=functools.partial(direction_defaults, "t2d"), renamed=RENAMED)
@direction_options("t2d", "Model whose generator, CLIP and guide judge are used where none is named.")
def main(outdir, eval_every, resume, workers, graphs, seed, device, **options):
    """Train the network that turns a latent and a sentence into a direction; the result is OUTDIR/t2d.json.

    What is not named is the embedded model's. It learns from captions and the generator's own faces, and looks at no
    image of the data; with a judge and images to measure on, the log has the success on their sentences.

    \b
    Examples:
      python -m styleT2I.train_t2d --outdir runs/t2d
      python -m styleT2I.train_t2d --outdir runs/t2d --batch 16 --steps 500
    """
    training = direction_training("t2d", ROLES, **options)
    from styleT2I.training.directions.t2d import T2DTask

    if training.config.judge is None or training.config.eval_data is None:
        click.echo("note: no --judge and --eval-data given, so the log holds losses only", err=True)
    shown_by = ("styleT2I.generate", "--text", "he is wearing lipstick")
    run_direction(
        T2DTask, training, shown_by, outdir=outdir, eval_every=eval_every, resume=resume, workers=workers,
        graphs=graphs, seed=seed, device=device,
    )  # fmt: skip


if __name__ == "__main__":
    main()
