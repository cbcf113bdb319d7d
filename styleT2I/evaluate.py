"""Measure a model: `python -m styleT2I.evaluate --suite compositions --out compositions.json`."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from styleT2I.cli import command, device_option, done, model_option, psi_option
from styleT2I.data.worlds import WORLDS
from styleT2I.evaluation.suites import SUITES, Request, load
from styleT2I.options.drawing import adjustment_options, shard_option
from styleT2I.torch_utils.launch import launched

_ON_REQUEST = tuple(name for name, suite in SUITES.items() if not suite.by_default)
_WITH_DATA = tuple(name for name, suite in SUITES.items() if suite.data)


def _quality_options(function):
    """Add the options of the suites quality and protocol: real and fake, and the fields of `QualityConfig`."""
    options = (
        (
            "--real",
            "FOLDER|SPEC",
            "quality, protocol: images to compare with, a folder or as --data. [default: the data]",
        ),
        ("--fake", "FOLDER|SPEC", "quality: measure these images and not the model's."),
        (
            "--features",
            "NAME",
            "quality, protocol: inception (through torch-fidelity), judge, or auto: Inception where its weights are.",
        ),
        ("--lpips", "NAME", "quality: trunk of LPIPS, alex or vgg. [default: the one whose weights are there]"),
        ("--embedder", "FILE", "quality: face embedder for identity, an ONNX file. [default: the judge's features]"),
    )
    for flag, metavar, text in reversed(options):
        function = click.option(flag, metavar=metavar, help=text)(function)
    return function


@command(renamed={"--json": "--out"})
@click.option("--suite", "suites", multiple=True, type=click.Choice(tuple(SUITES)), help="What to measure; repeatable "
              f"(all but {', '.join(_ON_REQUEST)}).")  # fmt: skip
@partial(model_option, default="minifaces")  # its data need no rendering
@click.option("--systems", "sources", multiple=True, metavar="LIST", help="systems: names or folders of models, with "
              f"commas between them; repeatable. style, unclip: the one that is measured. "
              f"[default: the world's own, {','.join([*WORLDS['minifaces'].baselines, 'minifaces'])}; gan_int_cls; "
              "unclip]")  # fmt: skip
@click.option("--world", "world_name", type=click.Choice(tuple(WORLDS)), help="World of faces whose data and "
              "compositions are asked for. [default: the model's, by its vocabulary]")  # fmt: skip
@click.option("--data", metavar="SPEC", help=f"Data for {', '.join(_WITH_DATA)} and the longer sentences of "
              "compositions; the suite's own part of the world if not given.")  # fmt: skip
@click.option("--num", type=click.IntRange(2), help="Images to judge, or latents of each composition; the suite's own "
              "number if not given.")  # fmt: skip
@psi_option("psi", text="Truncation psi of generated images: 1 is off, 0 the mean face.")
@click.option("--generator", metavar="FILE", help="Generator component in place of the model's.")
@click.option("--clip", metavar="FILE", help="CLIP component in place of the model's.")
@click.option("--clip-eval", metavar="FILE", help="CLIP that only scores, in place of the model's.")
@click.option("--t2d", metavar="FILE", help="Text-to-Direction component in place of the model's.")
@click.option("--a2d", metavar="FILE", help="Attribute-to-Direction component in place of the model's.")
@click.option("--directions", metavar="LIST", help="directions: the methods to compare, with commas between them; "
              "optimize and tedigan too. [default: all but these]")  # fmt: skip
@click.option("--attributes", metavar="LIST", help="directions: steer these attributes alone. [default: all that the "
              "judges know]")  # fmt: skip
@click.option("--samples", type=click.IntRange(2), help="directions: faces that the methods look for attributes in. "
              "[default: 1000]")  # fmt: skip
@click.option("--encoder", metavar="FILE", help="Latent encoder component in place of the model's.")
@click.option("--inversions", metavar="LIST", help="inversion: the methods to compare, with commas between them. "
              "[default: all that the model can]")  # fmt: skip
@click.option("--inversion-steps", type=click.IntRange(1), help="inversion: steps of every optimisation. [default: by "
              "method]")  # fmt: skip
@click.option("--adjust-method", "methods", multiple=True, metavar="NAME", help="compositions, systems: none, "
              "paper, calibrated, recheck or hold; repeatable, the summary is the last's. [default: none, "
              "hold]")  # fmt: skip
@adjustment_options
@_quality_options
@click.option("--cells-dir", metavar="DIR", help="compositions, systems: what is finished is cached here, and a killed "
              "run goes on from it. [default: FILE.cells beside --out]")  # fmt: skip
@click.option("--grid", "grid_path", metavar="FILE", help="Write an image here: of compositions, each before and "
              "after; of systems, one row per sentence; for other suites of 24 unprompted samples.")  # fmt: skip
@click.option("--out", "out_path", metavar="FILE", help="Write the metrics here too, as JSON.")
@click.option("--table", "is_table", is_flag=True, help="Measure nothing: print the compositions of REPORTS, files "
              "that --out wrote, as one markdown table; with --suite systems their systems. Without REPORTS "
              "that suite is measured first.")  # fmt: skip
@shard_option("Measure part i of n only, of the suites that cache their parts (compositions, systems); the same "
              "command without --shard puts them together.")  # fmt: skip
@click.argument("reports", nargs=-1, metavar="[REPORTS]...")
@device_option
def main(suites, model, sources, world_name, data, num, psi, methods, strength, threshold, by, clarity,
         keep_surroundings, cells_dir, grid_path, out_path, is_table, shard, reports, device,
         **replacements):  # fmt: skip
    """Measure judges, CLIPs, the generator, Text-to-Direction, rare compositions and single edits on unseen data.

    Every metric names what it rests on. --suite compositions: rare compositions beside their frequent twins from the
    same latents, with and without Compositional Attribute Adjustment. --suite regions: how much of an attribute's edit
    lies inside its region. --suite quality: distances, diversity, CLIP score and identity, of the model or of any two
    folders of images. --suite edits: what one attribute's edit moves besides. --suite directions: edits beside those of
    InterFaceGAN, GANSpace, SeFa, StyleSpace and StyleCLIP. --suite inversion: known faces inverted and edited, rare
    ones beside frequent ones. --suite protocol: the paper's measurement on unseen captions, R-precision, FID and
    attributes (docs/reproducing.md). --suite systems: StyleT2I beside the earlier text-to-image GANs, with controls.
    --suite style: what GAN-INT-CLS's style encoder recovers. --suite unclip: what its priors draw, read off the
    embeddings, its decoder on true embeddings, its edits.

    A model of judges alone has --suite judges. Portraits must be rendered before (python -m styleT2I.data.portraits).
    """
    if reports or (is_table and suites != ("systems",)):
        _print_table(is_table, reports, suites)
        return
    import torch

    import styleT2I
    from styleT2I.evaluation.sharing import measured
    from styleT2I.evaluation.tables import nested_text
    from styleT2I.generation.model import Model
    from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic
    from styleT2I.torch_utils.images import save_png

    suites = suites or tuple(name for name, suite in SUITES.items() if suite.by_default)
    known = dict.fromkeys(name for suite in SUITES.values() for name in suite.options)
    options = {name: replacements.pop(name) for name in known}
    for name in ("directions", "attributes", "inversions"):
        options[name] = _listed([options[name] or ""])
    _check(suites, num, options)
    for path in filter(None, (out_path, grid_path)):
        check_writable_dir(Path(path).absolute().parent)
    adjustments = []
    if any(SUITES[name].is_adjusted for name in suites):
        settings = {
            "strength": strength,
            "threshold": threshold,
            "by": by,
            "clarity": clarity,
            "keep_surroundings": keep_surroundings,
        }
        adjustments = _adjustments(methods, settings)
    opened = Model.from_pretrained(model, device=device, **replacements)
    cells_dir = cells_dir or (out_path and f"{out_path}.cells")
    options["systems"] = _systems(sources)
    world = _world(world_name, opened)
    asked = Request(opened, data, num, psi, adjustments, cells_dir, options, world)
    requests = {name: _request(SUITES[name], asked) for name in suites}
    if launched().count == 1 and shard.count > 1:
        _measure_shard(requests, shard)
        return
    if grid_path and launched().index == 0:
        save_png(grid_path, _grid(requests, asked))
    report = {"suites": {}}
    for name, values in measured(requests, lambda name, request: load(SUITES[name].run)(request)):
        suite, request = SUITES[name], requests[name]
        if suite.data and suite.is_data_reported:
            values = {"data": request.data, **values}
        report["suites"][name] = values
        click.echo(load(suite.table)(values) if suite.table else nested_text(name, values))
    if launched().index:
        return  # the first process has it all
    if "compositions" in suites:
        report = {"summary": report["suites"]["compositions"]["summary"], **report}
    report["model"] = opened.describe(unused=True)  # a run that goes on from cached values loads fewer networks
    report["versions"] = {"styleT2I": styleT2I.__version__, "torch": torch.__version__}
    if out_path:
        write_json_atomic(out_path, report)
    written = [path for path in (out_path, grid_path) if path]
    if written:
        done(f"written: {' and '.join(written)}")


def _world(name, model):
    """The world named, else that of the model's vocabulary, or None; a model without a vocabulary takes its world's."""
    from styleT2I.data.worlds import world_of

    if name is None:
        return world_of(model.vocabulary)
    world = WORLDS[name]
    if model.vocabulary is None:
        model.use_vocabulary(world.vocabulary, name)
    return world


def _check(suites, num, options):
    """UsageError for too few images, or for an option that no chosen suite reads."""
    for name in suites:
        if num and num < SUITES[name].min_num:
            raise click.UsageError(f"--suite {name} needs --num of at least {SUITES[name].min_num}, not {num}")
    for option, value in options.items():
        readers = [name for name, suite in SUITES.items() if option in suite.options]
        if value is not None and not set(readers) & set(suites):
            raise click.UsageError(f"--{option} goes with --suite {' or '.join(readers)}")


def _listed(lists):
    """The names in comma-separated lists; None for none."""
    return [name.strip() for text in lists for name in text.split(",") if name.strip()] or None


def _systems(lists):
    """The names that --systems lists; None where it is not given."""
    names = _listed(lists)
    if lists and not names:
        raise click.UsageError("--systems names no system; write for example --systems dfgan,minifaces")
    return names


def _adjustments(methods, settings):
    """The methods to measure, each with the given settings: those named, else no adjustment and the default one."""
    from styleT2I.generation.adjustment import AdjustmentConfig

    given = {name: value for name, value in settings.items() if value is not None}
    return [AdjustmentConfig(method, **given) for method in methods or ("none", AdjustmentConfig().method)]


def _request(suite, asked):
    """What was asked for with the suite's defaults in it, and whatever the suite opens before anything runs."""
    data, num = asked.data, asked.num or suite.num
    is_data_named = data or ("real" in suite.options and asked.options["real"])
    if suite.data and not is_data_named:
        world = asked.needed_world()
        data, num = world.spec(suite.data, suite.num_data), num and world.most(num)
    request = replace(asked, data=data, num=num)
    if suite.prepare is None:
        return request
    return replace(request, options={**request.options, **load(suite.prepare)(request)})


def _measure_shard(requests, shard):
    """Measure a shard's parts of the suites; click.UsageError where a suite has none, or nothing would be cached."""
    for name, request in requests.items():
        if not (SUITES[name].has_parts and request.cells_dir):
            parts = " and ".join(name for name, suite in SUITES.items() if suite.has_parts)
            raise click.UsageError(
                f"--shard shares out the parts of {parts}, which --cells-dir caches: add it, and name the suite with "
                "--suite"
            )
    for name, request in requests.items():
        load(SUITES[name].run)(replace(request, shard=shard))
        click.echo(
            f"{name}: shard {shard.index + 1} of {shard.count} is in {request.cells_dir}; when all are: the same "
            "command without --shard"
        )


def _grid(requests, asked):
    """The image of the last suite of the table that draws one; else of 24 unprompted samples."""
    drawing = [name for name, suite in SUITES.items() if name in requests and suite.grid]
    if drawing:
        return load(SUITES[drawing[-1]].grid)(requests[drawing[-1]])
    return load("suites.generator:samples_grid")(replace(asked, num=24))


def _print_table(is_table, reports, suites):
    from styleT2I.evaluation.tables import compositions_table, read_report

    if not is_table or not reports:
        raise click.UsageError("reports go with --table: python -m styleT2I.evaluate --table a.json b.json")
    if "systems" in suites:
        for path in reports:
            click.echo(load(SUITES["systems"].table)(read_report(path, "systems")["suites"]["systems"]))
        return
    click.echo(compositions_table([(Path(path).stem, read_report(path)) for path in reports]))


if __name__ == "__main__":
    main()
