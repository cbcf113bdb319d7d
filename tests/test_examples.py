"""Every script of examples/ runs as it stands, small, in an empty folder, and leaves what it says."""

import pytest

from tests.conftest import ROOT

EXAMPLES = {
    "generate.py": ((), ("grid.png", "seed0000.png", "seed0003.png")),
    "edit.py": ((), ("grid.png", "strip.png")),
    "audit_a_function.py": (("4",), ("audit.html",)),
    "audit_inversion.py": (("3",), ("audit.html",)),
    "smile_classifiers.py": (("4",), ("audit.html",)),
    "train_t2d_toy.py": (("2",), ("t2d.json", "t2d.safetensors")),
}


def test_every_example_is_tested():
    assert {path.name for path in (ROOT / "examples").glob("*.py")} == set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_and_leaves_its_files(name, tmp_path, run_python):
    arguments, files = EXAMPLES[name]
    result = run_python(ROOT / "examples" / name, "made", *arguments)
    assert result.returncode == 0, result.stderr
    assert all((tmp_path / "made" / file).stat().st_size for file in files), result.stdout
