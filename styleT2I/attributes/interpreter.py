"""The parser's reading of one text: a walk over its words that attaches adjectives to parts and follows negation.

What it keeps while walking: adjectives that wait for their noun (`pending`), the parts last named (`group`), what a
"is" speaks about (`subject`), and the negation in force (`negation`). The rules are listed in docs/attributes.md.
"""

from dataclasses import dataclass
from typing import NamedTuple

from styleT2I.attributes.lexicon import Entry, Item, Lexicon, Values
from styleT2I.attributes.scope import Negation, ends_at_conjunction, ends_in_noun, is_second_person, next_entry


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


class Interpreter:
    """One walk over the items of a text; results are in `mentions`, `unknown` and `problems`."""

    def __init__(self, lexicon: Lexicon, items: list[Item]):
        self.lexicon, self.items = lexicon, items
        self.mentions: list[Found] = []
        self.unknown: list[Item] = []
        self.problems: list[str] = []
        self.pending: list[Adjective] = []
        self.doubtful: list[Adjective] = []  # fit nothing so far; a noun that follows may share them
        self.group: list[str] = []
        self.group_adjectives: list[Adjective] = []
        self.subject: list[str] = [lexicon.subject]
        self.negation: Negation | None = None
        self.last = ""  # kind of the last meaningful item: part, person, copula, relative, unknown ...
        self.is_predicate = self.is_object = self.is_apart = self.has_determiner = False
        self.group_is_said = self.is_bare = False
        self.before_unknown = False  # an unknown word follows the pending adjectives
        self.has_person = False
        self.position = 0

    def run(self):
        for position, item in enumerate(self.items):
            self.position = position
            self._step(item)
        self._flush()
        self.unknown += [adjective.item for adjective in self.doubtful if not adjective.is_used]

    def _step(self, item: Item):
        entry = item.entry
        if entry is None:
            self._unknown(item)
        elif "mark" in entry.roles:
            self._conjunction("comma") if item.text in ",()" else self._stop()
        elif entry.pronoun is not None or "nominative" in entry.roles:
            self._pronoun(item)
        elif "relative" in entry.roles and (item.text != "that" or self.last in ("part", "person")):
            self._relative(item)
        elif entry.part is not None and not (entry.adjective and self._modifies_next()):
            self._derived(item) if entry.is_derived else self._part(item)
        elif entry.noun is not None and not (entry.adjective and self._modifies_next()):
            self._person(item)
        elif entry.adjective and not ("degree" in entry.roles and self._is_degree()):
            self._adjective(item)
        else:
            self._function(item)

    # ---- words that describe

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
        part, pending = item.entry.part, self._take()
        presence = self.lexicon.presence.get(part, ())
        is_chained = self.is_apart and self.last == "part" and not pending
        stated = self._describe(part, pending, item)
        if is_chained and not presence and not self.has_determiner and not self._is_described_next():
            for adjective in self.group_adjectives:
                stated |= self._say(adjective, part, item)
        for name, value in presence:
            if name not in stated:
                self._mention(name, value != (self.negation is not None), item.text, item)
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
        self.last, self.is_apart, self.has_determiner = "part", False, False

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
        is_denied = self.negation is not None and not pending  # "not a young man" denies the youth
        self._describe(self.lexicon.subject, pending, None)
        for name, value in item.entry.noun:
            self._mention(name, value != is_denied, item.text, item)
        if item.entry.is_reported:
            self.unknown.append(item)
        if self.has_person and not self.is_predicate and is_second_person(self.items, self.position):
            self.problems.append(f'more than one person: "{item.text}"; one is described at a time')
        if self.negation is not None:
            self.negation.is_spent = True
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
        return any(a.is_apart for a in after) or (bool(after) and (adjective.is_post or self.is_predicate))

    def _flush(self):
        """Attach waiting adjectives that no noun follows to what was spoken of before."""
        is_of_unknown = self.before_unknown and self.is_object
        for adjective in self._take():
            if is_of_unknown:
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
            self._mention(name, value != (adjective.negation is not None), phrase, item, None if is_person else head)
            stated.add(name)
        adjective.is_used = True
        if adjective.negation is not None:
            adjective.negation.is_spent = True
        return stated

    def _mention(self, name: str, value: bool, phrase: str, item: Item, head: Item | None = None):
        end = item.end if head is None else max(item.end, head.end)
        self.mentions.append(Found(name, value, phrase, item.start, end))

    def _take(self) -> list[Adjective]:
        pending, self.pending, self.before_unknown = self.pending, [], False
        return pending

    # ---- words that order the sentence

    def _unknown(self, item: Item):
        self.unknown.append(item)
        if self.pending and self.is_apart:
            self._flush()
        self.before_unknown = bool(self.pending)
        if self.negation is not None:
            self.negation.is_spent = True
        self.last, self.group, self.is_apart = "unknown", [], False

    def _function(self, item: Item):
        roles = item.entry.roles
        negation = next((r for r in ("without", "no", "not", "neither", "nor", "free") if r in roles), None)
        if negation:
            self._negate(negation)
        elif "but" in roles:
            self._flush()
            self.negation, self.last, self.group = None, "", []
        elif roles & {"and", "or"}:
            self._conjunction("or" if "or" in roles else "and")
        elif "copula" in roles:
            self._copula()
        elif roles & {"have", "wear"}:
            self._object()
            if self.negation is not None:
                self.negation.with_verb = True
        elif "with" in roles:
            self._object()
        elif "determiner" in roles:
            self._determiner("definite" in roles)

    def _begin(self, last: str):
        """Start anew with the subject: nothing is named that an adjective could follow."""
        self.subject, self.group, self.group_adjectives = [self.lexicon.subject], [], []
        self.is_predicate = self.is_object = self.is_apart = self.has_determiner = False
        self.last = last

    def _pronoun(self, item: Item):
        if "nominative" in item.entry.roles:
            self._flush()
            self._end_spent_negation()
            self._begin("person")
            self.has_person = True
        elif "determiner" in item.entry.roles:
            self._determiner("definite" in item.entry.roles)
        for name, value in item.entry.pronoun or ():
            self._mention(name, value, item.text, item)

    def _relative(self, item: Item):
        self._flush()
        self.negation = None
        subject = self.group if self.last == "part" and item.text in ("that", "which") else [self.lexicon.subject]
        group = self.group
        self._begin("relative")
        self.subject, self.group = list(subject), group

    def _copula(self):
        self._flush()
        self._end_spent_negation()
        if self.last == "part" and (self.is_bare or not self.is_object):
            self.subject = self.group[-1:] if self.is_object else list(self.group)
        elif self.last != "relative":
            self.subject = [self.lexicon.subject]
        self.is_predicate, self.last = True, "copula"
        self.is_object = self.is_apart = self.has_determiner = False

    def _object(self):
        """What follows is had or worn: the verbs "has", "wears" and the word "with"."""
        self._flush()
        self._end_spent_negation()
        self.is_predicate, self.is_object = False, True
        self.last, self.group, self.group_adjectives = "", [], []
        self.is_apart = self.has_determiner = False

    def _determiner(self, is_definite: bool):
        self._flush()
        if not self.is_apart:
            self._end_spent_negation()
        elif is_definite:
            self.is_object = False
        self.has_determiner = True

    def _stop(self):
        self._flush()
        self.negation = None
        self._begin("")

    def _conjunction(self, kind: str):
        if self.negation is not None and ends_at_conjunction(self.negation, kind, self.items, self.position,
                                                             self.lexicon, bool(self.pending)):
            self.negation = None
        self.is_apart = True

    def _negate(self, kind: str):
        if kind == "free":  # "makeup-free" denies what stands before it
            if self.last == "part" and self.mentions:
                self.mentions[-1] = self.mentions[-1]._replace(value=not self.mentions[-1].value)
            return
        if kind in ("without", "no"):
            self._flush()
        is_double = self.negation is not None and not self.negation.is_spent and kind != "nor"
        if kind == "without":
            self._object()
        self.negation = None if is_double else Negation(kind)

    def _end_spent_negation(self):
        if self.negation is not None and self.negation.is_spent:
            self.negation = None

    # ---- looking ahead

    def _next(self) -> Entry | None:
        return next_entry(self.items, self.position)

    def _modifies_next(self) -> bool:
        """Whether a describing word follows at once, so that a word that can be both is an adjective here."""
        entry = self._next()
        return entry is not None and (entry.part is not None or entry.noun is not None or bool(entry.adjective))

    def _is_degree(self) -> bool:
        """Whether "pretty" or "little" only weakens the adjective after it: "is pretty old", not "a pretty old man"."""
        entry = self._next()
        if entry is None or not entry.adjective or not self.is_predicate:
            return False
        return not ends_in_noun(self.items, self.position)

    def _is_described_next(self) -> bool:
        entry = self._next()
        return entry is not None and (bool(entry.adjective) or bool(entry.roles & {"copula", "relative"}))
