"""What people type into image generators: keywords with their own marks, weights, slang, words in one, sound-alikes."""

import pytest

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.parsing.spelling import meant

PROMPTS = [  # class by class: vocabulary, text, attributes
    ("minifaces", "woman | blond hair | hat", {"he": False, "blond_hair": True, "hat": True}),
    ("minifaces", "man + hat + beard - glasses", {"he": True, "hat": True, "beard": True, "eyeglasses": False}),
    ("minifaces", "a man - with a hat", {"he": True, "hat": True}),
    ("minifaces", "age=old hair=gray hat=none", {"old": True, "gray_hair": True, "hat": False}),
    ("cub", "wing color = blue | crown color = red", {"has_wing_color::blue": True, "has_crown_color::red": True}),
    ("celeba", "(bald:1.4), (smile:0.8), tie", {"Bald": True, "Smiling": True, "Wearing_Necktie": True}),
    ("minifaces", "1girl, bangs", {"he": False, "old": False, "bangs": True}),
    ("cub", "#red #whitewings", {"has_primary_color::red": True, "has_wing_color::white": True}),
    ("celeba", "#man #nobeard", {"Male": True, "No_Beard": True}),
    ("celeba", "Hair? Wavy. Hat? no", {"Wavy_Hair": True, "Wearing_Hat": False}),
    ("cub", "bill shape: hooked", {"has_bill_shape::hooked": True}),
]  # fmt: skip


@pytest.mark.parametrize("vocabulary, text, attributes", PROMPTS)
def test_the_marks_of_prompts(vocabulary, text, attributes):
    parsed = parse(text, vocabulary)
    assert parsed.attributes == attributes and not parsed.unknown and not parsed.contradictions


@pytest.mark.parametrize(
    "text, attributes",
    [
        ("darkhaired", {}),  # black or brown?
        ("a blackhaired woman", {"Male": False, "Black_Hair": True}),
        ("a man with wavyhair", {"Male": True, "Wavy_Hair": True}),
        ("a smiling women", {"Male": False, "Smiling": True}),
        ("an old bald men", {"Male": True, "Young": False, "Bald": True}),
    ],
)
def test_words_in_one_and_the_plural_of_one_person(text, attributes):
    parsed = parse(text, "celeba")
    assert parsed.attributes == attributes and not parsed.contradictions


def test_several_of_one_gender_have_it():
    parsed = parse("three men wearing hats")
    assert parsed.attributes == {"he": True, "hat": True} and "more than one person" in parsed.contradictions[0]


def test_a_word_that_sounds_like_one_that_says_something_is_it():
    assert meant("wimin", ["woven", "women"]) == "women"
    assert meant("dubble", ["stubble", "double"]) == "double"
    assert meant("thinning", ["teenage", "nothing"]) is None  # too far for a slip
    assert meant("petr", ["pewter"]) is None  # another number of vowels
    assert parse("she is dyeing her hair", "celeba").corrected == ()  # "doing" says nothing
    assert parse("a portrait of Wouter", "celeba").attributes == {}  # a name, and no waiter
    assert parse("Wimin with hats", "celeba").attributes["Male"] is False
    assert parse("a grainy photo", "celeba").attributes == {}  # of nobody's granny


def test_of_words_that_are_as_near_any_is_meant_if_all_say_the_same():
    states = {"beard": "a beard", "bearded": "a beard", "board": None}.get
    assert meant("beared", ["beard", "bearded"]) is None
    assert meant("beared", ["beard", "bearded"], states) == "beard"
    assert parse("a beared man").attributes == {"he": True, "beard": True}


def test_a_word_of_another_world_is_no_slip():
    """ "Plump" is a word of faces, and not the colour plum of a bird."""
    assert parse("a plump bird", "cub").attributes == {}


@pytest.mark.parametrize(
    "vocabulary, text, attributes",
    [
        ("celeba", "his beard isn't brown but black", {"Male": True, "No_Beard": False}),
        ("cub", "a tail not red but brown", {"has_upper_tail_color::red": False, "has_upper_tail_color::brown": True}),
        ("cub", "its back isn't blue, it's green", {"has_back_color::blue": False, "has_back_color::green": True}),
        ("cub", "it has a red bill. It is hooked.", {"has_bill_color::red": True, "has_bill_shape::hooked": True}),
        ("cub", "it is grey, including its legs", {"has_primary_color::grey": True, "has_leg_color::grey": True}),
        ("celeba", "her hair doesn't hide her earrings", {"Male": False, "Wearing_Earrings": True}),
        ("celeba", "none of the glasses, take away the hat", {"Eyeglasses": False, "Wearing_Hat": False}),
        ("portraits", "a man with hair down to his waist", {"Male": True, "Long_Hair": True}),
        ("portraits", "a woman with a buzz cut", {"Male": False, "Long_Hair": False}),
    ],
)
def test_corrections_inclusions_and_lengths(vocabulary, text, attributes):
    assert parse(text, vocabulary).attributes == attributes
