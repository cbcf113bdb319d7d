"""The parser's handling of denials: words that start one, and answers that deny what was named before."""

from styleT2I.attributes.parsing.adjectives import Describer
from styleT2I.attributes.parsing.lexicon import Item
from styleT2I.attributes.parsing.negation_scope import Negation, ends_phrase, following

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
