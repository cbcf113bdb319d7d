"""Compositions as users write them ("he+lipstick+young") in any vocabulary, and their canonical names."""

from __future__ import annotations

from collections.abc import Mapping

from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import ConfigError

__all__ = ["composition_name", "contradiction", "differing", "read_composition"]


def read_composition(text: str, vocabulary: Vocabulary) -> dict[str, bool]:
    """Read terms joined by "+", in the vocabulary's order: "lipstick+she" -> {"he": False, "lipstick": True}.

    Raises ConfigError for an empty or unknown term, and for what no face can show: both values of an attribute, two of
    a group of which one holds, or none of a group of which exactly one does.
    """
    terms = [term.strip() for term in text.split("+")]
    if not all(terms):
        raise ConfigError(f"composition {text!r} has an empty cell; write terms joined by +, such as he+lipstick")
    wanted = {}
    for term in terms:
        name, value = vocabulary.resolve(term)
        if wanted.setdefault(name, value) != value:
            raise ConfigError(f"composition {text!r} asks for {name} to be both true and false; drop one of them")
    if problem := contradiction(wanted, vocabulary):
        raise ConfigError(f"composition {text!r} {problem}")
    return {name: wanted[name] for name in vocabulary.names if name in wanted}


def contradiction(attributes: Mapping[str, bool], vocabulary: Vocabulary) -> str:
    """Why the vocabulary's exclusive groups rule these attributes out together; "" if they do not."""
    for group in vocabulary.exclusive:
        held = [name for name in group.attributes if attributes.get(name)]
        if len(held) > 1:
            return f"asks for both {held[0]} and {held[1]}; drop one of them"
        if group.exactly_one and all(attributes.get(name) is False for name in group.attributes):
            return f"denies every {group.name}; one of them holds"
    return ""


def composition_name(attributes: Mapping[str, bool], vocabulary: Vocabulary) -> str:
    """The name that reads back as the same composition: {"he": False, "lipstick": True} -> "she+lipstick"."""
    return "+".join(
        name if value else vocabulary[name].antonym or vocabulary[name].false.phrase
        for name, value in attributes.items()
    )


def differing(first: Mapping[str, bool], second: Mapping[str, bool]) -> set[str]:
    """Attributes on which two compositions differ."""
    return {name for name in {**first, **second} if first.get(name) != second.get(name)}
