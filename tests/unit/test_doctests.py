"""The examples in docstrings run and give what they say."""

import doctest
import importlib

import pytest

MODULES = (
    "styleT2I.fairness.judges.calibration",
    "styleT2I.fairness.plan",
    "styleT2I.fairness.report.page",
    "styleT2I.fairness.run",
    "styleT2I.statistics.agreement",
    "styleT2I.statistics.hypothesis_tests",
    "styleT2I.statistics.intervals",
    "styleT2I.statistics.misclassification",
    "styleT2I.statistics.power",
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_a_module_give_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write files
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried and not failed
