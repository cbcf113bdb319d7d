"""Compositions in an audit's report: success as a heat map, the effect of settings, drift."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from styleT2I.fairness.plan import Setting
from styleT2I.fairness.report.elements.figures import Curve, effect_plot, parity_plot
from styleT2I.fairness.report.names import setting_words, term_words
from styleT2I.fairness.report.sections.comparisons import rate_cell
from styleT2I.fairness.report.wording import interval, p_value, percent, points
from styleT2I.fairness.results import AuditResult, CellResult, ComparisonResult
from styleT2I.torch_utils.markup import Markup, Section, details, section, table, tag

__all__ = ["compositions", "drift", "settings"]

_HEAT_STEPS = 10
_MOST_DRIFT = 0.3  # the darkest

Anchors = Mapping[tuple[str, str], str]  # (setting, composition) -> where on the page its images are


def compositions(result: AuditResult, anchors: Anchors, sentences: Mapping[str, str]) -> Section:
    """Heat map of success and the numbers of every cell. sentences: what was asked for, by composition."""
    names = list(result.summary)
    primary, how = result.summary[names[0]], setting_words(names[0])
    least, most = percent(primary.worst), percent(primary.best)
    alike = [cell.cell for cell in _cells_of(result, names[0]) if cell.shown.success == primary.worst]
    if primary.worst == primary.best:
        lead = f"Drawn {how}, all compositions succeed equally often: {most}."
    elif len(alike) > 1:
        lead = (
            f"Drawn {how}, {len(alike)} compositions succeed least often, {least}: {', '.join(alike)}. "
            f"“{sentences[primary.best_cell]}” succeeds most often: {most}."
        )
    else:
        lead = (
            f"Drawn {how}, “{sentences[primary.worst_cell]}” succeeds least often: {least} (interval "
            f"{interval(primary.worst_interval)}, widened because this composition was selected as the lowest). "
            f"“{sentences[primary.best_cell]}” succeeds most often: {most}."
        )
    tables = [
        details(
            f"Numbers of every composition, drawn {setting_words(name)}",
            table(f"Compositions, drawn {setting_words(name)}", *_cell_table(_cells_of(result, name), sentences)),
            is_open=name == names[0],
        )
        for name in names
    ]
    return section("compositions", "Compositions", tag("p", lead), _heat_maps(result, names, anchors), tables)


def _cells_of(result: AuditResult, setting: str) -> list[CellResult]:
    return [cell for cell in result.cells if cell.setting == setting]


def _heat_maps(result: AuditResult, names: Sequence[str], anchors: Anchors) -> list[Markup]:
    """A table for every two terms that are contrasted, side by side in each setting, and one of all other cells."""
    left, tables = list(dict.fromkeys(cell.cell for cell in result.cells)), []
    contrasts: list[tuple[str, ...]] = [*_contrasts(result.comparisons), ()]
    for sides in contrasts:
        rows: dict[str, dict[str | None, str]] = {}
        for name in left:
            terms = name.split("+")
            side = next((term for term in sides if term in terms), None)
            if side or not sides:
                rest = "+".join(term for term in terms if term != side)
                rows.setdefault(rest or "no other attribute", {})[side] = name
        left = [name for name in left if not any(name in row.values() for row in rows.values())]
        if rows:
            tables.append(_heat_map(result, sides, rows, names, anchors))
    return tables


def _heat_map(result, sides, rows, names, anchors) -> Markup:
    """rows: what a composition names beside the contrasted term -> {that term: composition}."""
    by_place = {cell.place: cell for cell in result.cells}
    words = {side: term_words(side, result) for side in sides}
    columns = sides or (None,)
    groups = [tag("th", setting_words(name), scope="colgroup", colspan=len(columns)) for name in names]
    head = [tag("tr", tag("th", "Composition", scope="col", rowspan=2), groups)]
    head.append(tag("tr", [tag("th", words.get(side, "success"), scope="col") for _ in names for side in columns]))
    body = [
        [rest, *(_heat(by_place.get((name, row.get(side))), anchors) for name in names for side in columns)]
        for rest, row in rows.items()
    ]
    what = f": {words[sides[0]]} and {words[sides[1]]}" if sides else ""
    kind = "Rate of images that the judge calls a success"
    if any(cell.corrected for cell in by_place.values()):
        kind = "Rate of successes, corrected for the judge's errors"
    elif result.plan.classifier:
        kind = f"Rate of faces that the classifier calls “{result.plan.classifier.target}”"
    return table(f"{kind}{what}", head, body, "heat")


def _contrasts(compared: Iterable[ComparisonResult]) -> list[tuple[str, str]]:
    """Pairs of terms that comparisons contrast, such as she and he, the most frequent first."""
    counts: Counter[tuple[str, str]] = Counter()
    for each in compared:
        first, second = each.first.cell.split("+"), each.second.cell.split("+")
        only_first = [term for term in first if term not in second]
        only_second = [term for term in second if term not in first]
        if len(only_first) == len(only_second) == 1:
            pair, reverse = (only_first[0], only_second[0]), (only_second[0], only_first[0])
            counts[pair if reverse not in counts else reverse] += 1
    return [pair for pair, _ in counts.most_common()]


def _heat(cell: CellResult | None, anchors: Anchors) -> Markup:
    if cell is None:
        return tag("td", "", class_="none")
    text, anchor = f"{100 * cell.shown.success:.0f} %", anchors.get(cell.place)
    unsure = tag("small", f"{cell.undetermined} unsure") if cell.undetermined else None
    shown = tag("a", text, href=f"#{anchor}") if anchor else text
    return tag("td", shown, unsure, class_=f"heat{round(cell.shown.success * _HEAT_STEPS)}")


def _cell_table(cells: Sequence[CellResult], sentences: Mapping[str, str]) -> tuple[list[str], list[list]]:
    """Columns and rows."""
    is_corrected = any(cell.corrected for cell in cells)
    is_unsure = any(cell.undetermined for cell in cells)
    columns = ["Composition", "Images", f"{'Corrected success' if is_corrected else 'Success'} (interval)"]
    columns += ["Undetermined", "Bounds"] * is_unsure
    columns += ["Each attribute asked for, as perceived"]
    rows = []
    for cell in cells:
        row = [[cell.cell, tag("small", sentences[cell.cell])], cell.num]
        row.append(rate_cell(cell.shown.success, interval(cell.shown.success_interval)))
        row += [cell.undetermined, interval(cell.success_bounds)] if is_unsure else []
        attributes = (f"{each.asked} {percent(each.right)}" for each in cell.attributes.values())
        rows.append([*row, ", ".join(attributes)])
    return columns, rows


def settings(result: AuditResult) -> Section:
    """The effect of the settings: adjustment on and off, truncation, strength."""
    names = list(result.summary)
    rows = [
        [setting_words(name), rate_cell(each.worst, each.worst_cell), rate_cell(each.best, each.best_cell),
         points(each.gap).lstrip("+"), each.undetermined]
        for name, each in result.summary.items()
    ]  # fmt: skip
    columns = ("Setting", "Worst composition", "Best composition", "Spread (points)", "Undetermined images")
    declared = [setting for setting in result.plan.settings if setting.name in names]
    body = [table("The least and the most successful composition of each setting", columns, rows)]
    if len(declared) > 1:
        body += _sweeps(result, declared)
    else:
        left_out = "; ".join(map(setting_words, result.settings_left_out))
        note = "There is one setting."
        if left_out:
            note = f"The images can be drawn in one way only. Settings of the plan that were left out: {left_out}."
        body.append(tag("p", note))
    return section("settings", "Settings", body)


def _sweeps(result: AuditResult, declared: Sequence[Setting]) -> list[Markup]:
    """Every other method of adjustment against the primary one, and curves over truncation and strength."""
    base, *others = declared
    body = [part for setting in others if setting.method != base.method for part in _effect(result, base, setting)]
    by_psi = [base, *(each for each in others if each == replace(base, truncation_psi=each.truncation_psi))]
    by_strength = [base, *(each for each in others if each == replace(base, strength=each.strength))]
    if len(by_psi) > 1:
        body += _parity(result, "Truncation psi", {each.name: each.truncation_psi or 0.0 for each in by_psi})
    if len(by_strength) > 1:
        body += _parity(result, "Strength of the adjustment", {each.name: each.strength or 0.0 for each in by_strength})
    return body


def _effect(result: AuditResult, base: Setting, setting: Setting) -> list[Markup]:
    """Every composition with the primary method of adjustment and with another, from the same latents."""
    compared = [
        each for each in result.exploratory
        if each.first.cell == each.second.cell and each.second.setting == setting.name
    ]  # fmt: skip
    what = "without the adjustment" if setting.method == "none" else f"with “{setting.method}”"
    rows = []
    for each in compared:
        after, before = each.shown.success
        title = f"{each.first.cell}: {percent(before)} {what}, {percent(after)} in the primary setting"
        plot = tag("td", effect_plot(before, after, title), class_="plot")
        rows.append([each.first.cell, percent(before), percent(after), points(each.shown.gap), plot,
                     p_value(each.p_benjamini_hochberg)])  # fmt: skip
    columns = ("Composition", what.capitalize(), "Primary setting", "Effect (points)", "0 to 100 %", "p (B.-H.)")
    gained = sum(each.is_significant and each.shown.gap > 0 for each in compared)
    lost = sum(each.is_significant and each.shown.gap < 0 for each in compared)
    lead = (
        f"Exploratory, from the same seeds. Of {len(compared)} compositions, {gained} succeed more often "
        f"{setting_words(base.name)} than {what}, and {lost} less often. For the rest, no difference is shown."
    )
    title = "Effect of the adjustment (CAA)" if setting.method == "none" else f"Effect of the adjustment, {what}"
    return [tag("h3", title), tag("p", lead), table(f"{title}: hollow {what}, filled primary", columns, rows)]


def _parity(result: AuditResult, title: str, values: Mapping[str, float]) -> list[Markup]:
    """Curves of both sides of every comparison. values: of what is swept, by setting."""
    by_place = {cell.place: cell for cell in result.cells}
    panels = []
    for compared in result.comparisons:
        curves = []
        for side in (compared.first, compared.second):
            cells = [by_place[setting, side.cell] for setting in values]
            shown = [cell.shown for cell in cells]
            curves.append(Curve(side.cell, [each.success for each in shown], [each.success_interval for each in shown]))
        caption = tag("figcaption", tag("strong", compared.name), tag("span", f"● {curves[0].label}", class_="one"),
                      tag("span", f"■ {curves[1].label}", class_="two"))  # fmt: skip
        plot = parity_plot(list(values.values()), curves[0], curves[1], f"{compared.name}, success by {title}")
        panels.append(tag("figure", caption, plot))
    lead = f"Success rates of both sides of each comparison in per cent, with intervals. Across: {title.lower()}."
    return [tag("h3", f"{title}: parity curves"), tag("p", lead), tag("div", panels, class_="panels")]


def drift(result: AuditResult) -> Section:
    """How often attributes that nobody asked for changed."""
    names = list(result.summary)
    attributes = list(dict.fromkeys(name for cell in result.cells for name in cell.drift))
    if not attributes:
        return section("drift", "Drift", tag("p", _why_no_drift(result)))
    tables = [
        details(
            f"Drift in every composition, drawn {setting_words(name)}",
            table(f"Drift, drawn {setting_words(name)}", ["Composition", *map(_spaced, attributes)],
                  [[cell.cell, *(_shade(cell.drift.get(key)) for key in attributes)]
                   for cell in _cells_of(result, name)],
                  "heat tight"),
        )
        for name in names
    ]  # fmt: skip
    lead = (
        "Rate of images in which an attribute that the sentence leaves open differs from the image of the same seed "
        "without the sentence. 0 is best. A dash marks attributes that were asked for."
    )
    rows = [
        [_spaced(key), *(_shade(_mean(cell.drift.get(key) for cell in _cells_of(result, name))) for name in names)]
        for key in attributes
    ]
    means = table("Mean over compositions", ["Attribute left open", *map(setting_words, names)], rows, "heat")
    return section("drift", "Drift in attributes not asked for", tag("p", lead), means, tables)


def _why_no_drift(result: AuditResult) -> str:
    """Drift is a change from the same image without the sentence, which most systems do not draw."""
    if not result.provenance.subject.has_settings:
        model = result.provenance.model["name"]
        return f"Not measured: {model} draws no images without a sentence, so there is nothing to compare with."
    return "The sentences leave no attribute open, so none could drift."


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _shade(rate: float | None) -> Markup:
    if rate is None:
        return tag("td", "-", class_="none")
    return tag("td", f"{100 * rate:.1f} %", class_=f"heat{round(min(rate / _MOST_DRIFT, 1) * _HEAT_STEPS)}")
