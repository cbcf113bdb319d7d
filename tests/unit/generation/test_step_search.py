"""The search for steps, on margins whose answer is known by algebra."""

import pytest
import torch

from styleT2I.generation.adjustment import Goals, search_steps


def linear(slopes, offsets, seen=None):
    """look(): margins = offsets + slopes @ steps, row by row; `seen` collects which rows were looked at."""

    def look(steps, rows):
        if seen is not None:
            seen.append(rows.tolist())
        return offsets[rows] + (slopes[rows] @ steps.unsqueeze(2)).squeeze(2)

    return look


def search(slopes, offsets, wanted, *, target=1.0, norms=1.0, num_looks=12, max_step=10.0, is_firm=None, seen=None):
    shape = offsets.shape
    is_firm = wanted != 0 if is_firm is None else is_firm
    goals = Goals(wanted, torch.full(shape, target), is_firm)
    norms = torch.full(shape, norms)
    return search_steps(
        linear(slopes, offsets, seen), offsets, goals, norms, num_looks=num_looks, max_step=max_step
    )  # fmt: skip


def coupled(num=5, size=4, seed=0):
    rng = torch.Generator().manual_seed(seed)
    slopes = torch.eye(size) * 2 + 0.6 * torch.randn(num, size, size, generator=rng)
    return slopes, torch.randn(num, size, generator=rng)


def test_a_single_wrong_margin_gets_the_smallest_step_that_reaches_its_target():
    offsets = torch.tensor([[-1.0, 2.0]])
    found = search(torch.diag_embed(torch.tensor([[0.5, 0.5]])), offsets, torch.tensor([[1.0, 1.0]]))
    assert (0.9 + 1.0) / 0.5 <= found.steps[0, 0] <= 1.05 * (1.0 + 1.0) / 0.5
    assert found.steps[0, 1] == 0
    assert found.margins[0].tolist() == pytest.approx([1.0, 2.0], abs=0.12)


def test_a_denied_attribute_is_stepped_the_other_way():
    found = search(torch.ones(1, 1, 1), torch.tensor([[3.0]]), torch.tensor([[-1.0]]))
    assert found.steps.item() == pytest.approx(-4.0, rel=0.05)


def test_attributes_that_disturb_each_other_all_reach_their_targets():
    slopes, offsets = coupled()
    wanted = torch.tensor([1.0, -1.0, 1.0, -1.0]).expand(5, 4)
    found = search(slopes, offsets, wanted)
    assert (wanted * found.margins >= 0.9 - 1e-5).all()
    torch.testing.assert_close(found.margins, offsets + (slopes @ found.steps.unsqueeze(2)).squeeze(2))


def test_what_is_not_wanted_is_never_stepped():
    slopes, offsets = coupled()
    wanted = torch.tensor([1.0, 0.0, 0.0, -1.0]).expand(5, 4)
    assert (search(slopes, offsets, wanted).steps[:, 1:3] == 0).all()


def test_rows_that_are_right_are_not_looked_at_and_rows_do_not_disturb_each_other():
    slopes, offsets = coupled(num=6)
    wanted = torch.tensor([1.0, -1.0, 1.0, -1.0]).expand(6, 4)
    offsets[2] = wanted[2] * 3
    seen = []
    together = search(slopes, offsets, wanted, seen=seen)
    assert all(2 not in rows for rows in seen) and any(0 in rows for rows in seen)
    for row in range(6):
        alone = search(slopes[row : row + 1], offsets[row : row + 1], wanted[:1])
        assert torch.equal(alone.steps[0], together.steps[row])


def test_no_step_is_longer_than_its_bound_and_no_more_looks_are_taken_than_allowed():
    seen = []
    found = search(torch.full((1, 1, 1), 0.01), torch.tensor([[-5.0]]), torch.ones(1, 1), num_looks=7, max_step=2.0,
                   norms=1.5, seen=seen)  # fmt: skip
    assert found.steps.item() == pytest.approx(3.0)
    assert len(seen) <= 7


def test_where_not_all_can_be_right_the_firm_one_wins():
    slopes = torch.tensor([[[1.0, -1.0], [-1.0, 1.0]]])  # what lifts one margin lowers the other
    offsets, wanted = torch.tensor([[-1.0, 0.5]]), torch.ones(1, 2)
    for firm in (0, 1):
        is_firm = torch.tensor([[firm == 0, firm == 1]])
        margins = search(slopes, offsets, wanted, target=0.5, is_firm=is_firm, max_step=1.0).margins
        assert margins[0, firm] > 0


def test_a_firm_margin_that_is_right_stays_right_while_another_is_brought_back():
    slopes = torch.tensor([[[1.0, 0.0], [-0.8, 1.0]]]).expand(3, 2, 2)  # the first direction lowers the second margin
    offsets = torch.tensor([[-2.0, 1.1], [-2.0, 3.0], [0.2, 1.0]])
    found = search(slopes, offsets, torch.ones(3, 2), is_firm=torch.tensor([[False, True]]).expand(3, 2))
    assert (found.margins > 0.85).all()


@pytest.mark.parametrize("slope", [0.0, 1e-9])
def test_directions_without_effect_end_without_an_error(slope):
    found = search(torch.full((2, 3, 3), slope), torch.full((2, 3), -1.0), torch.ones(2, 3))
    assert torch.isfinite(found.steps).all() and (found.margins < 0).all()
