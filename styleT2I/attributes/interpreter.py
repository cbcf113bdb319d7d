"""The parser's reading of one text: a walk over its words that attaches adjectives to parts and follows negation.

What it keeps while walking: adjectives that wait for their noun (`pending`), the parts last named (`group`), what a
"is" speaks about (`subject`), and the negation in force (`negation`). The rules are listed in docs/attributes.md.
"""

from styleT2I.attributes.describer import Describer
from styleT2I.attributes.lexicon import Item
from styleT2I.attributes.scope import Negation, ends_at_conjunction, ends_in_noun


class Interpreter(Describer):
    """One walk over the items of a text; results are in `mentions`, `unknown` and `problems`."""

    def run(self):
        """Read all items."""
        for position, item in enumerate(self.items):
            self.position = position
            self._step(item)
        self._flush()
        self.unknown += [adjective.item for adjective in self.doubtful if not adjective.is_used]
        for item in self.alternatives:
            self._withdraw(item)

    def _step(self, item: Item):
        entry = item.entry
        if entry is None:
            self._unknown(item)
        elif "mark" in entry.roles:
            self._conjunction("or" if item.text == "/" else "comma") if item.text in ",:()/" else self._stop()
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

    def _unknown(self, item: Item):
        self.unknown.append(item)
        if self.pending and self.is_apart:
            self._flush()
        self.before_unknown = bool(self.pending)
        if self.negation is not None:
            self.negation.is_spent = True
        self.last, self.is_apart = "unknown", False

    def _function(self, item: Item):
        roles = item.entry.roles
        negation = next((r for r in ("without", "no", "not", "neither", "nor", "free") if r in roles), None)
        if negation:
            self._negate(negation)
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
            self._object()
        elif "determiner" in roles:
            self._determiner("definite" in roles)
        elif item.text == "of":
            self._flush()
            self.is_of = True

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
        is_carried = self.negation is not None and self.negation.is_continued and not self.negation.is_spent
        self._flush()
        if is_carried:  # "isn't smiling or wearing a hat"
            self.negation.is_spent = False
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
        if kind == "or" and self.negation is None:
            self.alternatives.append(self.items[self.position])
        elif kind == "or":
            self.negation.is_spent, self.negation.is_continued = False, True
        self.is_apart = True

    def _negate(self, kind: str):
        if kind == "free":  # "makeup-free" denies what stands before it
            if self.last == "part" and self.mentions:
                self.mentions[-1] = self.mentions[-1]._replace(value=not self.mentions[-1].value)
            return
        if kind in ("without", "no"):
            self._flush()
        is_double = self.negation is not None and self.negation.is_fresh and kind != "nor"
        if kind == "without":
            self._object()
        self.negation = None if is_double else Negation(kind)

    def _withdraw(self, item: Item):
        """Take back what stands on both sides of an affirmed "or": "black or brown hair" states neither colour."""
        before = max((m for m in self.mentions if m.start < item.start), key=lambda m: m.start, default=None)
        after = min((m for m in self.mentions if m.start > item.start), key=lambda m: m.start, default=None)
        if before and after and before[:2] != after[:2]:
            self.mentions = [m for m in self.mentions if m not in (before, after)]
            self.problems.append(f'"{before.phrase}" or "{after.phrase}": alternatives; state one of them')

    # ---- looking ahead

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
