"""What all commands share."""

import importlib
import warnings
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from styleT2I.cli import SOURCES, SeedRange, command, device_option, outdir_option, seed_option, seeds_option
from styleT2I.errors import PromptError
from tests.conftest import ROOT
from tests.web_server import Answer, web_server


@command()
@seeds_option("0-2")
@seed_option
@device_option
@click.option("--fail", is_flag=True)
@click.option("--bug", is_flag=True)
def example(seeds, seed, device, fail, bug):
    """An example."""
    if fail:
        warnings.warn("the word 'lpistick'\nis unknown", stacklevel=1)
        raise PromptError("nothing is understood of ''\n  write a sentence")
    if bug:
        raise ValueError("ours")
    click.echo(f"{seeds} {seed} {device}")


def call(*arguments):
    return CliRunner().invoke(example, arguments)


def test_defaults_and_values_arrive():
    assert call().output == "(0, 1, 2) 0 auto\n"
    assert call("--seeds", "0-2,100", "--seed", "5", "--device", "cpu").output == "(0, 1, 2, 100) 5 cpu\n"


def test_a_users_error_is_one_line_on_stderr_with_status_2():
    result = call("--fail")
    assert result.exit_code == 2 and result.stdout == ""
    assert result.stderr == (
        "warning: the word 'lpistick' is unknown\nerror: nothing is understood of '' write a sentence\n"
    )


def test_debug_gives_the_traceback():
    result = call("--fail", "--debug")
    assert isinstance(result.exception, PromptError)


def test_our_own_bugs_are_not_dressed_up():
    assert isinstance(call("--bug").exception, ValueError)


@pytest.mark.parametrize("arguments", [("--nonsense",), ("extra",), ("--seed", "-1"), ("--seeds", "1-")])
def test_wrong_usage_is_one_line_with_status_2(arguments):
    result = call(*arguments)
    assert result.exit_code == 2 and result.stderr.startswith("error: ") and result.stderr.count("\n") == 1


def test_help_prints_the_defaults_and_succeeds():
    result = call("--help")
    assert result.exit_code == 0 and "[default: 0-2]" in result.output and "--debug" in result.output


def test_a_missing_outdir_is_named():
    @command()
    @outdir_option
    def needs_outdir(outdir):
        pass

    result = CliRunner().invoke(needs_outdir, [])
    assert result.exit_code == 2 and "--outdir" in result.stderr


@pytest.mark.parametrize(
    "text, seeds",
    [
        ("5", (5,)),
        ("0-3", (0, 1, 2, 3)),
        ("7, 1 - 2,7", (7, 1, 2)),
        ("9223372036854775807", (2**63 - 1,)),
        ("3-3", (3,)),
    ],
)
def test_seed_ranges_keep_their_order_and_drop_repeats(text, seeds):
    assert SeedRange().convert(text, None, None) == seeds


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "is not a list of seeds; write for example 0-7,100"),
        ("a", "is not a list of seeds"),
        ("1,,2", "is not a list of seeds"),
        ("1.5", "is not a list of seeds"),
        ("-3", "is not a list of seeds"),
        ("١", "is not a list of seeds"),
        ("7-0", "runs backwards; write 0-7"),
        ("0-99999999", "more than 1000000 seeds"),
        ("9223372036854775808", "seeds end at 9223372036854775807"),
    ],
)
def test_bad_seed_ranges_are_refused(text, message):
    with pytest.raises(click.BadParameter, match=message):
        SeedRange().convert(text, None, None)


@command()
@click.option("--generator")
@click.option("--judge")
def takes_sources(generator, judge):
    """An example with sources."""
    click.echo(f"{generator} {judge}")


def test_sources_arrive_as_paths_on_this_disk(tmp_path, monkeypatch):
    monkeypatch.setenv("STYLET2I_CACHE", str(tmp_path / "cache"))
    (tmp_path / "judge.json").write_text("{}")
    with web_server({"/ffhq.pkl": Answer(b"weights")}) as server:
        arguments = ["--generator", f"{server.url}/ffhq.pkl", "--judge", str(tmp_path / "judge.json")]
        result = CliRunner().invoke(takes_sources, ["--offline", *arguments])
        assert result.exit_code == 2 and "save it as" in result.stderr and result.stderr.count("\n") == 1
        assert server.requests == []
        result = CliRunner().invoke(takes_sources, arguments)
    generator, judge = result.output.split()
    assert Path(generator).read_bytes() == b"weights" and judge == str(tmp_path / "judge.json")
    assert CliRunner().invoke(takes_sources, ["--offline", *arguments]).output == result.output


def test_a_source_that_is_nowhere_is_one_line(tmp_path):
    result = CliRunner().invoke(takes_sources, ["--generator", "runs/g.json"])
    assert result.exit_code == 2 and result.stderr.startswith("error: runs/g.json: no such file")


COMMAND_FILES = [path for path in sorted((ROOT / "styleT2I").glob("[!_]*.py")) if "\ndef main(" in path.read_text()]


@pytest.mark.parametrize("path", COMMAND_FILES, ids=lambda path: path.stem)
def test_every_command_that_takes_sources_can_be_kept_offline(path):
    main = importlib.import_module(f"styleT2I.{path.stem}").main
    assert isinstance(main, click.Command)
    names = {parameter.name: parameter.metavar for parameter in main.params}
    taken = SOURCES.keys() & names.keys()
    assert all(names[name] == "SOURCE" for name in taken)
    assert ("offline" in names) == (bool(taken) or path.stem.startswith(("train_", "fit_")))
