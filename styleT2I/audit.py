"""Audit a model's compositions: `python -m styleT2I.audit plan PLAN.yaml`, `audit run PLAN.yaml --outdir DIR`."""

import json
import re
import shlex
from pathlib import Path

import click

from styleT2I.cli import command, device_option, done, group, model_option, outdir_option
from styleT2I.torch_utils.words import counted

FAILED = 3  # exit status of an audit that a declared threshold fails
_OPTIONS = "options.json"  # in an audit's folder
_NOT_KEPT = {"model", "num", "shard", "calibration", "outdir", "device", "offline", "debug"}


class ShardRange(click.ParamType):
    """Part i of n, "2/4"."""

    name = "shard"

    def convert(self, value, param, ctx):
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", value, re.ASCII)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            self.fail(f"{value!r} is not a shard; write i/n with i from 1 to n, for example 1/4", param, ctx)
        return int(match[1]), int(match[2])


@group
def main():
    """Do some compositions of attributes come out less often than others? Declared first, paired by latent, tested."""


@command("plan")
@click.argument("path", required=False, metavar="[PLAN.yaml]")
@click.option("--detect", nargs=2, type=float, metavar="P1 P2", help="Two shares of success to tell apart.")
@click.option("--power", default=0.8, help="Chance of telling them apart.")
@click.option("--alpha", type=float, help="Chance of even one false finding. [default: the plan's, else 0.05]")
@click.option("--correlation", default=0.0, help="Of the two successes from one latent; 0 is the careful choice.")
@click.option("--comparisons", type=click.IntRange(1), help="Primary comparisons. [default: the plan's, else 1]")
def plan_command(path, detect, power, alpha, correlation, comparisons):
    """Check a plan, and say how many pictures of a composition tell two shares of success apart."""
    from styleT2I.fairness.plan import load_plan, plan_hash

    if not (path or detect):
        raise click.UsageError("nothing to plan; give PLAN.yaml, --detect P1 P2, or both")
    plan = None
    if path:
        plan, vocabulary = load_plan(path)
        num_cells, num_settings = len(plan.drawn_cells(vocabulary)), len(plan.settings)
        click.echo(
            f"{plan.name}: {counted(num_cells, 'composition')} x {counted(plan.num, 'picture')} x "
            f"{counted(num_settings, 'setting')} = {counted(num_cells * plan.num * num_settings, 'picture')}, "
            f"{counted(len(plan.comparisons), 'primary comparison')}, {counted(len(plan.thresholds), 'threshold')}"
        )
        click.echo(f"sha256 {plan_hash(plan)}")
    if detect:
        alpha = alpha if alpha is not None else plan.alpha if plan else 0.05
        comparisons = comparisons or max(1, len(plan.comparisons) if plan else 1)
        from styleT2I.statistics.power import pairs_needed

        num = pairs_needed(*detect, power, alpha, correlation, comparisons)
        click.echo(
            f"{counted(num, 'pair')} tell {detect[0]:g} from {detect[1]:g} with power {power:g} (exact McNemar test, "
            f"alpha {alpha:g} over {counted(comparisons, 'comparison')}, correlation {correlation:g})"
        )


@command("calibrate", renamed={"--json": "--out"})
@click.argument("path", metavar="PLAN.yaml")
@model_option
@click.option("--num", default=300, type=click.IntRange(10), help="Labelled pictures with, and as many without, each "
              "composition.")  # fmt: skip
@click.option("--data", metavar="DATA", help="Labelled pictures: a folder with attributes.csv. [default: unseen "
              "MiniFaces pictures]")  # fmt: skip
@click.option("--resolution", type=click.IntRange(8, 4096), help="Side of the pictures. [default: the model's]")
@click.option("--out", "out_path", required=True, metavar="FILE", help="Write the judge's confusion here, as JSON.")
@device_option
def calibrate_command(path, model, num, data, resolution, out_path, device):
    """Measure how often the plan's judge errs in each composition, on labelled pictures, for run's --calibration."""
    from styleT2I.fairness.judges.calibration import calibrate
    from styleT2I.fairness.judges.judge import open_judge
    from styleT2I.fairness.plan import load_plan
    from styleT2I.fairness.subjects.base import as_subject
    from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic

    plan, vocabulary = load_plan(path)
    subject = as_subject(_opened(model, device))
    judge = open_judge(plan.judge, vocabulary, subject.model, device)
    check_writable_dir(Path(out_path).absolute().parent)
    found = calibrate(plan, vocabulary, judge, num, resolution or subject.resolution, data)
    write_json_atomic(out_path, found)
    for name, counts in found["cells"].items():
        num_right, num_wrong = (counts[one] + counts[two] for one, two in (
            ("true_positive", "false_negative"), ("true_negative", "false_positive")))  # fmt: skip
        click.echo(
            f"{name}: seen in {counts['true_positive']} of {num_right} pictures that show it, "
            f"and in {counts['false_positive']} of {num_wrong} that do not"
        )
    again = ("python", "-m", "styleT2I.audit", "run", path, "--calibration", out_path, "--outdir", "audit")
    done(f"written: {out_path}", None, *again)


_calibration_option = click.option(
    "--calibration",
    metavar="FILE",
    help="What audit calibrate wrote: gaps are corrected, and thresholds hold for those.",
)


@command("run")
@click.argument("path", metavar="PLAN.yaml")
@model_option
@click.option("--images", type=click.Path(), metavar="DIR", help="Pictures made elsewhere, in place of a model's.")
@click.option("--prompts", type=click.Path(), metavar="FILE.csv", help="Of --images: columns file, prompt or "
              "composition, and seed.")  # fmt: skip
@click.option("--callable", "function", metavar="MODULE:FUNCTION", help="A Python function (prompt, seed) -> picture, "
              "in place of a model.")  # fmt: skip
@click.option("--num", type=click.IntRange(1), help="Pictures of a composition in place of the plan's; the report "
              "says so.")  # fmt: skip
@click.option("--shard", default="1/1", type=ShardRange(), metavar="i/n", help="Draw part i of n only, for merge.")
@_calibration_option
@outdir_option
@device_option
def run_command(path, model, images, prompts, function, num, shard, calibration, outdir, device):
    """Draw and judge what a plan declares, and write DIR/audit.html, audit.json and CSV files; exit status 3 when a
    threshold fails.

    Finished compositions are kept in DIR/cells: a killed audit goes on from them.
    """
    from styleT2I.fairness.plan import load_plan

    plan, vocabulary = load_plan(path)
    from styleT2I.fairness.run import Audit

    confusions = _read_calibration(calibration, plan, vocabulary)
    audit = Audit(plan, vocabulary, _subject(model, images, prompts, function, num, device), num, device=device)
    try:
        audit.run(outdir, shard, confusions)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt("finished compositions are kept: the same command goes on from there") from error
    _keep_options(outdir)
    if shard[1] == 1:
        result = audit.result(outdir, confusions)
        _finish(result, [outdir], outdir, _command_again(path, result, outdir, calibration))
    else:
        click.echo(f"shard {shard[0]} of {shard[1]} is in {outdir}; when all are: audit merge {path} DIR ...")


@command("merge")
@click.argument("path", metavar="PLAN.yaml")
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False), metavar="DIR...")
@_calibration_option
@outdir_option
def merge_command(path, folders, calibration, outdir):
    """Write the audit of shards, the very one of an audit in one run; exit status 3 when a threshold fails."""
    from styleT2I.fairness.plan import load_plan
    from styleT2I.fairness.report.contact_sheets import keep_cells
    from styleT2I.fairness.results import merge_cells

    plan, vocabulary = load_plan(path)
    confusions = _read_calibration(calibration, plan, vocabulary)
    result = merge_cells(plan, vocabulary, folders, calibration=confusions)
    keep_cells(result, folders, outdir)
    _finish(result, [outdir], outdir, _command_again(path, result, folders[0], calibration))


@command("report")
@click.argument("path", metavar="DIR|audit.json")
def report_command(path):
    """Write the HTML page and the CSV files of a finished audit again, beside its JSON."""
    from styleT2I.fairness.report.page import read_result, write_report

    result, path = read_result(path), Path(path)
    folder, name = (path, "audit") if path.is_dir() else (path.parent, path.stem)
    click.echo(write_report(result, folder, [folder], name))


def _subject(model, images, prompts, function, num, device):
    """What is audited: pictures, a function, or a model, of which one is named."""
    is_model_named = click.get_current_context().get_parameter_source("model").name == "COMMANDLINE"
    if (images is not None) + (function is not None) + is_model_named > 1:
        raise click.UsageError("an audit is of one thing; name --model, --images or --callable")
    if (images is None) != (prompts is None):
        raise click.UsageError("--images and --prompts belong together: pictures, and the CSV that says what of")
    if images is not None and num is not None:
        raise click.UsageError("--num draws nothing with --images; every picture that is listed is looked at")
    if images is not None:
        from styleT2I.fairness.subjects.images import ImagesSubject

        return ImagesSubject(images, prompts)
    if function is not None:
        from styleT2I.fairness.subjects.functions import CallableSubject

        return CallableSubject(function)
    return _opened(model, device)


def _opened(model, device):
    from styleT2I.generation.systems import StyleT2ISystem, open_system

    system = open_system(model, device=device)
    return system.pipeline.model if isinstance(system, StyleT2ISystem) else system


def _read_calibration(path, plan, vocabulary):
    from styleT2I.fairness.judges.calibration import read_calibration

    return read_calibration(path, plan, vocabulary) if path else None


def _keep_options(outdir):
    """Keep what a run was told beside its cells, for the command in a report, but for what shards may differ in."""
    from styleT2I.torch_utils.files import write_json_atomic
    from styleT2I.torch_utils.records import without_secrets

    context = click.get_current_context()
    is_elsewhere = context.params["images"] or context.params["function"]
    given = [] if is_elsewhere else ["--model", str(context.params["model"])]
    for option in context.command.params:
        value, source = context.params.get(option.name), context.get_parameter_source(option.name)
        if isinstance(option, click.Option) and option.name not in _NOT_KEPT and source.name == "COMMANDLINE":
            given += [option.opts[0]] if option.is_flag else [option.opts[0], str(value)]
    write_json_atomic(Path(outdir) / _OPTIONS, without_secrets(given))


def _command_again(path, result, folder, calibration):
    """The command that makes the audit again, whole; folder: where a run kept its options."""
    try:
        given = json.loads((Path(folder) / _OPTIONS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        given = ["--model", result["model"]["name"]]
    given += ["--num", str(result["num"])] if result["num_overridden"] and "--images" not in given else []
    given += ["--calibration", calibration] if calibration else []
    return shlex.join(["python", "-m", "styleT2I.audit", "run", path, *given, "--outdir", "audit"])


def _finish(result, folders, outdir, command_again):
    from styleT2I.fairness.report.page import write_report

    page = write_report({**result, "rerun": command_again}, outdir, folders)
    for one in result["comparisons"]:
        low, high = one["gap_interval"]
        click.echo(
            f"{one['name']}: {one['first']['cell']} {one['success'][0]:.3f}, {one['second']['cell']} "
            f"{one['success'][1]:.3f}, gap {one['gap']:+.3f} ({low:+.3f} to {high:+.3f}), p {one['p_holm']:.2g} (Holm)"
        )
    click.echo(f"{result['verdict']}: {page}")
    if result["failed"]:
        click.get_current_context().exit(FAILED)


for one in (plan_command, calibrate_command, run_command, merge_command, report_command):
    main.add_command(one)


if __name__ == "__main__":
    main()
