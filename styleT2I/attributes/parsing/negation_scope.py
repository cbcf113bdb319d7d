"""How far a negation reaches, and other questions of the interpreter about neighbouring words."""

from dataclasses import dataclass

from styleT2I.attributes.parsing.lexicon import Entry, Item, Lexicon

_STOPS = {"copula", "have", "wear", "with", "but", "relative", "no", "not", "without", "neither", "nominative"}
_VERBS = {"copula", "have", "wear"}
_PLACES = set("on in of over across along around throughout under at upon above below atop covering".split())
_REACH = 30  # words that a question about what follows reads at most, so that parsing takes linear time


@dataclass
class Negation:
    """A negation in force; `kind` is the class of its word (no, not, without, neither, nor, unstated)."""

    kind: str
    is_spent: bool = False  # it has denied something
    is_continued: bool = False  # "or" carries it on to what follows
    with_verb: bool = False  # "does not wear": reaches over "and" as "without" does

    @property
    def is_fresh(self) -> bool:
        """Whether it has denied nothing yet."""
        return not (self.is_spent or self.is_continued)

    @property
    def takes_nouns(self) -> bool:
        """Whether it denies the noun, so that adjectives on the way ("no black hair") do not use it up."""
        return self.kind in ("no", "without") or self.with_verb


def ends_at_conjunction(
    negation: Negation, kind: str, items: list[Item], position: int, lexicon: Lexicon, is_waiting: bool
) -> bool:
    """Whether the negation ends at the conjunction ("and", "or", "comma") at `position`.

    "or" always carries it on. "and" does after "without" and "does not wear" if a thing that one may lack follows
    ("without glasses and lipstick"), and between adjectives after "is not"; after "no" it ends it: "no beard and
    glasses" has glasses. A comma counts as the conjunction that closes its list.
    """
    if kind == "comma":
        kind = _closing_conjunction(items, position)
    if kind == "or":
        negation.is_spent, negation.is_continued = False, True
        return False
    entries = _next_items(items, position)
    if is_waiting and negation.takes_nouns and entries and entries[0].adjective:
        return False  # between the adjectives of one noun: "no black and wavy hair"
    if not (negation.is_spent or is_waiting):  # "she is not and wears a hat"
        return negation.kind == "not" and kind == "and" and bool(entries) and bool(entries[0].roles & _VERBS)
    if kind == "":
        return True
    if negation.kind == "without" or (negation.kind == "not" and negation.with_verb):
        return not _is_thing(entries, lexicon)
    if negation.kind == "not":
        return not _is_plain_adjective(entries)
    return True


def next_entry(items: list[Item], position: int) -> Entry | None:
    """Return the entry of the next word that is no degree word; None for an unknown word or at the end."""
    for item in following(items, position):
        if item.entry is None or not _is_degree_only(item.entry):
            return item.entry
    return None


def following(items: list[Item], position: int) -> list[Item]:
    """Return the words after `position`, up to the limit."""
    return items[position + 1 : position + 1 + _REACH]


def ends_phrase(items: list[Item], position: int, ends=frozenset({"mark", "and", "but", "or"})) -> bool:
    """Whether nothing that belongs to the word at `position` follows it: "glasses: no, hat: yes", "his hat off"."""
    item = next(iter(following(items, position)), None)
    return item is None or (item.entry is not None and bool(item.entry.roles & ends))


def leads_to_copula(items: list[Item], position: int) -> bool:
    """Whether the part at `position` is what a verb speaks of: "neither her lips nor her nose is big"."""
    for item in following(items, position):
        if item.entry is None or "copula" in item.entry.roles:
            return item.entry is not None
        if item.entry.part is None and not item.entry.roles & {"nor", "or", "and", "determiner", "degree"}:
            return False
    return False


def ends_in_noun(items: list[Item], position: int) -> bool:
    """Whether the adjectives after `position` lead to a part or a person."""
    for entry in _next_items(items, position):
        if not entry.adjective:
            return entry.part is not None or entry.noun is not None
    return False


def leads_to_part(items: list[Item], position: int) -> bool:
    """Whether adjectives, denied or not, and a part follow at once: "(bushy but) not arched eyebrows"."""
    is_described = False
    for entry in _next_items(items, position):
        if not (entry.adjective or "not" in entry.roles):
            return is_described and entry.part is not None
        is_described = is_described or bool(entry.adjective)
    return False


def is_second_person(items: list[Item], position: int) -> bool:
    """Whether the person at `position` is joined to another: "a man and a woman", "with his son"."""
    seen_determiner = False
    for k in range(position - 1, max(position - _REACH, -1), -1):
        item, entry = items[k], items[k].entry
        if entry is None:
            return False
        if entry.adjective or _is_degree_only(entry):
            continue
        if "determiner" in entry.roles and not seen_determiner:
            seen_determiner = True
        else:
            return seen_determiner and bool(entry.roles & {"and", "with", "or"}) and item.text != "in"
    return False


def located_part(items: list[Item], position: int) -> str | None:
    """Return the part on which the words up to `position` are said to be: "feathers on its wings"."""
    rest = [
        item
        for item in items[position + 1 : position + 5]
        if item.entry is None or not ({"determiner", "degree"} & item.entry.roles)
    ]
    if len(rest) > 1 and rest[0].text in _PLACES and rest[1].entry is not None:
        return rest[1].entry.part
    return None


def _closing_conjunction(items, position) -> str:
    """Return the conjunction that ends the list which a comma at `position` parts; "" when it parts clauses."""
    for item in following(items, position):
        if item.entry is None:
            continue
        if item.text in ".;!?/" or (item.entry.roles & _STOPS and not item.text.endswith("ing")):
            return ""
        for kind in ("or", "nor", "and"):
            if kind in item.entry.roles:
                return "and" if kind == "and" else "or"
    return ""


def _next_items(items, position) -> list[Entry]:
    """Return the entries after `position` up to the next unknown word, without degree words and determiners."""
    result = []
    for item in following(items, position):
        if item.entry is None:
            break
        is_determiner = "determiner" in item.entry.roles and not item.entry.pronoun
        if not _is_degree_only(item.entry) and not is_determiner and item.text != ",":
            result.append(item.entry)
    return result


def _is_degree_only(entry: Entry) -> bool:
    return "degree" in entry.roles and not entry.adjective


def _is_thing(entries, lexicon) -> bool:
    for entry in entries:
        if entry.roles & {"and", "determiner"} or (entry.adjective and entry.part is None):
            continue
        return entry.part in lexicon.presence
    return False


def _is_plain_adjective(entries) -> bool:
    """Whether adjectives without a noun follow, and no participle: "is not old and bald"."""
    entries = [entry for entry in entries if "and" not in entry.roles]
    if not entries or not entries[0].adjective or entries[0].is_participle:
        return False
    rest = next((entry for entry in entries if not entry.adjective), None)
    return rest is None or (rest.part is None and rest.noun is None)
