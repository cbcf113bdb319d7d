"""The caption grammar of MiniFaces: truthful English captions, each of which the parser reads back exactly.

A caption mentions a random subset of the attributes; what it leaves out is not stated. Negations are unambiguous:
every "no" denies one thing and comes after all that is affirmed, "without X or Y" closes its clause.
"""

from collections.abc import Mapping

from styleT2I.attributes.vocabulary import load_vocabulary
from styleT2I.attributes.wording.caption_words import (
    AGES,
    DENIED,
    HAIR,
    NOUNS,
    PICTURES,
    PRONOUNS,
    SKIN,
    SKINNED,
    THINGS,
    WORN,
    Dice,
    Words,
    join,
    with_article,
)
from styleT2I.errors import ConfigError

FORMS = ("noun_phrase", "sentence", "two_sentences", "possessive", "picture", "relative", "participle", "single")
_FORM_ODDS = (0.22, 0.2, 0.16, 0.1, 0.08, 0.1, 0.06, 0.08)
_NUM_ODDS = (0.1, 0.22, 0.26, 0.21, 0.13, 0.08)  # of 1, 2, ... 6 attributes


def caption(attributes, generator, form: str | None = None) -> str:
    """Return one random truthful caption of a MiniFaces face.

    `attributes` maps the vocabulary's names to booleans or holds them in its order ([14], any array);
    `generator` is a torch.Generator on the CPU; `form` is one of `FORMS` (None: a random one).
    """
    return captions(attributes, generator, 1, form)[0]


def captions(attributes, generator, num: int = 5, form: str | None = None) -> list[str]:
    """Return `num` random truthful captions of one MiniFaces face.

    Args:
        attributes: Value by name for all of the vocabulary's attributes, or 14 values in its order.
        generator: A torch.Generator on the CPU.
        num: How many.
        form: One of `FORMS`; None: a random one for each.

    Raises:
        ConfigError: Attributes are missing, or the form is unknown.

    Example:
        >>> import torch
        >>> len(captions([0] * 14, torch.Generator().manual_seed(0), num=3))
        3
    """
    import torch

    if form is not None and form not in FORMS:
        raise ConfigError(f"unknown caption form {form!r}; known: {', '.join(FORMS)}")
    dice = Dice(int(torch.randint(2**62, (), generator=generator)))
    labels = _labels(attributes)
    return [_caption(labels, dice, form or dice.weighted(FORMS, _FORM_ODDS)) for _ in range(num)]


def _labels(attributes) -> dict[str, bool]:
    names = load_vocabulary("minifaces").names
    if isinstance(attributes, Mapping):
        if set(attributes) != set(names):
            raise ConfigError(f"a caption needs all of the attributes {', '.join(names)}")
        return {name: bool(attributes[name]) for name in names}
    values = attributes.tolist() if hasattr(attributes, "tolist") else list(attributes)
    if len(values) != len(names):
        raise ConfigError(f"a caption needs {len(names)} attributes, got {len(values)}")
    return {name: bool(value) for name, value in zip(names, values, strict=True)}


def _caption(labels, dice, form) -> str:
    if form == "single":
        return _single(_subset(labels, dice, 1), dice)
    said = _subset(labels, dice, dice.weighted((1, 2, 3, 4, 5, 6), _NUM_ODDS))
    sentences = _BUILDERS[form](Words(said, dice), dice)
    if dice.chance(0.5):
        return " ".join(s[0].upper() + s[1:] + "." for s in sentences)
    return ". ".join(sentences)


def _subset(labels, dice, num) -> dict[str, bool]:
    """Draw `num` attributes to mention: mostly those that are present; denials are rarer."""
    keys = []
    for name, value in labels.items():
        if name in ("he", "old", "dark_skin"):
            weight = 1.0
        else:
            weight = 1.0 if value else (0.02 if name in HAIR else 0.15)
        keys.append((dice.roll() ** (1 / weight), name))
    if num > 1 and dice.chance(0.75):
        keys[0] = (2.0, "he")
    keys.sort(reverse=True)
    return {name: labels[name] for _, name in keys[:num]}


def _predicates(words, dice) -> list[str]:
    """Return the verb phrases "has ...", "is ...", "wears ..." that state everything but the noun."""
    phrases = []
    owned = words.has + words.no("has")
    if owned:
        phrases.append(f"has {join(owned, dice)}")
    positive = [s for s in words.states if s != "not smiling"]
    if positive:
        verb = dice.pick(("is", "is", "looks")) if _only_age(positive) else "is"
        phrases.append(f"{verb} {join(positive, dice)}")
    if "not smiling" in words.states:
        phrases.append(dice.pick(("is not smiling", "isn't smiling")))
    worn = words.wears + words.no("wears")
    if worn:
        phrases.append(f"{dice.pick(('wears', 'is wearing'))} {join(worn, dice)}")
    if len(phrases) > 1 and dice.chance(0.5):
        phrases = phrases[1:] + phrases[:1]
    return phrases


def _only_age(states) -> bool:
    return all(s not in ("smiling", "grinning") for s in states)


def _noun_phrase(words, dice) -> list[str]:
    pieces = [words.article_noun()]
    if words.has:
        pieces.append("with " + join(words.has, dice))
    if words.wears:
        pieces.append(dice.pick(("wearing", "wearing", "with")) + " " + join(words.wears, dice))
    if words.denied:
        pieces.append(words.without() if dice.chance(0.6) else "with " + join(words.no(), dice))
    if words.states:
        pieces.append("who is " + " and who is ".join(words.states))
    hair = words.hair_denials("whose")
    if hair:
        pieces.append(" and ".join(hair))
    return [" ".join(pieces)]


def _sentence(words, dice) -> list[str]:
    predicates = _predicates(words, dice)
    hair = words.hair_denials(words.possessive)
    if not predicates:
        first = f"{words.subject} is " if words.gender is not None and dice.chance(0.5) else ""
        return [first + words.article_noun(), *hair]
    return [f"{words.opening()} {join(predicates, dice)}", *hair]


def _two_sentences(words, dice) -> list[str]:
    predicates = _predicates(words, dice)
    if len(predicates) < 2:
        return _sentence(words, dice)
    cut = 1 + int(dice.chance(0.5) and len(predicates) > 2)
    noun = f"{dice.pick(('this', 'the'))} {words.noun}"
    again = words.subject if words.gender is not None else "the person"
    return [
        f"{noun} {join(predicates[:cut], dice)}",
        f"{again} {join(predicates[cut:], dice)}",
        *words.hair_denials(words.possessive),
    ]


def _possessive(words, dice) -> list[str]:
    """Say the hair and the skin as "her hair is black" and the rest as a sentence about the person."""
    facts = []
    if words.hair is not None and any(item.endswith("hair") for item in words.has):
        words.has = [item for item in words.has if not item.endswith("hair")]
        facts.append(f"{words.possessive} hair is {dice.pick(HAIR[words.hair])}")
    skin = [item for item in words.has if item.endswith(("skin", "complexion"))]
    if skin:
        words.has = [item for item in words.has if item not in skin]
        tone = dice.pick(("dark",) if words.said["dark_skin"] else ("pale", "fair", "light"))
        facts.append(f"{words.possessive} skin is {tone}")
    facts += words.hair_denials(words.possessive)
    if not facts:
        return _sentence(words, dice)
    predicates = _predicates(words, dice)
    if predicates:
        subject = words.subject if words.is_bare else f"the {words.noun}"
        facts.append(f"{subject} {join(predicates, dice)}")
    elif not words.is_bare:
        facts.insert(0, f"this is {words.article_noun()}")
    return [" and ".join(facts)] if len(facts) == 2 and dice.chance(0.5) else facts


def _picture(words, dice) -> list[str]:
    start = f"{with_article(dice.pick(PICTURES))} of"
    whole = _noun_phrase(words, dice)[0]
    if words.is_bare and dice.chance(0.4):
        whole = words.object + whole[len(words.article_noun()) :]
    return [f"{start} {whole}"]


def _relative(words, dice) -> list[str]:
    predicates = _predicates(words, dice)
    hair = words.hair_denials("whose")
    if words.hair is not None and any(i.endswith("hair") for i in words.has) and dice.chance(0.4):
        words.has = [item for item in words.has if not item.endswith("hair")]
        predicates = _predicates(words, dice)
        hair.append(f"whose hair is {dice.pick(HAIR[words.hair])}")
    clauses = ([f"who {join(predicates, dice)}"] if predicates else []) + hair
    start = words.article_noun()
    if clauses and dice.chance(0.3):
        start = "there is " + start
    return [" ".join([start, " and ".join(clauses)]).strip()]


def _participle(words, dice) -> list[str]:
    """Start with what is worn: "wearing a hat, she is smiling"."""
    if not words.wears or words.no("wears"):
        return _sentence(words, dice)
    worn, words.wears = words.wears, []
    predicates = _predicates(words, dice)
    hair = words.hair_denials(words.possessive)
    if not predicates:
        return [f"{words.article_noun()} wearing {join(worn, dice)}", *hair]
    return [f"wearing {join(worn, dice)}, {words.opening()} {join(predicates, dice)}", *hair]


def _single(said, dice) -> str:
    """Return a phrase for one attribute: "wearing lipstick", "a man", "blond hair"."""
    ((name, value),) = said.items()
    if name == "he":
        return dice.pick((f"a {dice.pick(NOUNS[value])}", PRONOUNS[value][0], "male" if value else "female"))
    if name in HAIR:
        colour = dice.pick(HAIR[name])
        if not value:
            return dice.pick((f"hair that is not {colour}", f"the hair is not {colour}"))
        return dice.pick((f"{colour} hair", f"{colour} hair", f"{colour}-haired", f"hair that is {colour}"))
    if name == "dark_skin":
        return dice.pick((dice.pick(SKIN[value]), dice.pick(SKINNED[value])))
    if name == "old":
        return dice.pick(AGES[value])
    if name == "smiling":
        return dice.pick(("smiling", "a smile", "grinning")) if value else dice.pick(("not smiling", "unsmiling"))
    if value:
        thing = dice.pick(THINGS[name])
        return dice.pick((f"wearing {thing}", thing)) if name in WORN else dice.pick((thing, f"with {thing}"))
    thing = dice.pick(DENIED[name])
    verb = dice.pick(("no", "without", "not wearing")) if name in WORN else dice.pick(("no", "without"))
    return "clean-shaven" if name == "beard" and dice.chance(0.3) else f"{verb} {thing}"


_BUILDERS = {
    "noun_phrase": _noun_phrase,
    "sentence": _sentence,
    "two_sentences": _two_sentences,
    "possessive": _possessive,
    "picture": _picture,
    "relative": _relative,
    "participle": _participle,
}
