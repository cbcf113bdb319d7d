"""Measure a model: `python -m styleT2I.evaluate --suite compositions --json compositions.json`."""

from pathlib import Path

import click

from styleT2I.cli import adjustment_options, command, device_option, model_option

_DATA = {  # suites that compare with a data set, and which
    "judges": "minifaces:balanced/test:4000",
    "clip": "minifaces:balanced/test:4000",
    "wordings": "minifaces:balanced/test:800",
    "generator": "minifaces:biased/train:4000",
    "t2d": "minifaces:biased/test:1000",
}
_NUM = {
    "judges": 4000, "clip": 4000, "wordings": 800, "generator": 4000, "t2d": 1000,
    "compositions": 200, "regions": 200, "edits": 200,
}  # fmt: skip
SUITES = tuple(_NUM)
_MIN_NUM = 101  # of the suites with data: R-precision ranks 1 in 100


@command()
@click.option("--suite", "suites", multiple=True, type=click.Choice(SUITES), help="What to measure; repeatable (all).")
@model_option
@click.option("--data", metavar="SPEC", help=f"Data for {', '.join(_DATA)}; the suite's own part of MiniFaces if "
              "not given.")  # fmt: skip
@click.option("--num", type=click.IntRange(2), help="Images to judge, or latents of each composition; the suite's own "
              "number if not given.")  # fmt: skip
@click.option("--trunc", "psi", default=0.7, type=click.FloatRange(0, 2), help="Truncation psi of generated images.")
@click.option("--generator", metavar="FILE", help="Generator component in place of the model's.")
@click.option("--clip", metavar="FILE", help="CLIP component in place of the model's.")
@click.option("--t2d", metavar="FILE", help="Text-to-Direction component in place of the model's.")
@click.option("--a2d", metavar="FILE", help="Attribute-to-Direction component in place of the model's.")
@click.option("--adjust-method", "methods", multiple=True, metavar="NAME", help="compositions: none, paper, "
              "calibrated, recheck or hold; repeatable, the summary is the last's. [default: none, hold]")  # fmt: skip
@adjustment_options
@click.option("--cells-dir", metavar="DIR", help="compositions: finished cells are kept here, and a killed run goes on "
              "from them. [default: FILE.cells beside --json]")  # fmt: skip
@click.option("--grid", "grid_path", metavar="FILE", help="Write a picture here: of compositions, each before and "
              "after; for other suites of 24 unprompted samples.")  # fmt: skip
@click.option("--json", "json_path", metavar="FILE", help="Write the figures here too.")
@click.option("--table", "is_table", is_flag=True, help="Measure nothing: print the compositions of REPORTS, files "
              "that --json wrote, as one markdown table.")  # fmt: skip
@click.argument("reports", nargs=-1, metavar="[REPORTS]...")
@device_option
def main(suites, model, data, num, psi, methods, strength, threshold, by, cells_dir, grid_path, json_path, is_table,
         reports, device, **replacements):  # fmt: skip
    """Measure judges, CLIPs, the generator, Text-to-Direction, rare compositions and single edits on unseen data.

    Every figure names what it rests on. --suite compositions: rare compositions beside their frequent twins from the
    same latents, with and without Compositional Attribute Adjustment. --suite regions: how much of an attribute's edit
    lies inside its region. --suite edits: what one attribute's edit moves besides.
    """
    if is_table or reports:
        _print_table(is_table, reports)
        return
    import torch

    import styleT2I
    from styleT2I.model import Model
    from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic

    suites = suites or SUITES
    _check_num(suites, num)
    for path in filter(None, (json_path, grid_path)):
        check_writable_dir(Path(path).absolute().parent)
    opened = Model.from_pretrained(model, device=device, **replacements)
    settings = {"strength": strength, "threshold": threshold, "by": by}
    adjustments = _adjustments(methods, settings) if "compositions" in suites else []
    if grid_path:
        _save_grid(opened, psi, adjustments, grid_path)
    cells_dir = cells_dir or (json_path and f"{json_path}.cells")
    report = {"suites": {}}
    for suite in suites:
        spec = (data or _DATA[suite]) if suite in _DATA else None
        figures = _run(suite, opened, spec, num or _NUM[suite], psi, adjustments, cells_dir)
        report["suites"][suite] = {"data": spec, **figures} if spec else figures
        _show(suite, report["suites"][suite])
    if "compositions" in suites:
        report = {"summary": report["suites"]["compositions"]["summary"], **report}
    report["model"] = opened.describe()
    report["versions"] = {"styleT2I": styleT2I.__version__, "torch": torch.__version__}
    if json_path:
        write_json_atomic(json_path, report)


def _check_num(suites, num):
    for suite in suites:
        if num and suite in _DATA and num < _MIN_NUM:
            raise click.UsageError(f"--suite {suite} needs --num of at least {_MIN_NUM}, not {num}")


def _adjustments(methods, settings):
    """The methods to measure, each with the given settings: those named, else no adjustment and the default one."""
    from styleT2I.adjustment import AdjustmentConfig

    given = {name: value for name, value in settings.items() if value is not None}
    return [AdjustmentConfig(method, **given) for method in methods or ("none", AdjustmentConfig().method)]


def _run(suite, model, data, num, psi, adjustments, cells_dir):
    from styleT2I.evaluation import captions, compositions, edits, onlookers, regions, samples, wordings

    if suite == "judges":
        return onlookers.evaluate_judges(model, data, num)
    if suite == "clip":
        return onlookers.evaluate_clip(model, data, num)
    if suite == "wordings":
        return wordings.evaluate_wordings(model, data, num)
    if suite == "generator":
        return samples.evaluate_generator(model, data, num, psi)
    if suite == "t2d":
        return captions.evaluate_captions(model, data, num, psi)
    if suite == "regions":
        return regions.evaluate_regions(model, num)
    if suite == "edits":
        return edits.evaluate_edits(model, num, psi)
    return compositions.evaluate_compositions(model, num, psi, adjustments, cells_dir)


def _save_grid(model, psi, adjustments, path):
    from styleT2I.evaluation.compositions import compositions_grid
    from styleT2I.evaluation.samples import plain_samples
    from styleT2I.torch_utils.images import make_grid_u8, save_png, to_uint8

    if adjustments:
        save_png(path, compositions_grid(model, psi, adjustments))
        return
    image = next(plain_samples(model, 24, psi))
    save_png(path, make_grid_u8(to_uint8(image), ncol=8, scale=max(1, 128 // image.shape[-1])))


def _print_table(is_table, reports):
    from styleT2I.evaluation.report_table import compositions_table, read_report

    if not is_table or not reports:
        raise click.UsageError("reports go with --table: python -m styleT2I.evaluate --table a.json b.json")
    click.echo(compositions_table([(Path(path).stem, read_report(path)) for path in reports]))


def _show(title, figures, indent=0):
    """Print figures, nested as they are; a list of mappings (the cells) is for the JSON."""
    click.echo(f"{' ' * indent}{title}")
    for name, value in figures.items():
        if isinstance(value, dict):
            _show(name, value, indent + 2)
        elif not isinstance(value, (list, tuple)):
            click.echo(f"{' ' * indent}  {name:28s}{value if not isinstance(value, float) else format(value, '.4f')}")
        elif not (value and isinstance(value[0], dict)):
            click.echo(f"{' ' * indent}  {name:28s}{'  '.join(f'{v:.4f}' for v in value)}")


if __name__ == "__main__":
    main()
