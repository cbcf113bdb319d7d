"""Train a landmark network: `python -m styleT2I.train_landmarks --outdir runs/landmarks`."""

from styleT2I.cli import command, defaults_of, trained
from styleT2I.options.training import options_of, recipe_options, run_options, run_steps, steps_or_open
from styleT2I.training.judges.config import LandmarkTrainingConfig, landmark_config


def _defaults():
    return defaults_of(None, LandmarkTrainingConfig())


@command(preset_defaults=_defaults, has_offline=True)
@recipe_options("landmarks", default="portraits")
@options_of(LandmarkTrainingConfig)
@run_options(every=500, steps_text="Optimisation steps.  [default: by preset]")
def main(outdir, recipe, steps, eval_every, resume, workers, graphs, seed, device, **settings):
    """Train a network that finds faces and their landmarks; the result is OUTDIR/NAME.json, its errors inside.

    `align --detector` takes it, to crop photos as the generator's faces are. Portraits must be rendered before:
    python -m styleT2I.data.portraits.

    \b
    Examples:
      python -m styleT2I.train_landmarks --outdir runs/landmarks
      python -m styleT2I.train_landmarks --outdir runs/landmarks --no-face 0.2 --steps 2000
    """
    recipe_steps, config = landmark_config(recipe, **settings)
    num_steps = steps_or_open(steps, recipe_steps)
    from styleT2I.training.judges.landmarks import LandmarkTask

    task = LandmarkTask(config, num_steps, seed)
    run_steps(
        task, num_steps, outdir=outdir, eval_every=eval_every, resume=resume, workers=workers, graphs=graphs, seed=seed,
        device=device,
    )  # fmt: skip
    component = f"{outdir}/{config.name}.json"
    trained(component, "styleT2I.align", "photo.jpg", "--detector", component, "--outdir", "faces")


if __name__ == "__main__":
    main()
