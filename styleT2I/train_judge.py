"""Train a judge: `python -m styleT2I.train_judge --preset guide --outdir runs/judge-guide`."""

import click

from styleT2I.cli import command, defaults_of, device_option, outdir_option, seed_option, trained

PRESETS = ("guide", "heldout", "portraits-guide", "portraits-heldout")


def _defaults():
    from styleT2I.training.judges.judge import judge_config

    steps, config = judge_config("guide")
    return defaults_of("guide", config, steps=steps)


@command(preset_defaults=_defaults, has_offline=True)
@outdir_option
@click.option("--preset", default="guide", type=click.Choice(PRESETS), help="Settings to start from.")
@click.option("--data", multiple=True, metavar="SPEC", help="Labelled pictures: a data set's folder, or "
              "minifaces:DISTRIBUTION/SPLIT[:NUM]; give it several times to pool.")  # fmt: skip
@click.option("--eval-data", metavar="SPEC", help="Labelled pictures to measure on.")
@click.option("--eval-num", type=click.IntRange(1), help="How many of them in evaluations before the last.")
@click.option("--name", help="Name of the exported component.")
@click.option("--architecture", type=click.Choice(["resnet", "plain"]), help="Shape of the network.")
@click.option("--resolution", type=click.IntRange(16), help="Side that pictures are resized to.")
@click.option("--steps", type=click.IntRange(1), help="Optimisation steps.")
@click.option("--batch", "batch_size", type=click.IntRange(2), help="Pictures a step.")
@click.option("--lr", type=float, help="Peak learning rate of AdamW.")
@click.option("--nuisance-weight", type=click.FloatRange(0), help="Weight of the nuisances' regression.")
@click.option("--eval-every", default=500, type=click.IntRange(1), help="Steps between log lines with all figures.")
@click.option("--resume", default="auto", metavar="auto|never|FILE", help="Checkpoint to go on from.")
@seed_option
@device_option
def main(outdir, preset, data, steps, eval_every, resume, seed, device, **settings):
    """Train an attribute classifier on labelled pictures; the result is OUTDIR/NAME.json, its accuracy inside.

    guide and heldout judge MiniFaces, portraits-guide and portraits-heldout Portraits, which must be rendered before.
    Those of a pair differ in architecture; give the held-out judge another --seed too. Each takes minutes on one core,
    of Portraits an hour.
    """
    from styleT2I.torch_utils.devices import resolve_device
    from styleT2I.training.engine import RunConfig, run
    from styleT2I.training.judges.judge import JudgeTask, judge_config

    changes = {key: value for key, value in settings.items() if value is not None}
    if data:
        changes["data"] = data
    preset_steps, config = judge_config(preset, **changes)
    num_steps = steps or preset_steps
    run(
        JudgeTask(config, num_steps, seed),
        RunConfig(
            outdir=outdir, steps=num_steps, seed=seed, device=str(resolve_device(device)),
            eval_every=eval_every, snapshot_every=eval_every, checkpoint_every=eval_every, resume=resume,
        ),
    )  # fmt: skip
    component, role = f"{outdir}/{config.name}.json", "--judges-heldout" if preset == "heldout" else "--judges-guide"
    trained(component, "styleT2I.package_model", "--model", "minifaces", role, component, "--outdir", "models/mine")


if __name__ == "__main__":
    main()
