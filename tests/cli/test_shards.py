"""Commands whose work is shared out: the files of one process, whoever made which part."""

import importlib
import json

import pytest
import yaml
from click.testing import CliRunner

from styleT2I import audit, evaluate, generate
from tests.cli.audit.test_audit import PLAN
from tests.shared.processes import together
from tests.tiny_model import tiny_judge, write_tiny_model

TEXTS = "he is smiling\nshe wears a hat\nshe is wearing lipstick\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_model(tmp_path_factory.mktemp("tiny"), onlookers={"judges.heldout": tiny_judge(seed=7)})


def call(module, *arguments, status=0):
    result = CliRunner().invoke(module.main, [*map(str, arguments), "--device", "cpu"])
    assert result.exit_code == status, result.output
    return result


def run_command(name, arguments):
    """In a process of its own."""
    importlib.import_module(f"styleT2I.{name}").main([*arguments, "--device", "cpu"])


def in_two(name, *arguments):
    assert together(run_command, name, list(map(str, arguments))) == ["done", "done"]


def content(folder, without=("command",)):
    """Every file below a folder by its name, of JSON without what says where it was written."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        data = path.read_bytes()
        if path.suffix == ".json":
            data = json.loads(data)
            data = {k: v for k, v in data.items() if k not in without} if isinstance(data, dict) else data
        found[path.relative_to(folder).as_posix()] = data
    return found


@pytest.fixture
def sentences(folder, tmp_path):
    (tmp_path / "texts.txt").write_text(TEXTS)
    return "--model", folder, "--text-file", tmp_path / "texts.txt", "--seeds", "3,1"


def test_shards_of_a_text_file_are_the_folder_of_one_process(sentences, tmp_path):
    call(generate, *sentences, "--outdir", tmp_path / "whole")
    whole = content(tmp_path / "whole")
    assert len(whole) == 3 * 4 + 1
    call(generate, *sentences, "--outdir", tmp_path / "parts", "--shard", "2/2")
    assert sorted(p.name for p in (tmp_path / "parts").iterdir()) == ["prompt0001"]  # and no index yet
    call(generate, *sentences, "--outdir", tmp_path / "parts", "--shard", "1/2")
    assert content(tmp_path / "parts") == whole
    in_two("generate", *sentences, "--outdir", tmp_path / "torchrun")
    assert content(tmp_path / "torchrun") == whole


def test_shards_of_other_sentences_are_refused_and_overwrite_removes_them_once(sentences, folder, tmp_path):
    call(generate, *sentences, "--outdir", tmp_path / "out")
    (tmp_path / "others.txt").write_text("he has a beard\nhe wears a hat\n")
    others = ("--model", folder, "--text-file", tmp_path / "others.txt", "--seeds", "1", "--outdir", tmp_path / "out")
    assert "other sentences" in call(generate, *others, "--shard", "1/2", status=2).stderr
    for shard in ("2/2", "1/2"):
        call(generate, *others, "--shard", shard, "--overwrite")
    call(generate, *others[:-1], tmp_path / "alone")
    assert content(tmp_path / "out") == content(tmp_path / "alone")


def test_one_sentence_is_not_shared_out(folder, tmp_path):
    arguments = ("--model", folder, "--text", "he is smiling", "--outdir", tmp_path / "out", "--shard", "1/2")
    assert "--text-file" in call(generate, *arguments, status=2).stderr and not (tmp_path / "out").exists()


def test_an_audit_in_two_processes_is_that_of_one(folder, tmp_path):
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump({**PLAN, "num": 6, "truncation": [0.7], "thresholds": []}))
    arguments = ("run", tmp_path / "plan.yaml", "--model", folder, "--outdir")
    call(audit, *arguments, tmp_path / "one")
    in_two("audit", *arguments, tmp_path / "two")
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_an_evaluation_in_parts_is_that_of_one_process(folder, tmp_path):
    data = ("--suite", "edits", "--suite", "compositions", "--adjust-method", "none", "--num", "2")
    arguments = ("--model", folder, *data, "--out")
    whole = call(evaluate, *arguments, tmp_path / "one.json")
    in_two("evaluate", *arguments, tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()
    assert content(tmp_path / "one.json.cells") == content(tmp_path / "two.json.cells")
    cells = ("--model", folder, *data[2:], "--cells-dir", tmp_path / "cells")
    for shard in ("1/2", "2/2"):
        assert "the same command without --shard" in call(evaluate, *cells, "--shard", shard).stdout
    assert content(tmp_path / "cells") == content(tmp_path / "one.json.cells")
    assert call(evaluate, *cells).stdout in whole.stdout


def test_a_suite_without_parts_has_no_shards(folder):
    told = call(evaluate, "--model", folder, "--suite", "regions", "--num", "2", "--shard", "1/2", status=2).stderr
    assert "--cells-dir" in told and "compositions and systems" in told


def test_torchrun_and_shard_are_not_mixed(sentences, tmp_path, monkeypatch):
    for name, value in {"RANK": 0, "LOCAL_RANK": 0, "WORLD_SIZE": 2}.items():
        monkeypatch.setenv(name, str(value))
    refused = call(generate, *sentences, "--outdir", tmp_path / "out", "--shard", "1/2", status=2)
    assert "leave --shard out" in refused.stderr
