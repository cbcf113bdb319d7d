"""A face in other words of its vocabulary: captions reworded or made of rarer phrases; the meaning is checked."""

import functools
from collections.abc import Mapping

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import Vocabulary, load_vocabulary, read_lexicon
from styleT2I.attributes.wording.caption_words import Dice, with_article
from styleT2I.torch_utils.words import plain_words, split_words

# Groups of the English lexicon whose terms stand for each other, and those whose terms change nothing where added.
_SWAPPED = ("copula", "have", "wear", "with", "and", "or", "without", "no", "not", "determiner")
_INSERTED = ("degree", "function")
_SWAP_ODDS, _INSERT_ODDS = 0.5, 0.3  # of one word being said otherwise, of one word being added to the caption
_COMPOSE_ODDS = 0.5  # of a new sentence out of the vocabulary's phrases in place of a rewording
_NUM_ODDS = (0.5, 0.3, 0.2)  # of 1, 2, 3 attributes in such a sentence
_TRIES = 3


class Paraphraser:
    """Rewords captions of one vocabulary, so that a text encoder is trained on all words that the parser knows."""

    def __init__(self, vocabulary: str | Vocabulary = "minifaces"):
        self.vocabulary = vocabulary if isinstance(vocabulary, Vocabulary) else load_vocabulary(vocabulary)
        self._checked = self.vocabulary.written  # a caption must not use words that are only understood, not written
        lexicon = read_lexicon("english")
        self._inserted = [tuple(plain_words(term)) for name in _INSERTED for term in lexicon[name]]
        self._inserted = [term for term in self._inserted if term]
        self._groups = _groups(self.vocabulary, lexicon)
        self._phrases = {(a.name, v): _phrases(a.side(v)) for a in self.vocabulary for v in (True, False)}
        self._longest = max(len(term) for term in self._groups)

    def __call__(self, text: str, labels: Mapping[str, bool], dice: Dice) -> str:
        """The caption reworded, or another true sentence about its image; unchanged where neither succeeds.

        labels: the image's attributes; a wording may come to say more ("girl" for "woman"), as long as it is true.
        """
        if dice.chance(_COMPOSE_ODDS):
            wanted, make = {}, lambda: self._composed(labels, dice)
        else:
            wanted, make = parse(text, self._checked).attributes, lambda: self._reworded(text, dice)
        for _ in range(_TRIES):
            other = make()
            meant = parse(other, self._checked).attributes
            is_true = all(labels.get(name) == value for name, value in meant.items())
            if meant and meant.keys() >= wanted.keys() and is_true:
                return other
        return text

    def wordings(self):
        """Yield (attribute, value, wording) of every phrase that the vocabulary has for a value."""
        for (name, value), kinds in self._phrases.items():
            for text in dict.fromkeys(phrase for phrases in kinds.values() for phrase in phrases):
                yield name, value, text

    def _composed(self, labels, dice) -> str:
        """A sentence about a few attributes of the image, each in any phrase that the vocabulary has for it."""
        known = [name for name in self.vocabulary.names if name in labels]
        subject, features = "", []
        for _ in range(dice.weighted((1, 2, 3), _NUM_ODDS)):
            name = dice.pick(known)
            kinds = self._phrases[name, labels[name]]
            kind = dice.pick([kind for kind, phrases in kinds.items() if phrases])
            phrase = dice.pick(kinds[kind])
            if kind == "whole":
                return phrase
            if kind == "person":
                subject = phrase
            else:
                features.append(phrase)
        if not features or (len(features) == 1 and not subject and dice.chance(0.5)):
            return subject or features[0]
        return f"{subject or dice.pick(('a person', 'someone'))} with {' and '.join(features)}"

    def _reworded(self, text, dice) -> str:
        words = tuple(word.text for word in split_words(text))
        result, at = [], 0
        while at < len(words):
            for length in range(min(self._longest, len(words) - at), 0, -1):
                group = self._groups.get(words[at : at + length])
                if group:
                    break
            is_swapped = bool(group) and dice.chance(_SWAP_ODDS)
            result.extend(dice.pick(group) if is_swapped else words[at : at + length])
            at += length
        if dice.chance(_INSERT_ODDS):
            place = int(dice.roll() * (len(result) + 1))
            result[place:place] = dice.pick(self._inserted)
        return " ".join(result)


def _groups(vocabulary, lexicon) -> dict[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Term -> the terms that may stand in its place, all as tuples of words; terms of several lists get all of them."""
    lists = [terms for part in vocabulary.parts.values() for kind, terms in part.items() if kind != "ignored"]
    for attribute in vocabulary:
        for side in (attribute.true, attribute.false):
            lists += [side.phrases, side.nouns, side.pronouns, side.things, *side.adjectives.values()]
    lists += [lexicon[name] for name in _SWAPPED]
    groups: dict[tuple[str, ...], dict[tuple[str, ...], None]] = {}
    for terms in lists:
        as_words = dict.fromkeys(tuple(plain_words(term)) for term in terms)
        as_words.pop((), None)
        for term in as_words:
            groups.setdefault(term, {}).update(as_words)
    return {term: tuple(others) for term, others in groups.items() if len(others) > 1}


def _phrases(side) -> dict[str, list[str]]:
    """The phrases for one value by their place in a sentence: a whole of its own, the person, what the person has."""
    features = [f"{word} {part}" for part, words in side.adjectives.items() if part != "person" for word in words]
    persons = [*side.nouns, *(f"{word} person" for word in side.adjectives.get("person", ()))]
    return {
        "whole": list(side.phrases),
        "person": [with_article(person) for person in persons],
        "feature": [*side.things, *features],
    }


@functools.lru_cache(maxsize=4)
def load_paraphraser(vocabulary: str) -> Paraphraser:
    """The Paraphraser of a named vocabulary, built once."""
    return Paraphraser(vocabulary)
