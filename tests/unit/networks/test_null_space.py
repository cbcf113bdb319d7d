"""The null space of readings: what a projected direction still changes, and that it is the least change of its kind."""

import pytest
import torch

from styleT2I.config import from_dict, to_dict
from styleT2I.networks.directions import AttributeToDirection, DirectionConfig, NullSpace

SHAPE = 3, 4, 6  # readings, num_ws, w_dim


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture
def covariance():
    root = random(6, 6, seed=1)
    return root @ root.t()


def test_a_projected_direction_changes_no_reading(covariance):
    response, s = random(*SHAPE), random(5, 2, 4, 6, seed=2)
    projected = NullSpace.of(response, covariance).double()(s)
    assert projected.shape == s.shape
    before, after = (torch.einsum("...ld,kld->...k", one, response).abs().max() for one in (s, projected))
    assert before > 1 and after < 0.01 * before


def test_what_is_taken_away_is_what_the_spread_of_w_makes_likeliest(covariance):
    """Of all changes that undo the readings it has the smallest Mahalanobis length, as a pseudoinverse finds it."""
    response, s = random(*SHAPE), random(4, 6, seed=2)
    taken = s - NullSpace.of(response, covariance).double()(s)
    root = torch.linalg.cholesky(covariance)  # in the coordinates x = root^-1 s the length is Euclidean
    white = torch.einsum("kld,de->kle", response, root).flatten(1)
    least = torch.linalg.pinv(white) @ (response.flatten(1) @ s.flatten())
    torch.testing.assert_close(taken, least.view(4, 6) @ root.t(), rtol=0.02, atol=0.02)


def test_what_no_reading_sees_stays(covariance):
    response = random(*SHAPE)
    space = NullSpace.of(response, covariance).double()
    unseen = space(random(4, 6, seed=3))
    torch.testing.assert_close(space(unseen), unseen, rtol=0.02, atol=0.02)


def test_readings_twice_are_readings_once(covariance):
    response, s = random(*SHAPE), random(4, 6, seed=2)
    once, twice = (NullSpace.of(one, covariance).double()(s) for one in (response, torch.cat([response, response])))
    torch.testing.assert_close(once, twice, rtol=0.02, atol=0.02)


def test_a_network_keeps_its_null_space_on_disk_and_does_without(covariance):
    network = AttributeToDirection(DirectionConfig(w_dim=6, num_ws=4, text_dim=5, hidden_dim=16))
    assert network.null_space is None and not [name for name in network.state_dict() if "null_space" in name]
    network.set_null_space(NullSpace.of(random(*SHAPE).float(), covariance.float()))
    again = AttributeToDirection(from_dict(DirectionConfig, to_dict(network.config)))
    again.load_state_dict(network.state_dict())
    s = random(4, 6, seed=2).float()
    assert torch.equal(again.null_space(s), network.null_space(s))
