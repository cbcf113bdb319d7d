"""Captions in other words keep what they say true, and reach the words that plain captions never use."""

from collections import Counter

import pytest
import torch

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording.caption_words import Dice
from styleT2I.attributes.wording.captions import captions
from styleT2I.attributes.wording.paraphrase import Paraphraser
from styleT2I.attributes.wording.word_list import grammar_words
from styleT2I.torch_utils.words import plain_words

VOCABULARY = load_vocabulary("minifaces")


@pytest.fixture(scope="module")
def samples():
    """(caption, labels, paraphrase) of random faces."""
    rng, dice, say = torch.Generator().manual_seed(3), Dice(4), Paraphraser(VOCABULARY)
    rows = []
    for _ in range(400):
        values = torch.rand(len(VOCABULARY), generator=rng) < 0.5
        values[10:] = False
        values[10 + int(torch.randint(4, (), generator=rng))] = True
        labels = dict(zip(VOCABULARY.names, values.tolist(), strict=True))
        rows += [(text, labels, say(text, labels, dice)) for text in captions(labels, rng, 2)]
    return rows


def test_paraphrases_say_something_and_nothing_false(samples):
    for text, labels, other in samples:
        said = parse(other, VOCABULARY).attributes
        assert said and all(labels[name] == value for name, value in said.items()), (text, other)


def test_rewording_keeps_all_that_was_said(samples, monkeypatch):
    monkeypatch.setattr("styleT2I.attributes.wording.paraphrase._COMPOSE_ODDS", 0.0)
    say, dice = Paraphraser(VOCABULARY), Dice(5)
    for text, labels, _ in samples[:200]:
        other = say(text, labels, dice)
        assert parse(text, VOCABULARY).attributes.items() <= parse(other, VOCABULARY).attributes.items(), (text, other)


def test_nearly_every_word_that_carries_an_attribute_is_reached(samples):
    carrying = set()
    for side in (side for attribute in VOCABULARY for side in (attribute.true, attribute.false)):
        terms = [*side.phrases, *side.nouns, *side.things, *(w for words in side.adjectives.values() for w in words)]
        carrying |= {word for term in terms for word in plain_words(term)}
    say, dice = Paraphraser(VOCABULARY), Dice(6)
    reached = {word for _ in range(15) for text, labels, _ in samples for word in plain_words(say(text, labels, dice))}
    assert len(carrying - reached) < 0.03 * len(carrying), carrying - reached


def test_most_captions_change_and_use_many_more_of_the_known_words(samples):
    assert sum(text != other for text, _, other in samples) > 0.8 * len(samples)
    plain = Counter(word for text, _, _ in samples for word in plain_words(text))
    varied = Counter(word for _, _, other in samples for word in plain_words(other))
    assert set(varied) <= set(grammar_words("minifaces"))
    assert len(varied) > 3 * len(plain)


def test_the_same_dice_give_the_same_words():
    labels = dict.fromkeys(VOCABULARY.names, False) | {"he": True, "hat": True}
    say = Paraphraser("minifaces")
    assert say("a man wearing a hat", labels, Dice(7)) == say("a man wearing a hat", labels, Dice(7))
    assert len({say("a man wearing a hat", labels, Dice(seed)) for seed in range(20)}) > 10
