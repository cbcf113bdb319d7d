"""Audit combinations of attributes: `python -m styleT2I.audit plan PLAN.yaml`, `audit run PLAN.yaml --outdir DIR`."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import click

from styleT2I.cli import command, device_option, done, group, outdir_option
from styleT2I.config import DEFAULT_MODEL
from styleT2I.data.worlds import WORLDS
from styleT2I.generation.arguments import SYSTEM_METHODS
from styleT2I.options.auditing import label_command, plan_command
from styleT2I.options.drawing import shard_option
from styleT2I.torch_utils.launch import launched

STATUS = {"exceeded": 3, "not decided": 4}  # exit status of an audit by its verdict; else 0
_OPTIONS = "options.json"  # in an audit's folder
_NOT_SAVED = {"model", "num", "timeout", "shard", "calibration", "outdir", "device", "offline", "debug"}


_model_option = click.option(
    "--model", help="The model: a folder of components. [default: the embedded one that has the plan's vocabulary]"
)


@group
def main():
    """Test whether some combinations of attributes are drawn less often than others, as declared in a plan."""


@command("calibrate", renamed={"--json": "--out"})
@click.argument("path", metavar="PLAN.yaml")
@_model_option
@click.option("--num", default=300, type=click.IntRange(10), help="Labelled images with, and as many without, each "
              "composition.")  # fmt: skip
@click.option("--data", metavar="DATA", help="Labelled images: a folder with attributes.csv. [default: unseen "
              "images of the plan's world]")  # fmt: skip
@click.option("--resolution", type=click.IntRange(8, 4096), help="Side of the images, px. [default: the model's]")
@click.option("--out", "out_path", required=True, metavar="FILE", help="Write the judge's errors to this JSON file.")
@device_option
def calibrate_command(path, model, num, data, resolution, out_path, device):
    """Measure a judge's errors on labelled images.

    The errors of the plan's judge in each composition are written to a file, for `audit run --calibration`.
    """
    from styleT2I.fairness.judges.calibration import calibrate
    from styleT2I.fairness.judges.judge import open_judge
    from styleT2I.fairness.plan import load_plan
    from styleT2I.fairness.subjects.base import as_subject
    from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic

    plan, vocabulary = load_plan(path)
    if plan.classifier:
        raise click.UsageError(
            "a plan with a classifier audits its answers, which are not corrected for a judge's errors"
        )
    subject = as_subject(_opened(_model_of(plan, model), device))
    judge = open_judge(plan.judge, vocabulary, subject.model, device)
    check_writable_dir(Path(out_path).absolute().parent)
    calibration = calibrate(plan, vocabulary, judge, num, resolution or subject.resolution, data)
    write_json_atomic(out_path, calibration)
    for name, counts in calibration["cells"].items():
        num_with = counts["true_positive"] + counts["false_negative"]
        num_without = counts["true_negative"] + counts["false_positive"]
        click.echo(
            f"{name}: recognised in {counts['true_positive']} of {num_with} images that show it, "
            f"and in {counts['false_positive']} of {num_without} that do not"
        )
    again = ("python", "-m", "styleT2I.audit", "run", path, "--calibration", out_path, "--outdir", "audit")
    done(f"written: {out_path}", None, *again)


_calibration_option = click.option(
    "--calibration",
    metavar="FILE",
    help="File written by `audit calibrate`: where the plan declares that they transport, the judge's errors correct "
    "all rates and gaps, and so the verdicts.",
)


@command("run")
@click.argument("path", metavar="PLAN.yaml")
@_model_option
@click.option(
    "--images", type=click.Path(), metavar="DIR", help="Audit the images in this folder, in place of a model."
)
@click.option("--prompts", type=click.Path(), metavar="FILE.csv", help="Table of --images: columns file, prompt or "
              "composition, and seed.")  # fmt: skip
@click.option("--callable", "function", metavar="MODULE:FUNCTION", help="A Python function (prompt, seed) -> image, "
              "in place of a model.")  # fmt: skip
@click.option("--method", type=click.Choice(SYSTEM_METHODS), help="Audit the model's generator as another method "
              "steers it, without Text-to-Direction.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(0, min_open=True), metavar="SECONDS", help="Longest time of a "
              "--callable for one image. [default: any]")  # fmt: skip
@click.option("--num", type=click.IntRange(1), help="Images per composition, in place of the plan's number; the report "
              "says so.")  # fmt: skip
@shard_option("Draw part i of n only, for merge.")
@_calibration_option
@outdir_option
@device_option
def run_command(path, model, images, prompts, function, method, timeout, num, shard, calibration, outdir, device):
    """Run the audit that a plan declares.

    Draws and judges the images, and writes DIR/audit.html, audit.json and CSV files.

    The exit status is 0 when every declared limit is shown to be kept, 3 when one is shown to be exceeded, and 4 when
    one is not decided. Finished compositions are cached in DIR/cells: a killed audit resumes
    from them.
    """
    from styleT2I.fairness.plan import load_plan

    plan, vocabulary = load_plan(path)
    if plan.classifier and (images or function or method or calibration):
        raise click.UsageError(
            "the plan audits a classifier on edited faces of a model; leave out --images, --callable, --method and "
            "--calibration"
        )
    from styleT2I.fairness.run import Audit

    confusions = _read_calibration(calibration, plan, vocabulary)
    context, model = click.get_current_context(), _model_of(plan, model)
    context.params["model"] = _model_of(plan, context.params["model"])  # as typed, for the command in the report
    subject = _subject(model, images, prompts, function, method, timeout, num, device)
    audit = Audit(plan, vocabulary, subject, num, device=device)
    number = (shard.index + 1, shard.count)
    import torch

    from styleT2I.torch_utils import distributed

    with distributed.group(torch.device("cpu")):
        try:
            with distributed.alone():
                audit.run(outdir, number, confusions)
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt("finished compositions are cached: the same command resumes from there") from error
        if distributed.collected(None) is None:  # another process puts the cells together
            return
    _save_options(outdir)
    if shard.count > 1 and launched().count == 1:
        click.echo(f"shard {number[0]} of {number[1]} is in {outdir}; when all are: audit merge {path} DIR ...")
        return
    result = audit.result(outdir, confusions)
    _finish(result, [outdir], outdir, _command_again(path, result, outdir, calibration))


@command("merge")
@click.argument("path", metavar="PLAN.yaml")
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False), metavar="DIR...")
@_calibration_option
@outdir_option
def merge_command(path, folders, calibration, outdir):
    """Merge the shards of an audit.

    The result is identical to that of a single run, and so is the exit status.
    """
    from styleT2I.fairness.cells.merge import merge_cells
    from styleT2I.fairness.labels.sample import keep_images
    from styleT2I.fairness.plan import load_plan
    from styleT2I.fairness.plan.lock import keep_declarations
    from styleT2I.fairness.report.contact_sheets import keep_cells

    plan, vocabulary = load_plan(path)
    confusions = _read_calibration(calibration, plan, vocabulary)
    result = merge_cells(plan, vocabulary, folders, calibration=confusions, labelled=[outdir])
    keep_cells(result, folders, outdir)
    keep_images(folders, outdir)
    keep_declarations(folders, outdir)
    _finish(result, [outdir], outdir, _command_again(path, result, folders[0], calibration))


@command("report")
@click.argument("path", metavar="DIR|audit.json")
@click.option("--parquet", is_flag=True, help="Also write outcomes.parquet: outcomes.csv with types.")
@click.option("--pdf", is_flag=True, help="Also print the page to a PDF, by a Chromium or Chrome of this machine.")
def report_command(path, parquet, pdf):
    """Write the report of an audit again.

    The HTML page and the CSV files are made from the JSON of a finished audit.
    """
    from styleT2I.fairness.report.page import read_result, write_report

    result, path = read_result(path), Path(path)
    folder, name = (path, "audit") if path.is_dir() else (path.parent, path.stem)
    if pdf:
        from styleT2I.fairness.report.pdf import find_browser, write_pdf

        find_browser()
    click.echo(write_report(result, folder, [folder], name))
    if parquet:
        click.echo(result.write_parquet(folder / "outcomes.parquet"))
    if pdf:
        click.echo(write_pdf(result, folder, [folder], name))


def _model_of(plan, model):
    """The model that is named, else the embedded one of the plan's world."""
    return model or (plan.vocabulary if plan.vocabulary in WORLDS else DEFAULT_MODEL)


def _subject(model, images, prompts, function, method, timeout, num, device):
    """The audited system: images, a function or a model, of which one is named."""
    is_model_named = click.get_current_context().get_parameter_source("model").name == "COMMANDLINE"
    if (images is not None) + (function is not None) + is_model_named > 1:
        raise click.UsageError("an audit is of one system; give --model, --images or --callable")
    if method is not None and (images or function):
        raise click.UsageError("--method steers a model's generator; it goes with --model")
    if (images is None) != (prompts is None):
        raise click.UsageError(
            "--images and --prompts belong together: the images, and the CSV file with their sentences"
        )
    if timeout is not None and function is None:
        raise click.UsageError("--timeout limits a --callable; name one, or leave it out")
    if images is not None and num is not None:
        raise click.UsageError("--num does not apply to --images; every listed image is judged")
    if images is not None:
        from styleT2I.fairness.subjects.images import ImagesSubject

        return ImagesSubject(images, prompts)
    if function is not None:
        from styleT2I.fairness.subjects.functions import CallableSubject

        return CallableSubject(function, timeout)
    if method is not None:
        from styleT2I.rivals.methods import open_pipeline
        from styleT2I.rivals.systems import open_rival

        return open_rival(open_pipeline(model, device=device), method)
    return _opened(model, device)


def _opened(model, device):
    from styleT2I.generation.systems.interface import StyleT2ISystem, open_system

    system = open_system(model, device=device)
    return system.pipeline.model if isinstance(system, StyleT2ISystem) else system


def _read_calibration(path, plan, vocabulary):
    from styleT2I.fairness.judges.calibration import read_calibration

    return read_calibration(path, plan, vocabulary) if path else None


def _save_options(outdir):
    """Save the options of a run beside its cells, for the command in the report, except those that shards differ in."""
    from styleT2I.torch_utils.files import write_json_atomic
    from styleT2I.torch_utils.folders import without_secrets

    context = click.get_current_context()
    is_elsewhere = context.params["images"] or context.params["function"]
    given = [] if is_elsewhere else ["--model", str(context.params["model"])]
    for option in context.command.params:
        value, source = context.params.get(option.name), context.get_parameter_source(option.name)
        if isinstance(option, click.Option) and option.name not in _NOT_SAVED and source.name == "COMMANDLINE":
            given += [option.opts[0]] if option.is_flag else [option.opts[0], str(value)]
    write_json_atomic(Path(outdir) / _OPTIONS, without_secrets(given))


def _command_again(path, result, folder, calibration):
    """The command that makes the whole audit again. folder: where a run saved its options."""
    try:
        given = json.loads((Path(folder) / _OPTIONS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        given = ["--model", result.provenance.model["name"]]
    given += ["--num", str(result.provenance.num)] if result.num_overridden and "--images" not in given else []
    given += ["--calibration", calibration] if calibration else []
    return shlex.join(["python", "-m", "styleT2I.audit", "run", path, *given, "--outdir", "audit"])


def _finish(result, folders, outdir, command_again):
    from styleT2I.fairness.report.page import write_report
    from styleT2I.fairness.report.verdict_words import lines_of

    page = write_report(replace(result, rerun=command_again), outdir, folders)
    for line in lines_of(result):
        click.echo(line)
    click.echo(f"{result.verdict}: {page}")
    if status := STATUS.get(result.verdict):
        click.get_current_context().exit(status)


for subcommand in (plan_command, calibrate_command, run_command, merge_command, label_command, report_command):
    main.add_command(subcommand)


if __name__ == "__main__":
    main()
