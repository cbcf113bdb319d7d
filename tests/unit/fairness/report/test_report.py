"""The report of an audit: one page that loads nothing and runs nothing, tidy CSV files, no more said than measured."""

import base64
import csv
import hashlib
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from styleT2I.errors import DataError
from styleT2I.fairness.report import contact_sheets as report_sheets
from styleT2I.fairness.report.contact_sheets import keep_cells, read_sheets
from styleT2I.fairness.report.csv_tables import csv_files
from styleT2I.fairness.report.exports import export_files
from styleT2I.fairness.report.page import read_result, render, write_report
from styleT2I.fairness.report.verdict_words import verdict_sentence
from styleT2I.fairness.report.wording import interval, p_value, points
from styleT2I.fairness.results import AuditResult
from styleT2I.torch_utils.markup import Markup, document, tag
from tests.audit_result import BY_CELL, ROWS, TILE, audit_content, audit_plan, audit_result, write_cells

VOID = {"br", "hr", "img", "meta", "col"}
HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'onload='x", "&amp;</style></title>")


class Page(HTMLParser):
    """Elements, attributes and text of a page; a tag that is not closed in order is an error."""

    def __init__(self, page):
        super().__init__()
        self.found, self.texts, self._open = [], [], []
        self.feed(page)
        assert not self._open

    def handle_starttag(self, name, attributes):
        self.found.append((name, dict(attributes)))
        assert len(attributes) == len(dict(attributes))
        if name not in VOID:
            self._open.append(name)

    def handle_endtag(self, name):
        assert self._open.pop() == name

    def handle_data(self, data):
        if "style" not in self._open:
            self.texts.append(data)

    def all(self, *names):
        return [attributes for name, attributes in self.found if name in names]

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def page_of(content, sheets=None):
    """The page of a result that is given as its JSON."""
    return render(AuditResult.from_json(content), sheets or {})


@pytest.fixture(scope="module")
def content():
    return audit_content()


@pytest.fixture(scope="module")
def result():
    return audit_result()


@pytest.fixture(scope="module")
def page(result, tmp_path_factory):
    folder = write_cells(tmp_path_factory.mktemp("audit"))
    return render(result, read_sheets(result, [folder]))


def test_the_page_loads_nothing_and_its_policy_allows_only_its_own_style(page):
    found = Page(page)
    addresses = [a[key] for _, a in found.found for key in ("src", "href", "srcset", "action", "data") if key in a]
    assert addresses and all(address.startswith(("#", "data:image/")) for address in addresses)
    assert not found.all("script", "link", "iframe", "object", "embed", "form", "base")
    assert not any(key.startswith("on") or key == "style" for _, a in found.found for key in a)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert "url(" not in style and "@import" not in style
    (policy,) = (a["content"] for a in found.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert "default-src 'none'" in policy and f"style-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy and "script" not in policy


def test_the_page_can_be_read_without_seeing_it(page):
    found = Page(page)
    identifiers = [a["id"] for _, a in found.found if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    assert {a["href"][1:] for a in found.all("a")} <= set(identifiers)
    assert all(a["alt"] for a in found.all("img")) and all(a.get("scope") for a in found.all("th"))
    assert page.count("<caption>") == page.count("<table") and page.count("<title>") > page.count("<svg role")
    levels = [int(name[1]) for name, _ in found.found if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False))


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_names_are_text(hostile, tmp_path):
    comparisons = [{"name": hostile, "first": "she+lipstick", "second": "he+lipstick"}]
    thresholds = [{"comparison": hostile, "max_gap": 0.1}]
    said = {"she+lipstick": hostile}
    result = audit_content(audit_plan(name=hostile, comparisons=comparisons, thresholds=thresholds, sentences=said))
    result |= {"rerun": hostile, "limits": [hostile], "model": {"name": hostile, "components": {hostile: hostile}}}
    result |= {"unprompted": {"explanation": hostile, "rows": [{hostile: hostile}]}, "judge": {"role": hostile}}
    found = Page(page_of(result))
    assert not found.all("script", "img")
    assert not any(key.startswith("on") for _, attributes in found.found for key in attributes)
    assert found.text.count(" ".join(hostile.split())) > 10


def test_controls_and_marks_of_direction_are_shown_by_number():
    assert tag("p", "a\u202eb\x00c", title="\x1b") == '<p title="\\u001b">a\\u202eb\\u0000c</p>'
    assert tag("p", "größer 你好\n") == "<p>größer 你好\n</p>"


def test_markup_is_not_escaped_twice_and_everything_else_is():
    assert tag("p", tag("b", "<"), None, ["&", 1.5]) == "<p><b>&lt;</b>&amp;1.5</p>"
    assert isinstance(tag("p"), Markup) and tag("img", alt="", hidden=True, x=None) == '<img alt="" hidden>'
    assert "<title>&lt;/title&gt;</title>" in document("</title>", "p {}")


def test_the_numbers_of_a_small_audit(page):
    text = Page(page).text
    assert "✗ Limit exceeded 1 of 2 limits is exceeded; 1 is not decided." in text
    said = "Asked for “a woman who wears lipstick”, 100.0 % of images show it; asked for “a man who wears lipstick”, "
    said += "20.0 % do."
    assert f"{said} Men lose, by 80.0 points (between 38.4 and 94.3)." in text  # Newcombe, pairs 2, 8, 0, 0
    assert "lipstick gap of at most 2 points women 100.0 %, men 20.0 % +80.0" in text
    assert "neither “a man who has a beard” (20.0 %) nor “a man who wears lipstick” (20.0 %) is shown" in text  # of ten
    assert "1 limit cannot be assessed" in text and "lipstick +80.0 (+38.4 to +94.3) ◂ more for men" in text
    assert (
        "he+lipstick a man who wears lipstick 10 20.0 % 5.7 to 51.0 % 2 20.0 to 40.0 %" in text
    )  # Wilson 2 of 10; bounds
    assert "0.016 alone 0.008 women 0.20" in text  # McNemar 2 / 2^8, Holm of two
    assert "not shown 1.00" in text and "not evidence of equality" in text
    assert "✗ exceeded errors of the judge that differ by" in text and "○ not assessable" in text
    assert "Declared on 2026-11-28 09:00:00 UTC, before any image was drawn." in text
    assert "not calibrated" in text


def test_a_calibrated_judge_is_shown_with_its_confusion():
    text = Page(render(audit_result(is_calibrated=True), {})).text
    assert "corrected for the judge’s errors" in text and "As counted, uncorrected" in text
    assert "90 10 5 95 90.0 % 82.6 to 94.5 % 95.0 % 88.8 to 97.8 %" in text
    assert "not calibrated" not in text


def test_a_passed_audit_is_not_called_fair():
    result = audit_result(audit_plan(thresholds=[{"comparison": "lipstick", "max_gap": 0.99}]))
    assert verdict_sentence(result) == "The limit is shown to be kept, according to the judge."
    text = Page(render(result, {})).text
    assert "✓ Within all limits" in text and "does not certify the system as fair" in text
    assert not re.search(r"\b(unbiased|is fair|are fair|proves|equally)\b", text)


def test_no_threshold_is_no_verdict():
    text = Page(render(audit_result(audit_plan(thresholds=[])), {})).text
    assert "No verdict The plan declares no limit, so there is nothing to decide" in text
    assert "✓ Within" not in text


def test_the_verdict_names_the_worst_few_of_many():
    first = audit_result().thresholds[0]
    thresholds = tuple(replace(first, subject=f"c{n}", value=n / 100, limit=0.01) for n in range(2, 9))
    said = verdict_sentence(replace(audit_result(), thresholds=thresholds))
    assert said.index("c8") < said.index("c7") and "and 3 more" in said and "c2" not in said


def test_numbers_in_words():
    assert [points(gap) for gap in (0.125, -0.125, 0.0001, -0.0001, None)] == ["+12.5", "−12.5", "0.0", "0.0", "-"]
    assert interval((0.1, 0.25)) == "10.0 to 25.0 %" and interval((-0.1, 0.2), points) == "−10.0 to +20.0"
    assert [p_value(p) for p in (0.0009, 0.04, 1.0)] == ["< 0.001", "0.040", "1.000"]


def test_results_without_a_section_of_their_own_become_tables(content):
    rows = [{"setting": "a", "share": 0.25, "share_interval": [0.1, 0.4], "p_even": 0.00001, "is_shown": True}]
    wide = {f"k{n}": {f"column {m}": m / 8 for m in range(30)} for n in range(2)}
    more = {"rarity": {"explanation": "Said so.", "rows": rows}, "novel": {"rho": -0.5, "each": {"x": {"n": 1}}}}
    text = Page(page_of({**content, **more, "wide": wide, "many": rows * 30})).text
    assert "Rarity in the training data" in text and "Said so." in text
    assert "a 25.0 % 10.0 to 40.0 % < 0.001 yes" in text
    assert "Rho −0.500" in text and "x 1" in text and "Column 29 3.625" in text
    assert "Many: 30 rows" in text
    assert "Rarity" not in Page(page_of(content)).text


def test_sheets_are_cut_into_rows_under_their_outcome(result, page, tmp_path):
    sheets = read_sheets(result, [write_cells(tmp_path)])
    assert len(sheets) == len(result.cells)
    for rows in sheets.values():
        assert [(row.outcome, len(row.seeds)) for row in rows] == list(ROWS)
        for index, row in enumerate(rows):
            assert row.size == (len(row.seeds) * TILE, TILE)
            pixels = cv2.imdecode(np.frombuffer(row.data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
            assert pixels[TILE // 4 : TILE // 2, TILE // 4 : TILE // 2].mean((0, 1)).argmax() == index
    assert page.count("<img") == len(sheets) * len(ROWS)
    assert "Successes (3 of 10) seeds 0, 1, 2" in Page(page).text


def test_a_cell_of_another_audit_or_with_a_damaged_sheet_shows_no_image(result, tmp_path):
    first, second, *others = sorted(write_cells(tmp_path).glob("cells/*.png"))
    first.write_bytes(first.read_bytes()[:50])
    second.with_suffix(".json").write_text("[")
    assert len(read_sheets(result, [tmp_path])) == len(others)
    assert not read_sheets(replace(result, provenance=replace(result.provenance, num=11)), [tmp_path])
    text = Page(render(result, read_sheets(result, [tmp_path]))).text
    assert text.count("Its images are not available.") == 2
    assert "The images of this audit are not available" in Page(render(result, {})).text


def test_large_sheets_fit_a_page_that_can_be_sent(result, tmp_path, monkeypatch):
    monkeypatch.setattr(report_sheets, "MAX_BYTES", 140_000)
    sheets = read_sheets(result, [write_cells(tmp_path, tile=64)])  # noise, which no codec makes small
    assert 60_000 < sum(len(row.data) for rows in sheets.values() for row in rows) <= 140_000
    assert len(sheets) == len(result.cells)


def test_merged_cells_are_kept_with_the_result(result, tmp_path):
    write_cells(tmp_path / "shard")
    keep_cells(result, [tmp_path / "shard"], tmp_path / "out")
    assert read_sheets(result, [tmp_path / "out"]) == read_sheets(result, [tmp_path / "shard"])
    keep_cells(result, [tmp_path / "out"], tmp_path / "out")
    assert len(list((tmp_path / "out/cells").iterdir())) == 2 * len(result.cells)


def test_csv_files_read_back_as_the_result(result, content):
    tables = {name: list(csv.DictReader(io.StringIO(text))) for name, text in csv_files(result).items()}
    assert set(tables) == {"cells.csv", "comparisons.csv", "limits.csv", "attributes.csv", "drift.csv"}
    assert [row["verdict"] for row in tables["limits.csv"]] == ["exceeded", "not decided"]
    for row, cell in zip(tables["cells.csv"], content["cells"], strict=True):
        assert (row["setting"], row["cell"], int(row["num"])) == (cell["setting"], cell["cell"], cell["num"])
        assert [float(row["success_low"]), float(row["success_high"])] == cell["success_interval"]
        assert row["corrected_success"] == ""
    compared = content["comparisons"] + content["exploratory"]
    for row, one in zip(tables["comparisons.csv"], compared, strict=True):
        assert float(row["gap"]) == one["gap"] and int(row["only_first"]) == one["pairs"]["only_first"]
        assert float(row["p_adjusted"]) == one.get("p_holm", one.get("p_benjamini_hochberg"))
        assert row["is_significant"] == str(one["is_significant"]).lower()
    assert [row["max_gap"] for row in tables["comparisons.csv"]][:3] == ["0.02", "0.2", ""]
    assert tables["drift.csv"][0] == {"setting": content["cells"][0]["setting"], "cell": list(BY_CELL)[0],
                                      "attribute": "hat", "changed": "0.25"}  # fmt: skip
    assert tables["drift.csv"][1]["changed"] == ""


@pytest.mark.parametrize("name", ["=1+1", "+cmd|'/c calc'!A0", "-2+3", "@SUM(A1)", "\t=1", " =1", "\r=1"])
def test_no_text_in_a_csv_file_is_a_formula_and_numbers_stay_numbers(result, name):
    first, *others = result.comparisons
    changed = replace(result, comparisons=(replace(first, name=name, gap=-0.5), *others))
    row = next(csv.DictReader(io.StringIO(csv_files(changed)["comparisons.csv"], newline="")))
    assert row["name"] == "'" + name.replace("\r", "\n") and row["gap"] == "-0.5"


def test_files_are_written_together_and_the_page_again_from_the_folder(result, tmp_path):
    write_cells(tmp_path / "a")
    path = write_report(result, tmp_path / "a", [tmp_path / "a"])
    names = {"audit.html", "audit.json", "cells", *csv_files(result), *export_files(result)}
    assert {one.name for one in (tmp_path / "a").iterdir()} == names
    assert write_report(read_result(tmp_path / "a"), tmp_path / "b", [tmp_path / "a"], "named").name == "named.html"
    assert (tmp_path / "b/named.html").read_bytes() == path.read_bytes()
    assert (tmp_path / "b/named.json").read_bytes() == (tmp_path / "a/audit.json").read_bytes()


def test_a_result_that_cannot_be_shown_leaves_nothing_behind(result, tmp_path):
    (first, *_), (wrong, *_) = result.cells, audit_result(audit_plan(name="other")).cells
    with pytest.raises(KeyError):
        write_report(replace(result, cells=(replace(wrong, cell="y"), first)), tmp_path / "out", [])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text, said", [(None, "cannot read"), ("{", "not JSON"), ("[]", "no result"), ("{}", "no cells in it")]
)
def test_what_is_no_audit_is_one_line(tmp_path, text, said):
    if text is not None:
        (tmp_path / "audit.json").write_text(text)
    with pytest.raises(DataError, match=said):
        read_result(tmp_path)


def _luminance(colour):
    colour = colour if len(colour) == 7 else "#" + "".join(2 * digit for digit in colour[1:])
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one, two):
    high, low = sorted((_luminance(one), _luminance(two)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _schemes(page):
    """Colours by name, and the page's style, in light and in dark."""
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    blocks = re.findall(r"@media screen and \(prefers-color-scheme: dark\) \{\n(.*?)\n\}", style, re.DOTALL)
    light = style
    for block in blocks:
        light = light.replace(block, "")
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]+);", light))
    dark = dict(re.findall(r"--(\w+): (#[0-9a-f]+);", "".join(blocks)))
    assert len(blocks) == 2 and colours.keys() == dark.keys()
    return {"light": (colours, light), "dark": (dark, light + "\n".join(blocks))}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(page, scheme):
    colours, style = _schemes(page)[scheme]
    for name in ("ink", "soft", "fine", "bad", "two", "open", "corrected"):
        for background in ("paper", "tint"):
            assert _contrast(colours[name], colours[background]) > 4.5
    steps = dict(
        (number, (background, colour))  # the last rule of a step counts
        for number, background, colour in re.findall(
            r"\.heat(\d+) \{ background: (#\w+);(?: color: (#\w+);)? \}", style
        )
    )
    assert len(steps) == 11 and ".heat0, .heat1, .heat2, .heat3, .heat4, .heat5 { color: #17202a; }" in style
    for background, colour in steps.values():
        assert _contrast(colour or "#17202a", background) > 4.5


DECORATION = {"rule", "track", "halo"}  # lines to guide the eye, and what lies behind marks
BEHIND = {"bar": ("paper", "track"), "dot": ("paper", "band"), "whisker": ("paper", "band")}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_mark_stands_out_from_what_is_behind_it(page, scheme):
    """WCAG 2.2, 1.4.11: 3 to 1 for what is needed to read a figure, and for the focus."""
    colours, style = _schemes(page)[scheme]
    checked = set()
    for selectors, body in re.findall(r"([^{}]+)\{([^{}]*)\}", style):
        found = dict(re.findall(r"(fill|stroke|outline|border-color|border-bottom): [^;]*?var\(--(\w+)\)", body))
        classes = [set(re.findall(r"\.([a-z][\w-]*)", selector)) for selector in selectors.split(",")]
        if "stroke" in found and found.get("fill") in ("paper", "band"):
            found.pop("fill")  # a hollow mark, or the band: its edge is what is seen
        for names in classes:
            is_mark = names & {
                "bar",
                "band",
                "even",
                "diamond",
                "whisker",
                "dot",
                "curve",
                "error",
                "mark",
                "sheet",
                "zero",
            }
            if names & DECORATION or not (is_mark or "outline" in found):
                continue
            for behind in BEHIND.get(next(iter(names & set(BEHIND)), ""), ("paper",)):
                for colour in found.values():
                    assert _contrast(colours[colour], colours[behind]) >= 3, (names, colour, behind)
                    checked.add(colour)
    assert checked >= {"fine", "bad", "two", "edge", "ink", "training", "focus", "unsure"}
    used = {name for _, a in Page(page).found for name in (a.get("class") or "").split()}
    drawn = {"bar", "band", "whisker", "dot", "zero", "sheet"}
    assert drawn <= used


def test_drift_of_a_system_that_draws_nothing_without_a_sentence_is_called_unmeasured(content):
    cells = [{**one, "drift": {}} for one in content["cells"]]
    subject = {"kind": "system", "is_paired": True, "has_settings": False}
    text = Page(page_of({**content, "cells": cells, "subject": subject})).text
    assert "Not measured: toy draws no images without a sentence, so there is nothing to compare with." in text
    assert "The sentences leave no attribute open" in Page(page_of({**content, "cells": cells})).text


def test_equal_success_is_said_once_and_numbers_of_one_are_singular(content):
    name = next(iter(content["summary"]))
    same = {**content["summary"][name], "worst": 1.0, "best": 1.0}
    summary = {**content["summary"], name: same}
    text = Page(page_of({**content, "summary": summary, "num": 1, "num_overridden": True})).text
    said = "strength 1, truncation 0.7, all compositions succeed equally often: 100.0 %."
    assert f"Drawn with the adjustment “hold” at {said}" in text
    assert "1 image per composition was drawn" in text and "1 pair per comparison, drawn with" in text


def test_tables_straight_from_the_result_have_words_and_units(content):
    rows = [{"cell": "all", "success_with": 0.161, "effect": 0.025, "effect_interval": [-0.01, 0.06], "p": 0.0001,
             "p_benjamini_hochberg": 0.5, "is_difference_shown": True}]  # fmt: skip
    text = Page(page_of({**content, "adjustment": {"explanation": "Said.", "rows": rows}})).text
    assert "Composition With Effect (points, 95 % interval) p p (B.-H.) Difference shown" in text
    assert "all 16.1 % +2.5 −1.0 to +6.0 < 0.001 0.500 yes" in text
    assert "Part of the audited system no: it neither steers the images nor trained the system that draws them" in text


def test_a_report_whose_cells_are_gone_keeps_the_images_of_its_earlier_page(result, tmp_path):
    folder = write_cells(tmp_path)
    before = write_report(result, tmp_path, [folder]).read_text(encoding="utf-8")
    assert before.count("<img") == len(ROWS) * len(result.cells)
    for file in (tmp_path / "cells").iterdir():
        file.unlink()
    assert write_report(result, tmp_path, [tmp_path]).read_text(encoding="utf-8") == before
    model = {"name": "toy", "components": {"generator": "d" * 64}}
    other = replace(result, provenance=replace(result.provenance, model=model))
    assert write_report(other, tmp_path, [tmp_path]).read_text(encoding="utf-8").count("<img") == 0
