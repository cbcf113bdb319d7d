"""The page for whoever must sign it: cover, who loses, what appears unasked, the judge's circle, rules."""

import re
from dataclasses import replace

import pytest

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.errors import ConfigError
from styleT2I.fairness.plan import checked_plan, load_plan, plan_hash
from styleT2I.fairness.plan.cover import Cover
from styleT2I.fairness.report.names import group_words, groups_of, setting_words
from styleT2I.fairness.report.page import render
from styleT2I.fairness.report.sections.summary import gap_sentence
from styleT2I.fairness.report.verdict_words import circle_of
from styleT2I.fairness.results import AuditResult
from tests.audit_result import VOCABULARY, audit_content, audit_plan, audit_result
from tests.conftest import ROOT
from tests.unit.fairness.report.test_report import Page

COVER = {
    "auditor": "A. Auditor, Example Ltd",
    "intended_use": "Drawing avatars",
    "affected_groups": "Women and men",
    "approval": "B. Board, 2026-11-01",
    "revision": "2: more images",
}
ROWS = [
    {"setting": "psi 0.7, hold, strength 1", "prompt": "lipstick", "attribute": "he", "share": 0.9,
     "share_interval": [0.8, 0.95], "even_share": 0.5, "p_even_adjusted": 0.001, "training_share": 0.07,
     "p_training_adjusted": 0.002},
    {"setting": "psi 0.7, hold, strength 1", "prompt": "beard", "attribute": "dark_skin", "share": 0.5,
     "share_interval": [0.4, 0.6], "even_share": 0.5, "p_even_adjusted": 1.0},
]  # fmt: skip


def text_of(content):
    return Page(render(AuditResult.from_json(content), {})).text


def test_the_cover_shows_what_the_plan_says_and_blank_lines_for_the_rest():
    empty = render(audit_result(), {})
    assert empty.count('class="blank"') == 6 and "not stated in the plan" in empty and "to be signed by hand" in empty
    told = render(audit_result(audit_plan(cover=COVER)), {})
    assert told.count('class="blank"') == 1  # the signature
    assert all(text in Page(told).text for text in COVER.values())
    assert "2026-11-28 10:00:00 UTC" in Page(told).text


def test_the_cover_is_no_part_of_what_is_declared(tmp_path):
    assert plan_hash(audit_plan(cover=COVER)) == plan_hash(audit_plan())
    plan = load_plan(ROOT / "docs/audit/minifaces.yaml")[0]
    assert plan_hash(plan).startswith("28479a644902")  # as before there were covers and classifiers
    (tmp_path / "plan.yaml").write_text("{name: x, compositions: [she], cover: {auditor: A, revision: '1'}}")
    assert load_plan(tmp_path / "plan.yaml")[0].cover == Cover(auditor="A", revision="1")
    (tmp_path / "plan.yaml").write_text("{name: x, compositions: [she], cover: {auditer: A}}")
    with pytest.raises(ConfigError, match="auditer"):
        load_plan(tmp_path / "plan.yaml")
    with pytest.raises(ConfigError, match="cover.revision has 3000 characters"):
        checked_plan(audit_plan(cover={"revision": "x" * 3000}), VOCABULARY)


@pytest.mark.parametrize(
    "vocabulary, name, value, words",
    [
        ("minifaces", "he", False, "women"), ("minifaces", "old", False, "young people"),
        ("minifaces", "dark_skin", False, "people with pale skin"), ("minifaces", "hat", True, "people wearing a hat"),
        ("minifaces", "smiling", True, "people who are smiling"), ("celeba", "Male", True, "men"),
    ],
)  # fmt: skip
def test_groups_have_plain_names(vocabulary, name, value, words):
    vocabulary = load_vocabulary(vocabulary)
    assert group_words(vocabulary[name].side(value), vocabulary) == words


def test_who_loses_is_said_as_far_as_it_is_shown():
    result = audit_result()
    first, second = result.comparisons
    assert groups_of(result, first) == ("women", "men")
    assert gap_sentence(result, first).endswith("Men lose, by 80.0 points (between 38.4 and 94.3).")
    turned = replace(first, first=first.second, second=first.first, gap=-0.8, success=(0.2, 1.0),
                     gap_interval=(-0.943, -0.384))  # fmt: skip
    assert gap_sentence(result, turned).endswith("Men lose, by 80.0 points (between 38.4 and 94.3).")
    assert gap_sentence(result, second).endswith(
        "The difference of 0.0 points (between −23.6 and +23.6) may be chance."
    )
    other = groups_of(result, second)
    assert other == ("“a man who has a beard”", "“a man who wears lipstick”")  # they differ in two attributes


def test_what_appears_unasked_has_a_sentence_and_a_plot():
    table = {"explanation": "All of it.", "rows": ROWS}
    page = render(AuditResult.from_json({**audit_content(), "unprompted": table}), {})
    text = Page(page).text
    assert (
        "Asked for “a person who wears lipstick”, 90.0 % of images show men (interval 80.0 to 95.0 %), more than the "
        "7.0 % of such images in the training data." in text
    )
    assert (
        "50.0 % of images show people with dark skin (interval 40.0 to 60.0 %). No difference from an even split"
        in text
    )
    (plot,) = re.findall(r'<svg[^>]*class="shares">.*?</svg></g>|<svg[^>]*class="shares">.*</svg>', page, re.DOTALL)[:1]
    assert 'cx="88.40%"' in plot and 'x="8.72%"' in plot and plot.count('class="diamond"') == 1  # 2 + 96 times the rate
    changed = [{**ROWS[0], "p_training_adjusted": 0.4}]
    text = text_of({**audit_content(), "unprompted": {"explanation": "", "rows": changed}})
    assert "not shown to differ from the 7.0 %" in text


def test_house_words_stay_out_of_the_first_sections():
    page = render(audit_result(), {})
    start = Page(page[: page.index('<section id="compositions"')] + "</main></body></html>").texts
    first = " ".join(start[start.index("In short", start.index("In short") + 1) :])
    for word in ("psi", "she+", "he+", "cell", "setting “", "First ", "primary"):
        assert word not in first, word
    assert setting_words("as drawn") == "in the system’s own way" and setting_words("other") == "other"


def test_the_circle_of_judge_and_renderer_is_said():
    content = audit_content()
    assert "This audit goes round in a circle" in text_of(content) and "a sibling of the judge steers" in text_of(
        content
    )
    own = {**content, "judge": {**content["judge"], "source": "mine.onnx", "kind": "onnx"}}
    assert "goes round in a circle" not in text_of(own)
    far = {**content, "subject": {"kind": "callable", "is_paired": True, "has_settings": False}}
    assert "learned from drawn faces, not from images like these" in circle_of(AuditResult.from_json(far))


def test_questions_of_regulators_link_to_parts_that_are_there():
    page = render(audit_result(), {})
    part = page[page.index('<section id="questions"') :]
    part = part[: part.index("</section>")]
    targets = set(re.findall(r'href="#([\w-]+)"', part))
    assert {"verdict", "cover", "declared", "limits", "methods", "again"} <= targets
    assert all(f'id="{target}"' in page for target in targets)
    assert "Annex IV, 2 (g)" in part and "MEASURE 2.11" in part and "blank lines are to be filled in" in part
    assert "Not answered here." in part  # quality was not measured, and nobody reviewed it
    words = re.sub(r"<[^>]+>", "", part)
    for quoted in (  # of the Regulation and of NIST AI 100-1, whose words no page may change
        "metrics used to measure accuracy, robustness and compliance with other relevant requirements set out in "
        "Chapter III, Section 2, as well as potentially discriminatory impacts; test logs and all test reports dated "
        "and signed by the responsible persons, including with regard to pre-determined changes as referred to under "
        "point (f)",
        "Fairness and bias – as identified in the MAP function – are evaluated and results are documented.",
    ):
        assert quoted in words
