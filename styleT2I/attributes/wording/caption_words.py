"""The words and phrases from which the MiniFaces captions are made: synonyms, and how one caption places them."""

import random

HAIR = {
    "black_hair": ("black", "black", "black", "jet-black", "raven"),
    "brown_hair": ("brown", "brown", "brown", "chestnut"),
    "blond_hair": ("blond", "blonde", "blond", "golden"),
    "gray_hair": ("gray", "grey", "gray", "silver"),
}
THINGS = {
    "lipstick": ("lipstick",),
    "eyeglasses": ("glasses", "eyeglasses", "spectacles", "a pair of glasses"),
    "hat": ("a hat", "a hat", "a cap"),
    "earrings": ("earrings", "earrings", "a pair of earrings"),
    "beard": ("a beard",),
    "bangs": ("bangs", "bangs", "a fringe"),
}
DENIED = {
    "lipstick": ("lipstick",),
    "eyeglasses": ("glasses", "eyeglasses", "spectacles"),
    "hat": ("hat", "cap"),
    "earrings": ("earrings",),
    "beard": ("beard",),
    "bangs": ("bangs",),
}
WORN = ("lipstick", "eyeglasses", "hat", "earrings")
GROWN = ("beard", "bangs")
SKIN = {
    True: ("dark skin", "dark skin", "a dark complexion"),
    False: ("pale skin", "fair skin", "light skin", "a pale complexion"),
}
SKINNED = {True: ("dark-skinned",), False: ("pale-skinned", "fair-skinned", "light-skinned", "pale")}
AGES = {True: ("old", "old", "elderly", "aged", "older"), False: ("young", "young", "youthful")}
NOUNS = {
    True: ("man", "man", "man", "guy", "gentleman", "fellow"),
    False: ("woman", "woman", "woman", "lady"),
    None: ("person", "person", "person", "individual"),
}
AGED_NOUNS = {(True, False): "boy", (False, False): "girl", (True, True): "grandfather", (False, True): "grandmother"}
PRONOUNS = {True: ("he", "him", "his"), False: ("she", "her", "her"), None: ("they", "them", "their")}
PICTURES = ("photo", "portrait", "picture", "photograph", "image")


class Dice:
    """Choices that depend only on `random.Random(seed).random()`, whose sequence Python keeps between versions."""

    def __init__(self, seed: int):
        self.roll = random.Random(seed).random

    def chance(self, p: float) -> bool:
        return self.roll() < p

    def pick(self, options):
        return options[int(self.roll() * len(options))]

    def weighted(self, options, odds):
        mark = self.roll() * sum(odds)
        for option, weight in zip(options, odds, strict=True):
            mark -= weight
            if mark < 0:
                return option
        return options[-1]


class Words:
    """The words for the attributes that one caption mentions, sorted into the places where a sentence takes them.

    `noun` carries the adjectives; `has`, `wears`, `states` are lists of what the person has, wears and is;
    `denied` are nouns that are absent, `not_hair` colours that the hair is not.
    """

    def __init__(self, said: dict[str, bool], dice: Dice, use_adjectives: bool = True):
        self.dice, self.said = dice, said
        self.gender = said.get("he")
        self.subject, self.object, self.possessive = PRONOUNS[self.gender]
        self.adjectives, self.has, self.wears, self.states, self.denied = [], [], [], [], []
        self.hair = next((name for name in HAIR if said.get(name)), None)
        self.not_hair = [name for name in HAIR if said.get(name) is False]
        noun = dice.pick(NOUNS[self.gender])
        places = 2 if use_adjectives else 0
        if "old" in said:
            noun = self._say_age(noun, places)
        places -= len(self.adjectives)
        self._say_smile(places)
        self._say_skin(places - len(self.adjectives))
        self._say_hair(places - len(self.adjectives))
        for name in (*GROWN, *WORN):
            if name in said:
                self._say_thing(name, places - len(self.adjectives))
        self.noun = " ".join([*self.adjectives, noun])
        for items in (self.has, self.wears, self.states):
            if len(items) > 1 and dice.chance(0.5):
                items.reverse()

    def _say_age(self, noun, places):
        old = self.said["old"]
        if self.gender is not None and self.dice.chance(0.12):
            return AGED_NOUNS[self.gender, old]
        if places > 0 and self.dice.chance(0.75):
            self.adjectives.append(self.dice.pick(AGES[old]))
        else:
            self.states.append(self.dice.pick(AGES[old]))
        return noun

    def _say_smile(self, places):
        smiling = self.said.get("smiling")
        if smiling is None:
            return
        if places > 0 and self.dice.chance(0.35):
            self.adjectives.insert(0, self.dice.pick(("smiling", "grinning")) if smiling else "unsmiling")
        elif smiling and self.dice.chance(0.3):
            self.has.append(self.dice.pick(("a smile", "a grin")))
        else:
            word = self.dice.pick(("smiling", "smiling", "grinning"))
            self.states.append(word if smiling else "not smiling")

    def _say_skin(self, places):
        dark = self.said.get("dark_skin")
        if dark is None:
            return
        if places > 0 and self.dice.chance(0.35):
            self.adjectives.append(self.dice.pick(SKINNED[dark]))
        else:
            self.has.append(self.dice.pick(SKIN[dark]))

    def _say_hair(self, places):
        if self.hair is None:
            return
        colour = self.dice.pick(HAIR[self.hair])
        if places > 0 and self.dice.chance(0.2):
            is_plain = self.hair == "blond_hair" and colour != "golden" and self.dice.chance(0.5)
            self.adjectives.append(colour if is_plain else f"{colour}-haired")
        elif "bangs" in self.said and self.said["bangs"] and self.dice.chance(0.3):
            self.has.append(f"{colour} hair with {self.dice.pick(THINGS['bangs'])}")
            self.said = {name: value for name, value in self.said.items() if name != "bangs"}
        else:
            self.has.append(f"{colour} hair")

    def _say_thing(self, name, places):
        if name not in self.said:
            return
        value = self.said[name]
        if name == "beard" and places > 0 and self.dice.chance(0.35):
            self.adjectives.append("bearded" if value else "clean-shaven")
        elif not value:
            self.denied.append(name)
        else:
            (self.wears if name in WORN else self.has).append(self.dice.pick(THINGS[name]))

    # ---- pieces of sentences

    @property
    def is_bare(self) -> bool:
        """Whether the noun says no more than the pronoun does."""
        return not self.adjectives and self.gender is not None and self.noun in NOUNS[self.gender]

    def article_noun(self) -> str:
        return with_article(self.noun)

    def opening(self) -> str:
        """Return the sentence's subject."""
        if self.is_bare and self.dice.chance(0.6):
            return self.subject
        return f"{self.dice.pick(('this', 'the', 'the'))} {self.noun}"

    def no(self, verb: str = "") -> list[str]:
        """Return the denied things as "no hat" items (all, or those that `verb` takes)."""
        kind = {"": (*GROWN, *WORN), "has": GROWN, "wears": WORN}[verb]
        return [f"no {self.dice.pick(DENIED[name])}" for name in self.denied if name in kind]

    def without(self) -> str:
        """Return "without a hat or earrings" for the denied things, "" when there are none."""
        words = [self.dice.pick(DENIED[name]) for name in self.denied]
        words = [f"a {w}" if w in ("hat", "cap", "beard") and self.dice.chance(0.8) else w for w in words]
        return "without " + join(words, self.dice, "or") if words else ""

    def hair_denials(self, possessive: str) -> list[str]:
        verb = self.dice.pick(("is not", "isn't"))
        return [f"{possessive} hair {verb} {self.dice.pick(HAIR[name])}" for name in self.not_hair]


def join(items, dice, word="and") -> str:
    if len(items) < 3:
        return f" {word} ".join(items)
    return ", ".join(items[:-1]) + ("," if dice.chance(0.2) else "") + f" {word} {items[-1]}"


def with_article(noun) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def all_words() -> list[str]:
    """Return every phrase of the tables above, for building a word list."""
    phrases = [*PICTURES, *AGED_NOUNS.values()]
    for table in (HAIR, THINGS, DENIED, SKIN, SKINNED, AGES, NOUNS, PRONOUNS):
        phrases += [phrase for options in table.values() for phrase in options]
    return phrases
