"""Move faces along attribute directions: `python -m styleT2I.edit --set lipstick=1 --set smiling=-0.5 --outdir out`."""

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
from styleT2I.generation.arguments import A2D, DIRECTION_METHODS, NUM_SAMPLES
from styleT2I.options.drawing import (
    FACE_OPTIONS,
    INVERSION_OPTIONS,
    PHOTO_OPTIONS,
    check_face_options,
    face_options,
    inversion_options,
    open_editor,
    photo_options,
    refuse_options,
    rival_options,
)
from styleT2I.torch_utils.words import counted

NUM_IN_GRID, NUM_IN_STRIP = 64, 8  # faces that the images show, of many


class Setting(click.ParamType):
    """NAME=STRENGTH, say lipstick=1; passed on as (name, strength)."""

    name = "setting"

    def convert(self, value, param, ctx):
        name, separator, strength = value.partition("=")
        try:
            number = float(strength)
        except ValueError:
            number = None
        if not name.strip() or not separator or number is None:
            self.fail(f"{value!r} is not NAME=STRENGTH; write for example lipstick=1 or smiling=-0.5", param, ctx)
        return name.strip(), number


@command(renamed={"--grid": "--columns"})
@click.option("--set", "settings", multiple=True, type=Setting(), metavar="NAME=STRENGTH", help="An attribute and how "
              "far to move: 1 turns it on, -1 off, on most faces; repeatable.")  # fmt: skip
@seeds_option()
@click.option("--latents", metavar="FILE", help="w or W+ in a .npy or .safetensors file, in place of seeds.")
@click.option("--strip", metavar="NAME", help="Attribute of strip.png; the first one set if not given.")
@click.option("--strip-range", nargs=2, default=(-2.0, 2.0), type=float, metavar="LOW HIGH", help="First and last "
              "strength of strip.png.")  # fmt: skip
@click.option("--strip-steps", default=9, type=click.IntRange(2, 33), help="Strengths that strip.png shows.")
@model_option
@click.option("--generator", metavar="FILE", help="Component used in place of the model's generator.")
@click.option("--a2d", metavar="FILE", help="Component used in place of the model's Attribute-to-Direction network.")
@click.option("--clip", metavar="FILE", help="--method: component used in place of the model's CLIP.")
@rival_options(DIRECTION_METHODS, A2D, "Whose directions: a2d, the model's own network, or what other editors use, "
               "found on the spot.")  # fmt: skip
@photo_options
@inversion_options
@face_options
@psi_option("trunc")
@noise_mode_option
@columns_option
@device_option
@precision_option
@outdir_option
@overwrite_option
def main(settings, seeds, latents, strip, strip_range, strip_steps, model, generator, a2d, trunc, noise_mode, columns,
         device, precision, outdir, overwrite, rival, image, **parts):  # fmt: skip
    """Move faces along attribute directions: a PNG per face, grid.png (each face above its edit), strip.png, edit.json.

    Strength 1 is the smallest step at which the guide judge saw the attribute on 95 % of faces. With --strip alone only
    strip.png and edit.json are written. With another --method than a2d directions are found first, on any StyleGAN2
    generator: --generator FILE --clip FILE --vocabulary celeba. With --image the face of a photo is edited and put
    back: photo.png, and on the way face.png, inverted.png, edited.png and mask.png.
    """
    if not settings and not strip:
        raise click.UsageError("name an attribute, for example --set lipstick=1, or --strip lipstick")
    strengths = dict(settings)
    if len(strengths) < len(settings):
        raise click.UsageError("an attribute is set twice; give each --set once")
    of_photo = {name: parts.pop(name) for name in (*PHOTO_OPTIONS, *INVERSION_OPTIONS, *FACE_OPTIONS)}
    if image:
        refuse_options(("seeds", "latents", "trunc", "columns"), "says which faces are drawn, and so does --image")
        check_face_options(*(of_photo[name] for name in FACE_OPTIONS))
    else:
        refuse_options(tuple(of_photo), "goes with --image")
    if latents and click.get_current_context().get_parameter_source("seeds").name == "COMMANDLINE":
        raise click.UsageError("--latents and --seeds both name faces; leave one of them out")
    if strip_range[0] >= strip_range[1]:
        raise click.UsageError(f"--strip-range {strip_range[0]:g} {strip_range[1]:g} runs backwards; turn it round")
    names = [*strengths, *([strip] if strip else [])]
    _check_names(parts["vocabulary"] or model, names)
    if rival == A2D:
        refuse_options(("clip", "judge", "vocabulary", "samples"), "goes with another --method than a2d")
    else:
        refuse_options(("a2d",), f"is not used by --method {rival}; leave it out")
    from styleT2I.formats.numpy_files import read_latents
    from styleT2I.generation.explain import strip_strengths, strip_u8
    from styleT2I.generation.pipeline import StyleT2I
    from styleT2I.torch_utils.folders import recorded_command, result_folder
    from styleT2I.torch_utils.images import save_png

    encoder = of_photo["encoder"]
    if rival == A2D:
        replaced = {"generator": generator, "a2d": a2d, "encoder": encoder}
        pipeline = StyleT2I.from_pretrained(model, device=device, precision=precision, **replaced)
        directions = None
    else:
        from styleT2I.rivals.methods import find_directions, open_pipeline

        num_samples = parts.pop("samples") or NUM_SAMPLES
        pipeline = open_pipeline(model, generator=generator, device=device, precision=precision, **parts)
        directions = find_directions(pipeline, rival, names, num_samples=num_samples)
        if encoder:
            pipeline.model.sources["encoder"] = encoder
    if image:
        photo = {"strengths": strengths, "strip": (strip or names[0], strip_strengths(*strip_range, strip_steps))}
        photo |= {"directions": directions, "method": rival, "noise_mode": noise_mode}
        _edit_photo(pipeline, image, of_photo, outdir, overwrite, **photo)
        return
    given = read_latents(latents) if latents else seeds
    request = {"set": strengths, "strip": strip, "truncation_psi": None if latents else trunc}
    request |= {"seeds": None, "latents": str(latents)} if latents else {"seeds": seeds}
    request |= {"noise_mode": noise_mode, "strip_strengths": [*strip_range, strip_steps], "method": rival}
    drawing = {"truncation_psi": trunc, "noise_mode": noise_mode, "directions": directions}
    with result_folder(outdir, "edit.json", request, overwrite=overwrite) as staging:
        result = pipeline.edit(given, strengths or {strip: 0.0}, **drawing)
        if strengths:
            for name, image in zip(result.names, result.images_u8, strict=True):
                save_png(staging / f"{name}.png", image)
            save_png(staging / "grid.png", result.grid_u8(columns, num=NUM_IN_GRID))
        shown, name = given if latents else seeds[:NUM_IN_STRIP], strip or next(iter(strengths))
        wanted = strip_strengths(*strip_range, strip_steps)
        strip_image = strip_u8(pipeline, shown, name, wanted, **drawing)
        save_png(staging / "strip.png", strip_image)
        staging.write_record({**result.to_dict(), **request, "command": recorded_command("edit")})
    made = f"{counted(len(result.names), 'image')}, grid.png and strip.png" if strengths else "strip.png"
    done(f"{made} in {outdir}", f"look at {Path(outdir) / 'strip.png'} for a strength that suits")


def _edit_photo(pipeline, image, options, outdir, overwrite, *, strengths, strip, directions, method, noise_mode):
    """Edit the face of a photo, and write it, a strip of strengths and edit.json."""
    from styleT2I.generation.explain import strip_u8
    from styleT2I.inversion.photo_edits import write_edit
    from styleT2I.torch_utils.folders import recorded_command, result_folder
    from styleT2I.torch_utils.images import save_png

    given = {name: value for name, value in options.items() if value not in (None, False)}
    request = {"set": strengths, "strip": strip[0], "strip_strengths": strip[1], "method": method}
    request |= {"noise_mode": noise_mode, "image": image, "photo_options": given}
    with result_folder(outdir, "edit.json", request, overwrite=overwrite) as staging:
        editor = open_editor(pipeline, image, options)
        edit = editor.edit(strengths or {strip[0]: 0.0}, directions, noise_mode)
        drawing = {"truncation_psi": 1.0, "noise_mode": noise_mode, "directions": directions}
        drawn = editor.while_drawing(lambda: strip_u8(pipeline, editor.inversion.ws, *strip, **drawing))
        save_png(staging / "strip.png", drawn)
        write_edit(staging, editor.photo, edit)
        model = {"model": pipeline.model.describe(), **pipeline.model.machine()}
        staging.write_record({**edit.record, **request, **model, "command": recorded_command("edit")})
    done(f"photo.png and strip.png in {outdir}", f"look at {Path(outdir) / 'photo.png'}")


def _check_names(model, terms):
    """ConfigError for an attribute that a model folder's vocabulary has not, before torch is imported."""
    from styleT2I.attributes.vocabulary import load_vocabulary
    from styleT2I.formats.model_folder import local_folder

    folder = local_folder(model)
    if folder is not None and folder.vocabulary is not None:
        for term in terms:
            load_vocabulary(folder.vocabulary).resolve(term)


if __name__ == "__main__":
    main()
