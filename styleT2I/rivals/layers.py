"""Ranges of a generator's layers that a direction may be kept to."""


def layer_ranges(num_ws: int) -> dict[str, slice]:
    """All layers, and thirds of them: the coarse ones hold pose and shape, the fine ones colour."""
    third = max(1, round(num_ws / 3))
    return {
        "all": slice(0, num_ws),
        "coarse": slice(0, third),
        "middle": slice(third, 2 * third),
        "fine": slice(2 * third, num_ws),
    }
