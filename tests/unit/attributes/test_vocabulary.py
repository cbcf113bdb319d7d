"""Vocabularies: canonical order, terms and antonyms, user files, one-line errors."""

import json
import os

import pytest

from styleT2I.attributes.vocabulary import load_vocabulary, vocabulary_from_dict
from styleT2I.errors import ConfigError

MINIFACES = (
    "he lipstick smiling eyeglasses beard bangs hat earrings old dark_skin black_hair brown_hair blond_hair gray_hair"
).split()


def small(**changes):
    data = {
        "format_version": 1,
        "name": "tiny",
        "attributes": [
            {
                "name": "tall",
                "antonym": "short",
                "region": None,
                "true": {"phrase": "tall", "verb": "adjective"},
                "false": {"phrase": "short", "verb": "adjective"},
            }
        ],
    }
    return {**data, **changes}


def test_minifaces_attributes_stand_in_canonical_order():
    vocabulary = load_vocabulary("minifaces")
    assert list(vocabulary.names) == MINIFACES
    assert [a.antonym for a in vocabulary if a.antonym] == ["she", "young", "pale_skin"]
    assert vocabulary.index("hat") == 6


@pytest.mark.parametrize(
    "term, expected",
    [
        ("he", ("he", True)),
        ("she", ("he", False)),
        ("She", ("he", False)),
        ("a woman", ("he", False)),
        ("young", ("old", False)),
        ("old", ("old", True)),
        ("pale_skin", ("dark_skin", False)),
        ("pale skin", ("dark_skin", False)),
        ("glasses", ("eyeglasses", True)),
        ("wearing a hat", ("hat", True)),
        ("no beard", ("beard", False)),
        ("clean-shaven", ("beard", False)),
        ("grey hair", ("gray_hair", True)),
        ("a fringe", ("bangs", True)),
        ("without earrings", ("earrings", False)),
    ],
)
def test_every_kind_of_term_resolves_to_name_and_value(term, expected):
    assert load_vocabulary("minifaces").resolve(term) == expected


def test_every_phrase_of_every_attribute_resolves_to_its_own_value():
    for name in ("portraits", "minifaces", "celeba", "cub"):
        vocabulary = load_vocabulary(name)
        for attribute in vocabulary:
            assert vocabulary.resolve(attribute.name) == (attribute.name, True)
            for value in (True, False):
                assert vocabulary.resolve(attribute.side(value).phrase) == (attribute.name, value)


def test_unknown_term_names_the_nearest_known_one():
    with pytest.raises(ConfigError, match="unknown attribute 'lipstik'.*did you mean 'lipstick'"):
        load_vocabulary("minifaces").resolve("lipstik")
    with pytest.raises(ConfigError, match="unknown vocabulary 'miniface'; did you mean 'minifaces'"):
        load_vocabulary("miniface")


def test_hair_colours_exclude_each_other():
    vocabulary = load_vocabulary("minifaces")
    assert vocabulary.exclusive_of("gray_hair") == ("black_hair", "brown_hair", "blond_hair")
    assert vocabulary.exclusive_of("hat") == ()
    assert vocabulary.exclusive[0].exactly_one


def test_user_vocabulary_is_read_from_a_path(tmp_path):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(small()))
    vocabulary = load_vocabulary(path)
    assert vocabulary.names == ("tall",) and vocabulary.resolve("short") == ("tall", False)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"format_version": 2}, "format_version is 2; this version reads 1"),
        ({"atributes": []}, "unknown key 'atributes'.*did you mean 'attributes'"),
        ({"attributes": []}, "has no attributes"),
        ({"attributes": [{"name": "x", "true": {"phrase": "x"}}]}, "attribute 'x'.false must be a dict"),
        ({"attributes": [{"name": "x", "true": {"phrase": " "}, "false": {"phrase": "no x"}}]}, "phrase is empty"),
        (
            {"attributes": [{"name": "x", "true": {"phrase": "x", "verb": "eats"}, "false": {"phrase": "no x"}}]},
            "verb is 'eats'; choose one of",
        ),
        ({"attributes": small()["attributes"] * 2}, "the name 'tall' is used twice"),
        ({"exclusive": [{"name": "g", "attributes": ["tal"]}]}, "unknown attribute 'tal'; did you mean 'tall'"),
        ({"lexicon": "fase"}, "unknown lexicon 'fase'; did you mean 'face'"),
        ({"lexicon": ["face"]}, "lexicon must be a str, got list"),
        ({"subject": "person"}, "subject must be a dict, got str"),
        ({"subject": {"noun": 3}}, "subject.noun must be a str, got int"),
        ({"subject": {"noun": " "}}, "subject.noun: ' ' has no word in it"),
        ({"attributes": {"tall": {}}}, "attributes must be a list, got dict"),
        ({"attributes": [{**small()["attributes"][0], "antonym": ["short"]}]}, "antonym must be a str, got list"),
        ({"attributes": [{**small()["attributes"][0], "region": {}}]}, "region must be a str, got dict"),
        ({"attributes": [{**small()["attributes"][0], "true": {"phrase": "x", "object": 1}}]}, "object must be a str"),
        (
            {"attributes": [{**small()["attributes"][0], "true": {"phrase": "x", "synonyms": ["--"]}}]},
            "has no word in it",
        ),
        ({"exclusive": {"g": ["tall"]}}, "exclusive must be a list, got dict"),
        ({"exclusive": [{"attributes": "tall"}]}, r"exclusive\[0\].attributes must be a list, got str"),
        ({"exclusive": [{"attributes": [["tall"]]}]}, r"exclusive\[0\].attributes must be a str, got list"),
        ({"exclusive": [{"attributes": ["tall"], "exactly_one": "no"}]}, "exactly_one must be a bool, got str"),
        ({"lists": []}, "lists must be a dict, got list"),
        ({"parts": {"hair": ["hair"]}}, "parts.hair must be a dict, got list"),
        ({"degree": "very"}, "degree must be a list, got str"),
        ({"families": [{"name": "colour", "values": {"red": ["red"]}}]}, r"families\[0\].phrase must be a str"),
        ({"families": [{"name": "c", "phrase": "{}", "parts": 1, "values": {}}]}, "parts must be a list, got int"),
    ],
)
def test_wrong_vocabulary_is_refused_in_one_line(change, message):
    with pytest.raises(ConfigError, match=message) as caught:
        vocabulary_from_dict(small(**change))
    assert "\n" not in str(caught.value)


def test_unreadable_files_are_named(tmp_path):
    with pytest.raises(ConfigError, match="none.json: cannot be read: No such file"):
        load_vocabulary(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ConfigError, match="bad.json: damaged, not valid JSON"):
        load_vocabulary(tmp_path / "bad.json")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="deep.json: damaged, not valid JSON"):
        load_vocabulary(tmp_path / "deep.json")
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(ConfigError, match="list.json: the vocabulary must be a dict, got list"):
        load_vocabulary(tmp_path / "list.json")


def test_what_never_ends_or_blocks_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "fifo.json")
    for path in ("/dev/zero", tmp_path / "fifo.json"):
        with pytest.raises(ConfigError, match="is a pipe or a device"):
            load_vocabulary(path)
    with open(tmp_path / "huge.json", "wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(ConfigError, match="huge.json: has over 16777216 bytes"):
        load_vocabulary(tmp_path / "huge.json")
    with pytest.raises(ConfigError, match="unknown vocabulary"):
        load_vocabulary("x" * 5000)
