"""GPU hours that the stages of a recipe may take: work counted in images, times one measured or assumed time each."""

from __future__ import annotations

from typing import NamedTuple

from styleT2I.staged.papers import KIMG, SIZES, Wanted, preset_of

__all__ = ["MEASURED", "Estimate", "estimates"]

_DRAWN = 0.0044  # seconds of one image of 256 px, config F, fp32, batch 1
MEASURED = (
    "an image of 256 px of config F took 4.4 ms on one H100 (fp32, one at a time, 28 November 2026; docs/gpu.md); a "
    "training in batches takes less, another GPU more. Passes are counted as forward 1, backward 2."
)
_PAIR = 0.001  # seconds of a pair that CLIP is tuned on: assumed
_SEEN = 0.0005  # seconds of an image of 128 px that a judge or segmenter trains on: assumed
_IMAGES = {"celebahq": 23_379, "cub": 8_855}  # of the captions' training split
_UNSEEN = {"celebahq": 1_941, "cub": 2_933}


class Estimate(NamedTuple):
    """Of one stage."""

    hours: float
    basis: str  # what they rest on


def estimates(wanted: Wanted) -> dict[str, Estimate]:
    """By stage, those that a GPU has work with; hours of one, for any number of them together.

    >>> from styleT2I.staged.papers import PAPERS
    >>> from styleT2I.staged.splits import Splits
    >>> data = Splits(*["celebahq:DIR"] * 5, "")
    >>> found = estimates(Wanted(PAPERS["celebahq"], "runs/x", data, data))
    >>> round(found["t2d"].hours), found["clip"].basis
    (12, '23,379 images x 1,000 epochs x 1 ms a pair (assumed)')
    """
    factor, paper = SIZES[wanted.size].factor, wanted.paper
    if not factor:
        return {}
    images = _IMAGES[paper.texts]
    clip, judge = preset_of("clip", paper.clip), preset_of("judge", "photos-guide")
    steering, parts = preset_of("t2d", paper.name), preset_of("segmenter", "photos")
    epochs = max(round(clip["epochs"] * factor), 1)
    pairs = Estimate(images * epochs * _PAIR / 3600, f"{images:,} images x {epochs:,} epochs x 1 ms a pair (assumed)")
    found = {"clip": pairs, "clip_eval": pairs}
    if "generator" not in wanted.sources:
        found["generator"] = _drawn(KIMG * 1000 * factor, 12, "images shown to generator and discriminator")
    for name, recipe in (("guide", judge), ("heldout", judge), ("segmenter", parts)):
        seen = recipe["steps"] * recipe["batch_size"] * factor
        found[name] = Estimate(seen * _SEEN / 3600, f"{seen:,.0f} images x 0.5 ms (assumed)")
    rows = steering["steps"] * steering["batch_size"] * factor
    found["t2d"] = _drawn(rows, 4, "rows: drawn and back, and CLIP")
    found["a2d"] = _drawn(2 * rows, 4, "images: two a row, drawn and back, and CLIP")
    found["evaluate"] = _drawn(2 * _UNSEEN[paper.texts], 3, "images: without and with the adjustment")
    return found


def _drawn(num, passes, what):
    return Estimate(num * passes * _DRAWN / 3600, f"{num:,.0f} {what} x {passes} passes x 4.4 ms")
