"""The examples of the public functions' docstrings run, and print what they say."""

import doctest
import importlib

import pytest

MODULES = (
    "styleT2I.attributes.parsing.parser",
    "styleT2I.attributes.prompt",
    "styleT2I.attributes.vocabulary",
    "styleT2I.attributes.wording.captions",
    "styleT2I.attributes.wording.sentences",
    "styleT2I.data.dataset",
    "styleT2I.generation.loading",
    "styleT2I.generation.pipeline",
    "styleT2I.generation.systems",
)


@pytest.fixture(scope="module")
def names():
    """What every example may use: `pipeline`, the embedded model, loaded once."""
    from styleT2I import StyleT2I

    return {"pipeline": StyleT2I.from_pretrained(device="cpu")}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name, names):
    result = doctest.testmod(importlib.import_module(name), extraglobs=names)
    assert result.attempted and not result.failed
