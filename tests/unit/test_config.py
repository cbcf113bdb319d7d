"""Configurations: what is accepted, what is refused and how that is said."""

import json
from dataclasses import dataclass, field
from typing import Literal

import pytest

from styleT2I.config import from_dict, load_config, override, to_dict
from styleT2I.errors import ConfigError


@dataclass(frozen=True)
class Inner:
    gain: float = 1.0


@dataclass(frozen=True)
class Outer:
    resolution: int
    widths: tuple[int, ...] = (8, 16)
    mode: Literal["const", "random"] = "const"
    name: str | None = None
    is_fast: bool = False
    inner: Inner = field(default_factory=Inner)
    weights: dict[str, float] = field(default_factory=dict)


def test_values_are_converted_as_the_annotations_say():
    config = from_dict(Outer, {"resolution": 64, "widths": [1, 2], "inner": {"gain": 2}, "weights": {"a": 1}})
    assert config == Outer(64, (1, 2), inner=Inner(2.0), weights={"a": 1.0})
    assert isinstance(config.inner.gain, float)


def test_a_configuration_survives_json():
    config = Outer(64, (1, 2, 3), "random", "x", True, Inner(0.5), {"a": 1.5})
    assert from_dict(Outer, json.loads(json.dumps(to_dict(config)))) == config


@pytest.mark.parametrize(
    "mapping, message",
    [
        ({"resoluton": 64}, "unknown key 'resoluton'; did you mean 'resolution'?"),
        ({"resolution": 64, "inner": {"gian": 1}}, "unknown key 'gian' in inner; did you mean 'gain'?"),
        ({}, "missing key 'resolution'"),
        ({"resolution": "64"}, "resolution takes a whole number, got '64'"),
        ({"resolution": True}, "resolution takes a whole number, got True"),
        ({"resolution": 6.5}, "resolution takes a whole number, got 6.5"),
        ({"resolution": 64, "widths": [1, "2"]}, r"widths\[1\] takes a whole number, got '2'"),
        ({"resolution": 64, "mode": "noisy"}, "mode is 'noisy'; choose one of 'const', 'random'"),
        ({"resolution": 64, "name": 3}, "name takes a text, got 3"),
        ([1], "a configuration takes a mapping of settings"),
    ],
)
def test_mistakes_are_refused_in_one_line(mapping, message):
    with pytest.raises(ConfigError, match=message):
        from_dict(Outer, mapping)


def test_override_checks_what_it_replaces():
    assert override(Outer(64), widths=[4], name=None) == Outer(64, (4,))
    with pytest.raises(ConfigError, match="did you mean 'widths'"):
        override(Outer(64), width=[4])


def test_json_and_yaml_files_load_alike(tmp_path):
    (tmp_path / "a.json").write_text('{"resolution": 8, "inner": {"gain": 3}}')
    (tmp_path / "a.yaml").write_text("resolution: 8\ninner:\n  gain: 3\n")
    assert (
        load_config(Outer, tmp_path / "a.json") == load_config(Outer, tmp_path / "a.yaml") == Outer(8, inner=Inner(3.0))
    )


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.json", "{", "a.json: not a valid configuration file"),
        ("a.yaml", "a: [", "a.yaml: not a valid configuration file"),
        ("a.json", '{"resolution": 8, "wdiths": []}', "a.json: unknown key 'wdiths'; did you mean 'widths'?"),
        ("a.txt", "", "a.txt: a configuration is a .json or .yaml file"),
        ("gone.json", None, "gone.json: cannot be read: No such file or directory"),
    ],
)
def test_a_bad_file_is_named(tmp_path, name, text, message):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(Outer, tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_percentage_is_answered_with_the_number_to_write():
    with pytest.raises(ConfigError, match=r"inner.gain takes a number, got '10%'; write 0.1"):
        from_dict(Outer, {"resolution": 64, "inner": {"gain": "10%"}})


def test_a_word_without_end_is_shortened_in_every_message():
    line = str(ConfigError(f"plan.yaml: unknown key {'x' * 5000!r}; did you mean 'num'?"))
    assert len(line) < 500 and line.startswith("plan.yaml: unknown key 'xxx") and line.endswith("; did you mean 'num'?")
    path = f"/{'a' * 250}/{'b' * 250}: cannot be read"
    assert str(ConfigError(path)) == path
