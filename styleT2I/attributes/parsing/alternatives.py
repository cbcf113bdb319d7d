"""Alternatives that a text leaves open: "black or brown hair" states neither colour."""

import bisect

_VERBS = {"copula", "have", "wear", "with", "without", "relative", "mark", "and", "or", "nominative"}
_SKIPPED = {"determiner", "degree", "copula", "have", "wear", "with", "function", "mark"}


def without_alternatives(mentions: list, items: list, positions: list[int]) -> tuple[list, list[str]]:
    """Return the mentions that no "or" puts in doubt, and a line for each "or" that does so to others.

    mentions: describer.Found; items: the text's words; positions: of the "or"s that no negation governs.
    """
    if not positions:
        return mentions, []
    mentions = sorted(mentions, key=lambda mention: mention.start)
    starts, withdrawn, problems = [mention.start for mention in mentions], set(), []
    for position in positions:
        left, right = _content(items, position, -1), _content(items, position, 1)
        before, after = _mention_at(mentions, starts, left), _mention_at(mentions, starts, right)
        both = [k for k in (before, after) if k is not None]
        if not both or left is None or right is None or (len(both) == 2 and _is_same(mentions, both)):
            continue
        withdrawn.update(both)
        if before is not None:
            withdrawn.update(_listed_before(mentions, starts, items, position))
        sides = [mentions[k].phrase if k is not None else item.text for k, item in ((before, left), (after, right))]
        problems.append(f'offers alternatives, "{sides[0]}" or "{sides[1]}"; state one of them')
    return [mention for k, mention in enumerate(mentions) if k not in withdrawn], problems


def _content(items, position, step):
    """Return the nearest word beside an "or" that can be an alternative; "without" alone counts as one."""
    denial = None
    for k in range(position + step, position + 6 * step, step):
        if not 0 <= k < len(items):
            break
        item, entry = items[k], items[k].entry
        if entry and entry.noun == () and not (entry.is_reported or entry.adjective):  # "a black bird or ..."
            continue
        is_word = entry is None or entry.adjective or entry.part or entry.noun is not None or entry.pronoun is not None
        if is_word and not (entry and "determiner" in entry.roles):
            return item
        if step > 0 and entry.roles & {"without", "not"} or step < 0 and item.text in ("with", "without"):
            denial = item
        elif (denial and "mark" in entry.roles) or not entry.roles & _SKIPPED:
            break
    return denial


def _listed_before(mentions, starts, items, position):
    """Yield the mentions of a list that the "or" closes: "black, brown or blond hair"."""
    k = position - 1
    while k > 0 and (items[k].entry is None or items[k].text == "," or not items[k].entry.roles & _VERBS):
        if items[k].text == ",":
            found = _mention_at(mentions, starts, items[k - 1])
            if found is None:
                return
            yield found
        k -= 1


def _mention_at(mentions, starts, item) -> int | None:
    """Return the index of the last mention that covers a word."""
    if item is None:
        return None
    k = bisect.bisect_right(starts, item.start) - 1
    return k if k >= 0 and mentions[k].start <= item.start < mentions[k].end else None


def _is_same(mentions, both) -> bool:
    return both[0] == both[1] or mentions[both[0]][:2] == mentions[both[1]][:2]
