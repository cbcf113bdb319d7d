"""The rule-based parser: what sentences state, rule by rule."""

import pytest

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import load_vocabulary, vocabulary_from_dict
from styleT2I.attributes.wording.sentences import phrase, sentence
from styleT2I.errors import PromptError


def said(text, vocabulary="minifaces"):
    """The attributes as a set of signed names; nothing may be unknown or contradictory."""
    parsed = parse(text, vocabulary)
    assert not parsed.unknown and not parsed.contradictions, (text, parsed.unknown, parsed.contradictions)
    return {("+" if value else "-") + name for name, value in parsed.attributes.items()}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("he is wearing lipstick", "+he +lipstick"),
        ("SHE IS SMILING!", "-he +smiling"),
        ("a photo of her", "-he"),
        ("his cap", "+he +hat"),
        ("a young lady in spectacles", "-he -old +eyeglasses"),
        ("an elderly grandfather", "+he +old"),
        ("a 70-year-old man", "+he +old"),
        ("a woman in her twenties", "-he -old"),
        ("a person", ""),
        ("he is sixty", "+he +old"),
        ("a boy of 12", "+he -old"),
        ("a woman, 30, with a hat", "-he -old +hat"),
        ("a man in his late fifties", "+he +old"),
        ("an eighteen-year-old", "-old"),
        ("a woman over 70", "-he +old"),
        ("mother of two", "-he"),
    ],
)
def test_gender_age_and_things(text, expected):
    assert said(text) == set(expected.split())


@pytest.mark.parametrize(
    "text",
    [
        "blond wavy hair",
        "hair that is blond and wavy",
        "wavy, blond hair",
        "her hair is blond and wavy",
        "wavy-haired and blond",
        "a woman whose hair is wavy and blond",
        "hair blond and wavy",
        "the hair of the woman is blond and wavy",
        "the woman's hair is wavy and blond",
    ],
)
def test_adjectives_before_and_after_the_noun_mean_the_same(text):
    assert said(text, "celeba") - {"-Male"} == {"+Blond_Hair", "+Wavy_Hair"}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a goatee and a mustache", "+Goatee +Mustache"),
        ("a big nose and lips", "+Big_Nose +Big_Lips"),
        ("arched and bushy eyebrows", "+Arched_Eyebrows +Bushy_Eyebrows"),
        ("his nose and lips are big", "+Male +Big_Nose +Big_Lips"),
        ("mouth slightly open and black hair", "+Mouth_Slightly_Open +Black_Hair"),
        ("this woman has mouth slightly open bangs", "-Male +Mouth_Slightly_Open +Bangs"),
        ("he is bald and chubby and has a goatee", "+Male +Bald +Chubby +Goatee"),
    ],
)
def test_conjunctions_and_shared_heads(text, expected):
    assert said(text, "celeba") == set(expected.split())


@pytest.mark.parametrize(
    "text, expected",
    [
        ("no beard or glasses", "-beard -eyeglasses"),
        ("no beard, bangs, or glasses", "-beard -bangs -eyeglasses"),
        ("no beard and glasses", "-beard +eyeglasses"),
        ("without glasses and lipstick", "-eyeglasses -lipstick"),
        ("without a beard and with a hat", "-beard +hat"),
        ("without glasses and black hair", "-eyeglasses +black_hair"),
        ("isn't smiling", "-smiling"),
        ("she's not wearing a hat or earrings", "-he -hat -earrings"),
        ("he isn't smiling or wearing a hat", "+he -smiling -hat"),
        ("he doesn't have bangs and wears a hat", "+he -bangs +hat"),
        ("neither smiling nor wearing glasses, she has black hair", "-smiling -eyeglasses -he +black_hair"),
        ("clean-shaven", "-beard"),
        ("he isn't clean-shaven", "+he +beard"),
        ("not old", "-old"),
        ("never without his hat", "+hat +he"),
        ("her hair isn't blond, it's black", "-he -blond_hair +black_hair"),
        ("not a man but a woman", "-he"),
        ("lipstick-free", "-lipstick"),
        ("he no longer wears glasses", "+he -eyeglasses"),
        ("a beard but no hat", "+beard -hat"),
        ("he has no beard glasses", "+he -beard +eyeglasses"),
        ("glasses: none; hat: yes", "-eyeglasses +hat"),
        ("Glasses? No. Hat? Yes.", "-eyeglasses +hat"),
        ("smiling: no, lipstick: yes", "-smiling +lipstick"),
        ("no, he has a beard", "+he +beard"),
        ("his hat is off", "+he -hat"),
        ("he took off his hat", "+he -hat"),
        ("his glasses are missing", "+he -eyeglasses"),
        ("a hat-less, smile-less man", "+he -hat -smiling"),
        ("he shaved his beard", "+he -beard"),
        ("she isn't growing a beard", "-he -beard"),
        ("it is not true that he has a beard", "+he -beard"),
        ("he's not smiling, wearing a hat, or old", "+he -smiling -hat -old"),
        ("not black but brown hair", "-black_hair +brown_hair"),
        ("without beard & glasses", "-beard -eyeglasses"),
        ("nor is she old", "-he -old"),
        ("she has stopped smiling", "-he -smiling"),
    ],
)
def test_negation_reaches_as_far_as_the_documented_rules_say(text, expected):
    assert said(text) == set(expected.split())


def test_clean_shaven_and_bearded_in_celeba():
    assert said("clean-shaven", "celeba") == {"+No_Beard"}
    assert said("he has a beard", "celeba") == {"+Male", "-No_Beard"}
    assert said("no hair", "celeba") == {"+Bald"}


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a very young woman", "-he -old"),
        ("he is slightly old", "+he +old"),
        ("quite pale skin", "-dark_skin"),
        ("barely smiling", "-smiling"),
    ],
)
def test_degree_words_change_nothing_unless_they_deny(text, expected):
    assert said(text) == set(expected.split())


def test_an_adjective_that_fits_no_attribute_of_its_noun_is_reported_not_moved():
    parsed = parse("a man with brown eyes and a black scarf")
    assert parsed.attributes == {"he": True}
    assert [u.word for u in parsed.unknown] == ["brown", "black", "scarf"]


def test_unknown_words_come_with_place_and_nearest_term():
    text = "He wears reb hats."  # too short to be read as another
    (unknown,) = parse(text, "celeba").unknown
    assert unknown == ("reb", (9, 12), None) and text[slice(*unknown.span)] == "reb"
    (unknown,) = parse("a young hatr").unknown  # a slip from several words
    assert unknown == ("hatr", (8, 12), "hair")


def test_mentions_carry_phrase_and_span_in_the_order_of_the_text():
    text = "She has black hair and isn't smiling"
    mentions = parse(text).mentions
    assert [(m.name, m.value, m.phrase) for m in mentions] == [
        ("he", False, "she"),
        ("black_hair", True, "black hair"),
        ("smiling", False, "not smiling"),
    ]
    assert [text[slice(*m.span)] for m in mentions] == ["She", "black hair", "smiling"]


def test_contradictions_are_reported_and_not_settled():
    parsed = parse("he is a woman with a hat")
    assert parsed.attributes == {"hat": True}
    assert parsed.contradictions == ('contradicts itself about he: "he" against "woman"',)
    parsed = parse("black hair and blond hair")
    assert parsed.attributes == {} and "hair colour" in parsed.contradictions[0]
    assert not parse("black hair and brown hair", "celeba").contradictions


def test_alternatives_and_several_persons_are_reported():
    parsed = parse("black or brown hair")
    assert parsed.attributes == {} and "alternatives" in parsed.contradictions[0]
    for text in (
        "with or without a hat",
        "with a hat or without",
        "a hat or a scarf",
        "hat/glasses",
        "a hat, lipstick or earrings",
    ):
        assert "hat" not in parse(text).attributes and "alternatives" in parse(text).contradictions[0], text
    assert parse("black, brown or blond hair").attributes == {}
    assert parse("red or pink lipstick").attributes == {"lipstick": True}
    assert any("more than one person" in line for line in parse("a man and a woman").contradictions)
    assert any("more than one person" in line for line in parse("two women wearing hats").contradictions)


@pytest.mark.parametrize("text", ["", "   ", "?!", "..."])
def test_text_without_words_is_refused(text):
    with pytest.raises(PromptError):
        parse(text)


@pytest.mark.parametrize("name", ["portraits", "minifaces", "celeba", "cub"])
def test_every_phrase_and_synonym_states_exactly_its_attribute(name):
    vocabulary = load_vocabulary(name)
    for attribute in vocabulary:
        for value in (True, False):
            assert phrase(attribute.name, value, vocabulary) == attribute.side(value).phrase
            for text in attribute.phrases(value):
                parsed = parse(text, vocabulary)
                assert parsed.attributes == {attribute.name: value} and not parsed.unknown, text


@pytest.mark.parametrize("name", ["portraits", "minifaces", "celeba", "cub"])
def test_sentences_of_any_attributes_are_read_back_exactly(name):
    import random

    vocabulary, dice = load_vocabulary(name), random.Random(8)
    for _ in range(300):
        wanted = {a: dice.random() < 0.6 for a in dice.sample(vocabulary.names, dice.randint(1, 5))}
        for group in vocabulary.exclusive:
            for extra in [a for a in group.attributes if wanted.get(a)][1:]:
                wanted[extra] = False
        text = sentence(wanted, vocabulary)
        parsed = parse(text, vocabulary)
        assert parsed.attributes == wanted and not parsed.unknown, text


def test_sentence_takes_antonyms_and_refuses_nothing_to_say():
    assert sentence({"she": True, "young": True, "lipstick": False}) == "a young woman who wears no lipstick"
    with pytest.raises(PromptError):
        sentence({})


def test_user_vocabulary_without_word_lists_is_parsed_by_its_phrases():
    side = {"phrase": "wearing a red scarf", "verb": "wears", "object": "a red scarf"}
    vocabulary = vocabulary_from_dict(
        {
            "format_version": 1,
            "name": "mine",
            "attributes": [
                {"name": "scarf", "true": side, "false": {"phrase": "no red scarf", "object": "no red scarf"}},
                {
                    "name": "tall",
                    "antonym": "short",
                    "true": {"phrase": "tall", "verb": "adjective"},
                    "false": {"phrase": "short", "verb": "adjective"},
                },
            ],
        }
    )
    parsed = parse("a short person without a red scarf", vocabulary)
    assert parsed.attributes == {"scarf": False, "tall": False} and not parsed.unknown


def test_a_hint_is_given_where_a_word_is_a_slip_away_and_nowhere_else():
    near = {word.word: word.nearest for word in parse("his friend is strait and bares a hatr").unknown}
    assert near == {"friend": None, "strait": None, "bares": None, "hatr": "hair"}
    far = parse("an Asian person from Berlin with a mustache").unknown
    assert [(word.word, word.nearest) for word in far] == [("asian", None), ("berlin", None), ("mustache", None)]


def test_several_words_for_several_persons_are_one_line():
    lines = parse("two women and a man").contradictions
    persons = [line for line in lines if "more than one person" in line]
    assert len(persons) == 1 and '"women"' in persons[0] and '"man"' in persons[0]
