"""The parser's results so far in a text: mentions, words not understood, problems."""

from typing import NamedTuple

from styleT2I.attributes.parsing.lexicon import Item, Lexicon
from styleT2I.attributes.parsing.negation_scope import Negation


class Found(NamedTuple):
    """An attribute read from the text at [start, end)."""

    name: str
    value: bool
    phrase: str
    start: int
    end: int


class Record:
    """The results of one walk over a text so far; what follows can invert mentions or take them back."""

    def __init__(self, lexicon: Lexicon):
        self.lexicon = lexicon
        self.mentions: list[Found] = []
        self.unknown: list[Item] = []
        self.problems: list[str] = []  # each goes on after "the text"
        self.persons: list[str] = []  # words for more than one person

    def _mention(self, name: str, value: bool, phrase: str, item: Item, head: Item | None = None, denial: str = ""):
        """Record a value, inverted under a denial ("no", "not"); one that states nothing is reported instead."""
        if denial == "unstated" or (denial and (name, value) in self.lexicon.scalar):  # "not thin" need not be big
            self.unknown.append(item)
            return
        end = item.end if head is None else max(item.end, head.end)
        phrase = f"{denial} {phrase}" if denial else phrase
        self.mentions.append(Found(name, value != bool(denial), phrase, item.start, end))

    def _denial(self, negation: Negation | None, word: str) -> str:
        return "" if negation is None else "unstated" if negation.kind == "unstated" else word

    def _deny(self, part: str, item: Item):
        """Record that a named part is absent."""
        for name, value in self.lexicon.presence.get(part, ()):
            self._turn_round(name, value)
        if part not in self.lexicon.presence:
            for name, value in self.lexicon.absence.get(part, ()):
                self._mention(name, value, item.text, item)

    def _turn_round(self, name: str, value: bool):
        """Deny the last mention of an attribute, if it states the value."""
        k = self._last_mention(name)
        if k is not None and self.mentions[k].value == value:
            self.mentions[k] = self.mentions[k]._replace(value=not value, phrase=f"no {self.mentions[k].phrase}")

    def _forget(self, name: str, part: str):
        """Take back what naming a part implied, as an adjective overrides it: "her makeup is light"."""
        k = self._last_mention(name) if (name, True) in self.lexicon.presence.get(part, ()) else None
        if k is not None and self.mentions[k].value:
            del self.mentions[k]

    def _last_mention(self, name: str) -> int | None:
        return next((k for k in range(len(self.mentions) - 1, -1, -1) if self.mentions[k].name == name), None)

    def _report_persons(self, item: Item):
        self.persons.append(f'"{item.text}"')
