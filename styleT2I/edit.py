"""Move faces along attribute directions: `python -m styleT2I.edit --set lipstick=1 --set smiling=-0.5 --outdir out`."""

import click

from styleT2I.cli import command, device_option, model_option, outdir_option, overwrite_option, seeds_option

NUM_IN_GRID, NUM_IN_STRIP = 64, 8  # faces that the pictures show, of many


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


@command()
@click.option("--set", "settings", multiple=True, type=Setting(), metavar="NAME=STRENGTH", help="An attribute and how "
              "far to move: 1 turns it on, -1 off, on most faces; repeatable.")  # fmt: skip
@seeds_option()
@click.option("--latents", metavar="FILE", help="w or W+ in a .npy or .safetensors file, in place of seeds.")
@click.option(
    "--strip", metavar="NAME", help="Attribute of strip.png, at strengths -2 to 2; the first one set if not given."
)
@model_option
@click.option("--a2d", metavar="FILE", help="Component used in place of the model's Attribute-to-Direction network.")
@click.option("--trunc", default=0.7, type=click.FloatRange(0, 2), help="Truncation psi: 1 is off, 0 the mean face.")
@click.option("--grid", default=8, type=click.IntRange(1, 64), metavar="COLUMNS", help="Faces in a row of grid.png.")
@device_option
@outdir_option
@overwrite_option
def main(settings, seeds, latents, strip, model, a2d, trunc, grid, device, outdir, overwrite):
    """Move faces along attribute directions: a PNG per face, grid.png (each face above its edit), strip.png, edit.json.

    Strength 1 is the smallest step at which the guide judge saw the attribute on 95 % of faces. With --strip alone only
    strip.png and edit.json are written.
    """
    if not settings and not strip:
        raise click.UsageError("name an attribute, for example --set lipstick=1, or --strip lipstick")
    strengths = dict(settings)
    if len(strengths) < len(settings):
        raise click.UsageError("an attribute is set twice; give each --set once")
    from styleT2I.formats.latents import read_latents
    from styleT2I.generation.explain import strip_u8
    from styleT2I.generation.pipeline import StyleT2I
    from styleT2I.records import recorded_command
    from styleT2I.result_folder import result_folder
    from styleT2I.torch_utils.images import save_png

    pipeline = StyleT2I.from_pretrained(model, device=device, a2d=a2d)
    given = read_latents(latents) if latents else seeds
    request = {"set": strengths, "strip": strip, "truncation_psi": None if latents else trunc}
    request |= {"seeds": None, "latents": str(latents)} if latents else {"seeds": seeds}
    with result_folder(outdir, "edit.json", request, overwrite=overwrite) as staging:
        result = pipeline.edit(given, strengths or {strip: 0.0}, truncation_psi=trunc)
        names = [f"seed{seed:04d}" for seed in seeds] if not latents else [f"{i:04d}" for i in range(len(result.ws))]
        if strengths:
            for name, image in zip(names, result.images_u8, strict=True):
                save_png(staging / f"{name}.png", image)
            save_png(staging / "grid.png", result.grid_u8(grid, num=NUM_IN_GRID))
        shown = given if latents else seeds[:NUM_IN_STRIP]
        save_png(staging / "strip.png", strip_u8(pipeline, shown, strip or next(iter(strengths)), truncation_psi=trunc))
        staging.write_record({**result.to_dict(), **request, "command": recorded_command("edit")})


if __name__ == "__main__":
    main()
