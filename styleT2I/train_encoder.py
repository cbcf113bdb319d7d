"""Train an encoder of images into latents: `python -m styleT2I.train_encoder --outdir runs/encoder`."""

from functools import partial

from styleT2I.cli import command, defaults_of, model_option, trained
from styleT2I.options.training import options_of, recipe_options, run_options, run_steps, steps_or_open
from styleT2I.training.encoder.config import EncoderTrainingConfig, encoder_config


def _defaults():
    return defaults_of(None, EncoderTrainingConfig())


@command(preset_defaults=_defaults, has_offline=True)
@recipe_options("encoder", default="minifaces")
@partial(model_option, default="minifaces")  # its data need no rendering
@options_of(EncoderTrainingConfig)
@run_options(every=500, steps_text="Optimisation steps.  [default: by preset]")
def main(outdir, recipe, steps, eval_every, resume, workers, graphs, seed, device, model, generator, judge, **settings):
    """Train a network that estimates the latent of an image; the result is OUTDIR/NAME.json, its errors inside.

    The generator and the guide judge are the model's where none are named; a generator of one's own brings no judge.
    """
    recipe_steps, _ = encoder_config(recipe, **settings)
    num_steps = steps_or_open(steps, recipe_steps)
    if generator is None:
        from styleT2I.formats.model_folder import read_model_folder

        files = read_model_folder(model).files
        generator, of_model = files.get("generator"), files.get("judges.guide")
        judge = judge or of_model
    parts = {"generator": generator and str(generator), "judge": judge and str(judge)}
    _, config = encoder_config(recipe, **settings, **parts)
    from styleT2I.training.encoder.task import EncoderTask

    task = EncoderTask(config, num_steps, seed)
    run_steps(
        task, num_steps, outdir=outdir, eval_every=eval_every, resume=resume, workers=workers, graphs=graphs, seed=seed,
        device=device,
    )  # fmt: skip
    component = f"{outdir}/{config.name}.json"
    trained(component, "styleT2I.invert", "face.png", "--encoder", component, "--outdir", "inverted")


if __name__ == "__main__":
    main()
