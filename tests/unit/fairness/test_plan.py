"""Audit plans: compositions in one canonical form, a hash of what is declared, and one line for every bad plan."""

import pytest
import yaml
from click.testing import CliRunner

from styleT2I.attributes.compositions import composition_name, read_composition
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.audit import main
from styleT2I.errors import ConfigError
from styleT2I.fairness.plan import load_plan, plan_hash

GOOD = {
    "name": "lipstick",
    "num": 50,
    "compositions": ["he+lipstick", "lipstick+she"],
    "comparisons": [{"name": "lipstick", "first": "she+lipstick", "second": "he+lipstick"}],
    "thresholds": [{"comparison": "lipstick", "max_gap": 0.1}],
    "truncation": [0.7, 0.5, 1],
    "adjustment": ["hold", "none"],
}


def write(tmp_path, **changes):
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump({**GOOD, **changes}))
    return path


def test_compositions_get_one_name_that_reads_back():
    vocabulary = load_vocabulary("minifaces")
    for text, name in [
        ("lipstick + she", "she+lipstick"),
        ("woman+wearing lipstick", "she+lipstick"),
        ("he+young+no beard", "he+no beard+young"),
        ("black_hair", "black_hair"),
    ]:
        cell = read_composition(text, vocabulary)
        assert composition_name(cell, vocabulary) == name
        assert read_composition(name, vocabulary) == cell


def test_a_grid_has_every_combination_less_the_excluded_ones(tmp_path):
    grid = {"axes": [["he", "she"], ["lipstick", "beard"], ["old", "young"]], "exclude": ["she+beard"]}
    plan, vocabulary = load_plan(write(tmp_path, grid=grid))
    names = list(plan.cells(vocabulary))
    assert names[:2] == ["he+lipstick", "she+lipstick"]
    assert sorted(names[2:]) == sorted(
        ["he+lipstick+old", "he+lipstick+young", "he+beard+old", "he+beard+young", "she+lipstick+old"]
        + ["she+lipstick+young"]
    )


def test_settings_are_the_primary_one_and_one_change_at_a_time(tmp_path):
    plan, _ = load_plan(write(tmp_path))
    settings = [(setting.truncation_psi, setting.method, setting.strength) for setting in plan.settings]
    assert settings == [(0.7, "hold", 1.0), (0.5, "hold", 1.0), (1.0, "hold", 1.0), (0.7, "none", 1.0)]


def test_the_hash_is_of_what_is_declared_and_not_of_the_layout(tmp_path):
    first = plan_hash(load_plan(write(tmp_path))[0])
    path = tmp_path / "other.yaml"
    path.write_text("# a comment\n" + yaml.safe_dump(GOOD, default_flow_style=True, sort_keys=False))
    assert plan_hash(load_plan(path)[0]) == first
    assert plan_hash(load_plan(write(tmp_path, num=51))[0]) != first


COMPARISON = GOOD["comparisons"][0]
WIDE = [[name, f"without {name}"] for name in ("lipstick", "a hat", "earrings", "eyeglasses")] + [["beard", "no beard"]]
WIDE += [["he", "she"], ["old", "young"], ["dark_skin", "pale_skin"], ["smiling", "not smiling"]]
WIDE += [["black_hair", "brown_hair", "blond_hair", "gray_hair"]]
BAD = [
    ({"compositions": ["he+lipstik"]}, "unknown attribute 'lipstik'.*did you mean 'lipstick'"),
    ({"compositions": ["he+she"]}, "he to be both true and false"),
    ({"compositions": ["black_hair+gray_hair"]}, "both black_hair and gray_hair"),
    ({"compositions": ["he++lipstick"]}, "empty cell"),
    ({"compositions": [], "comparisons": [], "thresholds": []}, "no composition"),
    ({"grid": {"axes": [["he"], []]}}, "empty axis"),
    ({"grid": {"axes": [["he"], ["hat"]], "exclude": ["he"]}}, "excludes every composition"),
    ({"num": 0}, "num is 0"),
    ({"num": "many"}, "num takes a whole number"),
    ({"first_seed": -1}, "first_seed is -1"),
    ({"alpha": 1}, "alpha is 1"),
    ({"judge": {"margin": -1}}, "margin is -1"),
    ({"judge": {"role": "clip"}}, "choose one of 'judges.heldout'"),
    ({"truncation": []}, "truncation needs one or more"),
    ({"truncation": [0.7, 0.7]}, "names a value twice"),
    ({"adjustment": ["magic"]}, "adjustment needs one or more of none"),
    ({"vocabulary": "minifacets"}, "unknown vocabulary"),
    ({"compositionz": []}, "unknown key 'compositionz'.*did you mean 'compositions'"),
    ({"comparisons": [{**COMPARISON, "second": "he+hat"}]}, "undeclared composition 'he\\+hat'"),
    ({"comparisons": [{**COMPARISON, "second": "lipstick+she"}]}, "with itself"),
    ({"comparisons": [COMPARISON, COMPARISON]}, "two comparisons have the name 'lipstick'"),
    ({"thresholds": [{"comparison": "lipstik", "max_gap": 0.1}]}, "undeclared comparison 'lipstik'; did you mean"),
    ({"thresholds": [{"comparison": "lipstick", "max_gap": 1.1}]}, "write a number from 0 to 1"),
    ({"thresholds": [{"comparison": "lipstick", "max_gap": float("nan")}]}, "write a number from 0 to 1"),
    ({"thresholds": [{"comparison": "lipstick"}]}, "the threshold of 'lipstick' has no limit; give max_gap"),
    ({"thresholds": [GOOD["thresholds"][0]] * 2}, "'lipstick' has two limits max_gap"),
    (
        {"thresholds": [{"comparison": "lipstick", "min_ratio": 80}]},
        "min_ratio of 'lipstick' is 80; write a number from 0",
    ),
    ({"floor": 10}, "floor is 10.0; write a number from 0 to 1"),
    ({"max_undetermined": -0.1}, "max_undetermined is -0.1; write a number"),
    ({"thresholds": [{**GOOD["thresholds"][0], "min_gap": 0}]}, "unknown key 'min_gap'.*did you mean 'max_gap'"),
    ({"compositions": "he+lipstick"}, "compositions takes a list"),
    ({"compositions": [["he", "lipstick"]]}, r"compositions\[0\] takes a text"),
    ({"compositions": [7]}, r"compositions\[0\] takes a text"),
    ({"comparisons": {"name": "lipstick"}}, "comparisons takes a list"),
    ({"comparisons": ["lipstick"]}, "comparisons\\[0\\] takes a mapping"),
    ({"comparisons": [{**COMPARISON, "second": "he+she"}]}, "he to be both true and false"),
    ({"comparisons": [{**COMPARISON, "first": ""}]}, "empty cell"),
    ({"grid": [["he"], ["hat"]]}, "grid takes a mapping"),
    ({"grid": {"axes": [["he"], ["she"]]}}, "he to be both true and false"),
    ({"grid": {"axes": [["he"], ["hat"]], "exclude": ["hats off"]}}, "unknown attribute 'hats off'"),
    ({"grid": {"axes": [["he", "she"]] * 14}}, "the grid has 16384 compositions; an audit takes 10000 at most"),
    ({"grid": {"axes": [["he", "she"] * 1000] * 1000}}, "the grid has .*; an audit takes 10000 at most"),
    ({"grid": {"axes": WIDE}, "truncation": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}, "are more than 10000; drop some"),
    ({"num": True}, "num takes a whole number"),
    ({"num": 2.5}, "num takes a whole number"),
    ({"num": None}, "num takes a whole number"),
    ({"first_seed": 2**63}, "seeds are integers from 0"),
    ({"alpha": float("nan")}, "alpha is nan"),
    ({"truncation": [float("inf")]}, "truncation needs one or more values from 0 to 2"),
    ({"strength": [-1]}, "strength needs one or more values"),
    ({"strength": ["full"]}, r"strength\[0\] takes a number"),
    ({"adjustment": []}, "adjustment needs one or more"),
    ({"vocabulary": "absent.json"}, "absent.json: cannot be read: No such file"),
    ({"truncation": [10**400]}, "is a number of 1329 bits"),
    ({"vocabulary": "/dev/zero"}, "/dev/zero: is a pipe or a device"),
    ({"unprompted": [{"prompt": "lipstick", "attribute": "halo"}]}, "unknown attribute 'halo'"),
    ({"unprompted": [{"prompt": "", "attribute": "he"}]}, "empty cell"),
    ({"unprompted": [{"prompt": "he+lipstick", "attribute": "she"}]}, "'she' is decided by its prompt"),
    ({"unprompted": [{"prompt": "gray_hair", "attribute": "black_hair"}]}, "is decided by its prompt"),
    ({"unprompted": [{"prompt": "hat", "attribute": "he+old"}]}, "more than one; give each its own entry"),
    ({"unprompted": [{"prompt": "hat", "attribute": "he", "training_share": 1.2}]}, "write a number from 0 to 1"),
    ({"unprompted": [{"prompt": "hat", "attribute": "he"}] * 2}, "unprompted names 'he' for 'hat' twice"),
    ({"unprompted": [{"prompt": "hat"}]}, "missing key 'attribute'"),
    ({"training_data": "minifaces:biased"}, "is not of the form minifaces:"),
    ({"training_data": "absent"}, "no data set 'absent'"),
    ({"training_data": f"minifaces:biased/train:{10**15}"}, "do not fit into memory"),
    ({"quality_data": f"minifaces:biased/train:{10**30}"}, "do not fit into memory"),
    ({"training_shares": {"he+hat": 0.1}}, "training_shares names the undeclared composition"),
    ({"training_shares": {"he+lipstick": 7}}, "write a number from 0 to 1"),
    ({"training_shares": {"he+lipstick": "rare"}}, "takes a number"),
    ({"quality_data": "minifaces:balanced/nowhere"}, "unknown MiniFaces split"),
]


@pytest.mark.parametrize("changes, message", BAD)
def test_a_bad_plan_is_one_line_that_names_the_file_and_writes_nothing(tmp_path, changes, message):
    path = write(tmp_path, **changes)
    with pytest.raises(ConfigError, match=message) as caught:
        load_plan(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)
    _is_refused(path)


BAD_FILES = {
    "empty": b"",
    "comment": b"# to do",
    "list": b"- he+lipstick",
    "number": b"7",
    "text": b"audit",
    "tab": b"name:\n\t- x",
    "unclosed": b"name: [a, b",
    "binary": bytes(range(256)),
    "latin-1": "name: \xfc".encode("latin-1"),
    "tag": b"!!python/object/apply:os.system ['true']",
    "deep": b"name: " + b"[" * 20000,
    "two documents": b"name: a\n---\nname: b",
    "number for a key": b"1: 2\nname: a",
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_plan_is_one_line_and_writes_nothing(tmp_path, name):
    path = tmp_path / "plan.yaml"
    path.write_bytes(BAD_FILES[name])
    _is_refused(path)


def _is_refused(path):
    """By `audit run` in one line and exit status 2, and nothing is beside the plan afterwards."""
    result = CliRunner().invoke(main, ["run", str(path), "--outdir", str(path.parent / "out")])
    assert result.exit_code == 2, result.output
    assert result.output.count("error:") == 1 and result.output.count("\n") == 1, result.output
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_an_unprompted_audit_draws_its_sentences_beside_the_compositions(tmp_path):
    entries = [{"prompt": "lipstick", "attribute": "she"}, {"prompt": "lipstick+he", "attribute": "old"}]
    plan, vocabulary = load_plan(write(tmp_path, unprompted=entries))
    assert list(plan.drawn_cells(vocabulary)) == ["he+lipstick", "she+lipstick", "lipstick"]
    assert plan.sentences_of(vocabulary)["lipstick"] == "a person who wears lipstick"
    assert [(one.prompt, one.attribute) for one in plan.unprompted] == [("lipstick", "she"), ("he+lipstick", "old")]


def test_the_command_checks_a_plan_and_sizes_the_sample(tmp_path):
    result = CliRunner().invoke(main, ["plan", str(write(tmp_path)), "--detect", "0.9", "0.8", "--power", "0.8"])
    assert result.exit_code == 0, result.output
    assert "2 compositions x 50 images x 4 settings = 400 images, 1 primary comparison" in result.output
    assert "pairs tell 0.9 from 0.8 with power 0.8" in result.output


@pytest.mark.parametrize("arguments", [["plan"], ["plan", "absent.yaml"], ["plan", "--detect", "0.8", "0.8"], ["pln"]])
def test_user_errors_of_the_command_are_one_line(arguments):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert result.output.count("error:") == 1 and "Traceback" not in result.output
