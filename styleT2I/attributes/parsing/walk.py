"""The parser's results so far in a text: mentions, words not understood, problems."""

import bisect
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


_VERBS = {"copula", "have", "wear", "with", "without", "relative", "mark", "and", "or", "nominative"}
_SKIPPED = {"determiner", "degree", "copula", "have", "wear", "with", "function", "mark"}


def without_alternatives(mentions: list, items: list, positions: list[int]) -> tuple[list, list[str]]:
    """Return the mentions that no "or" puts in doubt, and a line for each "or" that does so to others.

    mentions: walk.Found; items: the text's words; positions: of the "or"s that no negation governs.
    """
    if not positions:
        return mentions, []
    mentions = sorted(mentions, key=lambda mention: mention.start)
    starts, withdrawn, problems = [mention.start for mention in mentions], set(), []
    for position in positions:
        left, right = _content(items, position, -1), _content(items, position, 1)
        before, after = _mention_at(mentions, starts, left), _mention_at(mentions, starts, right)
        both = [k for k in (before, after) if k is not None]
        if not both or left is None or right is None or (len(both) == 2 and _is_same(mentions, both)):
            continue
        withdrawn.update(both)
        if before is not None:
            withdrawn.update(_listed_before(mentions, starts, items, position))
        sides = [mentions[k].phrase if k is not None else item.text for k, item in ((before, left), (after, right))]
        problems.append(f'offers alternatives, "{sides[0]}" or "{sides[1]}"; state one of them')
    return [mention for k, mention in enumerate(mentions) if k not in withdrawn], problems


def _content(items, position, step):
    """Return the nearest word beside an "or" that can be an alternative; "without" alone counts as one."""
    denial = None
    for k in range(position + step, position + 6 * step, step):
        if not 0 <= k < len(items):
            break
        item, entry = items[k], items[k].entry
        if entry and entry.noun == () and not (entry.is_reported or entry.adjective):  # "a black bird or ..."
            continue
        is_word = entry is None or entry.adjective or entry.part or entry.noun is not None or entry.pronoun is not None
        if is_word and not (entry and "determiner" in entry.roles):
            return item
        if step > 0 and entry.roles & {"without", "not"} or step < 0 and item.text in ("with", "without"):
            denial = item
        elif (denial and "mark" in entry.roles) or not entry.roles & _SKIPPED:
            break
    return denial


def _listed_before(mentions, starts, items, position):
    """Yield the mentions of a list that the "or" closes: "black, brown or blond hair"."""
    k = position - 1
    while k > 0 and (items[k].entry is None or items[k].text == "," or not items[k].entry.roles & _VERBS):
        if items[k].text == ",":
            found = _mention_at(mentions, starts, items[k - 1])
            if found is None:
                return
            yield found
        k -= 1


def _mention_at(mentions, starts, item) -> int | None:
    """Return the index of the last mention that covers a word."""
    if item is None:
        return None
    k = bisect.bisect_right(starts, item.start) - 1
    return k if k >= 0 and mentions[k].start <= item.start < mentions[k].end else None


def _is_same(mentions, both) -> bool:
    return both[0] == both[1] or mentions[both[0]][:2] == mentions[both[1]][:2]
