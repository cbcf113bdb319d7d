"""Sub-commands of `audit` that draw nothing: its plan's numbers, and people's labels of its images."""

import warnings
from pathlib import Path

import click

from styleT2I.cli import command
from styleT2I.torch_utils.words import counted


@command("plan")
@click.argument("path", required=False, metavar="[PLAN.yaml]")
@click.option("--detect", nargs=2, type=float, metavar="P1 P2", help="Two success rates to tell apart.")
@click.option("--power", default=0.8, help="Probability of telling them apart.")
@click.option("--alpha", type=float, help="Probability of even one false finding. [default: the plan's, else 0.05]")
@click.option("--correlation", default=0.0, help="Correlation of both successes of a pair; 0 is the careful choice.")
@click.option(
    "--comparisons", type=click.IntRange(1), help="Number of primary comparisons. [default: the plan's, else 1]"
)
@click.option("--detect-within", is_flag=True, help="How many images per composition show all limits of the plan kept, "
              "by a model without gaps.")  # fmt: skip
@click.option("--success", default=0.8, help="Success rate of that model.")
@click.option("--label-width", type=float, metavar="WIDTH", help="How many pairs, and images of unprompted sentences, "
              "to label for gaps and rates that are known to ± WIDTH (0.05: 5 points).")  # fmt: skip
@click.option("--judge-accuracy", default=0.95, help="--label-width: how often the judge is right about success.")
def plan_command(
    path, detect, power, alpha, correlation, comparisons, detect_within, success, label_width, judge_accuracy
):
    """Check a plan and its number of images.

    With --detect: how many images per composition tell two success rates apart.
    With --detect-within: how many show every declared limit kept, and a warning where the plan has fewer.
    With --label-width: how many pairs, and images of unprompted sentences, people have to label.
    """
    from styleT2I.fairness.plan import load_plan, plan_hash

    if not (path or detect):
        raise click.UsageError("nothing to plan; give PLAN.yaml, --detect P1 P2, or both")
    if (detect_within or label_width) and not path:
        option = "--detect-within" if detect_within else "--label-width"
        raise click.UsageError(f"{option} is about a plan; give PLAN.yaml")
    plan = None
    if path:
        plan, vocabulary = load_plan(path)
        num_cells, num_settings = len(plan.drawn_cells(vocabulary)), len(plan.settings)
        click.echo(
            f"{plan.name}: {counted(num_cells, 'composition')} x {counted(plan.num, 'image')} x "
            f"{counted(num_settings, 'setting')} = {counted(num_cells * plan.num * num_settings, 'image')}, "
            f"{counted(len(plan.comparisons), 'primary comparison')}, {counted(len(plan.limits), 'limit')}"
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

    from styleT2I.fairness.plan.sample_size import label_sentence, unprompted_label_sentence, within_sentences

    if plan and detect_within:
        said, warning = within_sentences(plan, power, alpha if alpha is not None else plan.alpha, correlation, success)
        click.echo(said)
        if warning:
            warnings.warn(warning, stacklevel=2)
    if label_width:
        if plan.comparisons or not plan.unprompted:
            click.echo(label_sentence(label_width, plan.num, success, correlation, judge_accuracy))
        if plan.unprompted:
            click.echo(unprompted_label_sentence(label_width, plan, judge_accuracy))


@command("label")
@click.argument("folder", type=click.Path(exists=True, file_okay=False), metavar="DIR")
@click.option("--rater", required=True, metavar="NAME", help="Who labels. Two raters label, each alone.")
@click.option("--resolve", is_flag=True, help="Label only what the two raters answered differently.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Of the page on this machine; 0: any free one.")
def label_command(folder, rater, resolve, port):
    """Label a sample of an audit's images, in a browser on this machine.

    The plan declares the sample (labels: 100). Answers are kept at once in DIR/labels/NAME.csv: the same command
    resumes. Once two raters have finished, rates, gaps and verdicts rest on their labels, and the report is written
    again.
    """
    from styleT2I.fairness.labels.reanalysis import label_session, labelled_again
    from styleT2I.fairness.labels.server import LabelServer
    from styleT2I.torch_utils.folders import locked_folder

    session = label_session(folder, rater, resolve)
    with locked_folder(folder, f"labels-{rater}"), LabelServer(session, port) as server:
        click.echo(f"{session.num_done} of {counted(session.num, 'image')} answered; open {server.address}")
        try:
            server.serve_forever()
        except KeyboardInterrupt as error:
            raise KeyboardInterrupt("answers are kept: the same command resumes") from error
    result = labelled_again(folder)
    click.echo(f"{session.num_done} of {counted(session.num, 'image')} answered by {rater}")
    if result.labels.reason:
        click.echo(f"{result.labels.reason}")
    click.echo(f"{result.verdict}: {Path(folder) / 'audit.html'}")
