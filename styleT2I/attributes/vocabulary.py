"""Closed vocabularies of binary attributes, stored as JSON data files."""

import dataclasses
import functools
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from styleT2I.config import read_json, suggestion
from styleT2I.errors import ConfigError, guarded
from styleT2I.torch_utils.words import nearest_word

BUILT_IN = ("portraits", "minifaces", "celeba", "cub")
FORMAT_VERSION = 1
VERBS = ("noun", "adjective", "is", "has", "wears")
_FOLDER = Path(__file__).parent
_ARTICLES = ("a ", "an ", "the ", "wearing ", "having ", "with ")


@dataclass(frozen=True)
class Side:
    """One value of an attribute: its phrases (canonical first) and the words by which the parser knows it.

    `verb` (noun, adjective, is, has, wears) and `object` form its sentence: has + "a beard".
    `things` are nouns whose presence means the value, `lacks` are parts whose absence does ("no hair"),
    `adjectives` maps a part ("hair", "person") to the words that mean the value beside that part.
    `is_scalar`: denying it does not state the other value ("a nose that is not small" need not be big).
    """

    phrase: str
    verb: str
    object: str
    synonyms: tuple[str, ...] = ()
    nouns: tuple[str, ...] = ()
    pronouns: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    adjectives: dict[str, tuple[str, ...]] = field(default_factory=dict)
    is_scalar: bool = False

    @property
    def phrases(self) -> tuple[str, ...]:
        return (self.phrase, *self.synonyms)

    def with_default_words(self, subject: str) -> "Side":
        """The side itself, or where it lists no words, with those that its verb and object imply."""
        has_words = self.nouns or self.pronouns or self.things or self.lacks or self.adjectives
        if has_words or self.object.startswith(("no ", "not ", "without ")) or " not " in self.object:
            return self
        phrases = tuple(normalise(phrase) for phrase in (self.object, *self.synonyms))
        if self.verb == "noun":
            return dataclasses.replace(self, nouns=phrases)
        if self.verb in ("adjective", "is"):
            return dataclasses.replace(self, adjectives={subject: phrases})
        return dataclasses.replace(self, things=phrases)


@dataclass(frozen=True)
class Attribute:
    """A binary attribute; `antonym` names its false value ("" when it has no name); `region` names a mask rule."""

    name: str
    antonym: str
    region: str | None
    visibility: str
    true: Side
    false: Side

    def side(self, value: bool) -> Side:
        return self.true if value else self.false

    def phrases(self, value: bool = True) -> tuple[str, ...]:
        """Return the phrases for a value, the canonical one first."""
        return self.side(value).phrases


@dataclass(frozen=True)
class Exclusive:
    """A group of attributes of which at most one (or exactly one) is true."""

    name: str
    attributes: tuple[str, ...]
    exactly_one: bool


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """An ordered set of attributes with the parts and subject the parser needs; `load_vocabulary` builds it."""

    name: str
    attributes: tuple[Attribute, ...]
    exclusive: tuple[Exclusive, ...]
    parts: dict[str, dict[str, tuple[str, ...]]]
    subject: dict[str, str]
    degree: tuple[str, ...] = ()  # words that only shade an adjective here ("bright red")
    markings: tuple[str, ...] = ()  # nouns that mean a pattern of the part on which they are ("spots")
    patterned: tuple[str, ...] = ()  # adjectives that may name a colour of their own ("spotted with brown")
    heard: "Vocabulary | None" = None  # also with the words of lexicon/heard; None: only with words that captions use

    @functools.cached_property
    def written(self) -> "Vocabulary":
        """The vocabulary with only the words that captions and paraphrases use."""
        return dataclasses.replace(self, heard=None)

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(a.name for a in self.attributes)

    @functools.cached_property
    def _by_name(self) -> dict[str, Attribute]:
        return {a.name: a for a in self.attributes}

    @functools.cached_property
    def terms(self) -> dict[str, tuple[str, bool]]:
        """Map every normalised name, antonym, phrase and synonym to (name, value); earlier entries win."""
        terms = {}
        for pick in (
            lambda a: [(a.name, True), (a.antonym, False)],
            lambda a: [(p, True) for p in a.phrases(True)] + [(p, False) for p in a.phrases(False)],
            lambda a: [
                (w, v) for v in (True, False) for w in (*a.side(v).nouns, *a.side(v).pronouns, *a.side(v).things)
            ],
        ):
            for attribute in self.attributes:
                for term, value in pick(attribute):
                    if term:
                        terms.setdefault(normalise(term), (attribute.name, value))
        return terms

    def __len__(self) -> int:
        return len(self.attributes)

    def __iter__(self):
        return iter(self.attributes)

    def __contains__(self, name) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Attribute:
        """Return the attribute of exactly this name; ConfigError with the nearest known one."""
        if name not in self._by_name:
            raise ConfigError(f"unknown attribute {name!r} in vocabulary {self.name!r}{suggestion(name, self.names)}")
        return self._by_name[name]

    def index(self, name: str) -> int:
        """Return the attribute's place in the canonical order (the column in label arrays)."""
        return self.names.index(self[name].name)

    def resolve(self, term: str) -> tuple[str, bool]:
        """Return (name, value) of a name, antonym, phrase or synonym in any case: "she" -> ("he", False).

        ConfigError names the nearest known term.
        """
        found = self.terms.get(normalise(term))
        if found is None:
            raise ConfigError(f"unknown attribute {term!r} in vocabulary {self.name!r}{self._hint(term)}")
        return found

    def nearest(self, word: str) -> str | None:
        """Return the known term nearest in spelling to `word`, or None when none is near."""
        return nearest_word(normalise(word), self.terms)

    def exclusive_of(self, name: str) -> tuple[str, ...]:
        """Return the other attributes that cannot be true together with `name`."""
        return tuple(
            other for group in self.exclusive if name in group.attributes for other in group.attributes if other != name
        )

    def _hint(self, term):
        near = self.nearest(term)
        return f"; did you mean {near!r}?" if near else f"; known: {', '.join(self.names)}"


def normalise(term: str) -> str:
    """Return a term in lower case, words apart by single spaces, without a leading article or "wearing"."""
    text = " ".join(str(term).lower().replace("_", " ").replace("-", " ").split())
    for article in _ARTICLES:
        text = text.removeprefix(article)
    return text


def load_vocabulary(name_or_path: str | Path) -> Vocabulary:
    """Load a vocabulary of attributes.

    Args:
        name_or_path: A built-in one ("portraits", "minifaces", "celeba", "cub") or a JSON file (docs/attributes.md).

    Raises:
        ConfigError: The name is unknown, or the file is not a vocabulary.

    Example:
        >>> from styleT2I import load_vocabulary
        >>> vocabulary = load_vocabulary("minifaces")
        >>> len(vocabulary), vocabulary.resolve("she")
        (14, ('he', False))
    """
    name = str(name_or_path)
    if name in BUILT_IN:
        return _load(_FOLDER / "vocabularies" / f"{name}.json")
    if not name.endswith(".json") and not os.path.exists(name):  # False where pathlib raises: a name too long
        raise ConfigError(f"unknown vocabulary {name[:80]!r}{suggestion(name[:80], BUILT_IN)}")
    return _load(Path(os.path.abspath(name)))


@functools.lru_cache(maxsize=16)
def _load(path: Path) -> Vocabulary:
    data = read_json(path, kind=object)
    try:
        return vocabulary_from_dict(data)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def read_lexicon(name: str) -> dict:
    """Read a word file of the package: "english" (function words), "face" or "bird" (parts and word lists)."""
    path = _FOLDER / "lexicon" / f"{name}.json"
    known = sorted(p.stem for p in path.parent.glob("*.json"))
    if name not in known:
        raise ConfigError(f"unknown lexicon {name!r}{suggestion(name, known)}")
    return json.loads(path.read_text(encoding="utf-8"))


def read_heard(name: str) -> dict:
    """Read the words that the parser understands beyond those of a word file; {} where there are none.

    Captions, paraphrases and word tokenizers never use them, so that they may grow without a new word list.
    """
    path = _FOLDER / "lexicon" / "heard" / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def vocabulary_from_dict(data: dict) -> Vocabulary:
    """Build and check a vocabulary from its JSON form; ConfigError says which entry is wrong."""
    from styleT2I.attributes.schema import build

    with guarded("the vocabulary", "is not of a known form (see docs/attributes.md)", ConfigError):
        return build(data)
