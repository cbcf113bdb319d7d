"""What two compositions of a comparison have in common, and in what they differ."""

from __future__ import annotations

__all__ = ["contrasted", "shared"]


def contrasted(first: str, second: str) -> tuple[str, str]:
    """The terms of each of two compositions that the other one lacks.

    >>> contrasted("she+lipstick", "he+lipstick")
    ('she', 'he')
    >>> contrasted("hat", "she+hat")
    ('hat', 'she')
    """
    one, other = first.split("+"), second.split("+")
    return (
        "+".join(term for term in one if term not in other) or first,
        "+".join(term for term in other if term not in one) or second,
    )


def shared(first: str, second: str) -> tuple[str, ...]:
    """The terms that both compositions have, in the order of the first.

    >>> shared("she+lipstick+hat", "he+lipstick+hat")
    ('lipstick', 'hat')
    """
    other = second.split("+")
    return tuple(term for term in first.split("+") if term in other)
