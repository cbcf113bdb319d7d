"""Draw faces from a sentence: `python -m styleT2I.generate --text "he is wearing lipstick" --outdir out`."""

from dataclasses import asdict, is_dataclass
from functools import partial
from pathlib import Path

import click

from styleT2I.cli import (
    adjustment_options,
    command,
    device_option,
    model_option,
    outdir_option,
    overwrite_option,
    precision_option,
    seeds_option,
)
from styleT2I.errors import PromptError

RECORD = "generate.json"
CHUNK = 64  # seeds drawn before their PNG are written, which bounds the memory; the grid shows the first chunk


@command()
@click.option("--text", help="The sentence, for example 'he is wearing lipstick'.")
@click.option("--text-file", type=click.Path(dir_okay=False), metavar="FILE", help="Many sentences, one a line.")
@model_option
@click.option("--generator", metavar="FILE", help="Component used in place of the model's generator.")
@click.option("--clip", metavar="FILE", help="Component used in place of the model's CLIP.")
@click.option("--t2d", metavar="FILE", help="Component used in place of the model's Text-to-Direction network.")
@click.option("--a2d", metavar="FILE", help="Component used in place of the model's Attribute-to-Direction network.")
@click.option("--text-encoder", metavar="FILE", help="DAMSM's text encoder, for AttnGAN's and DF-GAN's released "
              "weights.")  # fmt: skip
@click.option("--captions", metavar="FILE", help="captions.pickle, the words of a released --text-encoder, where it "
              "does not lie beside it.")  # fmt: skip
@click.option("--embeddings", metavar="FILE", help="Sentence features for an earlier GAN without a text encoder: .npy, "
              ".npz or .pickle.")  # fmt: skip
@seeds_option()
@click.option("--trunc", default=0.7, type=click.FloatRange(0, 2), help="Truncation psi: 1 is off, 0 the mean face.")
@click.option("--noise-mode", default="const", type=click.Choice(["const", "random", "none"]), help="Per-pixel noise.")
@click.option(
    "--adjust/--no-adjust",
    default=None,
    help="Help the attributes that the sentence's direction works "
    "against (Compositional Attribute Adjustment); on where the model has an Attribute-to-Direction network.",
)
@click.option(
    "--adjust-method", "method", metavar="NAME", help="none, paper, calibrated, recheck or hold (the default)."
)
@adjustment_options
@click.option("--explain", is_flag=True, help="Write explain.png too: what each attribute's step did to the first "
              "faces; of AttnGAN where in the first one each word was read.")  # fmt: skip
@click.option("--grid", default=8, type=click.IntRange(1, 64), metavar="COLUMNS", help="Faces in a row of grid.png.")
@device_option
@precision_option
@outdir_option
@overwrite_option
@click.option("--strict", is_flag=True, help="Make words that the model does not know an error.")
def main(text, text_file, model, seeds, trunc, noise_mode, explain, grid, device, outdir, overwrite, strict, **options):
    """Draw faces that match a sentence: a PNG per seed, grid.png (each face above its edit) and generate.json."""
    texts = _texts(text, text_file)
    replaced = {role: options.pop(role) for role in ("generator", "clip", "t2d", "a2d")}
    of_text_gans = {name: options.pop(name) for name in ("text_encoder", "captions", "embeddings")}
    precision = options.pop("precision")
    adjustment = _adjustment(**options)
    from styleT2I.generation.pipeline import StyleT2I
    from styleT2I.generation.systems import open_text_gan

    text_gan = open_text_gan(model, device=device, clip=replaced["clip"], **of_text_gans)
    pipeline = text_gan or StyleT2I.from_pretrained(model, device=device, precision=precision, **replaced)
    settings = {"truncation_psi": trunc, "noise_mode": noise_mode, "adjustment": adjustment}
    if text_gan is not None:
        settings = _settings_of_text_gan(text_gan)
    elif given := [name for name, value in of_text_gans.items() if value is not None]:
        raise click.UsageError(f"{model} reads its sentences itself; drop --{given[0].replace('_', '-')}")
    prompts = [_understood(pipeline, one, strict, text_file) for one in texts]  # all before the first picture
    for warning in dict.fromkeys(warning for prompt in prompts for warning in prompt.warnings):
        click.echo(f"warning: {warning}", err=True)
    draw = partial(_draw, pipeline, seeds=seeds, settings=settings, ncol=grid, explain=explain, overwrite=overwrite)
    if text is not None:
        draw(prompts[0], Path(outdir))
        return
    from tqdm import tqdm

    from styleT2I.result_folder import indexed_folders

    folders = {f"prompt{number:04d}": prompt for number, prompt in enumerate(prompts)}
    requests = {folder: _request(pipeline, prompt, seeds, settings) for folder, prompt in folders.items()}
    with indexed_folders(outdir, RECORD, requests, overwrite=overwrite):
        for folder, prompt in tqdm(folders.items(), unit="prompt", disable=None):
            draw(prompt, Path(outdir) / folder)


def _adjustment(adjust, **options):
    """The AdjustmentConfig asked for, None for none, or "auto"; click.UsageError for options that contradict."""
    given = {name: value for name, value in options.items() if value is not None}
    if adjust is False:
        if given:
            raise click.UsageError("--no-adjust leaves nothing for the other options of the adjustment; drop them")
        return None
    if adjust is None and not given:
        return "auto"
    from styleT2I.generation.adjustment import AdjustmentConfig

    return AdjustmentConfig(**given)


def _settings_of_text_gan(text_gan) -> dict:
    """No settings: click.UsageError for an option that only StyleT2I has."""
    context = click.get_current_context()
    own = set("trunc noise_mode precision adjust method strength threshold by generator t2d a2d".split())
    own |= set() if text_gan.role == "attngan" else {"explain"}
    for option in context.command.params:
        if option.name in own and context.get_parameter_source(option.name).name == "COMMANDLINE":
            raise click.UsageError(f"{text_gan.name} is no StyleT2I model and has no {option.opts[0]}; drop it")
    return {}


def _texts(text, text_file) -> list[str]:
    """The sentences to draw; click.UsageError or PromptError when there are none."""
    if (text is None) == (text_file is None):
        raise click.UsageError("give either --text 'SENTENCE' or --text-file FILE")
    if text is not None:
        return [text]
    try:
        lines = Path(text_file).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise PromptError(f"{text_file}: cannot read the sentences: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise PromptError(f"{text_file}: not a UTF-8 text file; save the sentences as UTF-8") from error
    texts = [line for line in lines if line.strip()]
    if not texts:
        raise PromptError(f"{text_file}: the file has no sentences; write one a line")
    return texts


def _understood(pipeline, text, strict, text_file):
    try:
        return pipeline.understand(text, strict=strict)
    except PromptError as error:
        if text_file is None:
            raise
        raise PromptError(f"{text_file}: {error}") from error


def _request(pipeline, prompt, seeds, settings) -> dict:
    """Entries of generate.json that say what was asked for, and of whom."""
    asked = dict(settings)
    if "adjustment" in asked:
        adjustment = asked.pop("adjustment")
        asked["adjustment_asked"] = asdict(adjustment) if is_dataclass(adjustment) else adjustment
    return {"text": prompt.text, "seeds": seeds, **asked, "asked_of": pipeline.model.name}


def _draw(pipeline, prompt, outdir, *, seeds, settings, ncol, explain, overwrite) -> None:
    """Write the PNG of every seed, the pictures of the first ones and the JSON; all of them or none."""
    from styleT2I.records import recorded_command
    from styleT2I.result_folder import result_folder
    from styleT2I.torch_utils.images import save_png

    request = _request(pipeline, prompt, seeds, settings)
    names = ["grid.png", *(f"seed{seed:04d}.png" for seed in seeds)]
    with result_folder(outdir, RECORD, request, names=names, overwrite=overwrite) as staging:
        records = []
        for start in range(0, len(seeds), CHUNK):
            result = pipeline.generate(prompt, seeds[start : start + CHUNK], **settings)
            for seed, image in zip(result.seeds, result.images_u8, strict=True):
                save_png(staging / f"seed{seed:04d}.png", image)
            if start == 0:
                save_png(staging / "grid.png", result.grid_u8(ncol))
            if start == 0 and explain:
                save_png(staging / "explain.png", _explanation_u8(pipeline, result))
            records.append(result.to_dict())
        images = [image for record in records for image in record["images"]]
        staging.write_record({**records[0], **request, "images": images, "command": recorded_command("generate")})


def _explanation_u8(pipeline, result):
    from styleT2I.generation.explain import explain_u8
    from styleT2I.generation.systems import TextGAN

    if isinstance(pipeline, TextGAN):
        return pipeline.attention_u8(result.prompt, result.seeds[0])
    return explain_u8(pipeline, result)


if __name__ == "__main__":
    main()
