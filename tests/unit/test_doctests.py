"""The examples in docstrings of public functions run and show what they say."""

import doctest
import importlib

import pytest

MODULES = (
    "styleT2I.metrics.attributes",
    "styleT2I.metrics.fidelity",
    "styleT2I.metrics.frechet",
    "styleT2I.metrics.kernel_distance",
    "styleT2I.metrics.pairwise",
    "styleT2I.metrics.precision_recall",
    "styleT2I.metrics.r_precision",
    "styleT2I.metrics.zero_shot",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_run(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed
