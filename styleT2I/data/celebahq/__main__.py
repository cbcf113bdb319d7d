"""`python -m styleT2I.data.celebahq`: turns the released CelebAMask-HQ into a data set folder."""

import click

from styleT2I.cli import command, done, outdir_option
from styleT2I.torch_utils.words import counted


@command("celebahq")
@click.argument("folder", type=click.Path())
@outdir_option
@click.option("--resolution", default=256, type=click.IntRange(16, 1024), help="Side of the images in pixels.")
@click.option("--first", default=0, type=click.IntRange(0), help="Number of the first image.")
@click.option("--num", type=click.IntRange(1), help="How many images; all from the first on by default.")
@click.option("--partition", metavar="FILE", help="Table of splits, list_eval_partition.csv, that --split refers to.")
@click.option("--split", type=click.Choice(["train", "val", "test"]), help="Take only this split of the table.")
@click.option(
    "--captions", type=click.Path(), metavar="DIR", help="Captions: one NUMBER.txt per image, one caption per line."
)
def main(folder, outdir, resolution, first, num, partition, split, captions):
    """Write images, parts of the face and attributes of CelebAMask-HQ, unpacked in FOLDER, as a data set.

    The older way; `dataset convert celebahq:FOLDER` takes captions and splits that lie beside it, and other downloads.

    The 18 annotated parts become 13: left and right, and lips and mouth, are united.
    """
    if (partition is None) != (split is None):
        raise click.UsageError("--partition FILE and --split NAME go together")

    from styleT2I.data.releases.celebahq import CelebAHQ, indices_of_split
    from styleT2I.data.releases.conversion import write_as_folder
    from styleT2I.data.releases.reading import ReleaseData
    from styleT2I.errors import DataError

    release = CelebAHQ(folder)
    release.needs_masks()
    release.use_captions(captions)
    chosen = indices_of_split(partition, split) if split else set(release.indices)
    records = [record for record in release.records(None) if record.key in chosen and record.key >= first][:num]
    if not records:
        raise DataError(f"{folder}: no images chosen; it has {release.indices[0]} to {release.indices[-1]}")
    indices = [record.key for record in records]
    info = {"source": "CelebAMask-HQ", "split": split or "all", "first": indices[0], "last": indices[-1]}
    write_as_folder(ReleaseData(release, records, resolution, cache_bytes=0), outdir, info)
    training = ("python", "-m", "styleT2I.train_stylegan2", "--data", outdir, "--outdir", "runs/generator")
    done(f"{counted(len(indices), 'image')} in {outdir}", None, *training)


if __name__ == "__main__":
    main()
