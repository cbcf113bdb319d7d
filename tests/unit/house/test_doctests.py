"""The examples of the public functions' docstrings run, and print what they say."""

import doctest
import importlib

import pytest

MODULES = (
    "styleT2I.attributes.parsing.parser",
    "styleT2I.attributes.parsing.spelling",
    "styleT2I.attributes.prompt",
    "styleT2I.attributes.vocabulary",
    "styleT2I.attributes.wording.captions",
    "styleT2I.attributes.wording.sentences",
    "styleT2I.attributes.wording.word_list",
    "styleT2I.data.dataset",
    "styleT2I.data.portraits.anatomy.surface",
    "styleT2I.data.portraits.parts",
    "styleT2I.data.portraits.tracing.colours",
    "styleT2I.data.portraits.tracing.noise",
    "styleT2I.data.training.degrade_config",
    "styleT2I.data.releases.collections.rows",
    "styleT2I.data.releases.release",
    "styleT2I.data.releases.specs",
    "styleT2I.data.statistics",
    "styleT2I.data.worlds",
    "styleT2I.generation.loading",
    "styleT2I.generation.pipeline",
    "styleT2I.generation.systems.interface",
    "styleT2I.inversion.distance",
    "styleT2I.ops.activations",
    "styleT2I.rivals.calibration",
    "styleT2I.rivals.ways",
    "styleT2I.rivals.interfacegan",
    "styleT2I.torch_utils.words",
    "styleT2I.fairness.analysis.decisions.soundness",
    "styleT2I.fairness.judges.calibration",
    "styleT2I.fairness.plan.audit_plan",
    "styleT2I.fairness.plan.cover",
    "styleT2I.fairness.plan.lock",
    "styleT2I.fairness.report.page",
    "styleT2I.fairness.run",
    "styleT2I.staged.engine",
    "styleT2I.staged.hours",
    "styleT2I.staged.papers",
    "styleT2I.training.stylegan2.augmentation",
    "styleT2I.fairness.schema",
    "styleT2I.fairness.testing",
    "styleT2I.statistics.agreement",
    "styleT2I.statistics.contrasts",
    "styleT2I.statistics.equivalence_power",
    "styleT2I.statistics.evidence",
    "styleT2I.statistics.hypothesis_tests",
    "styleT2I.statistics.intervals",
    "styleT2I.statistics.joint_errors",
    "styleT2I.statistics.misclassification",
    "styleT2I.statistics.power",
    "styleT2I.metrics.fidelity",
    "styleT2I.metrics.frechet",
    "styleT2I.metrics.kernel_distance",
    "styleT2I.metrics.pairwise",
    "styleT2I.metrics.precision_recall",
    "styleT2I.metrics.r_precision",
    "styleT2I.metrics.attributes",
)


@pytest.fixture(scope="module")
def names():
    """What every example may use: `pipeline`, the embedded model, loaded once."""
    from styleT2I import StyleT2I

    return {"pipeline": StyleT2I.from_pretrained("minifaces", device="cpu")}


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_hold(name, names, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # an example may write files
    flags = doctest.NORMALIZE_WHITESPACE
    result = doctest.testmod(importlib.import_module(name), extraglobs=names, optionflags=flags)
    assert result.attempted and not result.failed
