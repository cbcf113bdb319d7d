"""A caption in other words of its vocabulary: synonyms, other verbs, adverbs in between; the meaning is checked."""

import functools
from collections.abc import Mapping

from styleT2I.attributes.caption_words import Dice
from styleT2I.attributes.parser import parse
from styleT2I.attributes.vocabulary import Vocabulary, load_vocabulary, read_lexicon
from styleT2I.torch_utils.words import plain_words, split_words

_SWAPPED = ("copula", "have", "wear", "with", "and", "without", "not", "determiner")  # groups of the English lexicon
_INSERTED = ("degree", "function")
_SWAP_ODDS, _INSERT_ODDS = 0.5, 0.3  # of one word being said otherwise, of one word being added to the caption
_TRIES = 3


class Paraphraser:
    """Says captions of one vocabulary in other words, so that a text encoder meets all words that the parser knows."""

    def __init__(self, vocabulary: str | Vocabulary = "minifaces"):
        self.vocabulary = vocabulary if isinstance(vocabulary, Vocabulary) else load_vocabulary(vocabulary)
        lexicon = read_lexicon("english")
        self._inserted = [tuple(plain_words(term)) for name in _INSERTED for term in lexicon[name]]
        self._inserted = [term for term in self._inserted if term]
        self._groups = _groups(self.vocabulary, lexicon)
        self._longest = max(len(term) for term in self._groups)

    def __call__(self, text: str, labels: Mapping[str, bool], dice: Dice) -> str:
        """The caption said otherwise, in lower case, or as it was where no other wording keeps its meaning.

        labels: the picture's attributes; a wording may come to say more ("girl" for "woman"), as long as it is true.
        """
        said = parse(text, self.vocabulary).attributes
        for _ in range(_TRIES):
            other = self._reworded(text, dice)
            meant = parse(other, self.vocabulary).attributes
            if meant.keys() >= said.keys() and all(labels.get(name) == value for name, value in meant.items()):
                return other
        return text

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


@functools.lru_cache(maxsize=4)
def load_paraphraser(vocabulary: str) -> Paraphraser:
    """The Paraphraser of a named vocabulary, built once."""
    return Paraphraser(vocabulary)
