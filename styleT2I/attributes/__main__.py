"""Print what a sentence states: `python -m styleT2I.attributes "SENTENCE" --vocabulary portraits|celeba|cub`."""

import json

import click

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import BUILT_IN, load_vocabulary
from styleT2I.cli import command
from styleT2I.config import DEFAULT_MODEL


@command()
@click.argument("sentence")
@click.option(
    "--vocabulary",
    default=DEFAULT_MODEL,
    show_default=True,
    metavar="NAME|FILE.json",
    help=f"One of {', '.join(BUILT_IN)}, or a file (docs/attributes.md).",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object: attributes, unknown, corrected, contradictions."
)
def main(sentence, vocabulary, as_json):
    """Print the attributes that SENTENCE states, and every word that was not understood."""
    parsed = parse(sentence, load_vocabulary(vocabulary))
    if as_json:
        click.echo(json.dumps(parsed.to_json(), ensure_ascii=False))
        return
    for mention in parsed.mentions:
        value = "true" if mention.value else "false"
        click.echo(f'{mention.name:<24} {value:<6} "{mention.phrase}" at {mention.span[0]}-{mention.span[1]}')
    if not parsed.mentions:
        click.echo("no attribute is stated")
    for one in parsed.corrected:
        click.echo(f'read as "{one.read_as}": "{one.word}"')
    for word, _, nearest in parsed.unknown:
        click.echo(f'not understood: "{word}"' + (f'; did you mean "{nearest}"?' if nearest else ""))
    for contradiction in parsed.contradictions:
        click.echo(f"the text {contradiction}")


if __name__ == "__main__":
    main()
