"""A sentence before it becomes an image: refused, warned about or accepted, with the attributes it asks for."""

from __future__ import annotations

import json
from dataclasses import dataclass

from styleT2I.attributes.parsing.parser import parse
from styleT2I.attributes.vocabulary import Vocabulary
from styleT2I.errors import PromptError
from styleT2I.formats.model_folder import ModelFolder
from styleT2I.torch_utils.words import plain_words, unknown_words

MAX_CHARACTERS = 1000
EXAMPLE = "he is wearing lipstick"


@dataclass(frozen=True)
class Prompt:
    """A sentence that the model accepts; warnings are whole lines for the user."""

    text: str
    attributes: dict[str, bool]  # what the sentence asks for, by the vocabulary's names; {} without a vocabulary
    warnings: tuple[str, ...]

    def _repr_html_(self) -> str:
        """What was understood, as Jupyter shows it: the attributes, then the warnings."""
        from styleT2I.torch_utils.markup import table, tag

        rows = [(name, "asked for" if value else "denied") for name, value in self.attributes.items()]
        read = table(f"What is read in “{self.text}”", ["attribute", "value"], rows)
        return read + tag("ul", [tag("li", line) for line in self.warnings]) if self.warnings else read


def understand(text: str, text_encoder, vocabulary: Vocabulary | None, *, strict: bool = False) -> Prompt:
    """Check a sentence against the words that a model knows.

    Args:
        text: One sentence.
        text_encoder: Has unknown_words(text) -> [(word, nearest known or None)] and overlong(text) -> tokens too many.
        vocabulary: In which attributes are read; None: none are.
        strict: Make a word that the model does not know an error, not a warning.

    Raises:
        PromptError: The text is not a string, empty or too long, or nothing in it is understood.

    Example:
        >>> from styleT2I import load_clip, load_vocabulary
        >>> understand("she is smiling", load_clip("minifaces"), load_vocabulary("minifaces")).attributes
        {'he': False, 'smiling': True}
    """
    text = check_text(text)
    words = plain_words(text)
    unread = text_encoder.unknown_words(text)  # empty for encoders that read every word
    parsed = parse(text, vocabulary) if vocabulary else None
    if unread and not (parsed and parsed.mentions) and (vocabulary or len(unread) == len(set(words))):
        raise PromptError(f'nothing in "{_short(text)}" is understood{_hint(unread)}; write for example "{EXAMPLE}"')
    if text_encoder.overlong(text):
        raise PromptError(
            f'the text "{_short(text)}" is {text_encoder.overlong(text)} tokens too long for this model; shorten it'
        )
    unparsed = {item.word: item.nearest for item in parsed.unknown} if parsed else None
    corrected = {item.word: item.read_as for item in parsed.corrected} if parsed else {}
    unknown = list(_unknown_lines(dict(unread), unparsed, corrected))
    if strict and unknown:
        raise PromptError(f"{unknown[0]} (--strict)")
    warnings = unknown + [f"the text {line}" for line in (parsed.contradictions if parsed else ())]
    return Prompt(text, dict(parsed.attributes) if parsed else {}, tuple(warnings))


def check_text(text: str) -> str:
    """A text with normalised white space; PromptError if no model could draw it (empty, too long, no words)."""
    if not isinstance(text, str):
        raise PromptError(
            f"the text is a {type(text).__name__}; draw one sentence, a string, at a time: "
            "[pipeline.generate(text) for text in texts]"
        )
    text = " ".join(text.split())
    if not text:
        raise PromptError(f'the text is empty; describe a face, for example "{EXAMPLE}"')
    if len(text) > MAX_CHARACTERS:
        raise PromptError(f"the text has {len(text)} characters, more than {MAX_CHARACTERS}; shorten it")
    if any("\ud800" <= character <= "\udfff" for character in text):  # Python's mark of such bytes
        raise PromptError(f"the text {ascii(_short(text))} has bytes that are not UTF-8; type it anew")
    if not plain_words(text):
        raise PromptError(f'nothing in "{text}" is understood: it has no words; write for example "{EXAMPLE}"')
    return text


def _unknown_lines(unread: dict, unparsed: dict | None, corrected: dict):
    """A line for each word that the text network, or the parser of attributes (None: none reads), does not know, and
    for those that it has read as others."""
    for word, read_as in corrected.items():
        yield f'"{word}" is read as "{read_as}"' + ("; the text network does not know it" if word in unread else "")
    for word in dict.fromkeys([*unread, *(unparsed or ())]):
        if word in corrected:
            continue
        near = (unparsed or {}).get(word) or unread.get(word)
        hint = f'; did you mean "{near}"?' if near else ""
        if word not in unread:
            yield f'no attribute is known by "{word}", which the text network alone reads{hint}'
        elif unparsed is not None and word not in unparsed:
            yield f'"{word}" is not known to the text network; the parser of attributes alone reads it'
        else:
            yield f'"{word}" is not known and is ignored{hint}'


def _hint(unread) -> str:
    near = [f'"{nearest}" for "{word}"' for word, nearest in unread if nearest]
    return f"; did you mean {', '.join(near[:3])}?" if near else ""


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass(frozen=True)
class KnownWords:
    """What `understand` asks of a text encoder, answered as the encoder itself would."""

    words: frozenset[str]
    num_places: int | None = None  # words of a sentence that are read; None: all

    def unknown_words(self, text: str) -> list[tuple[str, str | None]]:
        """Words of the text that are not known, each with the nearest known one (or None)."""
        return unknown_words(text, self.words)

    def overlong(self, text: str) -> int:
        """How many words of the text are not read."""
        return 0 if self.num_places is None else max(0, len(plain_words(text)) - self.num_places)


def known_words(folder: ModelFolder) -> KnownWords | None:
    """The words that the Text-to-Direction network of a model folder reads; None where its files do not tell.

    They do where the network has its own text encoder, or the CLIP has a word list.
    """
    try:
        return _known_words(_config(folder, "t2d"), _config(folder, "clip"))
    except (KeyError, TypeError, AttributeError, ValueError):
        return None  # without such a network, or damaged, which loading will report


def _known_words(t2d, clip):
    if own := t2d["text_encoder"]:
        return KnownWords(frozenset(own["words"]))
    if clip["tokenizer"]["kind"] != "words":
        return None
    marks = 2  # at the start and the end of what is read
    return KnownWords(frozenset(clip["tokenizer"]["words"]), clip["model"]["text_cfg"]["context_length"] - marks)


def _config(folder, role):
    return json.loads(folder.files[role].read_text(encoding="utf-8"))["config"] if role in folder.files else {}
