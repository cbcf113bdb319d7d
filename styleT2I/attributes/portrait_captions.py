"""Captions of Portraits: the grammar of Multi-Modal-CelebA-HQ, and free English; the parser reads each back exactly.

A caption mentions a random subset of the attributes; what it leaves out is not stated. Denials come last.
"""

from __future__ import annotations

from collections.abc import Mapping

from styleT2I.attributes import portrait_words as w
from styleT2I.attributes.wording.caption_words import Dice, join, with_article
from styleT2I.errors import ConfigError

FORMS = ("release", "noun_phrase", "sentence", "two_sentences", "picture", "relative", "keywords", "single")
_FORM_ODDS = (0.40, 0.14, 0.14, 0.10, 0.07, 0.05, 0.05, 0.05)
_NUM_ODDS = (0.08, 0.17, 0.22, 0.20, 0.15, 0.10, 0.05, 0.03)  # of 1, 2, ... 8 attributes
_RELEASE_NUM_ODDS = (0.0, 0.08, 0.17, 0.22, 0.22, 0.17, 0.09, 0.05)
_SAYABLE = {key for table in (w.ADJECTIVES, w.HAIR, w.HAS, w.WEARS, w.IS, w.NO_HAS, w.NO_WEARS) for key in table}
_DENIAL_WEIGHT, _GENDER_ODDS = 0.12, 0.8


def captions(labels: Mapping[str, bool], seed: int, num: int = 6, form: str | None = None) -> tuple[str, ...]:
    """Return `num` truthful captions of a portrait that follow from the seed alone.

    labels: every attribute of the vocabulary `portraits`; form: one of FORMS (None: a random one for each).
    """
    if form is not None and form not in FORMS:
        raise ConfigError(f"unknown caption form {form!r}; known: {', '.join(FORMS)}")
    dice = Dice(seed)
    return tuple(_caption(labels, dice, form or dice.weighted(FORMS, _FORM_ODDS)) for _ in range(num))


def _caption(labels: Mapping[str, bool], dice: Dice, form: str) -> str:
    if form == "release":
        return _release(_subset(labels, dice, _release_names(labels), _RELEASE_NUM_ODDS), dice)
    names = [name for name, value in labels.items() if name == "Male" or (name, value) in _SAYABLE]
    said = _subset(labels, dice, names, (1,) if form == "single" else _NUM_ODDS)
    sentences = _BUILDERS[form](_Words(said, labels, dice), dice)
    if dice.chance(0.5):
        return " ".join(s[0].upper() + s[1:] + "." for s in sentences)
    return ". ".join(sentences)


def _release_names(labels: Mapping[str, bool]) -> list[str]:
    known = (*w.RELEASE_HAS, *w.RELEASE_WEARS, *w.RELEASE_IS)
    return [name for name in labels if name in ("Male", "No_Beard") or (labels[name] and name in known)]


def _subset(labels, dice, names, odds) -> dict[str, bool]:
    """Draw which attributes to mention: mostly those that are present; denials are rarer."""
    num = dice.weighted(range(1, len(odds) + 1), odds)
    keys = []
    for name in names:
        if not _misleads(name, labels):
            is_plain = labels[name] != (name == "No_Beard") or name in ("Male", "Young", "Long_Hair")
            keys.append((dice.roll() ** (1 / (1.0 if is_plain else _DENIAL_WEIGHT)), name))
    if num > 1 and dice.chance(_GENDER_ODDS):
        keys = [(2.0 if name == "Male" else key, name) for key, name in keys]
    chosen = {name for _, name in sorted(keys, reverse=True)[:num]}
    return {name: value for name, value in labels.items() if name in chosen}


def _misleads(name: str, labels: Mapping[str, bool]) -> bool:
    """Whether a true label makes a false sentence: stubble is no "beard", a bald head has no "short hair"."""
    if name == "No_Beard" and not labels[name]:
        return labels["5_o_Clock_Shadow"] or labels["Goatee"]
    if name == "Long_Hair" and not labels[name]:
        return labels["Bald"]
    return name == "Heavy_Makeup" and not labels[name] and labels["Wearing_Lipstick"]


class _Words:
    """What one caption states, sorted into the places of a sentence.

    `noun` carries the adjectives; `has`, `wears`, `states` are what the person has, wears and is; `no_has` and
    `no_wears` are nouns of what is absent; `is_unsmiling` closes a sentence.
    """

    def __init__(self, said: Mapping[str, bool], labels: Mapping[str, bool], dice: Dice):
        self.dice, self.gender = dice, said.get("Male")
        self.subject, self.object, self.possessive = w.PRONOUNS[self.gender]
        self.adjectives, self.has, self.wears, self.states, self.no_has, self.no_wears = [], [], [], [], [], []
        self.is_unsmiling = False
        self._may_be_shaven = not labels["Mustache"]
        if "Young" in said and dice.chance(0.75):
            self.adjectives.append(dice.pick(w.AGES[said["Young"]]))
            said = {name: value for name, value in said.items() if name != "Young"}
        self._say_hair({key for key in said.items() if key in w.HAIR})
        for key in said.items():
            if key not in w.HAIR and key[0] != "Male":
                self._say(key)
        self.noun = " ".join([*self.adjectives, dice.pick(w.NOUNS[self.gender])])
        for items in (self.has, self.wears, self.states):
            if dice.chance(0.5):
                items.reverse()

    def _may_be_adjective(self, key) -> bool:
        is_free = len(self.adjectives) < 2 and key in w.ADJECTIVES and self.dice.chance(0.3)
        return is_free and (key != ("No_Beard", True) or self._may_be_shaven)

    def _say_hair(self, keys) -> None:
        if len(keys) == 1 and self._may_be_adjective(*keys):
            self.adjectives.append(self.dice.pick(w.ADJECTIVES[next(iter(keys))]))
        elif keys:
            self.has.append(" ".join([self.dice.pick(w.HAIR[key]) for key in w.HAIR if key in keys] + ["hair"]))

    def _say(self, key) -> None:
        if self._may_be_adjective(key):
            self.adjectives.append(self.dice.pick(w.ADJECTIVES[key]))
            return
        if key == ("Smiling", False):
            self.is_unsmiling = True
            return
        places = {"has": w.HAS, "wears": w.WEARS, "states": w.IS, "no_has": w.NO_HAS, "no_wears": w.NO_WEARS}
        place = self.dice.pick([name for name, table in places.items() if key in table])
        getattr(self, place).append(self.dice.pick(places[place][key]))

    def article_noun(self) -> str:
        return with_article(self.noun)

    def opening(self) -> str:
        """Return the sentence's subject."""
        if self.gender is not None and not self.adjectives and self.dice.chance(0.6):
            return self.subject
        return f"{self.dice.pick(('this', 'the', 'the'))} {self.noun}"

    def predicates(self) -> list[str]:
        """Return the verb phrases that say everything but the noun; denials close each."""
        phrases = []
        if owned := self.has + [f"no {thing}" for thing in self.no_has]:
            phrases.append(f"has {join(owned, self.dice)}")
        if self.states:
            phrases.append(f"is {join(self.states, self.dice)}")
        if self.is_unsmiling:
            phrases.append(self.dice.pick(("is not smiling", "isn't smiling")))
        if worn := self.wears + [f"no {thing}" for thing in self.no_wears]:
            phrases.append(f"{self.dice.pick(('wears', 'is wearing'))} {join(worn, self.dice)}")
        return phrases[1:] + phrases[:1] if len(phrases) > 1 and self.dice.chance(0.5) else phrases


def _noun_phrase(words: _Words, dice: Dice) -> list[str]:
    pieces = [words.article_noun()]
    if words.has:
        pieces.append("with " + join(words.has, dice))
    if words.wears:
        pieces.append(dice.pick(("wearing", "wearing", "with")) + " " + join(words.wears, dice))
    if denied := words.no_has + words.no_wears:
        pieces.append("without " + join([_counted(thing) for thing in denied], dice, "or"))
    states = words.states + (["not smiling"] if words.is_unsmiling else [])
    if states:
        pieces.append("who is " + " and who is ".join(states))
    return [" ".join(pieces)]


def _counted(thing: str) -> str:
    return thing if thing.endswith("s") or thing in ("makeup", "lipstick") else f"a {thing}"


def _sentence(words: _Words, dice: Dice) -> list[str]:
    predicates = words.predicates()
    if not predicates:
        return [f"this is {words.article_noun()}"]
    return [f"{words.opening()} {join(predicates, dice)}"]


def _two_sentences(words: _Words, dice: Dice) -> list[str]:
    predicates = words.predicates()
    if len(predicates) < 2:
        return _noun_phrase(words, dice)
    again = words.subject if words.gender is not None else "the person"
    first = f"{dice.pick(('this', 'the'))} {words.noun} {predicates[0]}"
    return [first, f"{again} {join(predicates[1:], dice)}"]


def _picture(words: _Words, dice: Dice) -> list[str]:
    return [f"{with_article(dice.pick(w.PICTURES))} of {_noun_phrase(words, dice)[0]}"]


def _relative(words: _Words, dice: Dice) -> list[str]:
    predicates = words.predicates()
    start = ("there is " if dice.chance(0.3) else "") + words.article_noun()
    return [f"{start} who {join(predicates, dice)}" if predicates else start]


def _keywords(words: _Words, dice: Dice) -> list[str]:
    """Say it as people write prompts: "young woman, long blond hair, earrings, no glasses"."""
    said = [*words.has, *words.wears, *words.states]
    said = [item.removeprefix("a ").removeprefix("an ") for item in said]
    denied = [f"no {thing}" for thing in words.no_has + words.no_wears] + ["not smiling"] * words.is_unsmiling
    return [", ".join([words.noun, *said, *denied])]


def _single(words: _Words, dice: Dice) -> list[str]:
    """Return a phrase for one attribute: "wearing lipstick", "a man", "blond hair"."""
    if words.has or words.wears or words.states:
        start = "wearing " if words.wears and dice.chance(0.5) else ""
        return [start + join(words.has + words.wears + words.states, dice)]
    if denied := words.no_has + words.no_wears:
        return [f"{dice.pick(('no', 'without'))} {denied[0]}"]
    return ["not smiling" if words.is_unsmiling else words.article_noun()]


def _release(said: Mapping[str, bool], dice: Dice) -> str:
    """Say it as the captions of Multi-Modal-CelebA-HQ do: "The woman has wavy hair, and bangs. She is young."."""
    gender = said.get("Male")
    has = [w.RELEASE_HAS[name] for name in said if name in w.RELEASE_HAS]
    if "No_Beard" in said:
        has.append("no beard" if said["No_Beard"] else "beard")
    wears = [w.RELEASE_WEARS[name] for name in said if name in w.RELEASE_WEARS]
    states = [w.RELEASE_IS[name] for name in said if name in w.RELEASE_IS]
    phrases = [f"{verb} {_listed(items)}" for verb, items in (("has", has), ("wears", wears), ("is", states)) if items]
    noun = {True: "man", False: "woman", None: "person"}[gender]
    if not phrases:
        return f"This is a {noun}."
    if dice.chance(0.5):
        phrases.reverse()
    cut = len(phrases) if len(phrases) < 2 or dice.chance(0.3) else 1 + int(dice.roll() * (len(phrases) - 1))
    subjects = [f"{dice.pick(('The', 'This'))} {noun}", w.PRONOUNS[gender][0].capitalize()]
    if gender is None:
        subjects[1] = subjects[0]
    elif dice.chance(0.3):
        subjects.reverse()
    parts = [part for part in (phrases[:cut], phrases[cut:]) if part]
    return " ".join(f"{subject} {', and '.join(part)}." for subject, part in zip(subjects, parts, strict=False))


def _listed(items: list[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])}, and {items[-1]}"


_BUILDERS = {
    "noun_phrase": _noun_phrase,
    "sentence": _sentence,
    "two_sentences": _two_sentences,
    "picture": _picture,
    "relative": _relative,
    "keywords": _keywords,
    "single": _single,
}
