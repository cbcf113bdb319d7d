"""The click commands behind the `python -m styleT2I...` lines of the pages."""

import importlib
import re

import click

_LINE = re.compile(r"(?:python3? -m )(styleT2I[.\w]*)((?: [^#|;&>]*)?)")


def command_of(module, words):
    """The click command that the words are given to, and the words."""
    try:
        command = importlib.import_module(module).main
    except AttributeError:
        command = importlib.import_module(f"{module}.__main__").main
    while isinstance(command, click.Group):
        command, words = command.commands[words[0]], words[1:]
    return command, words


def commands_in(sample):
    """(module, words) of every command of this package in a shell sample."""
    for line in sample.lines:
        for module, rest in _LINE.findall(line):
            yield module, rest.split()
