"""Which attributes a portrait is declared to have: `biased` as in CelebA, `balanced`, or a wanted composition.

Each attribute is decided from a random stream of its own, in the order of DECLARED, given those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import combinations

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording.sentences import phrase
from styleT2I.data.portraits.scenes.streams import Streams
from styleT2I.data.worlds import WORLDS
from styleT2I.errors import ConfigError

DISTRIBUTIONS = ("biased", "balanced", "composition")
DECLARED = (  # in the order in which they are decided
    "Male", "Young", "Pale_Skin", "Dark_Skin", "Chubby", "Big_Nose", "Big_Lips", "Bushy_Eyebrows",
    "Bald", "Gray_Hair", "Blond_Hair", "Black_Hair", "Brown_Hair",
    "Straight_Hair", "Wavy_Hair", "Long_Hair", "Wearing_Hat", "Receding_Hairline", "Bangs",
    "5_o_Clock_Shadow", "Goatee", "Mustache", "No_Beard",
    "Smiling", "Mouth_Slightly_Open", "Wearing_Lipstick", "Heavy_Makeup", "Rosy_Cheeks",
    "Eyeglasses", "Wearing_Earrings", "Wearing_Necklace",
)  # fmt: skip
# P(true) of a young man, an old man, a young woman and an old woman
_BIASED = {
    "Chubby": (0.08, 0.20, 0.03, 0.10),
    "Bushy_Eyebrows": (0.34, 0.28, 0.10, 0.04),
    "Bald": (0.05, 0.16, 0.008, 0.018),
    "Gray_Hair": (0.032, 0.66, 0.017, 0.52),
    "Long_Hair": (0.05, 0.03, 0.78, 0.45),
    "Wearing_Hat": (0.20, 0.12, 0.10, 0.06),
    "Receding_Hairline": (0.07, 0.50, 0.012, 0.06),
    "Bangs": (0.055, 0.04, 0.30, 0.20),
    "5_o_Clock_Shadow": (0.20, 0.08, 0.005, 0.005),
    "Goatee": (0.17, 0.12, 0.011, 0.011),
    "Wearing_Lipstick": (0.025, 0.02, 0.72, 0.66),
    "Eyeglasses": (0.14, 0.38, 0.10, 0.28),
    "Wearing_Earrings": (0.035, 0.025, 0.44, 0.46),
    "Wearing_Necklace": (0.035, 0.03, 0.30, 0.30),
}


def _biased(y: Mapping[str, bool], name: str) -> float:
    """P(name is true | the attributes decided before it) with CelebA's correlations; rare pairs at 0.5 to 2 %."""
    if name in _SPECIAL:
        return _SPECIAL[name](y)
    return _BIASED[name][2 * (not y["Male"]) + (not y["Young"])]


_SPECIAL: dict[str, Callable[[Mapping[str, bool]], float]] = {
    "Male": lambda y: 0.42,
    "Young": lambda y: 0.64 if y["Male"] else 0.80,
    "Pale_Skin": lambda y: 0.16,
    "Dark_Skin": lambda y: 0.21,  # of those who are not pale
    "Big_Nose": lambda y: (0.36 if y["Male"] else 0.10) + 0.10 * (not y["Young"]) + 0.08 * y["Dark_Skin"],
    "Big_Lips": lambda y: (0.14 if y["Male"] else 0.36) + 0.18 * y["Dark_Skin"],
    "Blond_Hair": lambda y: 0.055 if y["Dark_Skin"] else 0.17 if y["Male"] else 0.40,  # of neither bald nor gray
    "Black_Hair": lambda y: 0.80 if y["Dark_Skin"] else 0.40,  # of what is left
    "Straight_Hair": lambda y: (0.60 if y["Male"] else 0.44) - 0.22 * y["Dark_Skin"],
    "Wavy_Hair": lambda y: 0.60 if y["Male"] else 0.98,  # of those without straight hair; the rest is cropped
    "Mustache": lambda y: _MOUSTACHE[y["Male"]][y["Goatee"]],
    "No_Beard": lambda y: 0.35,  # of those with a mustache and no goatee: the others have a full beard
    "Smiling": lambda y: 0.40 if y["Male"] else 0.56,
    "Mouth_Slightly_Open": lambda y: 0.78 if y["Smiling"] else 0.18,
    "Heavy_Makeup": lambda y: _MAKEUP[y["Male"]][y["Wearing_Lipstick"]],
    "Rosy_Cheeks": lambda y: 0.03 if y["Male"] else 0.20 if y["Heavy_Makeup"] else 0.08,
}
_MOUSTACHE = {True: {False: 0.32, True: 0.5}, False: {False: 0.014, True: 0.5}}  # by Male, by Goatee
_MAKEUP = {True: {False: 0.006, True: 0.40}, False: {False: 0.06, True: 0.66}}  # by Male, by lipstick
_BALANCED = {  # where it is not one half
    "Pale_Skin": 1 / 3, "Dark_Skin": 1 / 2, "Bald": 0.12, "Gray_Hair": 1 / 4, "Blond_Hair": 1 / 3, "Black_Hair": 1 / 2,
    "Straight_Hair": 0.45, "Wavy_Hair": 0.85, "Wearing_Hat": 0.35, "5_o_Clock_Shadow": 0.18, "Goatee": 0.32,
    "Mustache": 0.5,
}  # fmt: skip


def _balanced(y: Mapping[str, bool], name: str) -> float:
    return _BALANCED.get(name, 0.5)


def draw_attributes(
    draw: Streams, distribution: str = "biased", wanted: Mapping[str, bool] | None = None
) -> dict[str, bool]:
    """Decide every attribute of DECLARED for the portrait of a source of random numbers.

    "composition" draws like "biased" with the `wanted` attributes forced, and what they imply; ConfigError where no
    face can show them together. The biased distribution never holds a held-out composition: the attribute named as its
    `yields` gives way.
    """
    share = _balanced if distribution == "balanced" else _biased
    known = implied(wanted or {})
    for name in DECLARED:
        if name not in known:
            roll = draw.shares(f"attribute {name}")[0]
            _settle(known, [(name, roll < share(known, name))])
    if distribution == "biased":
        for composition in WORLDS["portraits"].held_out:
            if all(known[name] == value for name, value in composition.attributes.items()):
                known[composition.yields] = not known[composition.yields]
    return {name: known[name] for name in DECLARED}


def implied(known: Mapping[str, bool]) -> dict[str, bool]:
    """The given attributes and all that follow from them; ConfigError where they contradict each other."""
    result: dict[str, bool] = {}
    if not _settle(result, list(known.items())):
        raise ConfigError(f"no portrait shows {_said(known)} together; drop one of them")
    return result


def _settle(known: dict[str, bool], waiting: list[tuple[str, bool]]) -> bool:
    """Take up what is waiting and all that follows from it; whether it goes together."""
    while waiting:
        name, value = waiting.pop()
        if known.get(name, value) != value:
            return False
        if name not in known:
            known[name] = value
            waiting += _consequences(known, name)
    return True


def _consequences(known: Mapping[str, bool], name: str) -> list[tuple[str, bool]]:
    """What follows by the rules from an attribute that has just been decided."""
    found = []
    for rule in _rules()[name]:
        if not any(known.get(other) == value for other, value in rule):
            undecided = [term for term in rule if term[0] not in known]
            if len(undecided) < 2:
                found += undecided or [(name, not known[name])]  # the latter: nothing is left, a contradiction
    return found


def _said(attributes: Mapping[str, bool]) -> str:
    return " and ".join(phrase(name, value, "portraits") for name, value in attributes.items())


@lru_cache(maxsize=1)
def _rules() -> dict[str, list[tuple[tuple[str, bool], ...]]]:
    """The rules by the attributes they are about: of each at least one (name, value) holds.

    They are the vocabulary's exclusive groups, and what hair and beard need to be seen.
    """
    styled = (("Straight_Hair", True), ("Wavy_Hair", True))  # cropped hair is neither
    rules = [(*styled, (name, False)) for name in ("Bangs", "Long_Hair", "Wearing_Hat")]
    rules.append((("No_Beard", True), ("5_o_Clock_Shadow", True), ("Goatee", True), ("Mustache", True)))
    for group in load_vocabulary("portraits").exclusive:
        rules += [((a, False), (b, False)) for a, b in combinations(group.attributes, 2)]
        if group.exactly_one:
            rules.append(tuple((name, True) for name in group.attributes))
    return {name: [rule for rule in rules if name in dict(rule)] for name in DECLARED}
