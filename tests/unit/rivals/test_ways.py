"""Components, closed forms and style shifts, against numpy, scikit-learn and by hand."""

import numpy as np
import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.networks.stylegan2.styles import differentiable_styles, shifted_styles, style_layers, styles_of
from styleT2I.rivals.calibration import smallest_step
from styleT2I.rivals.unlabelled import closed_form, principal_components
from styleT2I.rivals.ways import Way, Ways, layer_ranges, strongest
from tests.tiny_model import tiny_generator


def same_axes(first, second):
    """Rows that agree up to their sign."""
    return torch.allclose((first * second).sum(dim=1).abs(), torch.ones(len(first)).double(), atol=1e-8)


def test_components_are_those_of_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition")
    w = torch.randn(60, 7, generator=torch.Generator().manual_seed(0)).double() * torch.arange(1, 8) + 3
    components, deviations = principal_components(w)
    oracle = decomposition.PCA(svd_solver="full").fit(w.numpy())
    assert same_axes(components, torch.from_numpy(oracle.components_))
    torch.testing.assert_close(deviations.square(), torch.from_numpy(oracle.explained_variance_))


def test_components_are_the_axes_of_a_known_gaussian_and_few_points_have_few():
    generator = torch.Generator().manual_seed(1)
    axes, _ = torch.linalg.qr(torch.randn(4, 4, generator=generator).double())
    spread = torch.tensor([8.0, 4.0, 2.0, 1.0]).double()
    w = torch.randn(20_000, 4, generator=generator).double() * spread @ axes.t()
    components, deviations = principal_components(w)
    torch.testing.assert_close((components @ axes).abs(), torch.eye(4).double(), atol=0.02, rtol=0)
    torch.testing.assert_close(deviations, spread, rtol=0.03, atol=0)
    assert principal_components(w[:3])[0].shape == (2, 4)


def test_sefa_is_numpys_eigenvectors_of_the_stacked_weights():
    generator = torch.Generator().manual_seed(2)
    weights = [torch.randn(num, 6, generator=generator) for num in (5, 9)]
    stacked = np.concatenate([weight.numpy() for weight in weights]).astype(np.float64)
    values, vectors = np.linalg.eigh(stacked.T @ stacked)
    found = closed_form(weights)
    assert same_axes(found, torch.from_numpy(vectors.T[::-1].copy()))
    changes = (torch.from_numpy(stacked) @ found.t()).square().sum(dim=0)  # the largest change first
    np.testing.assert_allclose(changes, values[::-1], rtol=1e-8, atol=1e-8)


def test_layer_ranges_cover_all_layers_once():
    for num in (6, 10, 14, 18):
        ranges = layer_ranges(num)
        layers = [k for name in ("coarse", "middle", "fine") for k in range(num)[ranges[name]]]
        assert layers == list(range(num)) == list(range(num)[ranges["all"]])


@pytest.fixture
def G():
    return tiny_generator()


def test_styles_are_what_a_w_in_that_layer_gives(G):
    ws = torch.randn(2, G.num_ws, G.w_dim)
    layers, styles = style_layers(G.synthesis), styles_of(G.synthesis, ws)
    assert list(styles) == ["b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1"]
    torch.testing.assert_close(styles["b8.conv1"], layers["b8.conv1"].affine(ws[:, 2]))


def test_a_shift_of_the_styles_draws_what_the_shifted_w_draws_and_leaves_nothing_behind(G):
    """A w that differs in the first layer alone changes the first styles; their difference as a shift draws the same.

    The first layer's w reaches nothing else: its RGB output reads the next layer's.
    """
    before = {name: value.clone() for name, value in G.state_dict().items()}
    ws = torch.randn(1, G.num_ws, G.w_dim)
    other = ws.clone()
    other[:, 0] += torch.randn(G.w_dim)
    first, second = (styles_of(G.synthesis, one)["b4.conv1"][0] for one in (ws, other))
    with shifted_styles(G.synthesis, {"b4.conv1": second - first}):
        shifted = G.synthesis(ws)
    torch.testing.assert_close(shifted, G.synthesis(other), rtol=1e-4, atol=1e-5)
    assert (shifted - G.synthesis(ws)).abs().max() > 1e-3
    assert all(torch.equal(value, before[name]) for name, value in G.state_dict().items())


def test_a_shift_is_taken_back_after_an_error_and_one_of_another_generator_is_refused(G):
    ws = torch.randn(1, G.num_ws, G.w_dim)
    plain = G.synthesis(ws)
    with pytest.raises(RuntimeError), shifted_styles(G.synthesis, {"b8.conv0": torch.ones(8)}):
        raise RuntimeError
    assert torch.equal(G.synthesis(ws), plain)
    for shifts in ({"b32.conv0": torch.ones(8)}, {"b8.conv0": torch.ones(9)}):
        with pytest.raises(ConfigError, match="another generator"), shifted_styles(G.synthesis, shifts):
            pass


def test_slopes_of_the_styles_are_finite_differences_of_shifts(G):
    ws = torch.randn(3, G.num_ws, G.w_dim)
    with differentiable_styles(G.synthesis) as styles:
        image = G.synthesis(ws)
    (slope,) = torch.autograd.grad(image[:, 0].mean(), [styles["b8.conv1"]])
    small, push = 1e-2, torch.zeros(8)
    push[5] = small
    values = []
    for sign in (1, -1):
        with shifted_styles(G.synthesis, {"b8.conv1": sign * push}):
            values.append(G.synthesis(ws)[:, 0].double().mean())
    assert slope[:, 5].sum().item() == pytest.approx(((values[0] - values[1]) / (2 * small)).item(), rel=0.02, abs=1e-5)
    assert not any(module._forward_hooks for module in G.modules())


def test_moves_add_up_over_w_and_in_s_space():
    ways = {
        "smiling": Way(torch.tensor([[1.0], [0.0]]), {}, 3.0),
        "hat": Way(None, {"b4.conv1": torch.tensor([1.0, 0.0])}, 3.0),
        "beard": Way(None, {"b4.conv1": torch.tensor([0.0, 2.0]), "b8.conv0": torch.tensor([1.0])}, 3.0),
    }
    move = Ways("mixed", ways).move(torch.zeros(1, 2, 1), {"smiling": 2.0, "hat": 3.0, "beard": -1.0})
    assert move.ws.tolist() == [[[2.0], [0.0]]]
    assert {layer: shift.tolist() for layer, shift in move.styles.items()} == {
        "b4.conv1": [3.0, -2.0], "b8.conv0": [-1.0]
    }  # fmt: skip
    with pytest.raises(ConfigError, match="'old'.*smiling, hat, beard"):
        Ways("mixed", ways).move(torch.zeros(1, 2, 1), {"old": 1.0})


def test_the_strongest_channels_are_chosen_over_all_layers():
    kept = strongest({"a": torch.tensor([0.1, -5.0]), "b": torch.tensor([3.0, 0.2]), "c": torch.tensor([0.3])}, 2)
    assert {layer: values.tolist() for layer, values in kept.items()} == {"a": [0.0, -5.0], "b": [3.0, 0.0]}


def test_a_strength_is_the_smallest_step_that_is_enough_and_else_the_most_telling_one():
    assert smallest_step(lambda step: float(step >= 1.0), 8.0) == pytest.approx(1.0, rel=0.15)
    assert smallest_step(lambda step: 1.0, 8.0) <= 0.5 / 4
    peak = smallest_step(lambda step: 0.6 if 1.5 < step < 2.1 else 0.3, 8.0)
    assert 1.5 < peak < 2.1  # and not 8, where it is less
