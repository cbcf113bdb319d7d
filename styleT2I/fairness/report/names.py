"""Compositions, groups and settings in words that need no glossary: "women", “a man who wears lipstick”."""

from __future__ import annotations

import re

from styleT2I.attributes.compositions import differing, read_composition
from styleT2I.attributes.vocabulary import Side, Vocabulary, load_vocabulary
from styleT2I.attributes.wording.sentences import sentence
from styleT2I.fairness.plan import AS_DRAWN
from styleT2I.fairness.results import AuditResult, ComparisonResult

__all__ = ["group_words", "groups_of", "sentence_of", "setting_words", "term_words"]

_PLURALS = {"man": "men", "woman": "women", "person": "people", "child": "children"}
_SETTING = re.compile(r"psi (\S+), (\S+), strength (\S+)")


def group_words(side: Side, vocabulary: Vocabulary) -> str:
    """Those who have one value of an attribute, in the plural.

    >>> vocabulary = load_vocabulary("minifaces")
    >>> [group_words(vocabulary["he"].side(value), vocabulary) for value in (True, False)]
    ['men', 'women']
    >>> group_words(vocabulary["dark_skin"].false, vocabulary), group_words(vocabulary["old"].true, vocabulary)
    ('people with pale skin', 'old people')
    """
    everyone = _plural(vocabulary.subject["noun"])
    return {
        "noun": _plural(side.object),
        "adjective": f"{side.object} {everyone}",
        "is": f"{everyone} who are {side.object}",
        "has": f"{everyone} with {side.object}",
        "wears": f"{everyone} wearing {side.object}",
    }[side.verb]


def groups_of(result: AuditResult, compared: ComparisonResult) -> tuple[str, str]:
    """The two groups that a comparison contrasts; their sentences in quotes where they differ in more than one term."""
    vocabulary = load_vocabulary(result.plan.vocabulary)
    first, second = (read_composition(place.cell, vocabulary) for place in (compared.first, compared.second))
    names = differing(first, second)
    if len(names) == 1 and names <= first.keys() & second.keys():
        (name,) = names
        return (
            group_words(vocabulary[name].side(first[name]), vocabulary),
            group_words(vocabulary[name].side(second[name]), vocabulary),
        )
    one, other = sentence_of(result, compared.first.cell), sentence_of(result, compared.second.cell)
    return f"“{one}”", f"“{other}”"


def term_words(term: str, result: AuditResult) -> str:
    """A term of a composition as a heading: "men" for he, "people with dark skin" for dark_skin."""
    vocabulary = load_vocabulary(result.plan.vocabulary)
    name, value = vocabulary.resolve(term)
    return group_words(vocabulary[name].side(value), vocabulary)


def sentence_of(result: AuditResult, cell: str) -> str:
    """What was asked for in a composition."""
    vocabulary = load_vocabulary(result.plan.vocabulary)
    return result.plan.sentences.get(cell) or sentence(read_composition(cell, vocabulary), vocabulary)


def setting_words(setting: str) -> str:
    """A setting without house names.

    >>> setting_words("psi 0.7, hold, strength 1"), setting_words("psi 0.7, none, strength 1")
    ('with the adjustment “hold” at strength 1, truncation 0.7', 'without adjustment, truncation 0.7')
    """
    if (found := _SETTING.fullmatch(setting)) is None:
        return "in the system’s own way" if setting == AS_DRAWN.name else setting
    psi, method, strength = found.groups()
    if method == "none":
        return f"without adjustment, truncation {psi}"
    return f"with the adjustment “{method}” at strength {strength}, truncation {psi}"


def _plural(noun: str) -> str:
    return _PLURALS.get(noun, f"{noun}s")
