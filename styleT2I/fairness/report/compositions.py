"""What an audit's report says of compositions: success as a heat map, what settings change, drift."""

from __future__ import annotations

from collections import Counter

from styleT2I.config import from_dict
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.report.comparisons import share_cell
from styleT2I.fairness.report.figures import Curve, effect_plot, parity_plot
from styleT2I.fairness.report.markup import details, section, table, tag
from styleT2I.fairness.report.wording import interval, p_value, percent, points

__all__ = ["compositions", "drift", "settings"]

_HEAT_STEPS = 10
_MOST_DRIFT = 0.3  # the darkest


def compositions(result, anchors, sentences):
    """Heat map of success and the figures of every cell.

    anchors: (setting, composition) -> where its pictures are; sentences: what was said, by composition.
    """
    names = list(result["summary"])
    worst = result["summary"][names[0]]
    lead = (
        f"With setting “{names[0]}”, {worst['worst_cell']} succeeds least ({percent(worst['worst'])}; 95 % interval, "
        f"widened because it was picked as the least, {interval(worst['worst_interval'])}) and "
        f"{worst['best_cell']} most ({percent(worst['best'])})."
    )
    if worst["worst"] == worst["best"]:
        lead = f"With setting “{names[0]}”, all compositions succeed equally often ({percent(worst['best'])})."
    of = {name: [one for one in result["cells"] if one["setting"] == name] for name in names}
    tables = [
        details(
            f"Figures of every composition: {name}",
            table(f"Compositions, {name}", *_cell_table(of[name], sentences)),
            is_open=name == names[0],
        )
        for name in names
    ]
    return section("compositions", "Compositions", tag("p", lead), _heat_maps(result, names, anchors), tables)


def _heat_maps(result, names, anchors):
    """A table for every two terms that are contrasted, these side by side in each setting, and one of what is left."""
    figures = {(one["setting"], one["cell"]): one for one in result["cells"]}
    left, tables = list(dict.fromkeys(one["cell"] for one in result["cells"])), []
    for sides in (*_contrasts(result["comparisons"]), ()):
        rows = {}
        for cell in left:
            terms = cell.split("+")
            side = next((one for one in sides if one in terms), None)
            if side or not sides:
                rest = "+".join(term for term in terms if term != side)
                rows.setdefault(rest or "nothing else", {})[side] = cell
        left = [cell for cell in left if not any(cell in row.values() for row in rows.values())]
        if rows:
            tables.append(_heat_map(sides, rows, names, figures, anchors))
    return tables


def _heat_map(sides, rows, names, figures, anchors):
    """rows: what a composition names beside the contrasted term -> {that term: composition}."""
    columns = sides or (None,)
    groups = [tag("th", name, scope="colgroup", colspan=len(columns)) for name in names]
    head = [tag("tr", tag("th", "Composition", scope="col", rowspan=2), groups)]
    head.append(tag("tr", [tag("th", side or "success", scope="col") for _ in names for side in columns]))
    body = [
        [rest, *(_heat(figures.get((name, row.get(side))), anchors) for name in names for side in columns)]
        for rest, row in rows.items()
    ]
    what = f", {sides[0]} and {sides[1]}" if sides else ""
    return table(f"Share of pictures that the judge calls a success{what}", head, body, "heat")


def _contrasts(comparisons):
    """Pairs of terms that comparisons contrast, such as she and he, the most frequent first."""
    found = Counter()
    for one in comparisons:
        first, second = (one[side]["cell"].split("+") for side in ("first", "second"))
        only_first, only_second = [t for t in first if t not in second], [t for t in second if t not in first]
        if len(only_first) == len(only_second) == 1:
            pair = only_first[0], only_second[0]
            found[pair if pair[::-1] not in found else pair[::-1]] += 1
    return [pair for pair, _ in found.most_common()]


def _heat(figure, anchors):
    if figure is None:
        return tag("td", "", class_="none")
    text = f"{100 * figure['success']:.0f} %"
    anchor = anchors.get((figure["setting"], figure["cell"]))
    unsure = tag("small", f"{figure['undetermined']} unsure") if figure["undetermined"] else None
    shown = tag("a", text, href=f"#{anchor}") if anchor else text
    return tag("td", shown, unsure, class_=f"heat{round(figure['success'] * _HEAT_STEPS)}")


def _cell_table(cells, sentences):
    is_corrected = any("corrected" in one for one in cells)
    is_unsure = any(one["undetermined"] for one in cells)
    columns = ["Composition", "Pictures", "Successes", "Success (95 % interval)"]
    columns += ["Undetermined", "Bounds"] * is_unsure
    columns += [*["Corrected (95 % interval)"] * is_corrected, "Each attribute asked for"]
    rows = []
    for one in cells:
        row = [[one["cell"], tag("small", sentences[one["cell"]])], one["num"], one["successes"]]
        row.append(share_cell(one["success"], interval(one["success_interval"])))
        row += [one["undetermined"], interval(one["success_bounds"])] if is_unsure else []
        if is_corrected:
            row.append(share_cell(one["corrected"]["success"], interval(one["corrected"]["success_interval"])))
        each = (f"{part['asked']} {percent(part['right'])}" for part in one["attributes"].values())
        rows.append([*row, ", ".join(each)])
    return columns, rows


def settings(result):
    """What the way of drawing changes: adjustment on and off, truncation, strength."""
    names = list(result["summary"])
    rows = [
        [name, share_cell(one["worst"], one["worst_cell"]), share_cell(one["best"], one["best_cell"]),
         points(one["gap"]).lstrip("+"), one["undetermined"]]
        for name, one in result["summary"].items()
    ]  # fmt: skip
    columns = ("Setting", "Worst composition", "Best composition", "Spread (points)", "Undetermined pictures")
    plan = from_dict(AuditPlan, result["plan"])
    declared = {one.name: one for one in plan.settings if one.name in names}
    body = [table("The least and the most successful composition of each setting", columns, rows)]
    if len(declared) > 1:
        base = declared[names[0]]
        body += [_effect(result, names[0], one) for one in declared.values() if one.method != base.method]
        for field, title in (("truncation_psi", "Truncation psi"), ("strength", "Strength of the adjustment")):
            swept = [one for one in declared.values() if one in (base, _with(base, field, one))]
            body.append(_parity(result, field, title, swept) if len(swept) > 1 else None)
    else:
        left_out = result.get("settings_left_out")
        said = (
            f"Drawn in one way only; left out: {'; '.join(left_out)}."
            if left_out
            else "There is one; nothing is swept."
        )
        body.append(tag("p", said))
    return section("settings", "Settings", body)


def _with(base, field, other):
    """base with one field of the other: what a sweep of that field looks like."""
    return type(base)(**{**vars(base), field: getattr(other, field)})


def _effect(result, base, setting):
    """Every composition with the primary way of adjustment and with another, from the same latents."""
    pairs = [
        one for one in result["exploratory"]
        if one["first"]["cell"] == one["second"]["cell"] and one["second"]["setting"] == setting.name
    ]  # fmt: skip
    what = "without the adjustment" if setting.method == "none" else f"with “{setting.method}”"
    rows = []
    for one in pairs:
        after, before = one["success"]
        title = f"{one['first']['cell']}: {percent(before)} {what}, {percent(after)} in the primary setting"
        plot = tag("td", effect_plot(before, after, title), class_="plot")
        rows.append([one["first"]["cell"], percent(before), percent(after), points(one["gap"]), plot,
                     p_value(one["p_benjamini_hochberg"])])  # fmt: skip
    columns = ("Composition", what.capitalize(), "Primary setting", "Effect (points)", "0 to 100 %", "p (B.-H.)")
    gained = sum(one["is_significant"] and one["gap"] > 0 for one in pairs)
    lost = sum(one["is_significant"] and one["gap"] < 0 for one in pairs)
    said = (
        f"Exploratory, same seeds: of {len(pairs)} compositions {gained} succeed more often in “{base}” than {what}, "
        f"{lost} less often, and for the rest no difference is shown."
    )
    title = "Effect of the adjustment (CAA)" if setting.method == "none" else f"Effect of the adjustment, {what}"
    return [tag("h3", title), tag("p", said), table(f"{title}: hollow {what}, filled primary", columns, rows)]


def _parity(result, field, title, swept):
    figures = {(one["setting"], one["cell"]): one for one in result["cells"]}
    values = [getattr(one, field) for one in swept]
    panels = []
    for one in result["comparisons"]:
        curves = []
        for side in ("first", "second"):
            cells = [figures[setting.name, one[side]["cell"]] for setting in swept]
            shares, ends = [c["success"] for c in cells], [c["success_interval"] for c in cells]
            curves.append(Curve(one[side]["cell"], shares, ends))
        caption = tag("figcaption", tag("strong", one["name"]), tag("span", f"● {curves[0].label}", class_="one"),
                      tag("span", f"■ {curves[1].label}", class_="two"))  # fmt: skip
        panels.append(tag("figure", caption, parity_plot(values, *curves, f"{one['name']}, success by {title}")))
    said = f"Success (%, 95 % intervals) of both sides of each comparison. Across: {title.lower()}."
    return [tag("h3", f"{title}: parity curves"), tag("p", said), tag("div", panels, class_="panels")]


def drift(result):
    """How often attributes that nobody asked for changed."""
    names = list(result["summary"])
    of = {name: [one for one in result["cells"] if one["setting"] == name] for name in names}
    attributes = list(dict.fromkeys(key for one in result["cells"] for key in one["drift"]))
    if not attributes:
        return section("drift", "Drift", tag("p", _why_no_drift(result)))
    each = [
        details(
            f"Drift in every composition: {name}",
            table(f"Drift, {name}", ["Composition", *map(_spaced, attributes)],
                  [[one["cell"], *(_shade(one["drift"].get(key)) for key in attributes)] for one in of[name]],
                  "heat tight"),
        )
        for name in names
    ]  # fmt: skip
    said = (
        "Share of pictures in which an attribute that the sentence leaves open looks different from the same seed "
        "without the sentence. 0 is best; a dash where it was asked for."
    )
    means = {key: [_mean(one["drift"].get(key) for one in of[name]) for name in names] for key in attributes}
    rows = [[_spaced(key), *map(_shade, shares)] for key, shares in means.items()]
    table_of_means = table("Mean over compositions", ["Attribute left open", *names], rows, "heat")
    return section("drift", "Drift in what was not asked for", tag("p", said), table_of_means, each)


def _why_no_drift(result):
    """Drift is what changed beside the same picture without the sentence, which most systems do not draw."""
    if not result.get("subject", {}).get("has_settings", True):
        return f"Not measured: {result['model']['name']} draws no picture without the sentence to compare with."
    return "Nothing was left open, so nothing could drift."


def _spaced(name):
    return name.replace("_", " ")


def _mean(values):
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _shade(share):
    if share is None:
        return tag("td", "-", class_="none")
    return tag("td", f"{100 * share:.1f} %", class_=f"heat{round(min(share / _MOST_DRIFT, 1) * _HEAT_STEPS)}")
