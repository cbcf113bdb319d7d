"""Data sets as they are downloaded: `python -m styleT2I.dataset check celebahq:data/CelebAMask-HQ`."""

import click

from styleT2I.cli import command, done, group, outdir_option
from styleT2I.torch_utils.words import counted

_SPEC = (
    "SPEC is KIND:FOLDER[:SPLIT][:NUM], where KIND is celebahq, cub, ffhq, nabirds, webdataset or parquet; "
    "hub:OWNER/NAME[:SPLIT][:NUM]; or whatever --data takes."
)


@group
def main():
    """Look over a downloaded data set, turn it into a folder, or write a page about it (docs/datasets.md)."""


@command("check")
@click.argument("spec")
@click.option("--quick", is_flag=True, help="Look at names and tables alone, at no image.")
def check(spec, quick):
    """Say of every part of a download whether it is complete, and where it comes from; exit status 2 where it is not.

    Of a part that is missing altogether, such as captions, you decide whether you need it: that alone is no error.
    SPEC is KIND:FOLDER[:SPLIT][:NUM].
    """
    from tqdm import tqdm

    from styleT2I.data.releases.checking import damaged_images, parts_of, refuse_incomplete

    parts = parts_of(spec)
    for part in parts:
        click.echo(part.line())
    images = None if quick else damaged_images(spec, lambda records: tqdm(records, unit="image"))
    for line in images or ():
        click.echo(f"damaged: {line}")
    refuse_incomplete(spec, parts, images or ())
    done(f"{spec}: nothing is damaged or half there", None, "python", "-m", "styleT2I.dataset", "report", spec,
         "--outdir", "report")  # fmt: skip


@command("convert")
@click.argument("spec")
@outdir_option
@click.option("--resolution", type=click.IntRange(8, 1024), help="Side of the images in pixels. [default: 256, or the "
              "side of the first image]")  # fmt: skip
@click.option("--no-masks", is_flag=True, help="Leave the parts of the images out.")
def convert(spec, outdir, resolution, no_masks):
    """Write a data set as a folder of images, captions, attributes and masks, which every training reads.

    Not needed for a training, which reads a download where it lies; but a folder of small images is read faster.
    SPEC is KIND:FOLDER[:SPLIT][:NUM].
    """
    from styleT2I.data.dataset import open_dataset
    from styleT2I.data.releases.conversion import write_as_folder
    from styleT2I.data.writer import refuse_foreign_folder

    refuse_foreign_folder(outdir)
    data = open_dataset(spec, resolution, with_masks=not no_masks)
    write_as_folder(data, outdir, {"source": spec}, with_masks=not no_masks)
    training = ("python", "-m", "styleT2I.train_stylegan2", "--data", outdir, "--outdir", "runs/generator")
    done(f"{counted(len(data), 'image')} in {outdir}", None, *training)


@command("report")
@click.argument("spec")
@outdir_option
def report(spec, outdir):
    """Write a page about a data set: its parts, a contact sheet, captions, rates of attributes, rarest pairs.

    SPEC is KIND:FOLDER[:SPLIT][:NUM].
    """
    from styleT2I.data.dataset import open_dataset
    from styleT2I.data.releases.checking import parts_of
    from styleT2I.data.releases.report import write_dataset_report
    from styleT2I.data.releases.specs import is_release
    from styleT2I.data.statistics import statistics_of

    data = open_dataset(spec, with_masks=False)
    parts = parts_of(spec) if is_release(spec) else []
    for part in parts:
        click.echo(part.line())
    page = write_dataset_report(spec, data, statistics_of(data), parts, outdir)
    done(f"{counted(len(data), 'image')} described", "look at", page)


for _command in (check, convert, report):
    _command.epilog = _SPEC
    main.add_command(_command)

if __name__ == "__main__":
    main()
