"""The doctor's report, and builds at the start of trainings."""

import json

import click
import pytest
import torch
from click.testing import CliRunner

from styleT2I import cli, doctor
from styleT2I.torch_utils import extensions


@pytest.fixture
def empty_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    return tmp_path


def test_the_report_names_what_is_there_and_how_to_get_the_rest(empty_cache, monkeypatch):
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    result = CliRunner().invoke(doctor.main, ["--json"])
    assert result.exit_code == 0, result.output
    facts = json.loads(result.stdout)
    assert facts["torch"].startswith(torch.__version__)
    cpu = facts["kernels"]["cpu"]
    assert cpu["is_useful"] and not cpu["is_loaded"]
    has_remedy = any("doctor --build" in line for line in facts["advice"])
    assert has_remedy == cpu["is_buildable"] == ("not built yet" in cpu["state"])
    text = CliRunner().invoke(doctor.main, []).stdout
    assert f"cpu kernels  {cpu['state']}" in text
    for line in facts["advice"]:
        assert f"advice: {line}" in text


@pytest.mark.parametrize("variable", ["STYLET2I_CACHE", "TORCH_EXTENSIONS_DIR", "XDG_CACHE_HOME"])
def test_each_cache_is_where_its_variable_says(variable, monkeypatch, tmp_path):
    for name in ("STYLET2I_CACHE", "TORCH_EXTENSIONS_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv(variable, str(tmp_path))
    facts = doctor.gather()
    usual, moved = "/home/me/.cache/styleT2I", str(tmp_path)
    downloads = {"STYLET2I_CACHE": moved, "XDG_CACHE_HOME": f"{moved}/styleT2I"}.get(variable, usual)
    kernels = {"TORCH_EXTENSIONS_DIR": moved, "XDG_CACHE_HOME": f"{moved}/styleT2I"}.get(variable, usual)
    assert facts["cache"] == f"{downloads} (downloads, models; $STYLET2I_CACHE)"
    assert facts["kernel_cache"] == f"{kernels} ($TORCH_EXTENSIONS_DIR)"


def test_huge_pages_are_advised_where_they_are_off(monkeypatch):
    def advice(value):
        monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", value)
        return any("THP_MEM_ALLOC_ENABLE=1" in line for line in doctor.gather()["advice"])

    assert advice("0") and not advice("1")


def test_a_missing_compiler_is_named_and_fails_the_build(empty_cache, monkeypatch):
    monkeypatch.setenv("CXX", "no-such-compiler")
    state = json.loads(CliRunner().invoke(doctor.main, ["--json"]).stdout)["kernels"]["cpu"]["state"]
    assert "no-such-compiler" in state and "install g++" in state
    result = CliRunner().invoke(doctor.main, ["--build"])
    assert result.exit_code == 2 and result.stderr.startswith("error: stylet2i_cpu: no C++ compiler")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("steps, wanted", [(99, []), (100, ["stylet2i_cpu"])])
def test_long_trainings_build_at_their_start_and_say_so(monkeypatch, steps, wanted):
    built = []

    def build(extension, report):
        report(f"building {extension.name}")
        built.append(extension.name)

    monkeypatch.setattr(extensions, "build", build)

    @click.command()
    def train():
        cli.build_kernels(torch.device("cpu"), steps)

    result = CliRunner().invoke(train)
    assert result.exit_code == 0 and built == wanted
    assert result.stderr == "".join(f"building {name}\n" for name in wanted)
