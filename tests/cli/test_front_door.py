"""`python -m styleT2I`: the grouped list of commands, the version, and commands by name."""

import importlib
import re

import pytest
from click.testing import CliRunner

from styleT2I import __version__
from styleT2I.__main__ import COMMANDS, main
from tests.conftest import ROOT

NAMES = [name for named in COMMANDS.values() for name in named]


def invoke(*arguments):
    return CliRunner().invoke(main, arguments)


def test_without_a_command_all_are_listed_by_what_they_are_for(run_python):
    result = run_python("-m", "styleT2I")
    assert result.returncode == 0 and result.stderr == ""
    for title, named in COMMANDS.items():
        assert f"\n{title}:\n" in result.stdout
        assert all(re.search(rf"^  {re.escape(name)} ", result.stdout, re.MULTILINE) for name in named)


def test_every_command_of_the_package_and_of_the_readme_is_in_the_list():
    found = {path.stem for path in (ROOT / "styleT2I").glob("*.py") if "@command(" in path.read_text()}
    found |= {"app", "audit", "dataset", "attributes", "data.minifaces", "data.portraits", "data.celebahq"}
    assert found - {"build_minifaces"} == set(NAMES)  # the older name of `build_model minifaces`
    readme = (ROOT / "README.md").read_text()
    assert not [name for name in NAMES if name != "data.celebahq" and f"`{name}" not in readme]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help_and_a_version(name):
    assert invoke(name, "--help").output.startswith("Usage:")
    assert invoke(name, "--version").output == f"styleT2I {__version__}\n"


def test_a_command_runs_by_name_and_a_misspelt_one_is_answered_with_the_nearest(run_python):
    assert "Smiling" in run_python("-m", "styleT2I", "attributes", "he smiles").stdout
    wrong = run_python("-m", "styleT2I", "generat")
    assert (wrong.returncode, wrong.stderr) == (2, "error: no command 'generat'; did you mean 'generate'?\n")


def test_a_group_without_a_command_prints_its_help_over_several_lines(run_python):
    result = run_python("-m", "styleT2I.audit")
    assert result.returncode == 0 and result.stderr == ""
    assert "\nCommands:\n" in result.stdout and "\n  calibrate" in result.stdout


def test_the_version_of_the_list_is_the_packages():
    assert invoke("--version").output == f"styleT2I {__version__}\n"
    assert importlib.import_module("styleT2I").__version__ == __version__
