"""`python -m styleT2I.data.minifaces`: writes MiniFaces as an ordinary image-caption-attribute-mask data set."""

import click
from tqdm import tqdm

from styleT2I.cli import command, outdir_option, seed_option
from styleT2I.torch_utils.words import counted

_CHUNK = 32
_SHEET = (12, 5)  # columns and rows of the contact sheet
_SHEET_SIDE = 128  # pixels that smaller images are enlarged to


@command("minifaces")
@outdir_option
@click.option("--num", default=1000, type=click.IntRange(1), help="Number of images.")
@click.option(
    "--distribution",
    default="biased",
    metavar="NAME",
    help="biased, balanced, or a composition such as he+lipstick+hat.",
)
@click.option("--split", default="train", metavar="NAME", help="train, val, test, judge-train or judge-val.")
@click.option("--resolution", default=64, type=click.IntRange(16, 1024), help="Side of the images in pixels.")
@seed_option
def main(outdir, num, distribution, split, resolution, seed):
    """Render a captioned, labelled and segmented world of faces into a folder.

    The folder holds images/, masks/, captions.json, attributes.csv, nuisances.csv, dataset.json and
    contact-sheet.png. The same options give the same bytes.
    """
    from pathlib import Path

    import torch

    from styleT2I.attributes.compositions import read_composition
    from styleT2I.attributes.vocabulary import load_vocabulary
    from styleT2I.data.minifaces.dataset import DISTRIBUTIONS, MiniFaces
    from styleT2I.data.writer import write_folder_dataset
    from styleT2I.torch_utils.images import make_grid_u8, save_png

    torch.set_num_threads(1)  # small tensors: one thread is fastest
    wanted = None
    if distribution not in DISTRIBUTIONS:
        wanted, distribution = read_composition(distribution, load_vocabulary("minifaces")), "composition"
    world = MiniFaces(distribution, split, num, resolution, seed=seed, wanted=wanted)
    info = {
        "generator": "MiniFaces",
        "distribution": distribution,
        "wanted": wanted or {},
        "split": split,
        "seed": seed,
    }
    write_folder_dataset(
        outdir,
        tqdm(_samples(world), total=num, unit="image"),
        attribute_names=world.attribute_names,
        region_names=world.region_names,
        nuisance_names=world.nuisance_names,
        info=info,
    )
    columns, rows = _SHEET
    images = world.batch(range(min(num, columns * rows))).images_u8
    sheet = Path(outdir) / "contact-sheet.png"
    save_png(sheet, make_grid_u8(images, ncol=columns, scale=max(1, _SHEET_SIDE // resolution)))
    click.echo(f"{counted(num, 'image')} in {outdir}; look at {sheet}")


def _samples(world):
    """Yield (name, image_u8, captions, attributes, mask bits, nuisances) of every image, as the writer takes them."""
    from styleT2I.data.writer import pack_masks

    for start in range(0, len(world), _CHUNK):
        indices = range(start, min(start + _CHUNK, len(world)))
        batch = world.batch(indices)
        for row, index in enumerate(indices):
            captions, attributes = list(batch.captions[row]), batch.attributes[row].tolist()
            mask, nuisances = pack_masks(batch.masks[row]), batch.nuisances[row].tolist()
            yield f"{index:06d}", batch.images_u8[row], captions, attributes, mask, nuisances


if __name__ == "__main__":
    main()
