"""A latent for a sentence: on a toy whose best latent is known, and what is held on to."""

import pytest
import torch

from styleT2I.errors import ConfigError
from styleT2I.rivals.optimisation import OPTIMISATIONS, OptimisationConfig, optimised


class LinearGenerator(torch.nn.Module):
    """An image of two numbers, the first two coordinates of the mean w; w is z."""

    z_dim = w_dim = 4
    num_ws = 3

    def __init__(self):
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros([]), requires_grad=False)

    def mapping(self, z):
        return z.unsqueeze(1).expand(-1, self.num_ws, -1)

    def synthesis(self, ws):
        return ws.mean(dim=1)[:, :2, None, None]


class Direct:
    """An encoder whose features are the image."""

    def encode_image(self, image):
        return image.flatten(1)


TEXT = torch.tensor([[0.0, 1.0]])
START = torch.tensor([[0.5, 0.1, 0.3, -0.2], [0.4, -0.2, 0.0, 0.1]])[:, None].repeat(1, 3, 1)


def angle(ws):
    return torch.nn.functional.normalize(LinearGenerator().synthesis(ws).flatten(1), dim=1) @ TEXT[0]


def test_the_image_turns_to_the_text_and_what_it_does_not_show_stays():
    config = OptimisationConfig(steps=200, latent=0.0)
    ws = optimised(LinearGenerator(), Direct(), TEXT, START, config)
    assert (angle(START) < 0.3).all() and (angle(ws) > 0.99).all()
    assert torch.equal(ws[..., 2:], START[..., 2:])


def test_the_distance_from_the_start_holds_the_latent_back():
    near, far = (
        optimised(LinearGenerator(), Direct(), TEXT, START, OptimisationConfig(steps=100, latent=weight))
        for weight in (20.0, 0.01)
    )
    moved = [(ws - START).flatten(1).norm(dim=1) for ws in (near, far)]
    assert (moved[0] < 0.7 * moved[1]).all() and (angle(near) > angle(START)).all()


def test_the_distance_of_the_images_holds_the_image_back():
    kept, free = (
        optimised(LinearGenerator(), Direct(), TEXT, START, OptimisationConfig(steps=100, latent=0.0, pixels=weight))
        for weight in (20.0, 0.0)
    )
    moved = [(LinearGenerator().synthesis(ws - START)).flatten(1).norm(dim=1) for ws in (kept, free)]
    assert (moved[0] < 0.5 * moved[1]).all()


def test_a_row_does_not_depend_on_the_others():
    config = OptimisationConfig(steps=5)
    both = optimised(LinearGenerator(), Direct(), TEXT, START, config)
    assert torch.equal(optimised(LinearGenerator(), Direct(), TEXT, START[1:], config)[0], both[1])


@pytest.mark.parametrize("settings", [{"steps": 0}, {"lr": 0.0}, {"latent": -1.0}, {"pixels": -0.1}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ConfigError):
        OptimisationConfig(**settings)


def test_both_ways_differ_in_what_they_hold_on_to():
    assert OPTIMISATIONS["optimize"].latent and not OPTIMISATIONS["optimize"].pixels
    assert OPTIMISATIONS["tedigan"].pixels and OPTIMISATIONS["tedigan"].latent < OPTIMISATIONS["optimize"].latent
