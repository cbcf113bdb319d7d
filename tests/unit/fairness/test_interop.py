"""A result in other people's tools: Parquet, fairlearn's MetricFrame, matplotlib, notebooks."""

import importlib

import pytest

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.config import from_dict
from styleT2I.errors import DataError, DependencyError
from styleT2I.fairness.cells.outcome_table import COLUMNS, outcome_rows
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.run import Audit
from tests import fake_faces
from tests.audit_result import audit_plan, audit_result


@pytest.fixture
def audited(tmp_path):
    plan = from_dict(AuditPlan, {**fake_faces.PLAN, "max_undetermined": 0.5, "num": 10})
    audit = Audit(plan, load_vocabulary("minifaces"), fake_faces.draw, device="cpu")
    audit.run(tmp_path)
    return audit.result(tmp_path)


def test_parquet_holds_the_rows_of_the_table_with_their_types(audited, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(audited.write_parquet(tmp_path / "outcomes.parquet"))
    assert tuple(table.column_names) == COLUMNS and table.to_pylist() == list(outcome_rows(audited))
    assert {name: str(table.schema.field(name).type) for name in ("seed", "score", "verdict")} == {
        "seed": "int64", "score": "double", "verdict": "string",
    }  # fmt: skip
    assert table.column("score").null_count == 2  # the judge could not tell about seed 9 of either composition


def test_a_metric_frame_has_the_gap_and_the_ratio_of_each_comparison(audited):
    pytest.importorskip("fairlearn")
    frame = audited.metric_frame()
    assert frame.by_group["success"].to_dict() == {("lipstick", "he"): 0.5, ("lipstick", "she"): 0.9}
    assert frame.by_group["images"].tolist() == [10, 10]
    assert frame.difference()["success"]["lipstick"] == pytest.approx(audited.comparisons[0].gap)
    assert frame.ratio()["success"]["lipstick"] == pytest.approx(audited.comparisons[0].ratio)
    own = audited.metric_frame({"failures": lambda y_true, y_pred: int((y_true - y_pred).sum())})
    assert own.by_group["failures"].to_dict() == {("lipstick", "he"): 5, ("lipstick", "she"): 1}


def test_the_plot_shows_every_gap_in_points(audited):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    axes = audited.plot()
    gap, marks = audited.comparisons[0], [line.get_xdata() for line in axes.get_lines()]
    assert any(line == pytest.approx([100 * end for end in gap.gap_interval]) for line in marks)
    assert any(len(line) == 1 and line[0] == pytest.approx(40) for line in marks)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["lipstick: she+lipstick / he+lipstick, +40.0"]
    assert audited.plot(axes) is axes


def test_a_notebook_shows_verdicts_and_escapes_names():
    html = audit_result(audit_plan(name="<b>x</b>"))._repr_html_()
    assert "&lt;b&gt;x&lt;/b&gt;" in html and "<b>" not in html and "✗ exceeded" in html
    assert html.count("<tr>") == 3


@pytest.mark.parametrize(
    ("method", "package"), [("frame", "pandas"), ("metric_frame", "pandas"), ("plot", "matplotlib")]
)
def test_what_is_not_installed_is_one_line(audited, monkeypatch, method, package):
    real = importlib.import_module

    def without(name, *rest):
        if name.split(".")[0] in ("pandas", "fairlearn", "matplotlib"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr("importlib.import_module", without)
    with pytest.raises(DependencyError, match=f"needs {package}; run: pip install"):
        getattr(audited, method)()


def test_without_verdicts_of_images_or_without_comparisons_there_is_no_frame(audited):
    with pytest.raises(DataError, match="in the audit's cells"):
        audit_result().metric_frame()
    with pytest.raises(DataError, match="in the audit's cells"):
        audit_result().write_parquet("never.parquet")
