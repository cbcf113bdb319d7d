"""Train a CLIP: `python -m styleT2I.train_clip --outdir runs/clip` (from scratch on MiniFaces), or fine-tune one."""

import click

from styleT2I.cli import command, defaults_of, trained
from styleT2I.options.training import options_of, recipe_options, run_options, run_steps, steps_or_open
from styleT2I.recipes import given, read_recipe
from styleT2I.training.clip.config import CLIPTrainConfig, preset_config


def _defaults():
    steps, _ = read_recipe("clip", "minifaces", CLIPTrainConfig)
    return defaults_of("minifaces", preset_config("minifaces"), steps=steps)


@command(preset_defaults=_defaults)
@recipe_options("clip", default="minifaces")
@options_of(CLIPTrainConfig)
@run_options(every=500)
def main(outdir, recipe, steps, eval_every, resume, workers, graphs, seed, device, **settings):
    """Train a network that embeds images and sentences in one space; the result is OUTDIR/NAME.json.

    The presets minifaces and minifaces-eval train a small one from scratch, which knows the words of the captions that
    it is given, in about 15 minutes on one CPU core each (the second, of another architecture and meant for --seed 1,
    scores R-precision and trains nothing); portraits and portraits-eval train larger ones of 128 pixels on rendered
    Portraits. celebahq and cub fine-tune an OpenAI ViT-B/32 (--clip FILE) on a data folder (--data DIR) as the StyleT2I
    paper does, and need a GPU.
    """
    changes = given(settings)
    if changes.get("vocabulary") == "none":
        changes |= {"vocabulary": None, "paraphrase": changes.get("paraphrase", 0.0)}
    config = preset_config(recipe, **changes)
    recipe_steps, _ = read_recipe("clip", recipe, CLIPTrainConfig)
    num_steps = None if steps is None and config.epochs else steps_or_open(steps, recipe_steps)
    from styleT2I.training.clip.task import CLIPTask, steps_of_epochs

    num_steps = num_steps or steps_of_epochs(config)
    task = CLIPTask(config, num_steps, seed)
    run_steps(
        task, num_steps, outdir=outdir, eval_every=eval_every, resume=resume, workers=workers, graphs=graphs, seed=seed,
        device=device,
    )  # fmt: skip
    component = f"{outdir}/{config.name}.json"
    if task.word_list:
        click.echo(f"word list: {task.word_list.origin}")
    trained(component, "styleT2I.train_t2d", "--clip", component, "--outdir", "runs/t2d")


if __name__ == "__main__":
    main()
