"""Rebuild the model minifaces from nothing, as `python -m styleT2I.build_model minifaces` does."""

import click

from styleT2I.build_model import build
from styleT2I.cli import command, device_option, outdir_option


@command()
@outdir_option
@click.option("--dry-run", is_flag=True, help="Print the commands and stop.")
@device_option
def main(outdir, dry_run, device):
    """Train every network of MiniFaces' model, put them into OUTDIR/model and measure it; about 2 hours on two cores.

    Call it again after an interruption: finished stages are skipped, an unfinished training goes on where it was.
    """
    build("minifaces", outdir, device, dry_run)


if __name__ == "__main__":
    main()
