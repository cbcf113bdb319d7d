"""A vocabulary and the English function words compiled into one table that the parser looks words up in."""

import functools
import json
import re
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

from styleT2I.attributes.vocabulary import Attribute, Vocabulary, read_heard, read_lexicon
from styleT2I.torch_utils.words import Word, is_mark, nearest_word, split_words

Values = tuple[tuple[str, bool], ...]  # (attribute name, value) pairs
_SINGULAR = {"women": "woman", "men": "man"}  # what "a women" is read as
_LEAST_JOINED = 8  # letters of two words written in one
_MOST_ADJECTIVES = 4  # between "a" and such a noun
_SKIPPED = ("a", "an", "the", "his", "her", "its", "their")  # may stand inside "bags under (her) eyes"

_BEGINS_AGE = re.compile(  # the first or the second word that `ages.read_age` reads, and some others
    r"\d|yo$|^(aged|early|mid|late)$|^(one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|hundred|teen)"
    r"|^(twent|thirt|fort|fift)"
)


@dataclass
class Entry:
    """What a word or fixed group of words can be: several things at once; the parser chooses by the context."""

    roles: set[str] = field(default_factory=set)  # classes of lexicon/english.json and heard/english.json, "mark" ...
    adjective: dict[str, Values] = field(default_factory=dict)  # part -> values it states beside that part
    is_participle: bool = False  # "smiling"
    part: str | None = None  # the part that it names
    states: Values = ()  # what a noun for a part states besides: "curls" are hair and wavy
    is_derived: bool = False  # "haired", which takes its adjective along to a person
    is_reported: bool = False  # names more than the vocabulary knows: a "doctor" is a person, a "ponytail" hair
    is_plural: bool = False  # several persons
    adverb_of: str = ""  # the part that it names beside an adjective: "yellow below"
    noun: Values | None = None  # what a noun for the subject states: "man", "boy"
    pronoun: Values | None = None


class Item(NamedTuple):
    """A word group of a sentence with its entry (None: not known) and its place [start, end) in the text."""

    text: str
    start: int
    end: int
    entry: Entry | None


class Corrected(NamedTuple):
    """A misspelt word, its place and the known word that it is read as."""

    word: str
    span: tuple[int, int]
    read_as: str


class Lexicon:
    """The compiled table; `presence` and `absence` say what having or lacking a part states.

    `carriers` are parts that hand their adjectives on ("feathers on its head"), `closed` parts that take none so.
    """

    def __init__(self, vocabulary: Vocabulary):
        is_heard, vocabulary = vocabulary.heard is not None, vocabulary.heard or vocabulary
        self.subject, self.pronoun = vocabulary.subject["noun"], vocabulary.subject["pronoun"]
        self.carriers = frozenset(part for part, forms in vocabulary.parts.items() if "carrier" in forms)
        self.closed = frozenset(part for part, forms in vocabulary.parts.items() if "featherless" in forms)
        self.presence: dict[str, Values] = {}
        self.absence: dict[str, Values] = {}
        self.scalar: set[tuple[str, bool]] = set()  # values whose denial does not state the other one
        self._entries: dict[tuple[str, ...], Entry] = {}
        self._longest: dict[str, int] = {}
        self._corrections: dict[tuple[str, bool], str | None] = {}  # cached results of `spelling.meant`
        self._near: dict[str, str | None] = {}  # cached results of `nearest`, which compares with every entry
        self._parts = set(vocabulary.parts)
        for words_by_role in (read_lexicon("english"), read_heard("english") if is_heard else {}):
            for role, phrases in words_by_role.items():
                self._add_role(role, phrases)
        self._entries[("'s",)] = Entry(roles={"function", "possessive"})
        for role in ("degree", "shade"):  # "bright red" is red; "a bright bird" is reported
            self._add_role(role, vocabulary.degree)
        self._add_role("marking", vocabulary.markings)
        self._add_role("patterned", vocabulary.patterned)
        for part, forms in vocabulary.parts.items():
            self._add_part(part, forms)
        for attribute in vocabulary:
            for value in (True, False):
                self._add_side(attribute, value)
        self._entry(self.subject).noun = self._entry(self.subject).noun or ()
        self.described = frozenset(part for entry in self._entries.values() for part in entry.adjective)
        self._prefixes = {words[:n] for words in self._entries for n in range(1, len(words) + 1)}

    def scan(self, text: str) -> tuple[list[Item], list[Corrected]]:
        """Return the text as known word groups, longest first, and unknown words; and misspelt words with what they
        are read as."""
        words, corrected = self._spelt(text, split_words(text))
        items, i = [], 0
        while i < len(words):
            age = self._age(words, i) if any(_BEGINS_AGE.search(word.text) for word in words[i : i + 2]) else None
            if words[i].text == "less" and text[words[i].start - 1 : words[i].start].strip():  # "hat-less"
                length, skipped, entry = 1, [], self._entries.get(("free",))
            elif age is not None:
                length, skipped, entry = age[0], [], self._age_entry(*age[1:])
            else:
                length, skipped, entry = self._match(words, i)
            group = [word for word in words[i : i + length] if word not in skipped]
            items.append(Item(" ".join(w.text for w in group), group[0].start, group[-1].end, entry))
            for word in skipped:  # not a determiner here: only "her" still states the gender
                items.append(Item(word.text, word.start, word.end, Entry(pronoun=self._entries[(word.text,)].pronoun)))
            i += length
        return items, corrected

    def _spelt(self, text: str, words: list[Word]) -> tuple[list[Word], list[Corrected]]:
        """The words with misspelt ones as they were meant, and joined ones of a hashtag apart."""
        spelt, corrected = [], []
        for word in words:
            is_tag = text[word.start - 1 : word.start] == "#" and word.text not in self._words
            joined = self._joined(word, is_tag) if word.text not in self._words else []
            is_known = bool(joined) or word.text in self._words or is_mark(word.text)
            is_name = bool(spelt) and text[word.start].isupper()  # "a portrait of Wouter" is none of a waiter
            meant = None if is_known else self._meant(word.text, is_name)
            if (meant or word.text) in _SINGULAR and self._is_singular(spelt):
                meant = _SINGULAR[meant or word.text]
            if meant is not None:
                corrected.append(Corrected(word.text, (word.start, word.end), meant))
                spelt.append(word._replace(text=meant))
            elif joined:
                spelt += joined
            elif word.text[0].isdecimal() and word.text[1:] in self._words and len(word.text) > 3:  # "1girl"
                spelt.append(word._replace(text=word.text[1:], start=word.start + 1))
            else:
                spelt.append(word)
        return spelt, corrected

    def _is_singular(self, before: list[Word]) -> bool:
        """Whether the words before end in "a" or "an" and adjectives: "a smiling (women)"."""
        for word in reversed(before[-_MOST_ADJECTIVES:]):
            if word.text in ("a", "an"):
                return True
            entry = self._entries.get((word.text,))
            if entry is None or not entry.adjective:
                return False
        return False

    def _meant(self, word: str, is_name: bool = False) -> str | None:
        key = word, is_name
        if key not in self._corrections:
            from styleT2I.attributes.parsing.spelling import meant  # most sentences are spelt right

            listed = _misspelt().get(word)
            is_own = word in _all_words()  # "plump" says nothing of birds, and is not "plum"
            near = None if is_own else meant(word, self._words, self._states, by_ear=not is_name)
            self._corrections[key] = listed if listed in self._words else near
        return self._corrections[key]

    def _states(self, word: str) -> Hashable:
        """What a word states wherever it stands, or the part that it names; None where it does neither."""
        entry = self._entries.get((word,))
        if entry is None:
            return None
        values = [entry.noun or (), *entry.adjective.values(), self.presence.get(entry.part or "", ())]
        return frozenset(value for some in values for value in some) or entry.part

    def _apart(self, word: Word) -> list[Word]:
        """The known words that a hashtag joins: "#blackhair"; the word itself where there are none."""
        for cut in range(len(word.text) - 3, 1, -1):
            parts = word.text[:cut], word.text[cut:]
            if all(part in self._words for part in parts):
                middle = word.start + cut
                return [Word(parts[0], word.start, middle), Word(parts[1], middle, word.end)]
        return [word]

    def _joined(self, word: Word, is_tag: bool) -> list[Word]:
        """The words of two written in one, "darkhaired", "longhair", or of any in a hashtag; [] for other words."""
        parts = self._apart(word) if is_tag or len(word.text) >= _LEAST_JOINED else []
        if is_tag or len(parts) < 2:
            return parts if len(parts) == 2 else []
        first, second = (self._entries.get((part.text,)) for part in parts)
        is_described = second is not None and first is not None and second.part in first.adjective
        return parts if is_described else []

    def nearest(self, word: str) -> str | None:
        """Return the known word or group that an unknown word probably meant; None where none is near."""
        if word not in self._near:
            is_known = tuple(word.split()) in self._entries
            self._near[word] = None if is_known else nearest_word(word, self._spellings)
        return self._near[word]

    @functools.cached_property
    def _words(self) -> frozenset[str]:
        return frozenset(word for words in self._entries for word in words)

    @functools.cached_property
    def _spellings(self) -> list[str]:
        return [" ".join(words) for words in self._entries]

    @staticmethod
    def _age(words, i):
        from styleT2I.attributes.parsing.ages import read_age  # few sentences state one

        return read_age(words, i)

    def _age_entry(self, age: int, is_adjective: bool) -> Entry | None:
        from styleT2I.attributes.parsing.ages import OLDEST_YOUNG, YOUNGEST_OLD

        word = "young" if age <= OLDEST_YOUNG else "old" if age >= YOUNGEST_OLD else ""
        entry = self._entries.get((word,))
        if not entry or self.subject not in entry.adjective:
            return None
        return entry if is_adjective else Entry(noun=entry.adjective[self.subject])

    def _match(self, words: list[Word], i: int):
        """Return (number of words, skipped determiners, entry) of the longest known group that starts at word i."""
        if is_mark(words[i].text):
            return 1, [], Entry(roles={"mark"})
        best = 1, [], self._entries.get((words[i].text,))
        group, skipped = [words[i].text], []
        for j in range(i + 1, min(len(words), i + 2 * self._longest.get(words[i].text, 0))):
            word = words[j]
            if is_mark(word.text) or len(group) >= self._longest[words[i].text]:
                break
            group.append(word.text)
            if tuple(group) in self._entries:
                best = j - i + 1, list(skipped), self._entries[tuple(group)]
            elif word.text in _SKIPPED and tuple(group) not in self._prefixes:
                skipped.append(word)
                group.pop()
        return best

    def _entry(self, phrase: str) -> Entry:
        words = tuple(word.text for word in split_words(phrase))
        self._longest[words[0]] = max(self._longest.get(words[0], 1), len(words))
        return self._entries.setdefault(words, Entry())

    def _add_role(self, role: str, phrases):
        for phrase in phrases:
            self._entry(phrase).roles.add(role)

    def _add_part(self, part, forms):
        if part == self.subject:
            for kind in ("nouns", "reported", "plural"):
                for noun in forms.get(kind, ()):
                    entry = self._entry(noun)
                    entry.noun = ()
                    entry.is_reported, entry.is_plural = kind != "nouns", kind == "plural"
            return
        for word in forms.get("ignored", ()):  # "a wide smile" states no more than a smile
            self._entry(word).adjective.setdefault(part, ())
        for adverb in forms.get("adverbs", ()):
            self._entry(adverb).adverb_of = part
        for kind in ("nouns", "ed", "reported"):
            for noun in forms.get(kind, ()):
                entry = self._entry(noun)
                entry.part, entry.is_derived, entry.is_reported = part, kind == "ed", kind == "reported"

    def _add_side(self, attribute: Attribute, value: bool):
        stated = ((attribute.name, value),)
        side = attribute.side(value).with_default_words(self.subject)
        if side.is_scalar:
            self.scalar.add((attribute.name, value))
        for kind in ("nouns", "pronouns"):
            for word in getattr(side, kind):
                entry = self._entry(word)
                if kind == "nouns":
                    entry.noun = (entry.noun or ()) + stated
                else:
                    entry.pronoun = (entry.pronoun or ()) + stated
        for thing in side.things:
            entry = self._entry(thing)
            if thing not in self._parts and entry.part in self._parts:
                entry.states += stated
                continue
            part = thing if thing in self._parts else entry.part or f"{attribute.name}={value}"
            if thing not in self._parts:
                entry.part = part
            self.presence[part] = tuple(dict.fromkeys(self.presence.get(part, ()) + stated))
            if " " not in thing and not thing.endswith("s"):  # "smileless"
                self._entry(f"{thing}less").adjective.setdefault(self.subject, ((attribute.name, not value),))
        for part in side.lacks:
            self.absence[part] = self.absence.get(part, ()) + stated
        for part, adjectives in side.adjectives.items():
            for word in adjectives:
                entry = self._entry(word)
                entry.is_participle = word.endswith("ing")
                entry.adjective[part] = entry.adjective.get(part, ()) + stated


@functools.cache
def _misspelt() -> dict[str, str]:
    """Misspelt word -> what is meant, of words that no rule finds: too short, or words of another kind ("yung")."""
    return {wrong: right for right, wrongs in read_heard("misspelt").items() for wrong in wrongs}


@functools.cache
def _all_words() -> frozenset[str]:
    """Every word of the word lists of faces and of birds."""
    texts = [json.dumps(read(name)) for name in ("face", "bird") for read in (read_lexicon, read_heard)]
    return frozenset(word for text in texts for word in re.findall(r"[a-z]+", text))


@functools.lru_cache(maxsize=16)
def compile_lexicon(vocabulary: Vocabulary) -> Lexicon:
    """Return the compiled lexicon of a vocabulary, made once."""
    return Lexicon(vocabulary)
