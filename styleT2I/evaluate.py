"""Measure a model: `python -m styleT2I.evaluate --suite compositions --out compositions.json`."""

from pathlib import Path

import click

from styleT2I.cli import adjustment_options, command, device_option, done, model_option, psi_option

_DATA = {  # suites that compare with a data set, and which
    "judges": "minifaces:balanced/test:4000",
    "clip": "minifaces:balanced/test:4000",
    "wordings": "minifaces:balanced/test:800",
    "generator": "minifaces:biased/train:4000",
    "t2d": "minifaces:biased/test:1000",
    "quality": "minifaces:biased/test:1000",
    "systems": "minifaces:biased/test:4000",
    "style": "minifaces:biased/test:4000",
    "unclip": "minifaces:biased/test:1000",
}
_NUM = {
    "judges": 4000, "clip": 4000, "wordings": 800, "generator": 4000, "t2d": 1000, "quality": 1000,
    "compositions": 200, "regions": 200, "edits": 200, "systems": 500, "style": 500,
    "unclip": 500,
}  # fmt: skip
SUITES = tuple(_NUM)
_OF_OTHERS = ("systems", "style", "unclip")  # suites that need other systems' weights: run where they are named
_MIN_NUM = 101  # of the other suites with data: R-precision ranks 1 in 100
_SYSTEMS = "gan_int_cls,stackgan,attngan,dfgan,minifaces"
_FREE_NUM = (*_OF_OTHERS, "quality")
_QUALITY = ("real", "fake", "features", "lpips", "embedder")


def _quality_options(function):
    """Add the options of the suite quality, named as the fields of `QualityConfig` beside real and fake."""
    options = (
        ("--real", "FOLDER|SPEC", "pictures to compare with, a folder or as --data. [default: the data]"),
        ("--fake", "FOLDER|SPEC", "measure these pictures and not the model's."),
        ("--features", "NAME", "inception (through torch-fidelity), judge, or auto: Inception where its weights are."),
        ("--lpips", "NAME", "trunk of LPIPS, alex or vgg. [default: the one whose weights are there]"),
        ("--embedder", "FILE", "face embedder for identity, an ONNX file. [default: the judge's features]"),
    )
    for flag, metavar, text in reversed(options):
        function = click.option(flag, metavar=metavar, help=f"quality: {text}")(function)
    return function


@command(renamed={"--json": "--out"})
@click.option("--suite", "suites", multiple=True, type=click.Choice(SUITES), help="What to measure; repeatable "
              f"(all but {', '.join(_OF_OTHERS)}).")  # fmt: skip
@model_option
@click.option("--systems", "sources", multiple=True, metavar="LIST", help="systems: names or folders of models, with "
              f"commas between them; repeatable. style, unclip: the one that is measured. [default: {_SYSTEMS}; "
              "gan_int_cls; unclip]")  # fmt: skip
@click.option("--data", metavar="SPEC", help=f"Data for {', '.join(_DATA)}; the suite's own part of MiniFaces if "
              "not given.")  # fmt: skip
@click.option("--num", type=click.IntRange(2), help="Images to judge, or latents of each composition; the suite's own "
              "number if not given.")  # fmt: skip
@psi_option("psi", text="Truncation psi of generated images: 1 is off, 0 the mean face.")
@click.option("--generator", metavar="FILE", help="Generator component in place of the model's.")
@click.option("--clip", metavar="FILE", help="CLIP component in place of the model's.")
@click.option("--clip-eval", metavar="FILE", help="CLIP that only looks, in place of the model's.")
@click.option("--t2d", metavar="FILE", help="Text-to-Direction component in place of the model's.")
@click.option("--a2d", metavar="FILE", help="Attribute-to-Direction component in place of the model's.")
@click.option("--adjust-method", "methods", multiple=True, metavar="NAME", help="compositions, systems: none, "
              "paper, calibrated, recheck or hold; repeatable, the summary is the last's. [default: none, "
              "hold]")  # fmt: skip
@adjustment_options
@_quality_options
@click.option("--cells-dir", metavar="DIR", help="compositions, systems: what is finished is kept here, and a killed "
              "run goes on from it. [default: FILE.cells beside --out]")  # fmt: skip
@click.option("--grid", "grid_path", metavar="FILE", help="Write a picture here: of compositions, each before and "
              "after; of systems, a row a sentence; for other suites of 24 unprompted samples.")  # fmt: skip
@click.option("--out", "out_path", metavar="FILE", help="Write the figures here too, as JSON.")
@click.option("--table", "is_table", is_flag=True, help="Measure nothing: print the compositions of REPORTS, files "
              "that --out wrote, as one markdown table; with --suite systems their systems. Without REPORTS "
              "that suite is measured first.")  # fmt: skip
@click.argument("reports", nargs=-1, metavar="[REPORTS]...")
@device_option
def main(suites, model, sources, data, num, psi, methods, strength, threshold, by, cells_dir, grid_path, out_path,
         is_table, reports, device, **replacements):  # fmt: skip
    """Measure judges, CLIPs, the generator, Text-to-Direction, rare compositions and single edits on unseen data.

    Every figure names what it rests on. --suite compositions: rare compositions beside their frequent twins from the
    same latents, with and without Compositional Attribute Adjustment. --suite regions: how much of an attribute's edit
    lies inside its region. --suite quality: distances, diversity, CLIP score and identity, of the model or of any two
    folders of pictures. --suite edits: what one attribute's edit moves besides. --suite systems: StyleT2I beside the
    earlier text-to-image GANs, with controls. --suite style: what GAN-INT-CLS's style encoder recovers. --suite
    unclip: what its priors draw, read off the embeddings, its decoder on true embeddings, its edits.
    """
    if reports or (is_table and suites != ("systems",)):
        _print_table(is_table, reports, suites)
        return
    import torch

    import styleT2I
    from styleT2I.generation.model import Model
    from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic

    suites = suites or tuple(suite for suite in SUITES if suite not in _OF_OTHERS)
    quality = _quality(suites, {name: replacements.pop(name) for name in _QUALITY})
    _check_num(suites, num)
    for path in filter(None, (out_path, grid_path)):
        check_writable_dir(Path(path).absolute().parent)
    opened = Model.from_pretrained(model, device=device, **replacements)
    settings = {"strength": strength, "threshold": threshold, "by": by}
    is_adjusting = "compositions" in suites or "systems" in suites
    adjustments = _adjustments(methods, settings) if is_adjusting else []
    others = _open_others(suites, sources, adjustments, psi, device)
    if grid_path:
        _save_grid(opened, psi, adjustments, others, grid_path)
    cells_dir = cells_dir or (out_path and f"{out_path}.cells")
    report = {"suites": {}}
    for suite in suites:
        spec = (data or _DATA[suite]) if suite in _DATA else None
        if suite == "quality":
            report["suites"][suite] = _measure_quality(opened, data, num, psi, *quality)
            continue
        figures = _run(suite, opened, spec, num or _NUM[suite], psi, adjustments, cells_dir, others)
        report["suites"][suite] = {"data": spec, **figures} if spec else figures
        if suite == "systems":
            _show_systems(figures)
        else:
            _show(suite, report["suites"][suite])
    if "compositions" in suites:
        report = {"summary": report["suites"]["compositions"]["summary"], **report}
    report["model"] = opened.describe(unused=True)  # a run that goes on from kept figures loads fewer networks
    report["versions"] = {"styleT2I": styleT2I.__version__, "torch": torch.__version__}
    written = [path for path in (out_path, grid_path) if path]
    if out_path:
        write_json_atomic(out_path, report)
    if written:
        done(f"written: {' and '.join(written)}")


def _check_num(suites, num):
    for suite in suites:
        if num and suite in _DATA and suite not in _FREE_NUM and num < _MIN_NUM:
            raise click.UsageError(f"--suite {suite} needs --num of at least {_MIN_NUM}, not {num}")


def _quality(suites, options):
    """(QualityConfig, real, fake) of the options given; click.UsageError where nothing is measured by them."""
    from styleT2I.evaluation.observers.open import QualityConfig

    given = {name: value for name, value in options.items() if value is not None}
    if given and "quality" not in suites:
        raise click.UsageError(f"--{next(iter(given))} goes with --suite quality")
    real, fake = given.pop("real", None), given.pop("fake", None)
    return QualityConfig(**given), real, fake


def _measure_quality(model, data, num, psi, config, real, fake):
    """Figures of the suite quality, printed as a table."""
    from styleT2I.evaluation.suites.quality import evaluate_folders
    from styleT2I.evaluation.suites.quality_model import evaluate_model
    from styleT2I.evaluation.suites.quality_table import quality_table

    real = real or data or _DATA["quality"]
    if fake is None:
        figures = evaluate_model(model, config, real, num or _NUM["quality"], psi)
    else:
        figures = evaluate_folders(model, config, real, fake, num)
    click.echo(quality_table(figures))
    return figures


def _adjustments(methods, settings):
    """The methods to measure, each with the given settings: those named, else no adjustment and the default one."""
    from styleT2I.generation.adjustment import AdjustmentConfig

    given = {name: value for name, value in settings.items() if value is not None}
    return [AdjustmentConfig(method, **given) for method in methods or ("none", AdjustmentConfig().method)]


def _open_others(suites, sources, adjustments, psi, device):
    """What the suites of other systems measure, by suite: rows of the comparison, a style encoder, an unCLIP."""
    is_given = bool(sources)
    sources = [one.strip() for text in sources or (_SYSTEMS,) for one in text.split(",") if one.strip()]
    if not sources:
        raise click.UsageError("--systems names no system; write for example --systems dfgan,minifaces")
    others = {}
    if "systems" in suites:
        from styleT2I.evaluation.suites.systems.candidates import open_rows

        others["systems"] = open_rows(sources, adjustments, psi, device)
    if "style" in suites:
        from styleT2I.evaluation.suites.style import StyleReader

        others["style"] = StyleReader.open(sources[0], device)
    if "unclip" in suites:
        from styleT2I.generation.unclip_edits import ImageEdits

        others["unclip"] = ImageEdits.open(sources[0] if is_given else "unclip", device).system
    return others


def _run(suite, model, data, num, psi, adjustments, cells_dir, others):
    from styleT2I.evaluation.suites import edits, regions, style, unclip
    from styleT2I.evaluation.suites import generator as samples
    from styleT2I.evaluation.suites import judges as onlookers
    from styleT2I.evaluation.suites import t2d as captions
    from styleT2I.evaluation.suites.compositions import suite as compositions
    from styleT2I.evaluation.suites.systems import suite as systems

    if suite == "judges":
        return onlookers.evaluate_judges(model, data, num)
    if suite == "clip":
        return onlookers.evaluate_clip(model, data, num)
    if suite == "wordings":
        from styleT2I.evaluation.suites import wordings

        return wordings.evaluate_wordings(model, data, num)
    if suite == "generator":
        return samples.evaluate_generator(model, data, num, psi)
    if suite == "t2d":
        return captions.evaluate_captions(model, data, num, psi)
    if suite == "regions":
        return regions.evaluate_regions(model, num)
    if suite == "edits":
        return edits.evaluate_edits(model, num, psi)
    if suite == "systems":
        return systems.evaluate_systems(model, others[suite], data, num, cells_dir)
    if suite == "style":
        return style.evaluate_style(others[suite], model, data, num)
    if suite == "unclip":
        return unclip.evaluate_unclip(others[suite], model, data, num)
    return compositions.evaluate_compositions(model, num, psi, adjustments, cells_dir)


def _save_grid(model, psi, adjustments, others, path):
    from styleT2I.evaluation.suites.compositions.suite import compositions_grid
    from styleT2I.evaluation.suites.generator import plain_samples
    from styleT2I.torch_utils.images import make_grid_u8, save_png, to_uint8

    if "systems" in others:
        from styleT2I.evaluation.suites.systems.grid import systems_grid

        save_png(path, systems_grid(others["systems"]))
        return
    if adjustments:
        save_png(path, compositions_grid(model, psi, adjustments))
        return
    image = next(plain_samples(model, 24, psi))
    save_png(path, make_grid_u8(to_uint8(image), ncol=8, scale=max(1, 128 // image.shape[-1])))


def _print_table(is_table, reports, suites):
    from styleT2I.evaluation.tables import compositions_table, read_report

    if not is_table or not reports:
        raise click.UsageError("reports go with --table: python -m styleT2I.evaluate --table a.json b.json")
    if "systems" in suites:
        for path in reports:
            _show_systems(read_report(path, "systems")["suites"]["systems"])
        return
    click.echo(compositions_table([(Path(path).stem, read_report(path)) for path in reports]))


def _show_systems(figures):
    from styleT2I.evaluation.suites.systems.table import systems_tables

    click.echo(systems_tables(figures))


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
