"""The parser's reading of one text: a walk over its words that attaches adjectives to parts and follows negation.

What it keeps while walking: adjectives that wait for their noun (`pending`), the parts last named (`group`), what an
"is" refers to (`subject`), and the negation in force (`negation`). The rules are listed in docs/attributes.md.
"""

from styleT2I.attributes.parsing.adjectives import Describer
from styleT2I.attributes.parsing.lexicon import Item
from styleT2I.attributes.parsing.negation_scope import (
    Negation,
    ends_at_conjunction,
    ends_in_noun,
    ends_phrase,
    following,
    leads_to_part,
    located_part,
)
from styleT2I.attributes.parsing.walk import without_alternatives

_DENIALS = {"not", "nor", "neither"}


class Denier(Describer):
    """What "no", "without", "none" and "took off" do to the state of a walk."""

    def _negate(self, kind: str):
        if kind == "free":  # "makeup-free" denies what stands before it
            if self.last == "part" and self.mentions:
                self.mentions[-1] = self.mentions[-1]._replace(value=not self.mentions[-1].value)
            return
        if kind in ("without", "no", "unstated"):
            self._flush()
        is_double = self.negation is not None and self.negation.is_fresh and kind != "nor"
        if kind == "without":
            self._object()
        self.negation = None if is_double else Negation(kind)

    def _is_answer(self, item: Item) -> bool:
        """Whether a word such as "none", "gone", "no" denies what was named before."""
        roles = item.entry.roles
        if "no" in roles:
            return ends_phrase(self.items, self.position, frozenset({"mark"}))
        if "function" in roles and (self.is_object or self.pending):  # "off", but not "wearing a hat off"
            return False
        is_only = roles == {"absent"}
        return (is_only or ends_phrase(self.items, self.position)) and (bool(self._absentees()) or bool(self.pending))

    def _answer(self, item: Item):
        """Invert what was named before: "glasses: none", "his hat is off", "smiling: no"."""
        if self.pending and self.last == "adjective":
            self.pending[-1].negation = Negation("not")
        elif self.negation is not None and self.negation.is_fresh:  # "his beard is not gone"
            self.negation.is_spent = True
        else:
            for part in self._absentees():
                said = [value for a in self.group_adjectives for value in a.meaning.get(part, ())]
                for name, value in said:  # "big lips: no"
                    if (name, value) not in self.lexicon.scalar:
                        self._turn_round(name, value)
                if not said:
                    self._deny(part, item)

    def _set_aside(self, item: Item):
        """Take back a thing that is not where it is worn: "a hat in his hand"."""
        for part in self._absentees():
            for name, _ in self.lexicon.presence.get(part, ()):
                self._forget(name, part)
        self.unknown.append(item)

    def _absentees(self) -> list[str]:
        if self.last == "copula":
            return [part for part in self.subject if part != self.lexicon.subject]
        return self.group if self.last == "part" else []

    def _is_shaved_off(self) -> bool:
        """Whether "shaved" removes the thing named: "he shaved his beard", but not "he shaved his head"."""
        after = following(self.items, self.position)[:2]
        return (
            len(after) == 2
            and after[0].text in ("his", "her", "the", "their")
            and after[1].entry is not None
            and (after[1].entry.part in self.lexicon.presence)
        )

    def _is_denied_verb(self) -> bool:
        """Whether an unknown word after "not" is a verb, whose object the denial is about: "not growing a beard"."""
        before = self.items[self.position - 1].entry if self.position else None
        before = None if before is None or "degree" in before.roles else before  # "you hardly notice her narrow eyes"
        after = next(iter(following(self.items, self.position)), None)
        is_first = self.negation.kind in _DENIALS and before is not None and before.roles & _DENIALS
        return bool(is_first) and after is not None and after.entry is not None and "determiner" in after.entry.roles


_ON = frozenset("on in of over across along throughout at upon atop covering".split())  # of the part itself
_ANSWERS = ("no", "none", "nope", "yes")


class Interpreter(Denier):
    """One walk over the items of a text; results are in `mentions`, `unknown` and `problems`."""

    def run(self):
        """Read all items."""
        for position, item in enumerate(self.items):
            self.position = position
            self._step(item)
        self._flush()
        self._report_denied()
        self.unknown += [adjective.item for adjective in [*self.doubtful, *self.carried] if not adjective.is_used]
        self.mentions, problems = without_alternatives(self.mentions, self.items, self.alternatives)
        self.problems += problems
        if self.persons:
            self.problems.append(
                f"names more than one person ({', '.join(dict.fromkeys(self.persons))}); one is drawn, with everything "
                "that is said of any of them"
            )

    def _step(self, item: Item):
        entry = item.entry
        if entry is None or "reported" in entry.roles or self._is_verb(entry):
            self._unknown(item)
        elif "mark" in entry.roles:
            self._mark(item)
        elif entry.roles & {"absent", "no"} and self._is_answer(item):
            self._answer(item)
        elif "aside" in entry.roles and self._absentees():
            self._set_aside(item)
        elif entry.adverb_of and self._is_of_whole():
            for adjective in self._take():
                self._attach(adjective, [[entry.adverb_of]])
        elif entry.pronoun is not None or "nominative" in entry.roles:
            self._pronoun(item)
        elif "relative" in entry.roles and (item.text != "that" or self.last in ("part", "person")):
            self._relative(item)
        elif entry.part is not None and not (entry.adjective and self._modifies_next()):
            self._derived(item) if entry.is_derived else self._part(item)
        elif entry.noun is not None and not (entry.adjective and self._modifies_next()):
            self._person(item)
        elif entry.adjective and not (entry.roles & {"degree", "shave"} and self._is_no_adjective(entry)):
            self._adjective(item)
        else:
            self._function(item)

    def _mark(self, item: Item):
        after = next(iter(following(self.items, self.position)), None)
        if item.text == "/":
            before = self.items[self.position - 1] if self.position else None
            is_tight = before is not None and after is not None and before.end == item.start and item.end == after.start
            self._conjunction("or" if is_tight else "comma")
        elif item.text == ":" and self.last == "part" and not self.is_apart:  # "hair: black, wavy"
            self._copula()
        elif item.text in ",:()" or (item.text == "?" and after is not None and after.text in _ANSWERS):
            self._conjunction("comma")
        else:
            self._stop()

    def _unknown(self, item: Item):
        self.unknown.append(item)
        if self.pending and self.is_apart and (self.is_predicate or self.pending[0].is_post):
            self._flush()
        self.before_unknown = bool(self.pending) and (self.before_unknown or not self.is_apart)
        if self.negation is not None and not self._is_denied_verb():
            self.negation.is_spent = True
        self.last, self.is_apart = "unknown", False

    def _function(self, item: Item):
        roles = item.entry.roles
        negation = next((r for r in ("without", "no", "not", "neither", "nor", "unstated", "free") if r in roles), None)
        is_shaved = "shave" in roles and self._is_shaved_off()
        if is_shaved or negation:
            self._negate("without" if is_shaved else negation)
        elif "but" in roles and self.pending and not self.is_predicate and leads_to_part(self.items, self.position):
            self.negation, self.is_apart = None, True  # "bushy but not arched eyebrows"
        elif "but" in roles:
            self._flush()
            self.negation, self.last = None, ""
        elif roles & {"and", "or"}:
            self._conjunction("or" if "or" in roles else "and")
        elif "copula" in roles:
            self._copula()
        elif roles & {"have", "wear"}:
            self._object()
            if self.negation is not None:
                self.negation.with_verb = True
        elif "with" in roles:
            if not self._carry():
                self._object()
        elif "determiner" in roles:
            self._determiner("definite" in roles)
        elif item.text == "of":
            self._flush()
            self.is_of = True
        elif "place" in roles:
            if not self._carry():
                self._flush()
            self.is_placed = True
        elif "shade" in roles and not self._is_followed_by_adjective():
            self.unknown.append(item)
            self.last, self.is_apart = "unknown", False

    def _pronoun(self, item: Item):
        if "nominative" in item.entry.roles:
            self._flush()
            self.negation = self.negation if self.negation and self.negation.is_fresh else None
            parts = self.group or self.subject
            self._begin("person")
            if item.text == "they" or item.text == "it" != self.lexicon.pronoun:  # "her hair isn't blond, it's black"
                self.subject, self.last = parts, "relative"
            self.has_person = self.has_person or item.entry.pronoun is not None
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
        is_aside = self.last == "adjective" and not (self.is_object or self.is_predicate)  # "its bill, long, is black"
        self._flush()
        self._end_spent_negation()
        if self.position and self.items[self.position - 1].text in ("so", "neither", "nor"):
            self.echo = self.said  # "its throat is white, and so is its belly"
        if self.denied:
            self.subject, self.negation, self.denied = [item.entry.part for item in self.denied], Negation("not"), []
        elif is_aside and self.group:
            self.subject = list(self.group)
        elif self.last == "part" and (self.is_bare or not self.is_object):
            self.subject = self.group[-1:] if self.is_object else list(self.group)
        elif self.last != "relative":
            self.subject = [self.lexicon.subject]
        self.is_predicate, self.last = True, "copula"
        self.is_object = self.is_placed = self.is_apart = self.has_determiner = False

    def _object(self):
        """What follows is had or worn: the verbs "has", "wears" and the word "with"."""
        self._report_denied()
        is_patterned = bool(self.pending) and "patterned" in self.pending[-1].item.entry.roles
        is_carried = self.negation is not None and self.negation.is_continued and not self.negation.is_spent
        self._flush()
        if is_carried:  # "isn't smiling or wearing a hat"
            self.negation.is_spent = False
        self._end_spent_negation()
        self.is_adrift = self.last == "unknown" or is_patterned  # "edged with white", "spotted with brown"
        is_new_verb = self.is_apart and "with" not in self.items[self.position].entry.roles  # "... and has"
        is_subject = (self.is_predicate or self.last == "relative") and not is_new_verb
        is_owned = self.last == "part" or (is_subject and self.subject != [self.lexicon.subject])
        owner = list(self.group) if self.last == "part" else self.subject
        self.owner = owner if is_owned and not self.is_adrift else []
        self.is_predicate, self.is_object, self.is_placed = False, True, False
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
        self._report_denied()
        self.negation = None
        self._begin("")

    def _conjunction(self, kind: str):
        if self.negation is not None and ends_at_conjunction(
            self.negation, kind, self.items, self.position, self.lexicon, bool(self.pending)
        ):
            self.negation = None
        if kind == "or" and self.negation is None:
            self.alternatives.append(self.position)
        if kind == "comma":
            self.is_adrift = False
        self.is_apart = True

    def _is_of_whole(self) -> bool:
        """Whether waiting adjectives with "above" or "below" describe the subject: "olive above, yellow below"."""
        is_whole = not self.group and self.subject == [self.lexicon.subject]
        return bool(self.pending) and is_whole and ends_phrase(self.items, self.position)

    def _carry(self) -> bool:
        """Hand waiting adjectives on to the part on which they are: "red on its wings"; False if they have no such."""
        part = located_part(self.items, self.position - 1) if self.pending and not self.before_unknown else None
        if part is None or part in self.lexicon.carriers:
            return False
        first = len(self.pending)
        while first and (part in self.pending[first - 1].meaning or self.pending[first - 1].is_marking):
            first -= 1
        moved, self.pending = self.pending[first:], self.pending[:first]
        self._flush()
        is_own = self.items[self.position].text in _ON and part not in self.lexicon.closed
        (self.carried if is_own else self.doubtful).extend(moved)
        return bool(moved)

    # ---- looking ahead

    def _modifies_next(self) -> bool:
        """Whether a describing word follows at once, so that a word that can be both is an adjective here."""
        entry = self._next()
        return entry is not None and (entry.part is not None or entry.noun is not None or bool(entry.adjective))

    def _is_no_adjective(self, entry) -> bool:
        """Whether "pretty" or "little" only weakens the adjective after it: "is pretty old", not "a pretty old man"."""
        if "shave" in entry.roles:
            return self._is_shaved_off()
        entry = self._next()
        if entry is None or not entry.adjective or not self.is_predicate:
            return False
        return not ends_in_noun(self.items, self.position)

    def _is_followed_by_adjective(self) -> bool:
        entry = self._next()
        return entry is not None and bool(entry.adjective)

    def _is_verb(self, entry) -> bool:
        """Whether a word that can be a noun is what the person does: "she waves", "he ties his shoes"."""
        before = self.items[self.position - 1].entry if "verb" in entry.roles and self.position else None
        return before is not None and (
            before.noun is not None or "nominative" in before.roles or (self.items[self.position - 1].text == "who")
        )
