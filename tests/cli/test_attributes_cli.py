"""`python -m styleT2I.attributes`: the JSON form, the readable form, one-line errors."""

import json

import pytest


def run(run_python, *arguments):
    return run_python("-m", "styleT2I.attributes", *arguments)


@pytest.mark.parametrize(
    "sentence, vocabulary, expected",
    [
        (
            "he is wearing lipstik and has no beard",
            "minifaces",
            {
                "attributes": {"he": True, "lipstick": True, "beard": False},
                "unknown": [],
                "corrected": {"lipstik": "lipstick"},
                "contradictions": [],
            },
        ),
        (
            "She is clean-shaven",
            "celeba",
            {"attributes": {"Male": False, "No_Beard": True}, "unknown": [], "corrected": {}, "contradictions": []},
        ),
        (
            "a bird with a red crown",
            "cub",
            {"attributes": {"has_crown_color::red": True}, "unknown": [], "corrected": {}, "contradictions": []},
        ),
    ],
)
def test_json_holds_attributes_unknown_words_and_contradictions(run_python, sentence, vocabulary, expected):
    result = run(run_python, sentence, "--vocabulary", vocabulary, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == expected


def test_readable_form_names_phrase_place_and_nearest_word(run_python):
    result = run(run_python, "she is a man with lipstik and glasses and no hatr")
    assert result.returncode == 0
    assert 'Eyeglasses               true   "glasses" at 30-37' in result.stdout
    assert 'read as "lipstick": "lipstik"' in result.stdout
    assert 'not understood: "hatr"; did you mean "hair"?' in result.stdout
    assert 'the text contradicts itself about Male: "man" against "she"' in result.stdout


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([""], "the text is empty"),
        (["  "], "the text is empty"),
        (["?!"], "has no words"),
        (["he", "--vocabulary", "celebA"], "unknown vocabulary 'celebA'; did you mean 'celeba'?"),
        ([], "Missing argument"),
    ],
)
def test_errors_are_one_line_with_exit_status_two(run_python, arguments, message):
    result = run(run_python, *arguments)
    assert result.returncode == 2 and result.stdout == ""
    assert message in result.stderr and len(result.stderr.strip().splitlines()) == 1
