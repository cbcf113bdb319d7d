"""What Jupyter shows of results: grids as PNG, what was understood and found as tables, and nothing unescaped."""

import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from styleT2I.attributes.prompt import Prompt
from styleT2I.generation.pipeline import StyleT2I
from styleT2I.generation.results import MAX_SHOWN
from tests.tiny_model import write_tiny_model


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    return StyleT2I.from_pretrained(write_tiny_model(tmp_path_factory.mktemp("tiny")), device="cpu")


def cells(html):
    """The texts of a table's rows."""
    rows = []

    class Rows(HTMLParser):
        def handle_starttag(self, tag, attrs):
            if tag == "tr":
                rows.append([])
            elif tag in ("td", "th"):
                rows[-1].append("")

        def handle_data(self, data):
            if rows and rows[-1]:
                rows[-1][-1] += data

    Rows().feed(html)
    return rows


def test_a_result_is_shown_as_its_grid(pipeline):
    for result in (pipeline.generate("he is smiling", range(3)), pipeline.edit(range(3), {"hat": 1})):
        image = np.array(Image.open(io.BytesIO(result._repr_png_())))
        assert np.array_equal(image, result.grid_u8().permute(1, 2, 0).numpy())
        assert not hasattr(result, "_repr_html_")  # Jupyter would show that in its place


def test_of_many_faces_the_first_rows_are_shown(pipeline):
    result = pipeline.edit(range(80), {"hat": 1})
    image = Image.open(io.BytesIO(result._repr_png_()))
    assert image.height == MAX_SHOWN < result.grid_u8().shape[1]


def test_the_attributes_of_a_result_are_a_table_of_means(pipeline):
    result = pipeline.generate("he is smiling", range(4), adjustment="recheck")
    rows = cells(result.attributes._repr_html_())
    found = {one.phrase: one for one in result.attributes}
    assert [row[0] for row in rows[1:]] == list(found) and len(rows[0]) == len(rows[1]) == 8
    for row in rows[1:]:
        one = found[row[0]]
        assert row[1] == "asked for" and int(row[3]) == int((one.step != 0).sum())
        assert float(row[2]) == pytest.approx(one.cosine.mean().item(), abs=0.006)
        assert float(row[6]) == pytest.approx(one.margins["judge"][0].mean().item(), abs=0.006)
        assert row[4] == "" or float(row[4]) == pytest.approx(one.margins["clip"][0].mean().item(), abs=0.006)


def test_a_prompt_is_a_table_and_its_warnings(pipeline):
    html = pipeline.understand("a man without glasses in a hatt")._repr_html_()
    assert cells(html)[1:] == [["he", "asked for"], ["eyeglasses", "denied"], *cells(html)[3:]]
    assert "hatt" in html.partition("<li>")[2]
    assert "<script>" not in Prompt("<script>1</script>", {"<script>": True}, ("<script>",))._repr_html_()


def test_nothing_asked_for_is_an_empty_table(pipeline):
    assert cells(Prompt("a face", {}, ())._repr_html_()) == [["attribute", "value"]]
