"""Rarity: rank correlation of a composition's frequency in the training data with its success."""

from __future__ import annotations

from collections.abc import Mapping

from styleT2I.fairness.analysis.training_rates import TrainingRates
from styleT2I.fairness.plan import AuditPlan
from styleT2I.fairness.results import Table
from styleT2I.statistics.hypothesis_tests import rank_correlation
from styleT2I.torch_utils.seeding import generator

__all__ = ["rarity"]

_MIN_COMPOSITIONS = 4  # with fewer, a rank correlation shows nothing


def rarity(
    plan: AuditPlan,
    cells: Mapping[str, Mapping[str, bool]],
    success: Mapping[tuple[str, str], float],
    training: TrainingRates,
) -> Table | None:
    """Spearman's correlation of training rate and success over compositions, in every setting.

    Also among compositions with the same number of attributes: more attributes are rarer, and harder for that alone.

    Args:
        plan: Its settings are gone through.
        cells: Attributes of every composition.
        success: Success rate by setting and composition.
        training: Rates in the training data, as far as they are known.

    Returns:
        A row per setting and group; None where the training rate of fewer than 4 compositions is known.
    """
    known = [name for name in cells if name in training.compositions]
    if len(known) < _MIN_COMPOSITIONS:
        return None
    groups = {"all": known}
    for size in sorted({len(cells[name]) for name in known}):
        same = [name for name in known if len(cells[name]) == size]
        if _MIN_COMPOSITIONS <= len(same) < len(known):
            groups[f"of {size} attribute{'s' * (size > 1)}"] = same
    rows = [
        _row(setting.name, group, names, success, training)
        for setting in plan.settings
        for group, names in groups.items()
    ]
    return Table(
        f"Spearman's rank correlation of a composition's rate in the training data ({training.source}) "
        "with its success rate. It is positive where rare compositions succeed less often. p is by permutation and not "
        "adjusted for the number of rows. The 95 % interval is by bootstrap over compositions. No value is given where "
        "all succeed equally often. A correlation is not a cause: rare compositions may be harder for another reason.",
        rows=tuple(rows),
        compositions=tuple(
            {
                "cell": name,
                "training_share": training.compositions[name].value,
                "training_count": training.compositions[name].count,
                "success": success[plan.settings[0].name, name],
            }
            for name in sorted(known, key=lambda name: training.compositions[name].value)
        ),
    )


def _row(setting, group, names, success, training):
    rates = [training.compositions[name].value for name in names]
    source = generator("rarity", setting, group)
    measured = rank_correlation(rates, [success[setting, name] for name in names], source)
    return {
        "setting": setting,
        "compositions": group,
        "num_compositions": len(names),
        "correlation": measured and measured.rho,
        "correlation_interval": measured and measured.interval and list(measured.interval),
        "p": measured and measured.p,
    }
