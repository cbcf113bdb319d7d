"""Manipulate images with unCLIP: `python -m styleT2I.manipulate variations --image A.png --outdir out`."""

import click

from styleT2I.cli import command, device_option, group, outdir_option, seed_option, seeds_option


class Numbers(click.ParamType):
    """Numbers with commas between them."""

    name = "numbers"

    def __init__(self, kind, low, high):
        self.kind, self.low, self.high = kind, low, high

    def convert(self, value, param, ctx):
        if not isinstance(value, str):
            return tuple(value)
        try:
            numbers = tuple(self.kind(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers; write them with commas between", param, ctx)
        if wrong := [number for number in numbers if not self.low <= number <= self.high]:
            self.fail(f"{wrong[0]} is not from {self.low} to {self.high}", param, ctx)
        return numbers


def shared_options(function):
    """Add --model, --steps, --device and --outdir."""
    options = (
        click.option("--model", default="unclip", help="An unCLIP: a folder or a name."),
        click.option("--steps", default=50, type=click.IntRange(2, 1000), help="Of inversion, and of decoding."),
        device_option,
        outdir_option,
    )
    for option in reversed(options):
        function = option(function)
    return function


def image_option(num):
    """Add --image, an image file; num: how many are taken, None for any."""
    times = {1: "", 2: " Give two."}.get(num, " Repeatable.")
    text = f"Image to start from; its centre square is used.{times}"
    return click.option(
        "--image", "images", multiple=True, required=True, type=click.Path(dir_okay=False), metavar="FILE", help=text
    )


@group
def main():
    """Variations, interpolations, text diffs and reconstructions of images by unCLIP (its paper's sections 3 and 4).

    OUTDIR gets grid.png and manipulate.json.
    """


@command("variations")
@image_option(1)
@click.option("--etas", default="0,0.25,0.5,0.75,1", type=Numbers(float, 0, 1), help="Noise of the decoder's steps, a "
              "row each: 0 reconstructs.")  # fmt: skip
@seeds_option("0-5")
@shared_options
def variations(images, etas, seeds, **settings):
    """Decode one image's embedding and inverted noise again: what stays is what CLIP encodes of the image."""
    edits, latent, images_u8 = _opened(images, 1, settings)
    made = edits.variations(latent, etas, seeds)
    titles = [f"eta {eta:g}" for eta in etas]
    _write(settings, images_u8, titles, made, {"etas": list(etas), "seeds": list(seeds)}, edits)


@command("interpolate")
@image_option(2)
@click.option("--num", default=7, type=click.IntRange(2, 64), help="Images from the first to the second.")
@click.option("--noise-seed", type=click.IntRange(0), help="One noise of this seed for all; without it that between "
              "both images' own, so that the ends are they.")  # fmt: skip
@shared_options
def interpolate(images, num, noise_seed, **settings):
    """Turn one image into another along the arc between their embeddings."""
    edits, latent, images_u8 = _opened(images, 2, settings)
    first, second = (type(latent)(*(part[k : k + 1] for part in latent)) for k in (0, 1))
    thetas = [k / (num - 1) for k in range(num)]
    made = edits.interpolation(first, second, thetas, noise_seed).unsqueeze(0)
    _write(settings, images_u8, ["first to second"], made, {"thetas": thetas, "noise_seed": noise_seed}, edits)


@command("diff")
@image_option(1)
@click.option("--text", "texts", multiple=True, required=True, help="Caption of the new image; repeatable.")
@click.option("--from-text", default="", help="Caption of the image as it is; empty for none.")
@click.option("--num", default=6, type=click.IntRange(2, 64), help="Images per row.")
@click.option("--max-theta", default=0.5, type=click.FloatRange(0, 1, min_open=True), help="Of the last one: how far "
              "the embedding turns towards the text's.")  # fmt: skip
@shared_options
def diff(images, texts, from_text, num, max_theta, **settings):
    """Turn an image's embedding by the difference of two texts' embeddings."""
    import torch

    edits, latent, images_u8 = _opened(images, 1, settings)
    for text in (*texts, *([from_text] if from_text else [])):
        edits.system.understand(text)
    thetas = [max_theta * k / (num - 1) for k in range(num)]
    made = torch.stack([edits.text_diff(latent, text, from_text, thetas) for text in texts])
    _write(settings, images_u8, list(texts), made, {"from_text": from_text, "thetas": thetas}, edits)


@command("components")
@image_option(None)
@click.option("--nums", default="1,2,4,8,13", type=Numbers(int, 1, 4096), help="How many principal components each "
              "column keeps.")  # fmt: skip
@seed_option
@shared_options
def components(images, nums, seed, **settings):
    """Decode an image's embedding cut to its first principal components, a row per image."""
    edits, latent, images_u8 = _opened(images, None, settings)
    made = edits.reconstructions(latent, nums, seed)
    titles = [f"{', '.join(map(str, nums))} components"] + [""] * (len(images) - 1)
    _write(settings, images_u8, titles, made, {"components": list(nums), "seed": seed}, edits)


def _opened(images, num, settings):
    """The edits, the images' latents and the images; all that can be wrong is found here."""
    if num is not None and len(images) != num:
        raise click.UsageError(f"takes {num} --image, got {len(images)}")
    from styleT2I.evaluation.suites.style import load_images
    from styleT2I.generation.systems.unclip_edits import ImageEdits
    from styleT2I.torch_utils.images import from_uint8

    edits = ImageEdits.open(settings["model"], settings["device"], settings["steps"])
    images_u8 = load_images(images, edits.system.encoder.clip.config.image_size)
    settings["images"] = list(images)
    return edits, edits.encode(from_uint8(images_u8)), images_u8


def _write(settings, images_u8, titles, made, record, edits):
    """The grid of rows of made images [rows, columns, 3, R, R], the given ones in the first column, and the record."""
    from styleT2I.generation.systems.unclip_edits import edits_grid_u8
    from styleT2I.torch_utils.files import write_json_atomic
    from styleT2I.torch_utils.folders import staged_folder
    from styleT2I.torch_utils.images import save_png, to_uint8

    made_u8 = to_uint8(made)
    record = {"images": settings["images"], "rows": titles, "steps": settings["steps"], **record,
              "model": edits.system.describe()}  # fmt: skip
    with staged_folder(settings["outdir"]) as staging:
        for row, images in enumerate(made_u8):
            for column, image in enumerate(images):
                save_png(staging / f"row{row}_column{column}.png", image)
        save_png(staging / "grid.png", edits_grid_u8(images_u8, made_u8, titles))
        write_json_atomic(staging / "manipulate.json", record)


for one in (variations, interpolate, diff, components):
    main.add_command(one)

if __name__ == "__main__":
    main()
