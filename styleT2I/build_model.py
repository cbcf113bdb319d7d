"""Rebuild an embedded model from nothing: `python -m styleT2I.build_model portraits --outdir runs/portraits`."""

import click

from styleT2I.cli import command, device_option, outdir_option, trained
from styleT2I.data.worlds import WORLDS
from styleT2I.staged.engine import command_line, is_done, plan_lines, run_stages
from styleT2I.staged.worlds import SIZES, stages


def build(world, outdir, device, dry_run, size="full", publish=None):
    """Run the stages that are not done, one after the other, or print their commands."""
    plan = stages(outdir, device, world, size, publish)
    if dry_run:
        click.echo("\n".join(map(command_line, plan.values())))
        return
    left = sum(not is_done(name, plan) for name in plan)
    click.echo(f"{world}, size {size}, in {outdir}: {left} of {len(plan)} stages to do")
    click.echo("\n".join(plan_lines(plan)))
    run_stages(plan, outdir, click.echo)
    model = publish or f"{outdir}/model"
    trained(model, "styleT2I.generate", "--model", model, "--text", "he is wearing lipstick", "--outdir", "out")


@command()
@click.argument("world", type=click.Choice(tuple(WORLDS)))
@outdir_option
@click.option("--size", default="full", type=click.Choice(tuple(SIZES)), help="The presets' images and steps, a fifth "
              "of them or fewer, or two steps each: toy shows in minutes whether all fits.")  # fmt: skip
@click.option("--publish", metavar="DIR", help="Put the finished model into this folder too, as checkpoints/portraits.")
@click.option("--dry-run", is_flag=True, help="Print the commands and stop.")
@device_option
def main(world, outdir, size, publish, dry_run, device):
    """Make every network of a world's model from nothing, package and measure them: OUTDIR/model and results.json.

    minifaces takes about 2 hours on two cores. portraits renders its data first (into the user's cache, hours) and
    takes a day or more of one core. Prints the plan first. Call it again after an
    interruption: finished stages are skipped, an unfinished one goes on where it was; delete a result to make it anew.
    """
    build(world, outdir, device, dry_run, size, publish)


if __name__ == "__main__":
    main()
