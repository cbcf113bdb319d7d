"""The phrases that a page reads: what the parser reads in each, and which words turn them round."""

import pytest

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.exports.words import phrases_read, unclear_words


@pytest.mark.parametrize("name", ["minifaces", "portraits"])
def test_every_attribute_has_phrases_for_both_sides_and_each_means_what_the_parser_says(name):
    vocabulary = load_vocabulary(name)
    read = phrases_read(vocabulary, list(vocabulary.names))
    assert all(dict(parse(phrase, vocabulary).attributes) == means for phrase, means in read.items())
    for attribute in vocabulary.names:
        assert {True} <= {means[attribute] for means in read.values() if attribute in means}


def test_known_meanings():
    read = phrases_read(load_vocabulary("minifaces"), list(load_vocabulary("minifaces").names))
    assert read["grandpa"] == {"he": True, "old": True}
    assert read["without a hat"] == {"hat": False}
    assert read["blonde hair"] == {"blond_hair": True}


def test_attributes_that_are_not_offered_have_no_phrases():
    read = phrases_read(load_vocabulary("minifaces"), ["he", "hat"])
    assert {name for means in read.values() for name in means} == {"he", "hat"}
    assert "grandpa" not in read


def test_words_of_denial_and_choice_are_unclear():
    assert {"not", "never", "no", "without", "or", "neither", "used to"} <= set(unclear_words())
    assert not {"and", "with", "is", "hat"} & set(unclear_words())
