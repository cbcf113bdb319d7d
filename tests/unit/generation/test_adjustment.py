"""Compositional Attribute Adjustment against its formula, and in a toy world whose margins are known."""

import dataclasses

import numpy as np
import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.generation.adjustment import METHODS, Adjusted, AdjustmentConfig, adjust

NAMES = ("he", "lipstick", "beard", "hat")
SHAPE = (3, 5)  # num_ws, w_dim


def toy(num=6, seed=0):
    """Directions and sentences at random, and margins that read s' through mixed-up axes, squashed like a judge's."""
    rng = torch.Generator().manual_seed(seed)
    s = torch.randn(num, *SHAPE, generator=rng)
    directions = torch.randn(num, len(NAMES), *SHAPE, generator=rng)
    unedited = torch.randn(num, len(NAMES), generator=rng) * 2

    def margins(s, rows):
        along = (directions[rows] * s.unsqueeze(1)).flatten(2).sum(dim=2) / directions[rows].flatten(2).norm(dim=2)
        return 4 * torch.tanh((unedited[rows] + along + 0.3 * along.roll(1, dims=1)) / 2)

    return s, directions, margins


def run(method, signs, *, num=6, seed=0, is_free=None, **settings):
    s, directions, margins = toy(num, seed)
    signs = torch.tensor(signs, dtype=torch.float32).expand(num, len(NAMES))
    config = AdjustmentConfig(method, **{"max_step": 6.0, **settings})
    return adjust(s, directions, signs, config, NAMES, is_free=is_free, margins=margins, observer="judge")


def by_formula(s, directions, signs, threshold, strength):
    """The paper's s', an attribute at a time; a denied one enters as -a."""
    adjusted = s.copy()
    for row in range(len(s)):
        for i, sign in enumerate(signs):
            a = sign * directions[row, i]
            cosine = (a * s[row]).sum() / max(np.linalg.norm(a) * np.linalg.norm(s[row]), 1e-12)
            if sign and cosine <= threshold:
                adjusted[row] += strength * a / np.linalg.norm(a)
    return adjusted


@pytest.mark.parametrize("signs", [(1, 1, 0, 0), (1, -1, 0, -1), (-1, -1, -1, -1)])
@pytest.mark.parametrize("threshold, strength", [(0.0, 1.0), (0.2, 3.0), (-0.1, 0.5), (1.0, 2.0)])
def test_the_papers_method_is_the_papers_formula(signs, threshold, strength):
    result = run("paper", signs, threshold=threshold, strength=strength)
    s, directions, _ = toy()
    expected = by_formula(s.double().numpy(), directions.double().numpy(), signs, threshold, strength)
    np.testing.assert_allclose(result.s_adjusted.numpy(), expected, atol=1e-5)
    assert torch.equal(result.s, s)
    stepped = result.steps != 0
    assert stepped.any() and (threshold < 1 or torch.equal(stepped, result.signs != 0))
    assert result.before is None and result.after is None


def test_a_step_of_the_paper_is_one_unit_long_and_signed():
    result = run("paper", (1, -1, 0, 0), threshold=1.0)
    assert result.steps.tolist() == [[1, -1, 0, 0]] * 6


def test_none_changes_nothing():
    result = run("none", (1, -1, 1, 0))
    assert torch.equal(result.s_adjusted, result.s) and not result.steps.any()
    assert (result.cosines != 0).all()


def test_calibrated_steps_only_what_points_against_the_sentence_and_just_far_enough():
    result = run("calibrated", (1, 1, 1, -1), num=40)
    is_weak = result.cosines <= 0
    assert not result.steps[~is_weak].any()
    right = result.signs * result.after > 0
    assert right[is_weak].all()
    was_wrong = is_weak & (result.signs * result.before <= 0)
    assert was_wrong.any() and (result.steps[was_wrong] != 0).all()


def test_a_found_step_is_the_smallest_at_which_the_margin_is_clear():
    s, directions, margins = toy(40)
    signs = torch.tensor([1.0, 0, 0, 0]).expand(40, 4)
    config = AdjustmentConfig("recheck", clarity=0.3)
    result = adjust(s, directions, signs, config, NAMES, margins=margins)
    units = directions[:, 0] / directions[:, 0].flatten(1).norm(dim=1)[:, None, None]
    target = 0.9 * 0.3 * result.before.abs().mean(dim=1)  # from nine tenths on a margin counts as there
    lengths = torch.linspace(0, 12, 1201)
    for row in torch.nonzero(result.before[:, 0] < target).flatten().tolist():
        line = margins(s[row] + lengths[:, None, None] * units[row], torch.full((1201,), row))[:, 0]
        smallest = lengths[line >= target[row]][0].item()
        assert smallest - 0.02 <= result.steps[row, 0] <= 1.3 * smallest + 0.1


def test_recheck_turns_what_the_picture_shows_to_be_wrong_whatever_the_cosine():
    result = run("recheck", (1, -1, 1, 0), num=40)
    wrong = (result.signs * result.before <= 0) & (result.signs != 0)
    assert (wrong & (result.cosines > 0)).any()
    assert (result.signs * result.after > 0)[result.signs != 0].all()
    assert not result.steps[:, 3].any()


def test_hold_returns_the_verdicts_of_what_is_left_open_and_keeps_what_is_asked_for():
    is_free = torch.tensor([False, False, True, True]).expand(40, 4)
    recheck, hold = (run(method, (1, -1, 0, 0), num=40, is_free=is_free) for method in ("recheck", "hold"))
    _, _, margins = toy(40)
    unedited = margins(torch.zeros(40, *SHAPE), torch.arange(40))
    changed = (unedited * recheck.after <= 0)[:, 2:]
    assert changed.any() and not (unedited * hold.after <= 0)[:, 2:].any()
    assert (hold.signs * hold.after > 0)[:, :2].all()


def test_hold_leaves_alone_what_another_attribute_decides():
    is_free = torch.tensor([False, False, True, False]).expand(6, 4)
    assert not run("hold", (1, -1, 0, 0), is_free=is_free).steps[:, 3].any()


def test_strength_multiplies_the_steps_found_and_the_margins_are_looked_at_again():
    once, twice = (run("recheck", (1, 1, 0, 0), strength=strength) for strength in (1.0, 2.0))
    torch.testing.assert_close(twice.steps, 2 * once.steps)
    s, _, margins = toy()
    torch.testing.assert_close(twice.after, margins(twice.s_adjusted, torch.arange(6)))


@pytest.mark.parametrize("method", METHODS)
def test_a_row_is_what_it_would_be_alone(method):
    num, free = 5, torch.tensor([False, False, False, True])
    together = run(method, (1, -1, 1, 0), num=num, is_free=free.expand(num, 4))
    s, directions, margins = toy(num)
    for row in range(num):
        alone = adjust(
            s[row : row + 1], directions[row : row + 1], together.signs[row : row + 1], AdjustmentConfig(method), NAMES,
            is_free=free.expand(1, 4), margins=lambda s, rows, row=row: margins(s, rows + row),
        )  # fmt: skip
        torch.testing.assert_close(alone.s_adjusted[0], together.s_adjusted[row], rtol=0, atol=1e-5)


def test_joined_parts_are_the_whole():
    whole = run("recheck", (1, 0, -1, 0))
    parts = [
        dataclasses.replace(whole, **{key: value[rows] for key, value in vars(whole).items() if torch.is_tensor(value)})
        for rows in (slice(0, 2), slice(2, 6))
    ]
    joined = Adjusted.join(parts)
    assert joined.names == NAMES and joined.observer == "judge"
    assert all(torch.equal(getattr(joined, key), value) for key, value in vars(whole).items() if torch.is_tensor(value))


@pytest.mark.parametrize(
    "settings, named",
    [
        ({"method": "papr"}, "papr"),
        ({"threshold": 2.0}, "cosine"),
        ({"strength": -1.0}, "strength"),
        ({"strength": float("nan")}, "strength"),
        ({"num_looks": -1}, "num_looks"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, named):
    with pytest.raises(ConfigError, match=named):
        AdjustmentConfig(**settings)


def test_a_second_search_counts_only_for_rows_that_it_serves_better():
    def adjusted(after, mark):
        after = torch.tensor(after)
        s = torch.full((len(after), 2, 3), float(mark))
        signs = torch.tensor([[1.0, -1.0, 0.0]]).expand(len(after), -1)
        return Adjusted(("a", "b", "c"), s, s, signs, signs, signs * mark, after, after, "judge")

    first = adjusted([[1.0, -1.0, -1.0], [-1.0, -1.0, 5.0], [-1.0, 1.0, 5.0]], 1)
    assert first.num_wrong().tolist() == [0, 1, 2]
    second = adjusted([[-1.0, -2.0, 0.0], [1.0, 1.0, 0.0]], 2)  # of rows 1 and 2: as many wrong, and fewer
    joined = first.improved(torch.tensor([1, 2]), second)
    assert joined.s_adjusted[:, 0, 0].tolist() == [1.0, 1.0, 2.0] and joined.num_wrong().tolist() == [0, 1, 1]
    assert joined.steps[:, 0].tolist() == [1.0, 1.0, 2.0] and joined.names == first.names
