"""A paper's experiment, from data to table: `python -m styleT2I.recipe celebahq --data DIR --clip SOURCE ...`."""

import click

from styleT2I.cli import command, device_option, done, outdir_option
from styleT2I.data.worlds import WORLDS
from styleT2I.staged.engine import command_line, is_done, plan_lines, run_stages
from styleT2I.staged.papers import PAPERS, SIZES, TRAININGS

_SHARED = (*TRAININGS, "evaluate")  # what several GPUs can share
_SOURCES = {  # options that take any source of weights, and pass it on to the stages, which open it
    "generator": "Generator. [default: trained as the paper's was]",
    "clip": "CLIP to fine-tune, for example clip-vit-b-32.",
    "clip-eval": "Another CLIP, that only scores, to fine-tune on all images. [default: that of --clip]",
    "segmenter": "Regions (docs/regions.md). [default: trained on the download's parts]",
}


def _source_options(function):
    """Add the options of _SOURCES, each passed on as NAME_from, so that nothing is downloaded for a plan."""
    for name, text in reversed(_SOURCES.items()):
        variable = f"{name.replace('-', '_')}_from"
        function = click.option(f"--{name}", variable, metavar="SOURCE", help=text)(function)
    return function


@command()
@click.argument("name", type=click.Choice((*PAPERS, *WORLDS)))
@click.option("--data", metavar="DIR", help="The download that the generator draws; worlds make their own.")
@click.option("--text-data", metavar="DIR", help="ffhq, nabirds: the download whose captions and labels steer it.")
@_source_options
@click.option("--glove", metavar="FILE", help="GloVe vectors, glove.6B.300d.txt. [default: words are learnt]")
@click.option(
    "--given",
    multiple=True,
    metavar="STAGE=FILE",
    help="Skip a stage, and take its result; repeatable. Worlds: model=SOURCE skips all trainings.",
)
@click.option("--size", default="full", type=click.Choice(tuple(SIZES)), help="The presets' steps, a tenth, or a few.")
@click.option("--gpus", default=1, type=click.IntRange(1), help="GPUs of this machine that share each training.")
@click.option("--plan", "is_plan", is_flag=True, help="Print the stages with GPU hours and what they rest on; stop.")
@click.option("--dry-run", is_flag=True, help="Print the commands and stop.")
@outdir_option
@device_option
def main(name, outdir, device, size, gpus, given, is_plan, dry_run, data, text_data, **sources):
    """Run a whole experiment of the StyleT2I paper: data, generator, CLIP, judges, T2D, A2D, model, measurement, audit.

    celebahq and cub are the paper's; ffhq and nabirds its cross-domain ones: a generator of one download steered by the
    captions of another. minifaces and portraits are the same on this project's own worlds. Ends with OUTDIR/index.html
    and OUTDIR/table.md. Call it again after an interruption: finished stages are skipped, an unfinished one goes on
    where it was; delete a result to make it anew.
    """
    chosen = {role.removesuffix("_from"): source for role, source in sources.items() if source}
    if name in WORLDS:
        _refuse_data(name, {"data": data, "text-data": text_data, **chosen})
        plan, wanted, notes, title = _world(name, outdir, device, size, _given_model(name, given))
    else:
        wanted = _wanted(name, outdir, device, size, data, text_data, chosen, _results(given))
        plan, notes, title = _paper(wanted)
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
    text = "a bird with a red belly" if name in ("cub", "nabirds") else "he is wearing lipstick"
    model = notes.get("given, model", f"{outdir}/model")
    generate = ("styleT2I.generate", "--model", model, "--text", text, "--outdir", "out")
    done(f"{page} and {outdir}/table.md", None, "python", "-m", *generate)


def _paper(wanted):
    """The stages of a paper's experiment, notes for its page, and the title."""
    from styleT2I.staged.papers import paper_stages

    notes = {
        "images": f"{wanted.images.train}: {wanted.images.note}",
        "captions": f"{wanted.texts.train}: {wanted.texts.note}",
        "size": wanted.size,
        **{f"given, {stage}": file for stage, file in wanted.given.items()},
    }
    return paper_stages(wanted), notes, wanted.paper.title


def _world(name, outdir, device, size, model):
    """The stages of one of our own worlds, nothing wanted besides, notes for its page, and the title."""
    from styleT2I.staged.worlds import recipe_stages

    notes = {"size": size, **({"given, model": model} if model else {})}
    return recipe_stages(outdir, device, name, size, model), None, notes, f"StyleT2I on {WORLDS[name].title}"


def _given_model(name, given):
    """SOURCE of --given model=SOURCE, which a world takes in place of all its trainings; None where none is given."""
    from styleT2I.generation.model import Model

    found = dict(text.partition("=")[::2] for text in given)
    if any(stage != "model" or not source for stage, source in found.items()):
        raise click.UsageError(f"--given: {name} takes a whole model alone, for example --given model={name}")
    if found:
        Model.from_pretrained(found["model"], device="cpu")  # reads no weights yet; says what is wrong with it
    return found.get("model")


def _refuse_data(name, options):
    """UsageError for an option that a world has no use for."""
    for option, value in options.items():
        if value:
            raise click.UsageError(f"--{option.replace('_', '-')} goes with the papers' data; {name} makes its own")


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

    lines = plan_lines(plan)
    if wanted is None or not SIZES[wanted.size].factor:
        known = "a processor is enough for MiniFaces and the toy size; of Portraits docs/portraits.md tells"
        return [*lines, f"  no GPU hours: {known}"]
    found, total = estimates(wanted), 0.0
    for row, stage in enumerate(plan):
        if stage in found and not is_done(stage, plan):
            total += found[stage].hours
            hours = f"{found[stage].hours:.1f}" if found[stage].hours >= 0.05 else "under 0.1"
            lines[row] += f"; {hours} GPU h: {found[stage].basis}"
    return [*lines, f"  in all    {total:.0f} GPU h still to do; {MEASURED}"]


if __name__ == "__main__":
    main()
