"""Whose an adjective or a thing is: the part's, the person's, the bird's, or nothing that is asked for."""

import pytest

from styleT2I.attributes.parsing.parser import parse


def said(text, vocabulary="minifaces"):
    """The attributes as a set of signed names; nothing may be unknown or contradictory."""
    parsed = parse(text, vocabulary)
    assert not parsed.unknown and not parsed.contradictions, (text, parsed.unknown, parsed.contradictions)
    return {("+" if value else "-") + name for name, value in parsed.attributes.items()}


@pytest.mark.parametrize(
    "text, attributes, reported",
    [
        ("her lips are neither big nor thin", {"Male": False, "Big_Lips": False}, ["thin"]),
        ("she isn't frowning", {"Male": False}, ["frowning"]),
        ("his nose is not small", {"Male": True}, ["small"]),
    ],
)
def test_denying_the_opposite_end_of_a_scale_states_nothing(text, attributes, reported):
    parsed = parse(text, "celeba")
    assert parsed.attributes == attributes and [u.word for u in parsed.unknown] == reported


@pytest.mark.parametrize(
    "text, attributes, reported",
    [
        ("a man in a woman's hat", {"he": True, "hat": True}, ["woman"]),
        ("she wears her father's glasses", {"he": False, "eyeglasses": True}, ["father"]),
        ("a woman with a man bun", {"he": False}, ["man bun"]),
        ("he has a widow's peak", {"he": True}, ["widow 's peak"]),
        ("an old-fashioned hat", {"hat": True}, ["old fashioned"]),
        ("she has smile lines", {"he": False}, ["smile lines"]),
        ("she waves", {"he": False}, ["waves"]),
        ("he used to wear glasses", {"he": True}, ["glasses"]),
        ("his hair, once black, is gray", {"he": True, "gray_hair": True}, ["black"]),
        ("he is holding a hat", {"he": True}, ["hat"]),
    ],
)
def test_what_is_not_the_persons_own_is_reported_and_not_stated(text, attributes, reported):
    parsed = parse(text)
    assert parsed.attributes == attributes and [u.word for u in parsed.unknown] == reported
    assert not parsed.contradictions


def test_an_adjective_says_better_what_naming_the_part_implied():
    assert said("her makeup is light", "celeba") == {"-Male", "-Heavy_Makeup"}
    assert said("her makeup isn't heavy", "celeba") == {"-Male", "-Heavy_Makeup"}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("the bill of the bird is black", "+has_bill_color::black"),
        ("red feathers on its head", "+has_crown_color::red"),
        (
            "a white belly, breast and throat",
            "+has_belly_color::white +has_breast_color::white +has_throat_color::white",
        ),
        (
            "its wings and tail are brown and its belly is white",
            "+has_wing_color::brown +has_upper_tail_color::brown +has_belly_color::white",
        ),
        ("a bird with a red crown and wings that are black", "+has_crown_color::red +has_wing_color::black"),
        ("red on the crown and wings", "+has_crown_color::red +has_wing_color::red"),
        ("its crown has a hint of blue", "+has_crown_color::blue"),
        ("no red on its wings", "-has_wing_color::red"),
        ("stripes on its back", "+has_back_pattern::striped"),
        ("yellow below", "+has_underparts_color::yellow"),
        ("its belly color is white", "+has_belly_color::white"),
        ("its throat is white, and so is its belly", "+has_throat_color::white +has_belly_color::white"),
        ("neither its wings nor its tail is red", "-has_wing_color::red -has_upper_tail_color::red"),
    ],
)
def test_colours_of_birds_go_to_the_part_they_are_said_of(text, expected):
    assert said(text, "cub") == set(expected.split())


@pytest.mark.parametrize(
    "text",
    [
        "white around its eye",
        "its rump is white",
        "wings tipped with white",
        "on a white branch",
        "grey wings, white everything else",
        "white spots",
    ],
)
def test_a_colour_of_something_else_is_reported_and_not_the_birds(text):
    parsed = parse(text, "cub")
    assert not any(name.endswith("::white") for name in parsed.attributes)
    assert "white" in [u.word for u in parsed.unknown]
