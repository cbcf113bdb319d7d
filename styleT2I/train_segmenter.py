"""Train a part segmenter: `python -m styleT2I.train_segmenter --outdir runs/segmenter`."""

from styleT2I.cli import command, defaults_of, trained
from styleT2I.options.training import options_of, recipe_options, run_options, run_steps, steps_or_open
from styleT2I.training.judges.config import SegmenterTrainingConfig, segmenter_config


def _defaults():
    return defaults_of(None, SegmenterTrainingConfig())


@command(preset_defaults=_defaults, has_offline=True)
@recipe_options("segmenter", default="minifaces")
@options_of(SegmenterTrainingConfig)
@run_options(every=400, steps_text="Optimisation steps.  [default: by preset]")
def main(outdir, recipe, steps, eval_every, resume, workers, graphs, seed, device, **settings):
    """Train a network that finds the parts of a face; the result is OUTDIR/NAME.json, its overlaps inside.

    `train_a2d --segmenter` takes it, to hold an edit inside its attribute's region, and so does `evaluate`, to measure
    whether it stayed there.

    \b
    Examples:
      python -m styleT2I.train_segmenter --outdir runs/segmenter
      python -m styleT2I.train_segmenter --data FOLDER --eval-data FOLDER --outdir runs/segmenter
    """
    recipe_steps, config = segmenter_config(recipe, **settings)
    num_steps = steps_or_open(steps, recipe_steps)
    from styleT2I.training.judges.segmenter import SegmenterTask

    task = SegmenterTask(config, num_steps, seed)
    run_steps(
        task, num_steps, outdir=outdir, eval_every=eval_every, resume=resume, workers=workers, graphs=graphs, seed=seed,
        device=device,
    )  # fmt: skip
    component = f"{outdir}/{config.name}.json"
    trained(component, "styleT2I.train_a2d", "--segmenter", component, "--outdir", "runs/a2d")


if __name__ == "__main__":
    main()
