"""Words that speak of another person than the one described: "than his bald uncle", "whose wife is blonde".

Nothing of that person is drawn, so these words are taken out before a text is read, and the text is said to have them.
"""

import dataclasses

from styleT2I.attributes.parsing.lexicon import Entry, Item

_KIN = frozenset(
    "father mother dad mom mum daddy mommy papa mama parent parents grandfather grandmother grandpa grandma granddad "
    "granny grandparent grandparents brother sister sibling siblings brothers sisters twin son daughter child children "
    "kid kids baby grandson granddaughter uncle aunt auntie nephew niece cousin husband wife spouse boyfriend "
    "girlfriend fiance fiancee partner friend friends stepfather stepmother stepbrother stepsister neighbor neighbour "
    "colleague boss teacher".split()
)
_OWN = ("his", "her", "their", "'s")  # of somebody who is spoken of: "my sister" is who is described
_BESIDE = frozenset("at to beside near behind towards toward opposite".split())  # a person who stands there is another
_LOOKS = ("looking at", "looks at")
_BETWEEN = frozenset("with of by from about for on".split())  # "in love with a man", "thinking of a man"
_OBJECTS = ("him", "her", "them")
_SMILES = ("smiles", "grins", "laughs", "frowns")  # nouns of the lexicon that are verbs after a person
_MOST_WORDS = 6  # of a noun phrase
_REACH = 30  # words that are looked through for a pronoun, so that the time stays linear


def without_other_persons(items: list[Item]) -> tuple[list[Item], list[tuple[int, int]]]:
    """The items of the person described, and the place [start, end) in the text of every phrase about another one."""
    kept, places, k, has_subject = [], [], 0, False
    known, passed = set(), set()  # what the nouns and pronouns of either state
    while k < len(items):
        end = _end_of_other(items, k, has_subject)
        if end is None:
            item = items[k]
            is_subject = _is_person(item) or _is_nominative(item)
            has_subject = has_subject or is_subject
            if _kin(items, k) is not None or _is_of_other(item, known, passed):
                item = _without_gender(item)
            elif is_subject:
                known.update(item.entry.noun or item.entry.pronoun or ())
            kept.append(item)
            k += 1
        else:
            places.append((items[k].start, items[end - 1].end))
            kept += [_gender_alone(item) for item in items[k : min(k + 2, end)] if item.text in _OWN[:2]]
            passed.update(value for item in items[k:end] if _is_person(item) for value in item.entry.noun)
            k = end
    return kept, places


def _without_gender(item: Item) -> Item:
    """ "His" of "his aunt", who is described herself: it says nothing about her gender."""
    assert item.entry is not None
    return item._replace(entry=dataclasses.replace(item.entry, pronoun=None))


def _gender_alone(item: Item) -> Item:
    """ "His" of "unlike his aunt", whose clause is passed over: whose aunt she is remains."""
    return item._replace(entry=Entry(pronoun=item.entry and item.entry.pronoun))


def _is_of_other(item, known, passed) -> bool:
    """Whether a pronoun is another person's: "(he is as pale as his mother and has) her (nose)"."""
    stated = item.entry.pronoun if item.entry is not None and not _is_nominative(item) else None
    return bool(stated) and set(stated) <= passed and any((name, not value) in known for name, value in stated)


def _end_of_other(items, k, has_subject) -> int | None:
    """Where the phrase about another person ends that begins at item k; None where none begins."""
    text = items[k].text
    if text in ("than", "unlike") or (text in ("like", "as") and _kin(items, k + 1) is not None):
        k += 2 * ([item.text for item in items[k + 1 : k + 3]] in (["that", "of"], ["those", "of"]))
        head = _head(items, k + 1) if _begins_phrase(items, k + 1) else None  # "smaller than average" names nobody
        return None if head is None else _clause_end(items, head + 1, is_phrase=text != "unlike")
    if text == "whose":
        head = _head(items, k + 1)
        return _clause_end(items, head + 1, is_clause=True) if head is not None and items[head].text in _KIN else None
    if text in _OWN:
        return _end_of_kin(items, k, has_subject)
    if text in _BESIDE or (text in _LOOKS and has_subject and k and _is_gendered_before(items, k)):
        return _end_of_neighbour(items, k, has_subject)
    if has_subject and k and _is_other_object(items, k):
        head = _head(items, k + (text in _BETWEEN or text == "not"))
        return None if head is None else _clause_end(items, head + 1)
    if has_subject and "relative" in _roles(items[k]):
        return _end_of_onlooker(items, k)
    return None


def _is_other_object(items, k) -> bool:
    """Whether a person is named at item k whom the one described does something to, or is not: "he kisses a woman",
    "in love with a man", "with his long-haired wife", "not the woman with the hat"."""
    item, before = items[k], items[k - 1]
    if item.text == "not":
        is_denial = bool(_roles(before) & {"copula", "have", "wear"}) or _is_nominative(before)
        return not is_denial and k + 1 < len(items) and items[k + 1].text == "the"
    if item.text == "with" and (head := _head(items, k + 1)) is not None and items[head].text in _KIN:
        return head + 1 >= len(items) or items[head + 1].text != "'s"  # "with his mother's nose"
    is_phrase = k + 1 < len(items) and "determiner" in _roles(items[k + 1])
    if item.text in _BETWEEN:
        return is_phrase and before.entry is None
    is_done = before.entry is None and before.text.endswith(("s", "ed", "ing")) and "determiner" in _roles(item)
    return is_done and k > 1 and _is_gendered(items[k - 2])


def _end_of_onlooker(items, k) -> int | None:
    """As `_end_of_other`, of "(the woman) that the bearded man is looking at (has wavy hair)"."""
    if not _is_person(items[k - 1]) or k + 1 >= len(items) or "determiner" not in _roles(items[k + 1]):
        return None
    head = _head(items, k + 1)
    if head is None:
        return None
    first = head + 1 + int(head + 1 < len(items) and "copula" in _roles(items[head + 1]))
    for position in range(first, min(first + _MOST_WORDS, len(items))):
        roles = _roles(items[position])
        if "mark" in roles or _is_finite(items[position]):
            return position if position > first else None
    return None


def _end_of_kin(items, k, has_subject) -> int | None:
    """As `_end_of_other`, of "his wife is blonde": kin of somebody who is described besides."""
    head, before = _kin(items, k), items[k - 1] if k else None
    has_subject = has_subject and items[k].text != "'s"  # "my friend's dad" is who is described
    joints = ("with", "and") if has_subject else ("with", "of", "and")  # "he is the image of his grandfather"
    if head is None or (before is not None and before.text in joints and not _has_verb(items, head + 1)):
        return None  # "and his son" names two, "a portrait of his uncle" describes him
    is_first = before is None or _parts_clauses(before)
    after = items[head + 1] if head + 1 < len(items) else None
    if after is not None and after.text == "'s":  # "her father's glasses" are hers, "his wife's hair is blond" is not
        is_own = not is_first or head + 2 >= len(items) or _is_worn(items[head + 2])
        return None if is_own else _clause_end(items, head + 2)
    end = _clause_end(items, head + 1)
    is_passed = has_subject or _turns_to_another(items, end) or _is_owner_described(items, head)
    return end if is_passed else None


def _is_owner_described(items, head) -> bool:
    """Whether a pronoun follows that cannot be the kin's: "his girlfriend put lipstick on him"."""
    stated = items[head].entry.noun if _is_person(items[head]) else ()
    opposite = {(name, not value) for name, value in stated}
    for k in range(head + 1, min(head + _REACH, len(items))):
        pronoun = items[k].entry.pronoun if items[k].entry is not None else None
        if pronoun and set(pronoun) <= opposite and _kin(items, k) is None:
            return True
    return False


def _turns_to_another(items, k) -> bool:
    """Whether a clause about somebody else begins at item k: "(her mother is old) but she is not"."""
    joint = {"mark", "but", "and"}
    words = [item for item in items[k : k + 3] if not (_roles(item) & joint)]
    is_added = any("and" in _roles(item) for item in items[k : k + 2])
    return bool(words) and _is_nominative(words[0]) and not is_added


def _end_of_neighbour(items, k, has_subject) -> int | None:
    """As `_end_of_other`, of "(smiling) at a man with a mustache" and "behind her stands a bearded man"."""
    before = items[k - 1] if k else None
    is_first = before is None or _parts_clauses(before) or (before.text == "next" and k == 1)
    if is_first and k + 2 < len(items) and items[k + 1].text in _OBJECTS:
        head = _head(items, k + 3)  # the word between is the verb
        return None if head is None else _clause_end(items, head + 1)
    head = _head(items, k + 1) if has_subject else None
    is_described = head is not None and "determiner" in _roles(items[k + 1])
    return _clause_end(items, head + 1, is_place=True) if is_described else None


def _kin(items, k) -> int | None:
    """Where the kin of "his old uncle" stands, whose possessive is item k; None for anything else."""
    if k >= len(items) or items[k].text not in _OWN:
        return None
    head = _head(items, k)
    return head if head is not None and items[head].text in _KIN else None


def _head(items, k) -> int | None:
    """Where the person of the noun phrase that begins at item k stands; None where it is about something else."""
    for position in range(k, min(k + _MOST_WORDS, len(items))):
        item, entry = items[position], items[position].entry
        following = items[position + 1] if position + 1 < len(items) else None
        if item.text in _KIN or (_is_person(item) and not (entry.adjective and following and _is_person(following))):
            return position
        is_described = entry is None or entry.adjective or entry.is_derived
        is_before_noun = is_described or _roles(item) & {"determiner", "degree", "possessive"}
        if not is_before_noun or (entry is not None and _is_nominative(item)) or "mark" in _roles(item):
            return None
    return None


def _clause_end(items, k, is_phrase=False, is_place=False, is_clause=False) -> int:
    """Where what is said of a person ends, whose noun stands before item k.

    is_phrase: "and" and verbs end it too; is_place: verbs do, which say what the first person does: "next to a man
    smiles"; is_clause: its second verb does: "(whose) husband has a beard (wears a hat)".
    """
    position, num_verbs = k, 0
    while position < len(items):
        item, roles = items[position], _roles(items[position])
        after = items[position + 1] if position + 1 < len(items) else None
        if item.text == "," and after is not None and "relative" in _roles(after) and position == k:
            position, is_phrase, is_place = position + 2, False, False  # "unlike her sister, who has brown hair"
            continue
        if item.text == "," and position == k and _is_apposition(items, position + 1):
            position = k = _head(items, position + 1) + 1  # "her aunt, an old lady with glasses, ..."
            is_phrase = False
            continue
        if "relative" in roles:
            is_place = False
        num_verbs += _is_finite(item) and not (position and _roles(items[position - 1]) & {"and", "copula"})
        if is_clause and num_verbs > 1:
            break
        if is_place and (item.text in _SMILES or _is_finite(item)):
            break
        if "mark" in roles or "but" in roles or _is_nominative(item) or item.text == "hers":
            break
        if "and" in roles and (is_phrase or (after is not None and _starts_clause(after))):
            break
        if is_phrase and (roles & {"copula", "have", "wear"} or ("with" in roles and position > k)):
            break
        position += 1
    return position


def _is_apposition(items, k) -> bool:
    """Whether item k begins another name of the person before: "(her aunt,) an old lady"."""
    return k < len(items) and items[k].text in ("a", "an") and _head(items, k) is not None


def _begins_phrase(items, k) -> bool:
    """Whether item k begins a noun phrase: "(than) his uncle", "a man", "other women"."""
    if k >= len(items):
        return False
    item = items[k]
    is_named = item.text in _KIN or item.text in ("most", "other", "many") or _is_person(item)
    return is_named or item.text in _OWN or bool(_roles(item) & {"determiner", "possessive"})


def _is_finite(item) -> bool:
    """Whether an item is a verb of a clause: "has", not "having"."""
    return bool(_roles(item) & {"copula", "have", "wear"}) and not item.text.endswith("ing")


def _starts_clause(item) -> bool:
    return _is_nominative(item) or bool(_roles(item) & {"copula", "have", "wear", "relative"})


def _has_verb(items, k) -> bool:
    """Whether a verb is item k, or comes after a thing that the kin before it has: "(and his wife)'s hair is blond"."""
    k += 2 if k < len(items) and items[k].text == "'s" else 0
    return k < len(items) and bool(_roles(items[k]) & {"copula", "have", "wear"})


def _parts_clauses(item) -> bool:
    return bool(_roles(item) & {"mark", "and", "but"})


def _is_worn(item) -> bool:
    """Whether an item is a thing that one may put on, of which somebody else may be the owner."""
    return item.entry is None or item.entry.part is None or "=" in item.entry.part


def _is_person(item) -> bool:
    return item.entry is not None and item.entry.noun is not None


def _is_gendered_before(items, k) -> bool:
    """Whether he, she or a man is named shortly before item k: "I am looking at a man" is about him."""
    return any(_is_gendered(item) for item in items[max(k - _MOST_WORDS, 0) : k])


def _is_gendered(item) -> bool:
    """Whether an item is a person of whom it states something: "he", "a girl"; not "the artist", "I"."""
    return item.entry is not None and bool(item.entry.noun or (_is_nominative(item) and item.entry.pronoun))


def _is_nominative(item) -> bool:
    return "nominative" in _roles(item) and item.text in ("he", "she", "i", "they")


def _roles(item) -> set[str]:
    return item.entry.roles if item.entry is not None else set()
