"""Draw faces from a sentence: `python -m styleT2I.generate --text "he is wearing lipstick" --outdir out`."""

import contextlib
from dataclasses import asdict, is_dataclass, replace
from functools import partial
from pathlib import Path

import click

from styleT2I.cli import (
    columns_option,
    command,
    device_option,
    done,
    model_option,
    noise_mode_option,
    outdir_option,
    overwrite_option,
    precision_option,
    psi_option,
    seeds_option,
)
from styleT2I.errors import PromptError
from styleT2I.generation.arguments import FOUND, OPTIMISED, SYSTEM_METHODS
from styleT2I.options.drawing import (
    FACE_OPTIONS,
    INVERSION_OPTIONS,
    PHOTO_OPTIONS,
    adjustment_options,
    check_face_options,
    face_options,
    inversion_options,
    open_editor,
    photo_options,
    refuse_options,
    rival_options,
    shard_option,
)
from styleT2I.torch_utils.launch import shard_of
from styleT2I.torch_utils.words import counted

RECORD = "generate.json"
OPENING_OPTIONS = ("generator", "clip", "t2d", "a2d", "text_encoder", "captions", "embeddings")
UNCLIP_OPTIONS = ("prior", "best_of", "prior_guidance", "guidance", "steps", "eta")
SETTINGS = {  # option -> the setting that a system must accept (TextToImage.accepts)
    "trunc": "truncation_psi", "noise_mode": "noise_mode", "explain": "explain",
    **dict.fromkeys(("adjust", "method", "strength", "threshold", "by", "clarity", "keep_surroundings"), "adjustment"),
}  # fmt: skip
CHUNK = 64  # seeds drawn before their PNG are written, which bounds the memory; the grid shows as many
SLOW_CHUNK, LARGE = 8, 128  # the same for images with sides longer than LARGE, so that progress is seen


@command(renamed={"--grid": "--columns", "--captions": "--dictionary"})
@click.option("--text", help="The sentence, for example 'he is wearing lipstick'.")
@click.option("--text-file", type=click.Path(dir_okay=False), metavar="FILE", help="Many sentences, one per line.")
@model_option
@click.option("--generator", metavar="FILE", help="Component used in place of the model's generator.")
@click.option("--clip", metavar="FILE", help="Component used in place of the model's CLIP.")
@click.option("--t2d", metavar="FILE", help="Component used in place of the model's Text-to-Direction network.")
@click.option("--a2d", metavar="FILE", help="Component used in place of the model's Attribute-to-Direction network.")
@click.option("--text-encoder", metavar="FILE", help="DAMSM's text encoder, for AttnGAN's and DF-GAN's released "
              "weights.")  # fmt: skip
@click.option("--dictionary", "captions", metavar="FILE", help="captions.pickle, the words of a released "
              "--text-encoder, where it does not lie beside it.")  # fmt: skip
@click.option("--embeddings", metavar="FILE", help="Sentence features for an earlier GAN without a text encoder: .npy, "
              ".npz or .pickle.")  # fmt: skip
@click.option("--prior", metavar="NAME", help="unCLIP: what gives the image embedding, diffusion, ar, none (the "
              "caption's embedding) or text (the decoder reads the caption alone).")  # fmt: skip
@click.option("--best-of", type=click.IntRange(1), help="unCLIP: embeddings to draw and choose from.")
@click.option("--prior-guidance", type=click.FloatRange(0), help="unCLIP: guidance of its prior; 1 is none.")
@click.option("--guidance", type=click.FloatRange(0), help="unCLIP: guidance of its decoder; 1 is none.")
@click.option("--steps", type=click.IntRange(1, 1000), help="unCLIP: denoising steps of its decoder. Of --method "
              "optimize and tedigan: their steps.")  # fmt: skip
@click.option("--eta", type=click.FloatRange(0, 1), help="unCLIP: noise of these steps, 0 for none.")
@rival_options(SYSTEM_METHODS, None, "Draw without Text-to-Direction: optimise a latent for the sentence by CLIP "
               "(optimize, tedigan), or move it along directions of the attributes that it states.")  # fmt: skip
@photo_options
@inversion_options
@face_options
@seeds_option()
@psi_option("trunc")
@noise_mode_option
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
@columns_option
@device_option
@precision_option
@outdir_option
@overwrite_option
@shard_option("Draw part i of n of the sentences of --text-file only; the last part writes prompts.json.")
@click.option("--strict", is_flag=True, help="Make words that the model does not know an error.")
def main(text, text_file, model, seeds, trunc, noise_mode, explain, columns, device, outdir, overwrite, shard,
         strict, rival, judge, vocabulary, samples, image, **options):  # fmt: skip
    """Draw faces that match a sentence: a PNG per seed, grid.png (each face above its edit) and generate.json.

    With --image the face of a photo is moved by the sentence and put back: photo.png, and on the way face.png,
    inverted.png, edited.png and mask.png.

    A first result without any training, from any StyleGAN2 generator and any CLIP: --method optimize --generator FILE
    --clip FILE.
    """
    texts = _texts(text, text_file)
    if text is not None and shard.count > 1:
        raise click.UsageError("only the sentences of --text-file are shared out; draw one --text in one process")
    precision = options.pop("precision")
    opening = {name: options.pop(name) for name in OPENING_OPTIONS}
    of_photo = {name: options.pop(name) for name in (*PHOTO_OPTIONS, *INVERSION_OPTIONS, *FACE_OPTIONS)}
    unclip = {name: value for name in UNCLIP_OPTIONS if (value := options.pop(name)) is not None}
    settings = {"truncation_psi": trunc, "noise_mode": noise_mode, "adjustment": _adjustment(**options)}
    is_plain = all(value is None for value in opening.values())
    _refuse_rival_options(rival)
    _refuse_photo_options(image, of_photo, text, rival)
    folder = _refuse_early(texts, model if is_plain and rival is None else None, strict, text_file)
    if image is not None:
        _draw_on_photo(image, of_photo, texts[0], strict, settings, outdir, overwrite,
                       {"model": model, "device": device, "precision": precision, **opening})  # fmt: skip
        return
    if rival is None:
        from styleT2I.generation.systems.interface import open_system

        system = open_system(folder or model, device=device, precision=precision, unclip=unclip, **opening)
    else:
        from styleT2I.rivals.methods import open_pipeline
        from styleT2I.rivals.systems import open_rival

        parts = {"generator": opening["generator"], "clip": opening["clip"], "judge": judge, "vocabulary": vocabulary}
        pipeline = open_pipeline(model, device=device, precision=precision, **parts)
        system = open_rival(pipeline, rival, num_samples=samples, steps=unclip.get("steps"))
    _refuse_settings(system)
    settings = {name: value for name, value in settings.items() if name in system.accepts}
    prompts = [_understood(system, sentence, strict, text_file) for sentence in texts]  # all before the first image
    for warning in dict.fromkeys(warning for prompt in prompts for warning in prompt.warnings):
        click.echo(f"warning: {warning}", err=True)
    draw = partial(_draw, system, seeds=seeds, settings=settings, ncol=columns, explain=explain, overwrite=overwrite)
    from styleT2I.torch_utils.progress import Progress

    if text is not None:
        with Progress(len(seeds), "generate", "image") as progress:
            draw(prompts[0], Path(outdir), progress)
        _say_what_is_next(outdir, len(seeds), explain, system)
        return
    from styleT2I.torch_utils.folders import indexed_folders

    folders = {f"prompt{number:04d}": prompt for number, prompt in enumerate(prompts)}
    requests = {folder: _request(system, prompt, seeds, settings) for folder, prompt in folders.items()}
    own = shard_of(list(folders), shard)
    with (
        indexed_folders(outdir, RECORD, requests, overwrite=overwrite, shard=shard),
        Progress(len(own) * len(seeds), "generate", "image") as progress,
    ):
        for folder in own:
            draw(folders[folder], Path(outdir) / folder, progress)
    each = f"{counted(len(seeds), 'image')} and grid.png each"
    of_all = f" of {len(prompts)}" if shard.count > 1 else ""
    seen = next(iter(own or folders))
    done(f"{counted(len(own), 'sentence')}{of_all} in {outdir}, {each}", f"look at {outdir}/{seen}/grid.png")


def _say_what_is_next(outdir, num, explain, system):
    made = f"{counted(num, 'image')} and grid.png in {outdir}"
    if explain:
        done(made, f"look at {Path(outdir) / 'explain.png'}")
    elif "adjustment" in system.accepts:
        done(made, f"look at {Path(outdir) / 'grid.png'}; --explain shows what each attribute's step did")
    else:
        done(made, f"look at {Path(outdir) / 'grid.png'}")


def _adjustment(adjust, **options):
    """The AdjustmentConfig asked for, None for none, or "auto"; click.UsageError for options that contradict."""
    given = {name: value for name, value in options.items() if value is not None}
    if adjust is False:
        if given:
            raise click.UsageError("--no-adjust leaves the other options of the adjustment nothing to do; drop them")
        return None
    if adjust is None and not given:
        return "auto"
    from styleT2I.generation.arguments import AdjustmentConfig

    return AdjustmentConfig(**given)


def _refuse_rival_options(method) -> None:
    """click.UsageError for an option that --method does not use, or that needs another one."""
    if method is None:
        refuse_options(("judge", "vocabulary", "samples"), "goes with --method")
        return
    of_others = ("t2d", "a2d", "text_encoder", "captions", "embeddings", *UNCLIP_OPTIONS[:-2], "eta")
    refuse_options(of_others, f"is not used by --method {method}; leave it out")
    if method in OPTIMISED:
        refuse_options(("judge", "samples"), f"goes with --method {', '.join(FOUND)}")
    else:
        refuse_options(("steps",), f"goes with --method {', '.join(OPTIMISED)}")


def _refuse_photo_options(image, of_photo, text, method) -> None:
    """click.UsageError for options of a photo without one, or beside one that says which faces are drawn."""
    if image is None:
        refuse_options(tuple(of_photo), "goes with --image")
        return
    if text is None or method is not None:
        raise click.UsageError("--image goes with one --text, and without --text-file and --method")
    others = ("seeds", "trunc", "columns", "explain", "shard", "text_encoder", "captions", "embeddings")
    refuse_options((*others, *UNCLIP_OPTIONS), "does not go with --image")
    check_face_options(*(of_photo[name] for name in FACE_OPTIONS))


def _draw_on_photo(image, of_photo, text, strict, settings, outdir, overwrite, opening) -> None:
    """Move the face of a photo by a sentence, and write it and generate.json."""
    from styleT2I.generation.pipeline import StyleT2I
    from styleT2I.inversion.photo_edits import write_edit
    from styleT2I.torch_utils.folders import recorded_command, result_folder

    parts = {name: value for name, value in opening.items() if value is not None}
    pipeline = StyleT2I.from_pretrained(parts.pop("model"), **parts, encoder=of_photo["encoder"])
    prompt = pipeline.understand(text, strict=strict)
    for warning in prompt.warnings:
        click.echo(f"warning: {warning}", err=True)
    adjustment, noise_mode = settings["adjustment"], settings["noise_mode"]
    given = {name: value for name, value in of_photo.items() if value not in (None, False)}
    request = {"text": prompt.text, "image": image, "photo_options": given, "noise_mode": noise_mode}
    request["adjustment_asked"] = asdict(adjustment) if is_dataclass(adjustment) else adjustment
    with result_folder(outdir, RECORD, request, overwrite=overwrite) as staging:
        editor = open_editor(pipeline, image, of_photo)
        edit = editor.draw(prompt, adjustment, noise_mode)
        write_edit(staging, editor.photo, edit)
        model = {"model": pipeline.model.describe(), **pipeline.model.machine()}
        staging.write_record({**edit.record, **request, **model, "command": recorded_command("generate")})
    done(f"photo.png in {outdir}", f"look at {Path(outdir) / 'photo.png'}")


def _refuse_settings(system) -> None:
    """click.UsageError for a setting on the command line that the system does not accept."""
    context = click.get_current_context()
    for option in context.command.params:
        is_refused = SETTINGS.get(option.name, "") not in {"", *system.accepts}
        if is_refused and context.get_parameter_source(option.name).name == "COMMANDLINE":
            raise click.UsageError(f"{system.name} does not take {option.opts[0]}; leave it out")


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
        raise PromptError(f"{text_file}: the file has no sentences; write one per line")
    return texts


def _refuse_early(texts, model, strict, text_file):
    """PromptError for a text that cannot be drawn, as far as it is known before torch is imported: what any model
    refuses, and for a folder of a StyleT2I model whose files tell its words what that model does. Returns the folder
    where it was read."""
    from styleT2I.attributes.prompt import check_text, known_words, understand
    from styleT2I.attributes.vocabulary import load_vocabulary
    from styleT2I.formats.model_folder import local_folder

    with _named(text_file):
        for text in texts:
            check_text(text)
        folder = local_folder(model) if model is not None else None
        words = folder and known_words(folder)
        if words is not None:
            vocabulary = folder.vocabulary and load_vocabulary(folder.vocabulary)
            for text in texts:
                understand(text, words, vocabulary, strict=strict)
    return folder


@contextlib.contextmanager
def _named(text_file):
    """A PromptError of a text file's sentence names the file."""
    try:
        yield
    except PromptError as error:
        if text_file is None:
            raise
        raise PromptError(f"{text_file}: {error}") from error


def _understood(system, text, strict, text_file):
    with _named(text_file):
        return system.understand(text, strict=strict)


def _request(system, prompt, seeds, settings) -> dict:
    """Entries of generate.json that say what was asked for, and of whom."""
    asked = dict(settings)
    if "adjustment" in asked:
        adjustment = asked.pop("adjustment")
        asked["adjustment_asked"] = asdict(adjustment) if is_dataclass(adjustment) else adjustment
    return {"text": prompt.text, "seeds": seeds, **asked, "asked_of": system.name}


def _draw(system, prompt, outdir, progress, *, seeds, settings, ncol, explain, overwrite) -> None:
    """Write the PNG of every seed, the grid of the first ones and the JSON; all of them or none."""
    from styleT2I.torch_utils.folders import recorded_command, result_folder
    from styleT2I.torch_utils.images import save_png

    request = _request(system, prompt, seeds, settings)
    names = ["grid.png", *(f"seed{seed:04d}.png" for seed in seeds)]
    with result_folder(outdir, RECORD, request, names=names, overwrite=overwrite) as staging:
        records, shown = [], []
        chunk = CHUNK if system.resolution <= LARGE else SLOW_CHUNK
        for start in range(0, len(seeds), chunk):
            result = system.generate(prompt, seeds[start : start + chunk], **settings)
            for name, image in zip(result.names, result.images_u8, strict=True):
                save_png(staging / f"{name}.png", image)
            if start < CHUNK:
                shown.append(result)
            if start == 0 and explain:
                save_png(staging / "explain.png", system.explain_u8(result))
            records.append(result.to_dict())
            progress.update(len(result.seeds))
        save_png(staging / "grid.png", _grid_u8(shown, ncol))
        images = [image for record in records for image in record["images"]]
        staging.write_record({**records[0], **request, "images": images, "command": recorded_command("generate")})


def _grid_u8(results, ncol):
    """One grid of several results' images."""
    import torch

    names = [name for name in ("images_u8", "unedited_u8") if hasattr(results[0], name)]
    joined = {name: torch.cat([getattr(result, name) for result in results]) for name in names}
    seeds = tuple(seed for result in results for seed in result.seeds)
    return replace(results[0], seeds=seeds, **joined).grid_u8(ncol)


if __name__ == "__main__":
    main()
