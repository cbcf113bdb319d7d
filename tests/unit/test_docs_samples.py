"""Samples in README.md and docs/: what their Python imports exists, and commands know every option they are given."""

import ast
import importlib
import re

import click
import pytest

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page, language):
    return re.findall(rf"^ *```{language}\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def command_lines(page):
    """(module, words) of every `python -m styleT2I.MODULE ...` of a page's shell samples."""
    for block in blocks(page, "bash"):
        for line in re.sub(r"\\\n", " ", block).splitlines():
            for _, module, rest in re.findall(r"(python3? -m (styleT2I[.\w]*))((?: [^#|;&>]*)?)", line.split(" # ")[0]):
                yield module, rest.split()


def command_of(module, words):
    """The click command that the words are given to, and the words."""
    try:
        command = importlib.import_module(module).main
    except AttributeError:
        command = importlib.import_module(f"{module}.__main__").main
    if isinstance(command, click.Group):
        return command.commands[words[0]], words[1:]
    return command, words


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_python_samples_import_exists(page):
    for block in blocks(page, "python"):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("styleT2I"):
                module = importlib.import_module(node.module)
                for name in node.names:
                    assert hasattr(module, name.name), f"{page.name}: {ast.unparse(node)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_in_shell_samples_are_options_of_the_commands(page):
    for module, words in command_lines(page):
        command, words = command_of(module, words)
        options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
        options |= {"--help", "-h"}
        for word in words:
            if word.startswith("--"):
                assert word.partition("=")[0] in options, f"{page.name}: python -m {module} ... {word}"
