"""A sentence before it becomes a picture: refused, warned about or accepted, with the attributes it asks for."""

from __future__ import annotations

from dataclasses import dataclass

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import PromptError
from styleT2I.torch_utils.words import plain_words

MAX_CHARACTERS = 1000
EXAMPLE = "he is wearing lipstick"


@dataclass(frozen=True)
class Prompt:
    """A sentence that the model accepts; warnings are whole lines for the user."""

    text: str
    attributes: dict[str, bool]  # what the sentence asks for, by the vocabulary's names; {} without a vocabulary
    warnings: tuple[str, ...]


def understand(text: str, text_encoder, vocabulary: Vocabulary | None, *, strict: bool = False) -> Prompt:
    """Check a sentence against the words a model knows.

    text_encoder: has unknown_words(text) -> [(word, nearest known or None)] and overlong(text) -> tokens too many.
    strict: a word that the model does not know is an error and no warning.
    PromptError for a text that is empty, too long, or of which nothing is understood.
    """
    text = " ".join(text.split())
    if not text:
        raise PromptError(f'the text is empty; describe a face, for example "{EXAMPLE}"')
    if len(text) > MAX_CHARACTERS:
        raise PromptError(f"the text has {len(text)} characters, more than {MAX_CHARACTERS}; shorten it")
    if any("\ud800" <= character <= "\udfff" for character in text):  # how Python passes such bytes on
        raise PromptError(f"the text {ascii(_short(text))} has bytes that are not UTF-8; type it anew")
    words = plain_words(text)
    if not words:
        raise PromptError(f'nothing in "{text}" is understood: it has no words; write for example "{EXAMPLE}"')
    unread = text_encoder.unknown_words(text)  # empty for encoders that read every word
    parsed = parse(text, vocabulary) if vocabulary else None
    if unread and not (parsed and parsed.mentions) and (vocabulary or len(unread) == len(set(words))):
        raise PromptError(f'nothing in "{_short(text)}" is understood{_hint(unread)}; write for example "{EXAMPLE}"')
    if text_encoder.overlong(text):
        raise PromptError(
            f'the text "{_short(text)}" is {text_encoder.overlong(text)} tokens too long for this model; shorten it'
        )
    unknown = dict(unread)
    for item in parsed.unknown if parsed else ():
        unknown.setdefault(item.word, item.nearest)
    if strict and unknown:
        raise PromptError(f"{_unknown_line(*next(iter(unknown.items())))} (--strict)")
    warnings = [_unknown_line(word, nearest) for word, nearest in unknown.items()]
    warnings += [f"the text contradicts itself about {line}" for line in (parsed.contradictions if parsed else ())]
    return Prompt(text, dict(parsed.attributes) if parsed else {}, tuple(warnings))


def _unknown_line(word: str, nearest: str | None) -> str:
    line = f'the word "{word}" is not known to this model'
    return f'{line}; the nearest known one is "{nearest}"' if nearest else line


def _hint(unread) -> str:
    near = [f'"{nearest}" for "{word}"' for word, nearest in unread if nearest]
    return f"; did you mean {', '.join(near[:3])}?" if near else ""


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."
