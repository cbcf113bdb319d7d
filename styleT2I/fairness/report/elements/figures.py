"""SVG plots of the report: bars, gaps, rates, effects, parity curves. Colour is never the only carrier of meaning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from styleT2I.fairness.report.wording import interval, percent, points
from styleT2I.torch_utils.markup import Markup, tag

__all__ = [
    "Curve", "ForestRow", "ShareRow", "bar_pair", "effect_plot", "forest_plot", "parity_plot", "share_plot",
]  # fmt: skip

_ROW = 76  # height of a row of the forest plot
_TOP = 24  # height of its axis
_SHARE_ROW = 46  # height of a row of a plot of rates
_PANEL = (250, 160)  # width and height of a parity curve
_PLOT = (34, 10, 242, 132)  # left, top, right and bottom of its axes


class ForestRow(NamedTuple):
    """One comparison of a forest plot; gaps from -1 to 1."""

    label: str
    gap: float
    interval: tuple[float, float]
    limit: float | None
    verdict: str | None  # on the limit
    groups: tuple[str, str]  # who the first and the second side are


class ShareRow(NamedTuple):
    """A rate with its interval, and what it is compared with; all from 0 to 1."""

    label: str
    rate: float
    interval: tuple[float, ...]
    even: float | None
    training: float | None


def bar_pair(bars: Sequence[tuple[str, float]], title: str) -> Markup:
    """Rates as bars from 0 to 100 %, the name before each and its rate behind it."""
    parts = []
    for kind, (name, rate) in zip(("one", "two"), bars, strict=True):
        bar = tag(
            "svg",
            tag("title", f"{title}. {name}: {percent(rate)}"),
            tag("rect", x=0, y=0, width="100%", height=16, class_="track"),
            tag("rect", x=0, y=0, width=f"{max(100 * rate, 0.4):.2f}%", height=16, class_=f"bar {kind}"),
            role="img", width="100%", height=16,
        )  # fmt: skip
        parts += [tag("span", name, class_="name"), bar, tag("span", percent(rate), class_="rate")]
    return tag("div", parts, class_="bars")


def share_plot(rows: Sequence[ShareRow], title: str) -> Markup:
    """Rates one below the other on a scale from 0 to 100 %, as wide as the page."""

    def x(rate):
        return f"{2 + 96 * rate:.2f}%"

    height = _TOP + _SHARE_ROW * len(rows) + 4
    axis = [
        (
            tag("line", x1=x(rate), x2=x(rate), y1=_TOP - 5, y2=height, class_="rule"),
            tag("text", f"{100 * rate:g} %", x=x(rate), y=_TOP - 10, text_anchor="middle", class_="tick"),
        )
        for rate in (0, 0.25, 0.5, 0.75, 1)
    ]
    drawn = [_share_row(row, _TOP + _SHARE_ROW * index, x) for index, row in enumerate(rows)]
    return tag("svg", tag("title", title), axis, drawn, role="img", width="100%", height=height, class_="shares")


def _share_row(row, top, x):
    middle, (low, high) = top + 33, row.interval
    parts = []
    if row.even is not None:
        parts.append(tag("line", x1=x(row.even), x2=x(row.even), y1=middle - 9, y2=middle + 9, class_="even"))
    parts.append(tag("line", x1=x(low), x2=x(high), y1=middle, y2=middle, class_="whisker fine"))
    if row.training is not None:
        diamond = tag("rect", x=-5, y=-5, width=10, height=10, transform="rotate(45)", class_="diamond")
        parts.append(tag("svg", diamond, x=x(row.training), y=middle, overflow="visible"))
    parts.append(tag("circle", cx=x(row.rate), cy=middle, r=6, class_="dot fine"))
    known = [f"{name} {percent(rate)}" for name, rate in (("training data", row.training), ("even", row.even)) if rate]
    said = f"{row.label}: {', '.join([percent(row.rate), *known])}"
    return tag(
        "g",
        tag("title", said),
        parts,
        tag("text", row.label, x=0, y=top + 16, class_="label halo"),
        tag("text", percent(row.rate), x="100%", y=top + 16, text_anchor="end", class_="halo"),
    )


def forest_plot(rows: Sequence[ForestRow], title: str) -> Markup:
    """Gaps and intervals, one below the other, as wide as the page: all x are in per cent of its width."""
    extent = _extent(rows)

    def x(value):
        return f"{50 + 48 * value / extent:.2f}%"

    ticks = [extent * part for part in (-1, -0.5, 0, 0.5, 1)]
    height = _TOP + _ROW * len(rows) + 6
    axis = [
        (
            tag("line", x1=x(t), x2=x(t), y1=_TOP - 5, y2=height, class_="zero" if t == 0 else "rule"),
            tag("text", points(t).removesuffix(".0"), x=x(t), y=_TOP - 10, text_anchor="middle", class_="tick"),
        )
        for t in ticks
    ]
    drawn = [_forest_row(row, _TOP + _ROW * index, x) for index, row in enumerate(rows)]
    return tag("svg", tag("title", title), axis, drawn, role="img", width="100%", height=height, class_="forest")


def _forest_row(row, top, x):
    middle, shape = top + 38, "bad" if row.verdict == "exceeded" else "fine"
    low, high = row.interval
    parts = [tag("line", x1=0, x2="100%", y1=top, y2=top, class_="rule")]
    if row.limit is not None:
        band = {"x": x(-row.limit), "width": f"{float(x(row.limit)[:-1]) - float(x(-row.limit)[:-1]):.2f}%"}
        parts.append(tag("rect", **band, y=middle - 10, height=20, class_="band"))
    parts += [
        tag("line", x1=x(start), x2=x(end), y1=middle - half, y2=middle + half, class_=f"whisker {shape}")
        for start, end, half in ((low, high, 0), (low, low, 5), (high, high, 5))
    ]
    if row.verdict in ("exceeded", "not decided"):  # a square, told from the others without its colour
        kind = "bad" if row.verdict == "exceeded" else "hollow"
        square = tag("rect", x=-6, y=-6, width=12, height=12, class_=f"dot {kind}")
        parts.append(tag("svg", square, x=x(row.gap), y=middle, overflow="visible"))
    else:
        parts.append(tag("circle", cx=x(row.gap), cy=middle, r=6, class_="dot fine"))
    text = f"{points(row.gap)} ({interval(row.interval, points)})"
    return tag(
        "g",
        tag("title", f"{row.label}: gap {text} points"),
        parts,
        tag("text", row.label, x=0, y=top + 19, class_="label halo"),
        tag("text", text, x="100%", y=top + 19, text_anchor="end", class_="halo wide-only"),
        tag("text", f"◂ more for {row.groups[1]}", x=0, y=top + 66, class_="tick halo"),
        tag("text", f"more for {row.groups[0]} ▸", x="100%", y=top + 66, text_anchor="end", class_="tick halo"),
    )


def _extent(rows):
    """The end of the axis: the next round number beyond everything that is drawn."""
    ends = [abs(end) for row in rows for end in (*row.interval, row.gap, row.limit or 0)]
    largest = max(ends, default=0)
    return next((end for end in (0.05, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8) if largest <= end), 1.0)


def effect_plot(before: float, after: float, title: str) -> Markup:
    """Two rates on one line from 0 to 1: hollow before, filled after."""

    def x(rate):
        return f"{3 + 94 * rate:.2f}%"

    return tag(
        "svg",
        tag("title", title),
        tag("line", x1=x(0), x2=x(1), y1=9, y2=9, class_="rule"),
        tag("line", x1=x(before), x2=x(after), y1=9, y2=9, class_="whisker fine"),
        tag("circle", cx=x(before), cy=9, r=4.5, class_="dot hollow"),
        tag("circle", cx=x(after), cy=9, r=4.5, class_="dot fine"),
        role="img", width="100%", height=18, class_="effect",
    )  # fmt: skip


class Curve(NamedTuple):
    """Success rates of one composition over the values of a setting."""

    label: str
    rates: Sequence[float]
    intervals: Sequence[tuple[float, float]]


def parity_plot(values: Sequence[float], first: Curve, second: Curve, title: str) -> Markup:
    """Both sides of a comparison over a swept setting: dots on a solid line, squares on a dashed one."""
    left, top, right, bottom = _PLOT
    low, high = min(values), max(values)

    def x(value, shift=0.0):
        return round(left + 12 + (right - left - 24) * (value - low) / ((high - low) or 1) + shift, 2)

    def y(rate):
        return round(bottom - (bottom - top) * rate, 2)

    axes = [
        (
            tag("line", x1=left, x2=right, y1=y(rate), y2=y(rate), class_="rule"),
            tag("text", f"{100 * rate:g}", x=left - 5, y=y(rate) + 4, text_anchor="end", class_="tick"),
        )
        for rate in (0, 0.5, 1)
    ] + [tag("text", f"{value:g}", x=x(value), y=bottom + 17, text_anchor="middle", class_="tick") for value in values]
    curves = []
    for curve, kind, shift in ((first, "one", -2.5), (second, "two", 2.5)):
        line = " ".join(f"{x(v, shift)},{y(rate)}" for v, rate in sorted(zip(values, curve.rates, strict=True)))
        curves.append(tag("polyline", points=line, class_=f"curve {kind}"))
        for value, rate, (least, most) in zip(values, curve.rates, curve.intervals, strict=True):
            at = x(value, shift)
            curves.append(tag("line", x1=at, x2=at, y1=y(least), y2=y(most), class_=f"error {kind}"))
            square = {"x": at - 4, "y": y(rate) - 4, "width": 8, "height": 8}
            mark = tag("circle", cx=at, cy=y(rate), r=4.5, class_="mark one") if kind == "one" else None
            curves.append(mark or tag("rect", **square, class_="mark two"))
    text = "; ".join(
        f"{curve.label}: " + ", ".join(f"{percent(s)} at {v:g}" for v, s in zip(values, curve.rates, strict=True))
        for curve in (first, second)
    )
    size = f"0 0 {_PANEL[0]} {_PANEL[1]}"
    return tag("svg", tag("title", f"{title}. {text}"), axes, curves, viewBox=size, role="img", class_="parity")
