"""Misspelt words are read as the known word that was meant, and said to be; words of their own are left alone."""

import pytest

from styleT2I import load_clip, load_vocabulary
from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.parsing.spelling import is_english, meant
from styleT2I.attributes.prompt import understand
from styleT2I.errors import PromptError

SENTENCES = [  # written for this test, class by class: vocabulary, text, attributes
    ("celeba", "she has wavvy hair and rossy cheeks", {"Male": False, "Wavy_Hair": True, "Rosy_Cheeks": True}),
    ("celeba", "a gentlman with sidebrns", {"Male": True, "Sideburns": True}),
    ("celeba", "a lady with eyeglaases and a neklace", {"Male": False, "Eyeglasses": True, "Wearing_Necklace": True}),
    ("celeba", "a man withot a mustahce", {"Male": True, "Mustache": False}),
    ("minifaces", "an elderlly man with brwon hair", {"he": True, "old": True, "brown_hair": True}),
    ("minifaces", "a woman wearing earringgs and lipstck", {"he": False, "earrings": True, "lipstick": True}),
    ("cub", "a bird with a yelloww throat", {"has_throat_color::yellow": True}),
]


@pytest.mark.parametrize("vocabulary, text, attributes", SENTENCES)
def test_a_slip_of_the_pen_is_read_as_it_was_meant_and_said(vocabulary, text, attributes):
    parsed = parse(text, vocabulary)
    assert parsed.attributes == attributes and parsed.unknown == () and parsed.contradictions == ()
    assert parsed.corrected
    for one in parsed.corrected:
        assert text[slice(*one.span)] == one.word != one.read_as


@pytest.mark.parametrize(
    "text, attributes",
    [
        ("shes smiling", {"he": False, "smiling": True}),
        ("hes old", {"he": True, "old": True}),
        ("he aint wearing glasses", {"he": True, "eyeglasses": False}),
        ("she aint old", {"he": False, "old": False}),
        ("a man whos smiling", {"he": True, "smiling": True}),
        ("a women with a hat", {"he": False, "hat": True}),
        ("a men in a hat", {"he": True, "hat": True}),
    ],
)
def test_lost_apostrophes_and_the_plural_of_one_person(text, attributes):
    parsed = parse(text)
    assert parsed.attributes == attributes and not parsed.unknown and not parsed.contradictions


@pytest.mark.parametrize("word", ["bear", "coat", "later", "chat", "waving", "standing", "strait", "goat", "share"])
def test_a_word_of_its_own_is_never_another(word):
    assert is_english(word)
    known = ["beard", "coats", "blater", "chats", "having", "stunning", "straight", "goatee", "shave"]
    assert meant(word, known) is None


def test_a_word_that_is_near_to_two_is_none_of_them():
    assert meant("womn", ["woman", "women"]) is None
    assert meant("yelow", ["yellow", "below"]) == "yellow"  # another first letter
    assert meant("smilng", ["smiling", "smelling"]) == "smiling"  # one slip, and not two
    assert meant("bwn", ["brown"]) is None and meant("xyzzyq", ["fuzzy"]) is None


def test_a_correction_is_a_warning_and_strictly_an_error():
    clip, vocabulary = load_clip("minifaces"), load_vocabulary("minifaces")
    prompt = understand("she is smilling", clip, vocabulary)
    assert prompt.attributes == {"he": False, "smiling": True}
    assert prompt.warnings == ('"smilling" is read as "smiling"; the text network does not know it',)
    with pytest.raises(PromptError, match='"smilling" is read as "smiling"'):
        understand("she is smilling", clip, vocabulary, strict=True)


@pytest.mark.parametrize(
    "vocabulary, text, attributes",
    [
        ("celeba", "#lady #smiling #bald", {"Male": False, "Smiling": True, "Bald": True}),
        ("celeba", "#boy#bangs#earrings", {"Male": True, "Young": True, "Bangs": True, "Wearing_Earrings": True}),
        ("minifaces", "#grayhair #man", {"gray_hair": True, "he": True}),
        ("minifaces", "old woman #hat #no glasses", {"old": True, "he": False, "hat": True, "eyeglasses": False}),
    ],
)
def test_hashtags_are_a_list(vocabulary, text, attributes):
    assert parse(text, vocabulary).attributes == attributes


@pytest.mark.parametrize(
    "text, attributes",
    [
        ("a female face", {"Male": False}),
        ("male portrait with a hat", {"Male": True, "Wearing_Hat": True}),
        ("the head of a young male", {"Male": True, "Young": True}),
        ("a young female face", {"Male": False, "Young": True}),
        ("an old portrait of a young woman", {"Male": False, "Young": True}),  # the portrait is old
        ("an old photo of a lady", {"Male": False}),
    ],
)
def test_the_gender_of_a_face_is_the_persons_and_the_age_of_a_photo_is_not(text, attributes):
    assert parse(text, "celeba").attributes == attributes
