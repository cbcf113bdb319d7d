"""User studies: `python -m styleT2I.study export --model minifaces --data minifaces:biased/test --outdir study`."""

import click

from styleT2I.cli import command, device_option, done, group, model_option, outdir_option, psi_option, seed_option
from styleT2I.torch_utils.words import counted


@group
def main():
    """Ask people which of two systems' images fits a sentence better: export a form, count the answers."""


@command("export")
@model_option
@click.option("--against", metavar="MODEL", help="Another model to compare with. [default: the same one, without its "
              "adjustment]")  # fmt: skip
@click.option("--data", required=True, metavar="SPEC", help="Captions: of every image the first is drawn.")
@click.option("--num", default=50, type=click.IntRange(1), help="Pairs.")
@click.option("--adjust-method", "method", default="paper", help="Adjustment of the model: paper, hold ...")
@psi_option("psi", default=0.5)
@seed_option
@outdir_option
@device_option
def export(model, against, data, num, method, psi, seed, outdir, device):
    """Write pairs of images in random order, a form (index.html), an empty table of answers, and a key.

    Both systems draw caption i on latent i. Keep key.csv, which says which side is whose, from those who answer.
    """
    from styleT2I.attributes.parsing.parser import parse
    from styleT2I.attributes.prompt import Prompt
    from styleT2I.errors import ConfigError
    from styleT2I.evaluation.image_sources import DrawnImages, open_images
    from styleT2I.evaluation.study.export import write_study
    from styleT2I.generation.adjustment import AdjustmentConfig
    from styleT2I.generation.model import Model
    from styleT2I.generation.pipeline import StyleT2I

    texts = open_images(data)
    if texts.captions is None:
        raise ConfigError(f"{data}: has no captions to draw; name a data set that has")
    captions = [texts.captions[i] for i in range(min(num, len(texts)))]
    wanted = AdjustmentConfig(method)

    def drawn(opened, adjustment):
        vocabulary = opened.vocabulary
        prompts = [Prompt(text, parse(text, vocabulary).attributes if vocabulary else {}, ()) for text in captions]
        return DrawnImages(StyleT2I(opened), len(captions), psi, prompts, adjustment if opened.has("a2d") else None)

    opened = Model.from_pretrained(model, device=device)
    if against is None and not opened.has("a2d"):
        raise ConfigError(f"{model} has no Attribute-to-Direction network, so nothing to compare; add --against MODEL")
    other = opened if against is None else Model.from_pretrained(against, device=device)
    names = (method, "none") if against is None else (opened.name, other.name)
    if names[0] == names[1]:
        names = (model, against)
    second = drawn(other, None if against is None else wanted)
    form = write_study((names[0], drawn(opened, wanted)), (names[1], second), captions, outdir, seed)
    done(f"{counted(len(captions), 'pair')} in {outdir}", "open", form)


@command("tally")
@click.argument("answers", nargs=-1, required=True, metavar="ANSWERS.csv...")
@click.option("--key", required=True, metavar="FILE", help="key.csv of the study.")
@click.option("--out", metavar="FILE", help="Write the counts here too, as JSON.")
def tally_command(answers, key, out):
    """Count filled-in tables: how often each system was preferred, with an interval and a sign test."""
    from styleT2I.evaluation.study.tally import tally, tally_table
    from styleT2I.torch_utils.files import write_json_atomic

    found = tally(key, answers)
    click.echo(tally_table(found))
    if out:
        write_json_atomic(out, found)


main.add_command(export)
main.add_command(tally_command)

if __name__ == "__main__":
    main()
