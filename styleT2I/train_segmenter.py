"""Train a part segmenter: `python -m styleT2I.train_segmenter --outdir runs/segmenter`."""

import click

from styleT2I.cli import command, defaults_of, device_option, outdir_option, seed_option, trained

PRESETS = ("minifaces", "portraits")


def _defaults():
    from styleT2I.training.judges.segmenter import SegmenterTrainingConfig

    return defaults_of(None, SegmenterTrainingConfig())


@command(preset_defaults=_defaults, has_offline=True)
@outdir_option
@click.option("--preset", default="minifaces", type=click.Choice(PRESETS), help="Settings to start from.")
@click.option("--data", multiple=True, metavar="SPEC", help="Pictures with region masks: a data set's folder, or "
              "minifaces:DISTRIBUTION/SPLIT[:NUM]; give it several times to pool.")  # fmt: skip
@click.option("--eval-data", metavar="SPEC", help="Pictures with region masks to measure on.")
@click.option("--eval-num", type=click.IntRange(1), help="How many of them in evaluations before the last.")
@click.option("--name", help="Name of the exported component.")
@click.option("--resolution", type=click.IntRange(16), help="Side that pictures are resized to.")
@click.option("--steps", type=click.IntRange(1), help="Optimisation steps.  [default: by preset]")
@click.option("--batch", "batch_size", type=click.IntRange(2), help="Pictures a step.")
@click.option("--lr", type=float, help="Peak learning rate of AdamW.")
@click.option("--eval-every", default=400, type=click.IntRange(1), help="Steps between log lines with all figures.")
@click.option("--resume", default="auto", metavar="auto|never|FILE", help="Checkpoint to go on from.")
@seed_option
@device_option
def main(outdir, preset, data, steps, eval_every, resume, seed, device, **settings):
    """Train a network that finds the parts of a face; the result is OUTDIR/NAME.json, its overlaps inside."""
    from styleT2I.torch_utils.devices import resolve_device
    from styleT2I.training.engine import RunConfig, run
    from styleT2I.training.judges.segmenter import SegmenterTask, segmenter_config

    changes = {key: value for key, value in settings.items() if value is not None}
    if data:
        changes["data"] = data
    preset_steps, config = segmenter_config(preset, **changes)
    steps = steps or preset_steps
    run(
        SegmenterTask(config, steps, seed),
        RunConfig(
            outdir=outdir, steps=steps, seed=seed, device=str(resolve_device(device)),
            eval_every=eval_every, snapshot_every=eval_every, checkpoint_every=eval_every, resume=resume,
        ),
    )  # fmt: skip
    component = f"{outdir}/{config.name}.json"
    trained(component, "styleT2I.train_a2d", "--segmenter", component, "--outdir", "runs/a2d")


if __name__ == "__main__":
    main()
