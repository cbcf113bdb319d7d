"""docs/commands.md and the commands agree: old names are in its table, and what it calls an option's meaning exists."""

import re

import click

from styleT2I.__main__ import COMMANDS, main
from tests.conftest import ROOT

PAGE = (ROOT / "docs/commands.md").read_text(encoding="utf-8")


def commands():
    """(name as the page writes it, command) of every command and of those in groups."""
    context = click.Context(main)
    for name in (name for named in COMMANDS.values() for name in named):
        command = main.get_command(context, name)
        if isinstance(command, click.Group):
            yield from ((f"{name} {inner}", one) for inner, one in command.commands.items())
        else:
            yield name, command


def test_every_old_name_of_an_option_is_in_the_table_beside_the_new_one():
    table = PAGE.partition("Old names still work")[2]
    rows = [re.findall(r"`([^`]+)`", cell) for line in table.splitlines() for cell in line.split("|")[1:2]]
    listed = {name for row in rows for name in row}
    for name, command in commands():
        for old, new in command.renamed.items():
            line = next(line for line in table.splitlines() if f"`{name}`" in line and f"`{old}" in line)
            assert f"`{new}" in line and name in listed
            assert any(new in option.opts for option in command.params)


def test_a_new_name_means_the_same_kind_of_thing_in_every_command():
    kinds = {}
    for _, command in commands():
        for option in command.params:
            if isinstance(option, click.Option):
                for flag in ("--json", "--columns", "--out", "--grid", "--system", "--dictionary", "--captions"):
                    if flag in option.opts:
                        kinds.setdefault(flag, set()).add((option.is_flag, option.metavar))
    assert all(len(kind) == 1 for kind in kinds.values()), kinds
