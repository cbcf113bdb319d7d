"""Sentence -> attributes: the public face of the rule-based parser (docs/attributes.md lists its rules)."""

import re
from dataclasses import dataclass
from typing import NamedTuple

from styleT2I.attributes.parsing.interpreter import read
from styleT2I.attributes.parsing.lexicon import Corrected, compile_lexicon
from styleT2I.attributes.parsing.other_persons import without_other_persons
from styleT2I.attributes.vocabulary import Vocabulary, load_vocabulary
from styleT2I.errors import PromptError


class Mention(NamedTuple):
    """One place where a text states an attribute: the words and their place [start, end)."""

    name: str
    value: bool
    phrase: str
    span: tuple[int, int]


class Unknown(NamedTuple):
    """A word that was not understood, its place and the known word that was probably meant (None: none is near)."""

    word: str
    span: tuple[int, int]
    nearest: str | None


@dataclass(frozen=True)
class Parsed:
    """What a text states. An attribute that it contradicts itself about is in `contradictions`, not in `attributes`."""

    text: str
    attributes: dict[str, bool]  # in the vocabulary's order; only what the text states
    mentions: tuple[Mention, ...]  # in the text's order
    unknown: tuple[Unknown, ...]
    contradictions: tuple[str, ...]  # and other doubts; each goes on after "the text"
    corrected: tuple[Corrected, ...] = ()  # misspelt words that were read as known ones

    def to_json(self) -> dict:
        """Return {"attributes": {...}, "unknown": [words], "corrected": {word: read as}, "contradictions": [...]}."""
        return {
            "attributes": dict(self.attributes),
            "unknown": list(dict.fromkeys(u.word for u in self.unknown)),
            "corrected": {one.word: one.read_as for one in self.corrected},
            "contradictions": list(self.contradictions),
        }


def parse(text: str, vocabulary: str | Vocabulary = "minifaces") -> Parsed:
    """Read what an English text states about the attributes of a vocabulary.

    Args:
        text: One or more sentences.
        vocabulary: A Vocabulary, the name of a built-in one or the path of a JSON file.

    Returns:
        The attributes, where each is stated, every word not understood, and contradictions.

    Raises:
        PromptError: The text is empty or has no words.

    Example:
        >>> parse("a woman who is not smiling").attributes
        {'he': False, 'smiling': False}
    """
    vocabulary = vocabulary if isinstance(vocabulary, Vocabulary) else load_vocabulary(vocabulary)
    if not re.search(r"\w", text):
        raise PromptError(
            "the text is empty; describe one in words"
            if not text.strip()
            else f"the text {text.strip()[:40]!r} has no words; describe one in words"
        )
    lexicon = compile_lexicon(vocabulary)
    items, corrected = lexicon.scan(text)
    items, others = without_other_persons(items)
    walk = read(lexicon, items)
    mentions = tuple(
        Mention(m.name, m.value, m.phrase, (m.start, m.end))
        for m in sorted(walk.mentions, key=lambda m: (m.start, m.end))
    )
    written = {one.span: one.word for one in corrected}  # a word that states nothing is reported as it was written
    unknown = tuple(
        Unknown(written.get((item.start, item.end), item.text), (item.start, item.end), lexicon.nearest(item.text))
        for item in sorted(walk.unknown, key=lambda item: item.start)
    )
    attributes, contradictions = _settle(mentions, vocabulary)
    passed = tuple(f'speaks of another person, "{text[start:end]}", of whom nothing is drawn' for start, end in others)
    reported = {one.span for one in unknown}
    corrected = tuple(one for one in corrected if one.span not in reported)
    return Parsed(text, attributes, mentions, unknown, (*contradictions, *walk.problems, *passed), corrected)


def _settle(mentions, vocabulary) -> tuple[dict[str, bool], list[str]]:
    """Return the attributes on which all mentions agree, and a line for each disagreement."""
    first = {}
    for mention in mentions:
        first.setdefault((mention.name, mention.value), mention.phrase)
    contradictions, disputed = [], set()
    for name in vocabulary.names:
        if (name, True) in first and (name, False) in first:
            disputed.add(name)
            sides = f'"{first[name, True]}" against "{first[name, False]}"'
            contradictions.append(f"contradicts itself about {name}: {sides}")
    for group in vocabulary.exclusive:
        asserted = [name for name in group.attributes if (name, True) in first and name not in disputed]
        if len(asserted) > 1:
            sides = " against ".join(f'"{first[name, True]}"' for name in asserted)
            contradictions.append(f"contradicts itself about {group.name}: {sides}")
            disputed.update(asserted)
    stated = {name: value for name, value in first if name not in disputed}
    return {name: stated[name] for name in vocabulary.names if name in stated}, contradictions
