"""Train a judge: `python -m styleT2I.train_judge --preset guide --outdir runs/judge-guide`."""

from styleT2I.cli import command, defaults_of, trained
from styleT2I.options.training import options_of, recipe_options, run_options, run_steps, steps_or_open
from styleT2I.training.judges.config import JudgeConfig, judge_config


def _defaults():
    steps, config = judge_config("guide")
    return defaults_of("guide", config, steps=steps)


@command(preset_defaults=_defaults, has_offline=True)
@recipe_options("judge", default="guide")
@options_of(JudgeConfig)
@run_options(every=500)
def main(outdir, recipe, steps, eval_every, resume, workers, graphs, seed, device, **settings):
    """Train an attribute classifier on labelled images; the result is OUTDIR/NAME.json, its accuracy inside.

    guide and heldout judge MiniFaces, portraits-guide and portraits-heldout Portraits, which must be rendered before.
    Those of a pair differ in architecture; give the held-out judge another --seed too. Each takes minutes on one core,
    of Portraits an hour.

    \b
    Examples:
      python -m styleT2I.train_judge --preset guide --outdir runs/judge-guide
      python -m styleT2I.train_judge --preset heldout --seed 1 --outdir runs/judge-heldout
    """
    recipe_steps, config = judge_config(recipe, **settings)
    num_steps = steps_or_open(steps, recipe_steps)
    from styleT2I.training.judges.judge import JudgeTask

    task = JudgeTask(config, num_steps, seed)
    run_steps(
        task, num_steps, outdir=outdir, eval_every=eval_every, resume=resume, workers=workers, graphs=graphs, seed=seed,
        device=device,
    )  # fmt: skip
    component, role = f"{outdir}/{config.name}.json", "--judges-heldout" if recipe == "heldout" else "--judges-guide"
    trained(component, "styleT2I.package_model", "--model", "minifaces", role, component, "--outdir", "models/mine")


if __name__ == "__main__":
    main()
