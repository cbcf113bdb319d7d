"""What the package imports is declared in pyproject.toml, and what is declared is imported."""

import ast
import re
import sys

import pytest

from tests.conftest import ROOT

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 has no tomllib")

MODULES = {  # distribution -> the module that it brings, where the names differ
    "pillow": "PIL",
    "opencv-python-headless": "cv2",
    "scikit-image": "skimage",
    "open_clip_torch": "open_clip",
    "pyyaml": "yaml",
    "pyoidn": "oidn",
    "torch-fidelity": "torch_fidelity",
}
TOOLS = {"ninja"}  # run as a program (ops/kernels.py builds with it), or chosen by name
WHERE = ("styleT2I", "ops", "torch_utils")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def modules_of(requirements):
    names = [re.match(r"[\w.-]+", requirement)[0].lower() for requirement in requirements]
    return {MODULES.get(name, name.replace("-", "_")) for name in names} - {"stylet2i"}


def imported():
    """Top-level names of what the package's modules import, anywhere in them."""
    found = set()
    for path in (path for folder in WHERE for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"styleT2I"}


def test_every_import_is_declared():
    optional = [each for extra in project()["optional-dependencies"].values() for each in extra]
    declared = modules_of([*project()["dependencies"], *optional])
    assert imported() - declared == set()


def test_every_dependency_is_imported():
    assert modules_of(project()["dependencies"]) - imported() - TOOLS == set()


def test_the_reference_implementations_of_the_tests_are_in_the_test_extra():
    """importorskip would otherwise skip them in silence where only the extra `test` is installed."""
    assert modules_of(project()["optional-dependencies"]["test"]) >= {
        "pytest",
        "statsmodels",
        "torch_fidelity",
        "onnxruntime",
    }
