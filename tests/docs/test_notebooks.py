"""The notebooks of docs/notebooks run as they stand, show what they say, and are stored without outputs."""

import ast
import io
import json
import re

import pytest
from PIL import Image

from styleT2I.generation.results import MAX_SHOWN
from tests.conftest import ROOT

NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
SHOWN = {  # how many of a notebook's cells end in an image, and in a table
    "quickstart": (3, 3),
    "edit": (4, 0),
    "edit_a_photo": (4, 0),
    "audit": (0, 1),
}
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def code_cells(path):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]


def run_cell(code, names):
    """The value of the last line where that is an expression, as Jupyter shows it."""
    body = ast.parse(code).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), "<cell>", "exec"), names)
    return None if last is None else eval(compile(ast.Expression(last.value), "<cell>", "eval"), names)


def test_every_notebook_is_tested():
    assert {path.stem for path in NOTEBOOKS} == set(SHOWN)


@each
def test_no_output_is_stored_and_links_lead_somewhere(path):
    content = json.loads(path.read_text())
    assert (content["nbformat"], content["metadata"]["kernelspec"]["name"]) == (4, "python3")
    for cell in content["cells"]:
        text = "".join(cell["source"])
        assert cell.get("outputs", []) == [] and cell.get("execution_count") is None
        for target in re.findall(r"\]\(([^)#]+)\)", text) if cell["cell_type"] == "markdown" else ():
            assert (path.parent / target).is_file(), target


@each
@pytest.mark.filterwarnings("ignore:.*is not known and is ignored", "ignore:.*is read as")
def test_it_runs_and_shows_images_and_tables(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    names, images, tables = {}, 0, 0
    for code in code_cells(path):
        value = run_cell(code, names)
        if hasattr(value, "_repr_png_"):
            image = Image.open(io.BytesIO(value._repr_png_()))
            assert min(image.size) > 100 and image.height <= MAX_SHOWN and image.convert("RGB").getcolors(1000) is None
            images += 1
        elif hasattr(value, "_repr_html_"):
            assert "<table" in value._repr_html_() and value._repr_html_().count("<tr") > 2
            tables += 1
    assert (images, tables) == SHOWN[path.stem]


@pytest.mark.slow
@each
def test_it_runs_in_jupyter(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="needs pip install 'styleT2I[notebooks]'")
    pytest.importorskip("ipykernel", reason="needs pip install 'styleT2I[notebooks]'")
    import nbformat

    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    kinds = [kind for cell in notebook.cells for output in cell.get("outputs", ()) for kind in output.get("data", ())]
    assert (kinds.count("image/png"), kinds.count("text/html")) == SHOWN[path.stem]
