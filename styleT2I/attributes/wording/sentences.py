"""Attributes -> sentence, the reverse of the parser, for any vocabulary."""

from collections.abc import Mapping

from styleT2I.attributes.vocabulary import Vocabulary, load_vocabulary
from styleT2I.errors import PromptError


def phrase(name: str, value: bool = True, vocabulary: str | Vocabulary = "minifaces") -> str:
    """Return the canonical phrase of one attribute: ("lipstick", True) -> "wearing lipstick".

    `name` is any term of the vocabulary; an antonym turns the value round: ("she", True) -> "a woman".
    """
    vocabulary = _vocabulary(vocabulary)
    name, is_positive = vocabulary.resolve(name)
    return vocabulary[name].side(value == is_positive).phrase


def sentence(attributes: Mapping[str, bool], vocabulary: str | Vocabulary = "minifaces") -> str:
    """Return one fixed sentence that states exactly these attributes.

    Denials follow affirmations, so that no "no" reaches further than its noun.

    Args:
        attributes: Value by name; names are any terms of the vocabulary ("young": True is "old": False).
        vocabulary: A Vocabulary, the name of a built-in one or the path of a JSON file.

    Raises:
        PromptError: There are no attributes.
        ConfigError: A name is unknown.

    Example:
        >>> sentence({"she": True, "smiling": False})
        'a woman who is not smiling'
    """
    vocabulary = _vocabulary(vocabulary)
    if not attributes:
        raise PromptError("a sentence needs at least one attribute")
    values = {}
    for term, value in attributes.items():
        name, is_positive = vocabulary.resolve(term)
        values[name] = bool(value) == is_positive
    objects = {verb: [] for verb in ("noun", "adjective", "is", "has", "wears")}
    for is_denial in (False, True):
        for attribute in vocabulary:
            if attribute.name in values:
                side = attribute.side(values[attribute.name])
                if _is_denial(side) == is_denial:
                    objects[side.verb].append(side.object)
    noun = " ".join([*objects["adjective"], *(objects["noun"] or [vocabulary.subject["noun"]])])
    predicates = [f"is {item}" for item in objects["is"]]
    predicates += [f"{verb} {_join(objects[verb])}" for verb in ("has", "wears") if objects[verb]]
    article, relative = "an" if noun[0] in "aeiou" else "a", "that" if vocabulary.subject["pronoun"] == "it" else "who"
    return f"{article} {noun}" + (f" {relative} {_join(predicates)}" if predicates else "")


def _is_denial(side) -> bool:
    return side.object.startswith(("no ", "not ")) or " not " in side.object


def _vocabulary(vocabulary) -> Vocabulary:
    return vocabulary if isinstance(vocabulary, Vocabulary) else load_vocabulary(vocabulary)


def _join(items) -> str:
    return ", ".join(items[:-1]) + f" and {items[-1]}" if len(items) > 1 else items[0]
