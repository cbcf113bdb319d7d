"""`python -m styleT2I.data.portraits`: renders sets of portraits with captions, labels, parts and scene vectors."""

import click

from styleT2I.cli import command, seed_option

_SHEET = (12, 5)  # columns and rows of the contact sheet


@command("portraits")
@click.argument("specs", nargs=-1, metavar="[SPEC]...")
@click.option("--outdir", type=click.Path(file_okay=False), metavar="DIR", help="Folder; default: the user's cache.")
@click.option("--num", default=1000, type=click.IntRange(1), help="Number of images.")
@click.option("--start", default=0, type=click.IntRange(0), help="Index of the first image.")
@click.option(
    "--distribution",
    default="biased",
    metavar="NAME",
    help="biased, balanced, or a composition such as Male+Wearing_Lipstick.",
)
@click.option("--split", default="train", metavar="NAME", help="train, val, test, judge-train or judge-val.")
@click.option("--resolution", default=128, type=click.IntRange(16, 1024), help="Side of the images in pixels.")
@click.option("--workers", default=1, type=click.IntRange(1), help="Processes; one per core.")
@click.option(
    "--captions-only",
    "captions_file",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write the captions of what the scenes ask for, one a line, and render nothing.",
)
@click.option("--format", "image_format", default="jpg", type=click.Choice(["jpg", "png"]), help="Of the images.")
@seed_option
def main(specs, outdir, num, start, distribution, split, resolution, workers, captions_file, image_format, seed):
    """Render a captioned, labelled and segmented world of three-dimensional faces.

    Each SPEC is DISTRIBUTION/SPLIT:NUM, such as biased/train:10000, or DISTRIBUTION/SPLIT:FIRST-LAST, and goes to the
    user's cache, one after the other, where portraits:SPEC finds it; without a SPEC the options say what to render.
    compositions/SPLIT:NUM is a set of every rare composition and of its frequent twin, which `evaluate --suite
    compositions` compares with. A folder holds images/, masks/ of parts, attributes.csv, captions.json, scenes.npz,
    records.jsonl, dataset.json and contact-sheet.png. Images that are there already are not rendered again: after an
    interruption call the same command.

    --captions-only writes sentences, for `train_t2d --data FILE`, which looks at no image.
    """
    from styleT2I.attributes.compositions import read_composition
    from styleT2I.attributes.vocabulary import load_vocabulary
    from styleT2I.data.portraits.scenes.distributions import DISTRIBUTIONS
    from styleT2I.data.portraits.scenes.recipe import Recipe, read_specs
    from styleT2I.errors import ConfigError

    if specs and outdir:
        raise ConfigError("a SPEC goes to the user's cache; name what goes to --outdir by --distribution and --split")
    if specs:
        sets = [each for spec in specs for each in read_specs(spec, resolution)]
        jobs = [(recipe, recipe.cache_folder(), indices) for recipe, indices in sets]
    else:
        wanted = {}
        if distribution not in DISTRIBUTIONS:
            wanted, distribution = read_composition(distribution, load_vocabulary("portraits")), "composition"
        recipe = Recipe(distribution, split, resolution, seed, wanted)
        jobs = [(recipe, outdir or recipe.cache_folder(), range(start, start + num))]
    if captions_file:
        _write_captions(captions_file, [(recipe, indices) for recipe, _, indices in jobs])
        return
    for recipe, folder, indices in jobs:
        _render(recipe, folder, indices, workers, image_format)


def _write_captions(path, sets):
    """Write the captions of sets that are not rendered, as if everything that the scenes ask for could be seen."""
    from styleT2I.data.portraits.dataset import captions_of
    from styleT2I.data.portraits.scenes.attributes import ATTRIBUTES
    from styleT2I.torch_utils.files import write_text_atomic

    captions = []
    for recipe, indices in sets:
        for index in indices:
            asked = recipe.attributes(index)
            captions += captions_of(recipe, index, {name: asked[name] for name in ATTRIBUTES})
    write_text_atomic(path, "\n".join(captions) + "\n")
    click.echo(f"{len(captions)} captions in {path}")


def _render(recipe, folder, indices, workers, image_format):
    """Render one set, with progress; its tables are written when it ends, also by Ctrl-C."""
    from pathlib import Path

    from tqdm import tqdm

    from styleT2I.data.portraits.sets.records import read_records
    from styleT2I.data.portraits.sets.rendering import render_set
    from styleT2I.data.portraits.sets.tables import write_tables

    folder = Path(folder)
    there = sum(index in indices for index in read_records(folder))
    is_new = there < len(indices) or not (folder / "contact-sheet.png").exists()
    try:
        with tqdm(total=len(indices), initial=there, unit="image", desc=recipe.name) as progress:
            for _ in render_set(folder, recipe, indices, workers=workers, image_format=image_format):
                progress.update()
    finally:
        records = read_records(folder)
        if records and is_new:
            write_tables(folder, recipe, records)
            _write_sheet(folder, records)
    click.echo(f"{len(records)} images in {folder}; look at {folder / 'contact-sheet.png'}")


def _write_sheet(folder, records):
    import torch

    from styleT2I.torch_utils.images import load_image, make_grid_u8, save_png

    columns, rows = _SHEET
    files = [records[k].file for k in sorted(records)[: columns * rows]]
    images = torch.stack([load_image(folder / "images" / name) for name in files])
    save_png(folder / "contact-sheet.png", make_grid_u8(images, ncol=columns))


if __name__ == "__main__":
    main()
