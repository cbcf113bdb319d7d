"""The suite "quality" as text: a row a figure, a column a set of pictures, below it who looked."""

from __future__ import annotations

__all__ = ["quality_table"]


def quality_table(figures: dict) -> str:
    """Markdown of what `evaluate_folders` or `evaluate_model` returned: values with their standard errors (±) or, of
    shares, 95 % intervals."""
    sets = figures["sets"]
    names = list(dict.fromkeys(name for found in sets.values() for name in found))
    rows = [["figure", *sets, "by"], ["---"] * (len(sets) + 2)]
    networks = {}  # its name -> number
    for name in names:
        measured = [found.get(name) for found in sets.values()]
        network = next(one for one in measured if one)["network"]
        number = networks.setdefault(network, len(networks) + 1)
        rows.append([name, *map(_value, measured), str(number)])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", *(f"{number}: {network}" for network, number in networks.items())]
    lines += [f"{title}: {_pictures(found)}" for title, found in sets.items() if found]
    lines += [f"left out: {name}: {reason}" for name, reason in figures["left_out"].items()]
    return "\n".join(lines)


def _value(measured):
    if measured is None:
        return ""
    error, interval = measured["standard_error"], measured.get("interval")
    if interval is not None:
        return f"{measured['value']:.4g} ({interval[0]:.3g} to {interval[1]:.3g})"
    return f"{measured['value']:.4g}" + (f" ± {error:.2g}" if error is not None else "")


def _pictures(found):
    one = next(iter(found.values()))
    seeds = f", seeds {one['seeds']}" if one["seeds"] else ""
    return f"{one['num_fake']} pictures, {one['fake']}{seeds}"
