"""A paper's experiment from its data to its table: `python -m styleT2I.recipe celebahq --data DIR --clip SOURCE ...`."""

import click

from styleT2I.cli import command, device_option, done, outdir_option
from styleT2I.data.worlds import WORLDS
from styleT2I.staged.engine import command_line, is_done, plan_lines, run_stages
from styleT2I.staged.papers import PAPERS, SIZES, TRAININGS

_SHARED = (*TRAININGS, "evaluate")  # what several GPUs can share


@command()
@click.argument("name", type=click.Choice((*PAPERS, *WORLDS)))
@click.option("--data", metavar="DIR", help="The download that the generator draws, as dataset check has it. [of the "
              "papers' data; minifaces and portraits make their own]")  # fmt: skip
@click.option("--text-data", metavar="DIR", help="ffhq, nabirds: the download whose captions and labels steer it: "
              "CelebA-HQ, CUB.")  # fmt: skip
@click.option("--generator", "generator", metavar="SOURCE", help="Generator. [default: trained as the paper's was]")
@click.option("--clip", "clip", metavar="SOURCE", help="CLIP to fine-tune, for example clip-vit-b-32.")
@click.option("--clip-eval", "clip_eval", metavar="SOURCE", help="Another CLIP, that only scores, to fine-tune on all "
              "images. [default: that of --clip]")  # fmt: skip
@click.option("--segmenter", "segmenter", metavar="SOURCE", help="Regions (docs/regions.md). [default: trained on the "
              "download's parts]")  # fmt: skip
@click.option("--glove", metavar="FILE", help="GloVe vectors, glove.6B.300d.txt. [default: words are learnt]")
@click.option("--given", multiple=True, metavar="STAGE=FILE", help="Skip a stage, and take its result from a file; "
              "repeatable.")  # fmt: skip
@click.option("--size", default="full", type=click.Choice(tuple(SIZES)), help="The presets' steps, a part of them, or a "
              "few steps each: toy shows in minutes whether all fits.")  # fmt: skip
@click.option("--gpus", default=1, type=click.IntRange(1), help="GPUs of this machine that share each training.")
@click.option("--plan", "is_plan", is_flag=True, help="Print the stages with GPU hours and what they rest on; stop.")
@click.option("--dry-run", is_flag=True, help="Print the commands and stop.")
@outdir_option
@device_option
def main(name, outdir, device, size, gpus, given, is_plan, dry_run, data, text_data, **sources):
    """Run a whole experiment of the StyleT2I paper: data, generator, CLIP, judges, T2D, A2D, model, measurement, audit.

    celebahq and cub are the paper's; ffhq and nabirds its cross-domain ones, a generator of one download steered by the
    captions of another; minifaces and portraits the same on this project's own worlds. Ends with OUTDIR/index.html and
    OUTDIR/table.md. Call it again after an interruption: finished stages are skipped, an unfinished one goes on where it
    was; delete a result to make it anew.
    """
    chosen = {role: source for role, source in sources.items() if source}
    if name in WORLDS:
        plan, notes, title = _world(
            name, outdir, device, size, {"data": data, "text-data": text_data, **sources}, given
        )
        wanted = None
    else:
        wanted = _wanted(name, outdir, device, size, data, text_data, chosen, _results(given))
        from styleT2I.staged.papers import paper_stages

        plan, title = paper_stages(wanted), wanted.paper.title
        notes = {
            "images": f"{wanted.images.train}: {wanted.images.note}",
            "captions": f"{wanted.texts.train}: {wanted.texts.note}",
            "size": size,
            **{f"given, {key}": file for key, file in wanted.given.items()},
        }
    if dry_run:
        click.echo("\n".join(map(command_line, plan.values())))
        return
    left = sum(not is_done(stage, plan) for stage in plan)
    click.echo(f"{name}, size {size}, in {outdir}: {left} of {len(plan)} stages to do")
    click.echo("\n".join(_with_hours(plan, wanted) if is_plan else plan_lines(plan)))
    if is_plan:
        return
    from styleT2I.staged.page import write_page

    run_stages(plan, outdir, click.echo, processes=gpus, shared=_SHARED)
    page = write_page(name, title, plan, outdir, notes)
    model = f"{outdir}/model"
    done(f"{page} and {outdir}/table.md", None, "python", "-m", "styleT2I.generate", "--model", model, "--text",
         "a bird with a red belly" if name in ("cub", "nabirds") else "he is wearing lipstick", "--outdir", "out")  # fmt: skip


def _world(name, outdir, device, size, unused, given):
    """The stages of one of our own worlds, a note on each thing, and the page's title."""
    from styleT2I.staged.worlds import recipe_stages

    for option, value in {**unused, "given": given}.items():
        if value:
            raise click.UsageError(f"--{option.replace('_', '-')} goes with the papers' data; {name} makes its own")
    title = f"StyleT2I on {WORLDS[name].title}"
    return recipe_stages(outdir, device, name, size), {"size": size}, title


def _results(given):
    """{stage: file} of --given; UsageError for one without an equals sign or whose file is missing."""
    from pathlib import Path

    found = {}
    for text in given:
        stage, equals, file = text.partition("=")
        if not (equals and file):
            raise click.UsageError(f"--given {text}: write STAGE=FILE, for example clip=runs/clip/clip.json")
        if not Path(file).exists():
            raise click.UsageError(f"--given {text}: there is no such file")
        found[stage] = file
    return found


def _wanted(name, outdir, device, size, data, text_data, sources, given):
    """What was asked for, the downloads looked at; UsageError where one is not named."""
    from styleT2I.staged.papers import Wanted
    from styleT2I.staged.splits import splits_of

    paper = PAPERS[name]
    if data is None:
        raise click.UsageError(f"no data; add --data DIR, the download of {paper.images}")
    if paper.images != paper.texts and text_data is None:
        raise click.UsageError(f"{name} is steered by captions of {paper.texts}; add --text-data DIR")
    if paper.images == paper.texts and text_data:
        raise click.UsageError(f"--text-data goes with ffhq and nabirds; {name} has captions of its own")
    num = SIZES[size].num
    images = splits_of(paper.images, data, num)
    texts = images if text_data is None else splits_of(paper.texts, text_data, num)
    return Wanted(paper, outdir, images, texts, device, size, sources, given)


def _with_hours(plan, wanted):
    """Lines of the plan with GPU hours and what they rest on, and their sum."""
    from styleT2I.staged.hours import MEASURED, estimates

    lines, found = plan_lines(plan), {}
    if wanted is None or not SIZES[wanted.size].factor:
        return [
            *lines,
            "no GPU hours: of the toy size and of our own worlds a processor is enough, or see docs/portraits.md",
        ]
    found, total = estimates(wanted), 0.0
    for row, stage in enumerate(plan):
        if stage in found and not is_done(stage, plan):
            total += found[stage].hours
            lines[row] += f"; {found[stage].hours:.1f} GPU h: {found[stage].basis}"
    return [*lines, f"  in all    {total:.0f} GPU h still to do; {MEASURED}"]


if __name__ == "__main__":
    main()
