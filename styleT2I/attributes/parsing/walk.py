"""The state of the parser's walk over a text: what waits, what was named, the negation in force, what was found."""

import bisect
from dataclasses import dataclass, field
from typing import NamedTuple

from styleT2I.attributes.parsing.lexicon import Entry, Item, Lexicon, Values
from styleT2I.attributes.parsing.negation_scope import Negation, next_entry

_MOST_PARTS = 6  # that an adjective of faces describes: "smiling" goes with person, face, mouth, lips, eyes


class Found(NamedTuple):
    """An attribute read from the text at [start, end)."""

    name: str
    value: bool
    phrase: str
    start: int
    end: int


@dataclass
class Adjective:
    """An adjective that waits for what it describes."""

    item: Item
    negation: Negation | None  # in whose scope it stands
    is_apart: bool  # a conjunction stands before it
    is_post: bool  # it follows a part directly: "mouth open"
    is_used: bool = False

    @property
    def meaning(self) -> dict[str, Values]:
        return self.item.entry.adjective

    @property
    def is_common(self) -> bool:
        """Whether it describes many parts, as colours do; beside one part it then never describes the subject."""
        return len(self.meaning) > _MOST_PARTS

    @property
    def is_marking(self) -> bool:
        return "marking" in self.item.entry.roles


@dataclass
class Walk:
    """One walk over the items of a text; what follows can invert mentions or take them back."""

    lexicon: Lexicon
    items: list[Item]
    position: int = 0
    # found so far
    mentions: list[Found] = field(default_factory=list)
    unknown: list[Item] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # each goes on after "the text"
    persons: list[str] = field(default_factory=list)  # words for more than one person
    alternatives: list[int] = field(default_factory=list)  # positions of each "or" that no negation governs
    # waiting for what they describe
    pending: list[Adjective] = field(default_factory=list)
    doubtful: list[Adjective] = field(default_factory=list)  # fit nothing so far; a noun that follows may share them
    carried: list[Adjective] = field(default_factory=list)  # of a noun such as "feathers", for the part they are on
    before_unknown: bool = False  # an unknown word follows the pending adjectives
    # named last
    group: list[str] = field(default_factory=list)  # parts
    group_adjectives: list[Adjective] = field(default_factory=list)
    group_is_said: bool = False
    is_bare: bool = False  # the last part without adjectives, and its presence states nothing
    has_person: bool = False
    last: str = ""  # kind of the last meaningful item: part, person, copula, relative, unknown ...
    # the clause
    subject: list[str] = field(init=False)  # what an "is" refers to
    owner: list[str] = field(default_factory=list)  # the parts that have the named thing: "wings with ..."
    said: list[Adjective] = field(default_factory=list)  # what the last verb stated
    before: list[str] = field(default_factory=list)  # parts that "it" may mean, where it fits the subject less
    named: list[str] = field(default_factory=list)  # the group before this clause
    echo: list[Adjective] = field(default_factory=list)  # what "so is" will state about the part that follows
    is_predicate: bool = False  # after "is"
    is_object: bool = False  # after "has", "wears", "with"
    is_apart: bool = False  # a conjunction or a mark came last
    has_determiner: bool = False
    is_of: bool = False  # "of" came last, determiners and adjectives aside
    is_placed: bool = False  # after "on", "at": an unknown noun does not name the subject
    is_adrift: bool = False  # what is had belongs to an unknown word: "tipped with white"
    # negation
    negation: Negation | None = None
    denied: list[Item] = field(default_factory=list)  # parts after "neither", until their verb comes

    def __post_init__(self):
        self.subject = [self.lexicon.subject]

    def mention(self, name: str, value: bool, phrase: str, item: Item, head: Item | None = None, denial: str = ""):
        """Record a value, inverted under a denial ("no", "not"); one that states nothing is reported instead."""
        if denial == "unstated" or (denial and (name, value) in self.lexicon.scalar):  # "not thin" need not be big
            self.unknown.append(item)
            return
        end = item.end if head is None else max(item.end, head.end)
        phrase = f"{denial} {phrase}" if denial else phrase
        self.mentions.append(Found(name, value != bool(denial), phrase, item.start, end))

    def deny(self, part: str, item: Item):
        """Record that a named part is absent."""
        for name, value in self.lexicon.presence.get(part, ()):
            self.turn_round(name, value)
        if part not in self.lexicon.presence:
            for name, value in self.lexicon.absence.get(part, ()):
                self.mention(name, value, item.text, item)

    def turn_round(self, name: str, value: bool):
        """Deny the last mention of an attribute, if it states the value."""
        k = self._last_mention(name)
        if k is not None and self.mentions[k].value == value:
            self.mentions[k] = self.mentions[k]._replace(value=not value, phrase=f"no {self.mentions[k].phrase}")

    def forget(self, name: str, part: str):
        """Take back what naming a part implied, as an adjective overrides it: "her makeup is light"."""
        k = self._last_mention(name) if (name, True) in self.lexicon.presence.get(part, ()) else None
        if k is not None and self.mentions[k].value:
            del self.mentions[k]

    def _last_mention(self, name: str) -> int | None:
        return next((k for k in range(len(self.mentions) - 1, -1, -1) if self.mentions[k].name == name), None)

    def report_persons(self, item: Item):
        self.persons.append(f'"{item.text}"')

    def report_denied(self):
        self.unknown += self.denied
        self.denied = []

    def absentees(self) -> list[str]:
        if self.last == "copula":
            return [part for part in self.subject if part != self.lexicon.subject]
        return self.group if self.last == "part" else []

    def take(self, keeps_unknown: bool = False) -> list[Adjective]:
        pending, self.pending, self.before_unknown = self.pending, [], self.before_unknown and keeps_unknown
        return pending

    def begin(self, last: str):
        """Start again with the subject: no part is named that an adjective could follow."""
        self.named = self.group or self.named
        self.subject, self.group, self.group_adjectives = [self.lexicon.subject], [], []
        self.is_predicate = self.is_object = self.is_apart = self.has_determiner = self.is_of = False
        self.is_placed = self.is_adrift = False
        self.owner, self.echo = [], []
        self.before = []
        self.last = last

    def end_spent_negation(self):
        if self.negation is not None and self.negation.is_spent:
            self.negation = None

    def next_entry(self) -> Entry | None:
        return next_entry(self.items, self.position)

    def is_described_next(self) -> bool:
        entry = self.next_entry()
        return entry is not None and (bool(entry.adjective) or bool(entry.roles & {"copula", "relative"}))


def denial_word(negation: Negation | None, word: str) -> str:
    """What a negation puts before a phrase: the word, "unstated" where it only raises a doubt, "" without one."""
    return "" if negation is None else "unstated" if negation.kind == "unstated" else word


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
