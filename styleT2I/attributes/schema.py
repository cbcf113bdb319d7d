"""Checks and reads a vocabulary's JSON form as a `Vocabulary` (docs/attributes.md describes the format)."""

import dataclasses

from styleT2I.attributes.vocabulary import (
    FORMAT_VERSION,
    VERBS,
    Attribute,
    Exclusive,
    Side,
    Vocabulary,
    read_heard,
    read_lexicon,
)
from styleT2I.config import suggestion
from styleT2I.errors import ConfigError
from styleT2I.torch_utils.words import split_words

_TOP = (
    "format_version",
    "name",
    "subject",
    "lexicon",
    "lists",
    "parts",
    "degree",
    "attributes",
    "families",
    "exclusive",
)
_ENTRY = ("name", "antonym", "region", "visibility", "true", "false")
_SIDE = ("phrase", "verb", "object", "synonyms", "nouns", "pronouns", "things", "lacks", "adjectives", "scalar")
_FAMILY = ("name", "parts", "values", "phrase", "things", "nouns")
_WORDS = ("synonyms", "nouns", "pronouns", "things", "lacks")
_TOP_TYPES = {
    "name": str, "subject": dict, "lexicon": str, "lists": dict, "parts": dict, "degree": list, "attributes": list,
    "families": list, "exclusive": list,
}  # fmt: skip


def build(data: dict) -> Vocabulary:
    """Return the `Vocabulary` described by a JSON object; ConfigError says which entry is wrong."""
    _expect(data, dict, "the vocabulary")
    _known_keys(data, _TOP, "the vocabulary")
    for key, kind in _TOP_TYPES.items():
        if key in data:
            _expect(data[key], kind, key)
    vocabulary = _build(data, {})
    heard = read_heard(data["lexicon"]) if "lexicon" in data else {}
    return dataclasses.replace(vocabulary, heard=_build(data, heard) if heard else vocabulary)


def _build(data: dict, heard: dict) -> Vocabulary:
    if data.get("format_version") != FORMAT_VERSION:
        raise ConfigError(f"format_version is {data.get('format_version')!r}; this version reads {FORMAT_VERSION}")
    _expect(data.get("name"), str, "name")
    own_parts, own_degree = data.get("parts", {}), data.get("degree", [])
    for part, forms in own_parts.items():
        _expect(forms, dict, f"parts.{part}")
        for kind, words in forms.items():
            _check_words(words, f"parts.{part}.{kind}")
    _check_words(own_degree, "degree")
    lexicon = read_lexicon(data["lexicon"]) if "lexicon" in data else {}
    lists = {**_with_more(lexicon.get("lists", {}), heard.get("lists", {})), **data.get("lists", {})}
    parts = {
        part: _with_more(forms, heard.get("parts", {}).get(part, {}))
        for part, forms in lexicon.get("parts", {}).items()
    }
    parts = {
        part: {kind: tuple(words) for kind, words in forms.items()} for part, forms in {**parts, **own_parts}.items()
    }
    entries = list(data.get("attributes", []))
    for i, family in enumerate(data.get("families", [])):
        entries += _family_entries(family, lists, f"families[{i}]")
    attributes = tuple(_attribute(entry, lists, f"attributes[{i}]") for i, entry in enumerate(entries))
    if not attributes:
        raise ConfigError("the vocabulary has no attributes")
    _check_names(attributes)
    exclusive = tuple(
        _exclusive(group, attributes, f"exclusive[{i}]") for i, group in enumerate(data.get("exclusive", []))
    )
    subject = {"noun": "person", "pronoun": "they", **data.get("subject", {})}
    for key, word in subject.items():
        _check_words([word], f"subject.{key}")
    degree = tuple([*lexicon.get("degree", ()), *own_degree])
    return Vocabulary(
        data["name"],
        attributes,
        exclusive,
        parts,
        subject,
        degree,
        tuple(lexicon.get("markings", ())),
        tuple(lexicon.get("patterned", ())),
    )


def _with_more(lists: dict, more: dict) -> dict:
    """Return named word lists, each followed by the words that `more` has under its name."""
    return {**lists, **{name: [*lists.get(name, ()), *words] for name, words in more.items()}}


def _attribute(entry, lists, where) -> Attribute:
    _expect(entry, dict, where)
    _known_keys(entry, _ENTRY, where)
    _expect(entry.get("name"), str, f"{where}.name")
    where = f"attribute {entry['name']!r}"
    if not entry["name"].strip():
        raise ConfigError("an attribute's name is empty; give it one")
    for key in ("antonym", "visibility"):
        _expect(entry.get(key, ""), str, f"{where}.{key}")
    if entry.get("region") is not None:
        _expect(entry["region"], str, f"{where}.region")
    sides = [_side(entry.get(key), lists, f"{where}.{key}") for key in ("true", "false")]
    return Attribute(entry["name"], entry.get("antonym", ""), entry.get("region"), entry.get("visibility", ""), *sides)


def _side(entry, lists, where) -> Side:
    _expect(entry, dict, where)
    _known_keys(entry, _SIDE, where)
    _expect(entry.get("phrase"), str, f"{where}.phrase")
    if not split_words(entry["phrase"]):
        raise ConfigError(f"{where}.phrase is empty; give the words that say the value")
    _check_words([entry.get("object", entry["phrase"])], f"{where}.object")
    verb = entry.get("verb", "has")
    if verb not in VERBS:
        raise ConfigError(f"{where}.verb is {verb!r}; choose one of {', '.join(VERBS)}")
    words = {key: _expand(entry.get(key, []), lists, f"{where}.{key}") for key in _WORDS}
    _expect(entry.get("adjectives", {}), dict, f"{where}.adjectives")
    adjectives = {
        part: _expand(given, lists, f"{where}.adjectives.{part}") for part, given in entry.get("adjectives", {}).items()
    }
    _expect(entry.get("scalar", False), bool, f"{where}.scalar")
    return Side(
        entry["phrase"],
        verb,
        entry.get("object", entry["phrase"]),
        adjectives=adjectives,
        is_scalar=entry.get("scalar", False),
        **words,
    )


def _family_entries(family, lists, where):
    """Return the attributes `NAME::VALUE` of a family such as a part's colours: each value is a list of words."""
    _expect(family, dict, where)
    _known_keys(family, _FAMILY, where)
    for key, kind in (("name", str), ("phrase", str), ("parts", list), ("things", dict), ("nouns", dict)):
        if key in family or kind is str:
            _expect(family.get(key), kind, f"{where}.{key}")
    for key in ("things", "nouns"):
        for value, words in family.get(key, {}).items():
            _check_words(words, f"{where}.{key}.{value}")
    values = family.get("values")
    values = lists.get(values[1:]) if isinstance(values, str) and values.startswith("@") else values
    _expect(values, dict, f"{where}.values")
    for value, words in values.items():
        at = f"{where}.values.{value}"
        by_part = words if isinstance(words, dict) else dict.fromkeys(family.get("parts", ()), words)
        by_part = {part: list(_expand(given, lists, f"{at}.{part}")) for part, given in by_part.items()}
        things, nouns = (family.get(key, {}).get(value, []) for key in ("things", "nouns"))
        adjectives = [word for given in by_part.values() for word in given]
        if not (adjectives or things):
            raise ConfigError(f"{at} lists no words")
        true = family["phrase"].replace("{}", adjectives[0]) if adjectives else things[0]
        yield {
            "name": f"{family['name']}::{value}",
            "true": {
                "phrase": true,
                "verb": "has",
                "object": true,
                "things": things,
                "nouns": nouns,
                "adjectives": by_part,
            },
            "false": {"phrase": f"no {true}", "verb": "has", "object": f"no {true}"},
        }


def _exclusive(group, attributes, where) -> Exclusive:
    _expect(group, dict, where)
    names = [a.name for a in attributes]
    _expect(group.get("name", where), str, f"{where}.name")
    _expect(group.get("exactly_one", False), bool, f"{where}.exactly_one")
    _expect(group.get("attributes"), list, f"{where}.attributes")
    members = tuple(group["attributes"])
    for member in members:
        _expect(member, str, f"{where}.attributes")
        if member not in names:
            raise ConfigError(f"{where} names the unknown attribute {member!r}{suggestion(member, names)}")
    return Exclusive(group.get("name", where), members, group.get("exactly_one", False))


def _check_names(attributes):
    seen = set()
    for attribute in attributes:
        for name in filter(None, (attribute.name, attribute.antonym)):
            if name in seen:
                raise ConfigError(f"the name {name!r} is used twice; attribute names and antonyms must differ")
            seen.add(name)


def _expand(words, lists, where) -> tuple[str, ...]:
    """Return the words with each "@list" replaced by that list's words."""
    _expect(words, list, where)
    result = []
    for word in words:
        _expect(word, str, where)
        if word.startswith("@"):
            if word[1:] not in lists:
                raise ConfigError(f"{where} names the unknown word list {word!r}{suggestion(word[1:], lists)}")
            _check_words(lists[word[1:]], f"lists.{word[1:]}")
            result.extend(lists[word[1:]])
        else:
            result.append(word)
    _check_words(result, where)
    return tuple(dict.fromkeys(result))


def _check_words(words, where):
    """A list of texts with at least one word each: the parser knows no others."""
    _expect(words, list, where)
    for word in words:
        _expect(word, str, where)
        if not split_words(word):
            raise ConfigError(f"{where}: {word[:40]!r} has no word in it; write words")


def _known_keys(mapping, known, where):
    for key in mapping:
        if key not in known:
            raise ConfigError(f"unknown key {key!r} in {where}{suggestion(key, known)}")


def _expect(value, kind, where):
    if not isinstance(value, kind):
        raise ConfigError(f"{where} must be a {kind.__name__}, got {type(value).__name__}")
