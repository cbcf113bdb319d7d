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

    It is the same as `build_model minifaces`, which builds the other models of this package too; this is its address
    in documents and scripts from before there were others, and it stays.

    \b
    Examples:
      python -m styleT2I.build_minifaces --dry-run --outdir runs/minifaces
      python -m styleT2I.build_minifaces --outdir runs/minifaces

    \b
    Then draw with what was made, and compare its measures with those in docs/results.md:
      python -m styleT2I.generate --model runs/minifaces/model --text "he is wearing lipstick" --outdir out
    """
    build("minifaces", outdir, device, dry_run)


if __name__ == "__main__":
    main()
