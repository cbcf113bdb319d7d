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
def test_examples_of_a_module_give_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write files
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert tried and not failed
