"""Train a CLIP: `python -m styleT2I.train_clip --outdir runs/clip` (from scratch on MiniFaces), or fine-tune one."""

import click

from styleT2I.cli import command, defaults_of, device_option, outdir_option, seed_option, trained

ARCHITECTURES = ("strided", "pooled", "strided128", "pooled128")
PRESETS = ("minifaces", "minifaces-eval", "portraits", "portraits-eval", "celebahq", "cub")
DEFAULT_STEPS = {"minifaces": 1500, "minifaces-eval": 1000, "portraits": 2500, "portraits-eval": 2500}


def _defaults():
    from styleT2I.training.clip.config import preset_config

    return defaults_of("minifaces", preset_config("minifaces"), steps=DEFAULT_STEPS["minifaces"])


@command(preset_defaults=_defaults)
@outdir_option
@click.option("--preset", default="minifaces", type=click.Choice(PRESETS), help="Settings to start from.")
@click.option("--data", multiple=True, metavar="SPEC", help="Captioned pictures: a data set's folder, or "
              "minifaces:DISTRIBUTION/SPLIT[:NUM]; give it several times to mix.")  # fmt: skip
@click.option("--eval-data", metavar="SPEC", help="Captioned pictures to measure on.")
@click.option("--name", help="Name of the exported component.")
@click.option("--vocabulary", metavar="NAME|FILE", help="Attributes that captions speak of: minifaces, "
              "portraits, celeba, cub, or none.")  # fmt: skip
@click.option("--clip", metavar="FILE", help="Weights to start from: a clip component or any CLIP file.")
@click.option("--architecture", type=click.Choice(ARCHITECTURES), help="Image tower of a CLIP from scratch.")
@click.option("--tune", type=click.Choice(["all", "paper", "release"]), help="Tensors to train: all; those the paper "
              "names; the three that the released script trains by mistake.")  # fmt: skip
@click.option("--steps", type=click.IntRange(1), help="Optimisation steps.")
@click.option("--epochs", type=click.IntRange(1), help="Passes over the data, where --steps is not given.")
@click.option("--batch", "batch_size", type=int, help="Pairs a step.")
@click.option("--lr", type=float, help="Peak learning rate of AdamW.")
@click.option("--attribute-weight", type=click.FloatRange(0), help="Weight of the attributes' cross-entropy.")
@click.option("--paraphrase", type=click.FloatRange(0, 1), help="Share of captions said in other words.")
@click.option("--augment", type=click.Choice(["light", "crop", "none"]), help="Random changes of training pictures.")
@click.option("--eval-every", default=500, type=click.IntRange(1), help="Steps between log lines with all figures.")
@click.option("--resume", default="auto", metavar="auto|never|FILE", help="Checkpoint to go on from.")
@seed_option
@device_option
def main(outdir, preset, data, steps, eval_every, resume, seed, device, **settings):
    """Train a network that sees pictures and sentences in one space; the result is OUTDIR/NAME.json.

    The presets minifaces and minifaces-eval train a small one from scratch, which knows the words of the captions that
    it is given, in about 15 minutes on one CPU core each (the second, of another architecture and meant for --seed 1,
    scores R-precision and trains nothing); portraits and portraits-eval train larger ones of 128 pixels on rendered
    Portraits. celebahq and cub fine-tune an OpenAI ViT-B/32 (--clip FILE) on a data folder (--data DIR) as the StyleT2I
    paper does, and want a GPU.
    """
    from styleT2I.torch_utils.devices import resolve_device
    from styleT2I.training.clip.config import preset_config
    from styleT2I.training.clip.task import CLIPTask, steps_of_epochs
    from styleT2I.training.engine import RunConfig, run

    changes = {key: value for key, value in settings.items() if value is not None}
    if data:
        changes["data"] = data
    if changes.get("vocabulary") == "none":
        changes |= {"vocabulary": None, "paraphrase": changes.get("paraphrase", 0.0)}
    config = preset_config(preset, **changes)
    num_steps = steps or (steps_of_epochs(config) if config.epochs else DEFAULT_STEPS[preset])
    task = CLIPTask(config, num_steps, seed)
    run(
        task,
        RunConfig(
            outdir=outdir, steps=num_steps, seed=seed, device=str(resolve_device(device)),
            eval_every=eval_every, snapshot_every=eval_every, checkpoint_every=eval_every, resume=resume,
        ),
    )  # fmt: skip
    component = f"{outdir}/{config.name}.json"
    if task.word_list:
        click.echo(f"word list: {task.word_list.origin}")
    trained(component, "styleT2I.train_t2d", "--clip", component, "--outdir", "runs/t2d")


if __name__ == "__main__":
    main()
