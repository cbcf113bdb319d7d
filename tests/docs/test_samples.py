"""Samples in README.md and docs/ do what the pages say: every Python and shell sample runs, small, in page order.

Those marked `<!-- not run: REASON -->` in the page only have their imports and options checked.
"""

import ast
import importlib
import re

import pytest

from tests.conftest import ROOT
from tests.docs.commands import command_of, commands_in
from tests.docs.pages import PAGES, samples
from tests.docs.runner import run_line, run_python
from tests.docs.scaling import RULES, scaled
from tests.docs.stand_ins import STAND_INS, put_stand_ins

WITH_SAMPLES = [page for page in PAGES if any(sample.reason is None for sample in samples(page))]


def each(pages):
    return pytest.mark.parametrize("page", pages, ids=lambda page: page.stem)


@each(PAGES)
def test_what_python_samples_import_exists(page):
    for sample in samples(page):
        if sample.language == "python":
            for node in ast.walk(ast.parse(sample.text)):
                if isinstance(node, ast.ImportFrom) and node.module.startswith("styleT2I"):
                    module = importlib.import_module(node.module)
                    for name in node.names:
                        assert hasattr(module, name.name), ast.unparse(node)


@each(PAGES)
def test_options_in_shell_samples_are_options_of_the_commands(page):
    for sample in samples(page):
        if sample.language == "bash":
            for module, words in commands_in(sample):
                command, words = command_of(module, words)
                options = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
                for word in words:
                    if word.startswith("--"):
                        assert word.partition("=")[0] in {*options, "--help"}, f"python -m {module} ... {word}"


@each(PAGES)
def test_files_of_the_checkout_in_shell_samples_exist(page):
    for sample in samples(page):
        for path in re.findall(r"\b(?:tests|tools|benchmarks|docs/audit|examples)/[\w/.]+\.\w+", sample.text):
            assert (ROOT / path).is_file(), path


@pytest.fixture
def work(tmp_path, monkeypatch):
    """An empty working folder, a user's cache of its own, and no network."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("STYLET2I_OFFLINE", "1")


def run_page(page, is_slow):
    """Run the samples of a page in order: all of them, or those that are not slow."""
    names = {}
    for sample in samples(page):
        if sample.reason is not None:
            continue
        is_shell = sample.language == "bash"
        for code in sample.lines if is_shell else [sample.text]:
            small = scaled(code, is_shell)
            if small.is_slow and not is_slow:
                continue
            for module in small.needs:
                pytest.importorskip(module)
            put_stand_ins(small.code)
            if is_shell:
                run_line(small.code, sample.expected.get(code))
            else:
                run_python(small.code, names)


def parts(page):
    """Whether each thing that is run of a page is slow."""
    for sample in samples(page):
        if sample.reason is None:
            is_shell = sample.language == "bash"
            yield from (scaled(code, is_shell).is_slow for code in (sample.lines if is_shell else [sample.text]))


@each([page for page in WITH_SAMPLES if not all(parts(page))])
def test_quick_samples_run(page, work):
    run_page(page, is_slow=False)


@pytest.mark.slow
@each([page for page in WITH_SAMPLES if any(parts(page))])
def test_all_samples_run_in_order(page, work):
    run_page(page, is_slow=True)


def test_every_rule_and_stand_in_serves_a_sample():
    run = [sample for page in PAGES for sample in samples(page) if sample.reason is None]
    texts = [text for sample in run for text in (sample.lines if sample.language == "bash" else [sample.text])]
    small = "\n".join(scaled(text).code for text in texts)
    assert not [rule.pattern for rule in RULES if not any(re.search(rule.pattern, text) for text in texts)]
    assert not [name for name in STAND_INS if name not in small]
