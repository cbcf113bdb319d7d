"""Measure a model: `python -m styleT2I.evaluate --suite t2d --json t2d.json`."""

import click

from styleT2I.cli import command, device_option, model_option

SUITES = ("judges", "clip", "generator", "t2d")
_DATA = {
    "judges": "minifaces:balanced/test:4000",
    "clip": "minifaces:balanced/test:4000",
    "generator": "minifaces:biased/train:4000",
    "t2d": "minifaces:biased/test:1000",
}
_NUM = {"judges": 4000, "clip": 4000, "generator": 4000, "t2d": 1000}


@command()
@click.option("--suite", "suites", multiple=True, type=click.Choice(SUITES), help="What to measure; repeatable (all).")
@model_option
@click.option("--data", metavar="SPEC", help="Data to compare with; the suite's own part of MiniFaces if not given.")
@click.option("--num", type=click.IntRange(101), help="Images to judge; the suite's own number if not given.")
@click.option("--trunc", "psi", default=0.7, type=click.FloatRange(0, 2), help="Truncation psi of generated images.")
@click.option("--t2d", metavar="FILE", help="Text-to-Direction component in place of the model's.")
@click.option("--generator", metavar="FILE", help="Generator component in place of the model's.")
@click.option("--grid", "grid_path", metavar="FILE", help="Write a picture of 24 unprompted samples here.")
@click.option("--json", "json_path", metavar="FILE", help="Write the figures here too.")
@device_option
def main(suites, model, data, num, psi, t2d, generator, grid_path, json_path, device):
    """Measure judges, CLIPs, the generator and Text-to-Direction on unseen data.

    Every figure names what it rests on.
    """
    from pathlib import Path

    import torch

    import styleT2I
    from styleT2I.model import Model
    from styleT2I.torch_utils.files import check_writable_dir, write_json_atomic

    for path in filter(None, (json_path, grid_path)):
        check_writable_dir(Path(path).absolute().parent)
    opened = Model.from_pretrained(model, device=device, generator=generator, t2d=t2d)
    if grid_path:
        _save_grid(opened, psi, grid_path)
    report = {"suites": {}}
    for suite in suites or SUITES:
        spec, count = data or _DATA[suite], num or _NUM[suite]
        figures = _run(suite, opened, spec, count, psi)
        report["suites"][suite] = {"data": spec, **figures}
        _show(suite, report["suites"][suite])
    report["model"] = opened.describe()
    report["versions"] = {"styleT2I": styleT2I.__version__, "torch": torch.__version__}
    if json_path:
        write_json_atomic(json_path, report)


def _run(suite, model, data, num, psi):
    from styleT2I.evaluation import captions, onlookers, samples

    if suite == "judges":
        return onlookers.evaluate_judges(model, data, num)
    if suite == "clip":
        return onlookers.evaluate_clip(model, data, num)
    if suite == "generator":
        return samples.evaluate_generator(model, data, num, psi)
    return captions.evaluate_captions(model, data, num, psi)


def _save_grid(model, psi, path):
    from styleT2I.evaluation.samples import plain_samples
    from styleT2I.torch_utils.images import make_grid_u8, save_png, to_uint8

    image = next(plain_samples(model, 24, psi))
    save_png(path, make_grid_u8(to_uint8(image), ncol=8, scale=max(1, 128 // image.shape[-1])))


def _show(title, figures, indent=0):
    click.echo(f"{' ' * indent}{title}")
    for name, value in figures.items():
        if isinstance(value, dict):
            _show(name, value, indent + 2)
        elif isinstance(value, (list, tuple)):
            click.echo(f"{' ' * indent}  {name:28s}{'  '.join(f'{v:.4f}' for v in value)}")
        else:
            click.echo(f"{' ' * indent}  {name:28s}{value if not isinstance(value, float) else format(value, '.4f')}")


if __name__ == "__main__":
    main()
