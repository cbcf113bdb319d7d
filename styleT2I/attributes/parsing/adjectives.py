"""The parser's handling of words that describe: adjectives, the parts and persons they belong to, what is stated."""

from dataclasses import dataclass

from styleT2I.attributes.parsing.lexicon import Entry, Item, Lexicon, Values
from styleT2I.attributes.parsing.negation_scope import (
    Negation,
    following,
    is_second_person,
    leads_to_copula,
    located_part,
    next_entry,
)
from styleT2I.attributes.parsing.walk import Record

_OWNERS = ("his", "her", "their", "its")
_MOST_PARTS = 6  # that an adjective of faces describes: "smiling" goes with person, face, mouth, lips, eyes


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


class Describer(Record):
    """The state of one walk over the items of a text, and what adjectives, parts and persons do to it."""

    def __init__(self, lexicon: Lexicon, items: list[Item]):
        super().__init__(lexicon)
        self.items = items
        self.alternatives: list[int] = []  # positions of each "or" that no negation governs
        self.pending: list[Adjective] = []
        self.doubtful: list[Adjective] = []  # fit nothing so far; a noun that follows may share them
        self.carried: list[Adjective] = []  # of a noun such as "feathers", for the part on which they are
        self.group: list[str] = []
        self.group_adjectives: list[Adjective] = []
        self.subject: list[str] = [lexicon.subject]
        self.owner: list[str] = []  # the parts that have the named thing: "wings with ..."
        self.said: list[Adjective] = []  # what the last verb stated
        self.echo: list[Adjective] = []  # what "so is" will state about the part that follows
        self.denied: list[Item] = []  # parts after "neither", until their verb comes
        self.negation: Negation | None = None
        self.last = ""  # kind of the last meaningful item: part, person, copula, relative, unknown ...
        self.is_predicate = self.is_object = self.is_apart = self.has_determiner = False
        self.is_placed = False  # after "on", "at": an unknown noun does not name the subject
        self.is_adrift = False  # what is had belongs to an unknown word: "tipped with white"
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
        if "marking" in item.entry.roles:  # the colour of "white spots" is not the wing's
            self.doubtful += self._take()
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
        if part in self.lexicon.carriers and self._hand_on(part, pending):
            return
        if self.echo and not pending and not self._is_described_next():
            pending, self.echo, self.negation = self.echo, [], None
        presence = (*self.lexicon.presence.get(part, ()), *item.entry.states)
        is_chained = self.is_apart and self.last == "part" and not pending
        stated = self._describe(part, pending, item)
        if is_chained and not presence and not self.has_determiner and not self._is_described_next():
            for adjective in self.group_adjectives:
                stated |= self._say(adjective, part, item)
        denial = "" if presence and self._is_denied_subject() else self._denial(self.negation, "no")
        for name, value in presence:
            if name not in stated:
                self._mention(name, value, item.text, item, denial=denial)
        if item.entry.is_reported:
            self.unknown.append(item)
        if self.negation is not None:
            self._lack(item, pending, is_said=bool(presence or stated))
        if not (is_chained and not self.group_is_said):
            self.group = []
        if not is_chained:
            self.group_adjectives = pending
        self.group = [*self.group, part]
        self.group_is_said = bool(pending)
        self.is_bare = not (pending or presence)
        self.is_placed = self.is_adrift = False
        self.owner = []
        self.last, self.is_apart, self.has_determiner, self.is_of = "part", False, False, False

    def _lack(self, item: Item, pending: list[Adjective], is_said: bool):
        """A part in a negation's reach: what its absence states, unless the denial is about its verb."""
        is_plain = not (pending or item.entry.states or item.entry.is_reported)
        absence = self.lexicon.absence.get(item.entry.part, ()) if is_plain else ()
        kinds = ("neither", "nor") if absence else ("neither", "nor", "no")
        if self._is_inverted():
            self.subject = [item.entry.part]
            return
        is_subject = self.negation.kind in kinds and is_plain and not is_said
        if self._is_denied_subject() or (is_subject and leads_to_copula(self.items, self.position)):
            self.denied.append(item)
            return
        for name, value in absence:
            self._mention(name, value, f"no {item.text}", item)
        if not (absence or is_said or item.entry.is_reported):
            self.unknown.append(item)
        self.negation.is_spent = True

    def _is_denied_subject(self) -> bool:
        """Whether "neither his beard nor ..." denies what is said of the beard, and not the beard."""
        is_owned = self.position > 0 and self.items[self.position - 1].text in (*_OWNERS, "the")
        kind = self.negation.kind if self.negation is not None and is_owned else ""
        is_subject = kind in ("neither", "nor") and leads_to_copula(self.items, self.position)
        return is_subject or self._is_inverted()

    def _is_inverted(self) -> bool:
        """Whether the verb came first: "nor are his eyebrows arched"."""
        is_inverted = self.negation is not None and self.negation.kind == "nor" and self.last == "copula"
        return is_inverted and self._is_described_next()

    def _hand_on(self, part: str, pending: list[Adjective]) -> bool:
        """Give the adjectives of "feathers", "colour", "patch" to the part that has them; False if there is none."""
        place = located_part(self.items, self.position)
        if place is not None:
            (self.doubtful if place in self.lexicon.closed else self.carried).extend(pending)
            return True
        if self.last == "part" and not (pending or self.is_apart):  # "its belly color"
            return True
        is_owned = any(owner in adjective.meaning for adjective in pending for owner in self.owner)
        if is_owned and part in self.lexicon.described:  # "wings with black feathers"
            for adjective in pending:
                self._attach(adjective, [self.owner])
            return True
        return False

    def _derived(self, item: Item):
        """Attach what stands before "haired" to the hair; the rest still waits for the person."""
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
        if self._is_owner(item):
            self._unknown(item)
            return
        pending = self._take()
        denial = "" if pending else self._denial(self.negation, "not")  # "not a young man" denies the youth
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

    def _report_denied(self):
        self.unknown += self.denied
        self.denied = []

    def _is_owner(self, item: Item) -> bool:
        """Whether a person is named only as the owner of a thing: "he wears a woman's hat", "her father's tie"."""
        after = next(iter(following(self.items, self.position)), None)
        if after is None or after.entry is None or "possessive" not in after.entry.roles:
            return False
        is_second = (self.has_person and self.is_object) or item.entry.is_plural
        return is_second or self.items[self.position - 1].text in _OWNERS

    def _describe(self, part: str, pending: list[Adjective], head: Item | None) -> set[str]:
        """Attach waiting adjectives to the noun they stand before; return the names of what they state."""
        stated = set()
        for k, adjective in enumerate(pending):
            after = pending[k + 1 :]
            if adjective.is_marking and not all(a.is_marking for a in after):  # "with stripes and white wings"
                self._attach(adjective, [self.owner])
            elif part in adjective.meaning:
                stated |= self._say(adjective, part, head)
            elif self.lexicon.subject in adjective.meaning and self._stands_for_subject(part, adjective):
                self._say(adjective, self.lexicon.subject, None)
            elif self._is_detached(adjective, after) or self._is_listed(adjective, after):
                self._attach(adjective, self._targets(adjective))
            elif not (after and "degree" in adjective.item.entry.roles):
                self.doubtful.append(adjective)
        return stated

    def _stands_for_subject(self, part: str, adjective: Adjective) -> bool:
        """Whether a part is the person over again: "female face", "young male head"; "an old photo" is not."""
        return part in ("face", "head") or (part == "picture" and adjective.item.entry.noun is not None)

    def _is_detached(self, adjective: Adjective, after: list[Adjective]) -> bool:
        """Whether an adjective before a noun may describe something earlier: "mouth open bangs"."""
        if adjective.is_post and not self.group_is_said:
            return True
        is_listed = any(a.is_apart for a in after) and not (self.is_object and not adjective.is_post)
        return is_listed or (bool(after) and (adjective.is_post or self.is_predicate))

    def _is_listed(self, adjective: Adjective, after: list[Adjective]) -> bool:
        """Whether it is the subject's, one of a list: "in her twenties, clean-shaven, black hair"."""
        is_person_only = self.lexicon.subject in adjective.meaning and not adjective.is_common
        return is_person_only and adjective.is_apart and bool(after) and not self.group

    def _flush(self):
        """Attach waiting adjectives that no noun follows to what was spoken of before."""
        is_elsewhere = self.is_object or self.is_placed
        if self.is_predicate and self.pending:
            self.said = self.pending
        is_named = (self.has_person or bool(self.group)) and not self.is_predicate
        for adjective in self._take(keeps_unknown=True):
            is_of_unknown = self.before_unknown and (is_elsewhere or (is_named and adjective.is_common))
            if (self.is_adrift or is_of_unknown) and not adjective.is_post:
                self.doubtful.append(adjective)
            else:
                self._attach(adjective, [*self._targets(adjective), [] if adjective.is_marking else self.group])
        self.before_unknown = False

    def _targets(self, adjective: Adjective) -> list[list[str]]:
        """Return what an adjective without a noun of its own may describe, the likeliest first."""
        targets = [self.group] if adjective.is_post else [self.owner] if self.is_object else []
        targets += [self.subject] if self.is_predicate else []
        is_of_part = any(part != self.lexicon.subject for target in targets for part in target)
        return targets if is_of_part and adjective.is_common else [*targets, [self.lexicon.subject]]

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
        """Record what an adjective states beside a part (nothing if it has no meaning there)."""
        item, stated = adjective.item, set()
        for name, value in adjective.meaning.get(part, ()):
            if head is None and not (adjective.negation and (name, value) in self.lexicon.scalar):
                self._forget(name, part)
            is_person = head is None or part == self.lexicon.subject
            phrase = item.text if is_person else f"{item.text} {head.text}"
            denial = self._denial(adjective.negation, "not")
            self._mention(name, value, phrase, item, None if is_person else head, denial)
            stated.add(name)
        adjective.is_used = adjective.is_used or part in adjective.meaning
        if adjective.negation is not None:
            adjective.negation.is_spent = True
        return stated

    def _take(self, keeps_unknown: bool = False) -> list[Adjective]:
        pending, self.pending, self.before_unknown = self.pending, [], self.before_unknown and keeps_unknown
        return pending

    def _begin(self, last: str):
        """Start again with the subject: no part is named that an adjective could follow."""
        self.subject, self.group, self.group_adjectives = [self.lexicon.subject], [], []
        self.is_predicate = self.is_object = self.is_apart = self.has_determiner = self.is_of = False
        self.is_placed = self.is_adrift = False
        self.owner, self.echo = [], []
        self.last = last

    def _end_spent_negation(self):
        if self.negation is not None and self.negation.is_spent:
            self.negation = None

    def _next(self) -> Entry | None:
        return next_entry(self.items, self.position)

    def _is_described_next(self) -> bool:
        entry = self._next()
        return entry is not None and (bool(entry.adjective) or bool(entry.roles & {"copula", "relative"}))
