"""The parser's handling of words that describe: adjectives, the parts and persons they belong to, what is stated."""

from dataclasses import dataclass
from typing import NamedTuple

from styleT2I.attributes.lexicon import Entry, Item, Lexicon, Values
from styleT2I.attributes.scope import Negation, is_located, is_second_person, next_entry


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


class Describer:
    """The state of one walk over the items of a text, and what adjectives, parts and persons do to it."""

    def __init__(self, lexicon: Lexicon, items: list[Item]):
        self.lexicon, self.items = lexicon, items
        self.mentions: list[Found] = []
        self.unknown: list[Item] = []
        self.problems: list[str] = []
        self.alternatives: list[Item] = []  # each "or" that no negation governs
        self.pending: list[Adjective] = []
        self.doubtful: list[Adjective] = []  # fit nothing so far; a noun that follows may share them
        self.carried: list[Adjective] = []  # of a noun such as "feathers", for the part on which they are
        self.group: list[str] = []
        self.group_adjectives: list[Adjective] = []
        self.subject: list[str] = [lexicon.subject]
        self.negation: Negation | None = None
        self.last = ""  # kind of the last meaningful item: part, person, copula, relative, unknown ...
        self.is_predicate = self.is_object = self.is_apart = self.has_determiner = False
        self.group_is_said = self.is_bare = False
        self.before_unknown = False  # an unknown word follows the pending adjectives
        self.has_person = False
        self.is_of = False  # "of" came last, determiners and adjectives aside
        self.position = 0

    def _adjective(self, item: Item):
        if self.before_unknown and self.is_apart:
            self._flush()
        if self.last == "part" and not self.is_apart:
            self._end_spent_negation()
        follows_part = self.last == "part" and not self.is_apart and not self.has_determiner
        is_post = follows_part or bool(self.pending and self.pending[-1].is_post)
        self.pending.append(Adjective(item, self.negation, self.is_apart, is_post))
        if self.negation is not None and not self.negation.takes_nouns:
            self.negation.is_spent = True
        self.is_apart, self.last = False, "adjective"

    def _part(self, item: Item):
        if self.pending and self.is_apart:
            self._flush()
        if self.last == "part" and not self.is_apart:
            self._end_spent_negation()
        part, pending = item.entry.part, [*self.carried, *self._take()]
        self.carried = []
        if part in self.lexicon.carriers and is_located(self.items, self.position):
            self.carried = pending  # "red feathers on its head": the red is the head's
            return
        presence = self.lexicon.presence.get(part, ())
        is_chained = self.is_apart and self.last == "part" and not pending
        stated = self._describe(part, pending, item)
        if is_chained and not presence and not self.has_determiner and not self._is_described_next():
            for adjective in self.group_adjectives:
                stated |= self._say(adjective, part, item)
        for name, value in presence:
            if name not in stated:
                self._mention(name, value, item.text, item, denial="no" if self.negation is not None else "")
        if self.negation is not None:
            absence = () if pending else self.lexicon.absence.get(part, ())
            for name, value in absence:
                self._mention(name, value, f"no {item.text}", item)
            if not (presence or absence or stated):
                self.unknown.append(item)
            self.negation.is_spent = True
        if not (is_chained and not self.group_is_said):
            self.group = []
        if not is_chained:
            self.group_adjectives = pending
        self.group = [*self.group, part]
        self.group_is_said = bool(pending)
        self.is_bare = not (pending or presence)
        self.last, self.is_apart, self.has_determiner, self.is_of = "part", False, False, False

    def _derived(self, item: Item):
        """Attach what stands before "haired" to the hair; the rest goes on waiting for the person."""
        waiting = self._take()
        for k, adjective in enumerate(waiting):
            if item.entry.part in adjective.meaning:
                self._say(adjective, item.entry.part, item)
            elif k + 1 < len(waiting) or self.lexicon.subject in adjective.meaning:
                self.pending.append(adjective)
            else:
                self.doubtful.append(adjective)
        self.last, self.is_apart = "adjective", False

    def _person(self, item: Item):
        pending = self._take()
        denial = "not" if self.negation is not None and not pending else ""  # "not a young man" denies the youth
        self._describe(self.lexicon.subject, pending, None)
        for name, value in item.entry.noun:
            self._mention(name, value, item.text, item, denial=denial)
        if item.entry.is_reported:
            self.unknown.append(item)
        if item.entry.is_plural:
            self._report_persons(item)
        if self.has_person and not self.is_predicate and is_second_person(self.items, self.position):
            self._report_persons(item)
        if self.negation is not None:
            self.negation.is_spent = True
        if not (self.last == "part" and self.is_of):  # in "the hair of the man is black" the hair stays the subject
            self._begin("person")
        self.has_person = True

    def _describe(self, part: str, pending: list[Adjective], head: Item | None) -> set[str]:
        """Attach waiting adjectives to the noun they stand before; return the names of what they state."""
        stated = set()
        for k, adjective in enumerate(pending):
            after = pending[k + 1:]
            if part in adjective.meaning:
                stated |= self._say(adjective, part, head)
            elif self._is_detached(adjective, after):
                self._attach(adjective, self._targets(adjective))
            elif not (after and "degree" in adjective.item.entry.roles):
                self.doubtful.append(adjective)
        return stated

    def _is_detached(self, adjective: Adjective, after: list[Adjective]) -> bool:
        """Whether an adjective before a noun may describe something earlier: "mouth open bangs"."""
        if adjective.is_post and not self.group_is_said:
            return True
        is_listed = any(a.is_apart for a in after) and not (self.is_object and not adjective.is_post)
        return is_listed or (bool(after) and (adjective.is_post or self.is_predicate))

    def _flush(self):
        """Attach waiting adjectives that no noun follows to what was spoken of before."""
        is_of_unknown = self.before_unknown and self.is_object
        for adjective in self._take():
            if is_of_unknown and not adjective.is_post:
                self.doubtful.append(adjective)
            else:
                self._attach(adjective, [*self._targets(adjective), self.group])

    def _targets(self, adjective: Adjective) -> list[list[str]]:
        """Return what an adjective without a noun of its own may describe, the likeliest first."""
        targets = [self.group] if adjective.is_post else []
        return targets + ([self.subject] if self.is_predicate else []) + [[self.lexicon.subject]]

    def _attach(self, adjective: Adjective, targets: list[list[str]]):
        for parts in targets:
            fitting = [part for part in parts if part in adjective.meaning]
            if fitting:
                for part in fitting:
                    self._say(adjective, part, None)
                self.group_is_said = True
                return
        self.doubtful.append(adjective)

    def _say(self, adjective: Adjective, part: str, head: Item | None) -> set[str]:
        """Record what an adjective states beside a part (nothing if it means nothing there)."""
        item, stated = adjective.item, set()
        for name, value in adjective.meaning.get(part, ()):
            is_person = head is None or part == self.lexicon.subject
            phrase = item.text if is_person else f"{item.text} {head.text}"
            self._mention(name, value, phrase, item, None if is_person else head, "not" if adjective.negation else "")
            stated.add(name)
        adjective.is_used = True
        if adjective.negation is not None:
            adjective.negation.is_spent = True
        return stated

    def _mention(self, name: str, value: bool, phrase: str, item: Item, head: Item | None = None, denial: str = ""):
        """Record a value, turned round under a denial ("no", "not")."""
        end = item.end if head is None else max(item.end, head.end)
        phrase = f"{denial} {phrase}" if denial else phrase
        self.mentions.append(Found(name, value != bool(denial), phrase, item.start, end))

    def _report_persons(self, item: Item):
        self.problems.append(f'more than one person: "{item.text}"; one is described at a time')

    def _take(self) -> list[Adjective]:
        pending, self.pending, self.before_unknown = self.pending, [], False
        return pending

    def _begin(self, last: str):
        """Start anew with the subject: nothing is named that an adjective could follow."""
        self.subject, self.group, self.group_adjectives = [self.lexicon.subject], [], []
        self.is_predicate = self.is_object = self.is_apart = self.has_determiner = self.is_of = False
        self.last = last

    def _end_spent_negation(self):
        if self.negation is not None and self.negation.is_spent:
            self.negation = None

    def _next(self) -> Entry | None:
        return next_entry(self.items, self.position)

    def _is_described_next(self) -> bool:
        entry = self._next()
        return entry is not None and (bool(entry.adjective) or bool(entry.roles & {"copula", "relative"}))
