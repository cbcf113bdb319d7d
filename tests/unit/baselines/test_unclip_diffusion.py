"""unCLIP's diffusion, each part against an independent truth: diffusers' schedulers, closed forms, exact oracles."""

import math

import pytest
import torch

from styleT2I.baselines.unclip import diffusion as D
from styleT2I.baselines.unclip.config import PREDICTIONS
from styleT2I.errors import ConfigError

COSINE = D.cosine_abar()


def scheduler(name, **settings):
    diffusers = pytest.importorskip("diffusers")
    settings = {"num_train_timesteps": 1000, "beta_schedule": "squaredcos_cap_v2", "clip_sample": False, **settings}
    return getattr(diffusers, name)(**settings)


def rows(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def gaussian_oracle(abar_table, mean, variance):
    """The exact x_0 = E[x_0 | x_t] where x_0 is normal: what a perfect network answers."""

    def predict(x, step):
        abar = float(abar_table[step])
        gain = variance * math.sqrt(abar) / (abar * variance + 1 - abar)
        return mean + gain * (x - math.sqrt(abar) * mean), None

    return predict


@pytest.mark.parametrize(
    ("schedule", "theirs"),
    [("cosine", {}), ("linear", {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02})],
)
def test_a_schedule_is_diffusers(schedule, theirs):
    abar = D.abar_table(schedule)
    torch.testing.assert_close(abar.float(), scheduler("DDPMScheduler", **theirs).alphas_cumprod, rtol=1e-4, atol=1e-6)
    assert (abar.diff() < 0).all() and abar[0] > 0.999 and abar.dtype == torch.float64


def test_the_last_steps_of_the_cosine_schedule_and_a_scaled_linear_one():
    assert COSINE[999].item() == pytest.approx(2.43e-9, rel=0.01)
    assert COSINE[998].item() == pytest.approx(2.43e-6, rel=0.01)
    assert math.log(D.linear_abar(250)[-1]) == pytest.approx(math.log(D.linear_abar(1000)[-1]), rel=0.03)
    with pytest.raises(ConfigError, match="did you mean 'cosine'"):
        D.abar_table("cosin")


def test_noise_is_added_as_diffusers_adds_it_row_by_row():
    x0, noise, steps = rows(4, 3, 5, 5), rows(4, 3, 5, 5, seed=1), torch.tensor([0, 10, 500, 990])
    expected = scheduler("DDPMScheduler").add_noise(x0, noise, steps)
    torch.testing.assert_close(D.add_noise(x0, noise, COSINE[steps]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prediction", PREDICTIONS)
def test_x0_and_noise_come_back_out_of_every_prediction(prediction):
    x0, noise, abar = rows(4, 7).double(), rows(4, 7, seed=1).double(), COSINE[torch.tensor([0, 10, 500, 990])]
    xt = D.add_noise(x0, noise, abar)
    target = D.target_of(x0, noise, abar, prediction)
    torch.testing.assert_close(D.x0_of(target, xt, abar, prediction), x0, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(D.epsilon_of(x0, xt, abar), noise, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("num_steps", [16, 1000])
def test_an_ancestral_step_is_diffusers_on_any_grid(num_steps):
    theirs = scheduler("DDPMScheduler", prediction_type="sample", variance_type="fixed_small")
    theirs.set_timesteps(num_steps)
    step = int(theirs.timesteps[num_steps // 2])
    x0, xt = rows(2, 6), rows(2, 6, seed=1)
    expected = theirs.step(x0, step, xt, generator=torch.Generator().manual_seed(3)).prev_sample
    noise = torch.randn(2, 6, generator=torch.Generator().manual_seed(3))
    after = float(COSINE[step - 1000 // num_steps])
    made = D.ddpm_step(x0, xt, float(COSINE[step]), after, None, noise)
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=2e-6)


def test_chained_posteriors_of_one_point_end_in_it():
    point = torch.full((3, 2), 0.7)
    made = D.sample(
        lambda x, step: (point, None), rows(3, 2), COSINE, D.step_grid(40), None, lambda shape: rows(3, *shape, seed=5)
    )
    torch.testing.assert_close(made, point)


def test_the_learned_range_lies_between_both_variances_and_is_diffusers():
    step = 400
    here, after = float(COSINE[step]), float(COSINE[step - 1])
    smallest, largest = D.log_variance_range(here, after, D.variance_floor(COSINE))
    output = torch.linspace(-1, 1, 9)
    log_variance = D.learned_log_variance(output, smallest, largest)
    assert log_variance[0].item() == pytest.approx(math.log(D.posterior(output, output, here, after)[1]), rel=1e-4)
    assert log_variance[-1].item() == pytest.approx(math.log(1 - here / after), rel=1e-4)
    assert (log_variance.diff() > 0).all()
    theirs = scheduler("DDPMScheduler", variance_type="learned_range")
    expected = theirs._get_variance(step, predicted_variance=output)
    torch.testing.assert_close(log_variance, expected, rtol=1e-4, atol=1e-4)
    first, _ = D.log_variance_range(COSINE[0], 1.0, D.variance_floor(COSINE))
    assert first.isfinite() and first.item() == pytest.approx(math.log(D.variance_floor(COSINE)))


def test_the_bound_is_zero_at_the_true_posterior_and_teaches_the_variance_alone():
    x0, steps = rows(5, 4).tanh(), torch.tensor([1, 2, 50, 500, 998])
    xt = D.add_noise(x0, rows(5, 4, seed=1), COSINE[steps])
    smallest = torch.full_like(x0, -1.0)
    assert D.learned_range_loss(x0, xt, x0, smallest, steps, COSINE).item() == pytest.approx(0, abs=1e-6)
    mean_x0, variance = (x0 + 0.1).requires_grad_(), torch.zeros_like(x0).requires_grad_()
    loss = D.learned_range_loss(x0, xt, mean_x0, variance, steps, COSINE)
    loss.backward()
    assert loss > 0.001 and mean_x0.grad is None and (variance.grad != 0).all()


def test_the_bound_at_the_first_step_is_the_likelihood_of_a_level():
    level = 100 / 127.5 - 1
    x0 = torch.full((1, 1), level)
    xt, step = D.add_noise(x0, torch.zeros(1, 1), COSINE[:1]), torch.tensor([0])
    bits = D.learned_range_loss(x0, xt, x0, torch.ones(1, 1), step, COSINE).item()
    deviation = math.sqrt(1 - float(COSINE[0]))
    mass = math.erf(1 / 255 / deviation / math.sqrt(2))
    assert bits == pytest.approx(-math.log2(mass), rel=1e-3)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_a_ddim_step_is_diffusers(eta):
    theirs = scheduler("DDIMScheduler", set_alpha_to_one=True)
    theirs.set_timesteps(20)
    step = int(theirs.timesteps[8])
    xt, epsilon, noise = rows(2, 6), rows(2, 6, seed=1), rows(2, 6, seed=2)
    expected = theirs.step(epsilon, step, xt, eta=eta, variance_noise=noise).prev_sample
    here, after = float(COSINE[step]), float(COSINE[step - 50])
    made = D.ddim_step(D.x0_of(epsilon, xt, here, "epsilon"), xt, here, after, eta, noise)
    torch.testing.assert_close(made, expected, rtol=1e-5, atol=2e-6)


def test_eta_one_has_the_posteriors_variance():
    here, after = float(COSINE[700]), float(COSINE[300])
    _, variance = D.posterior(torch.zeros(1), torch.zeros(1), here, after)
    assert D.ddim_sigma(here, after, 1.0) ** 2 == pytest.approx(variance.item(), rel=1e-5)


@pytest.mark.parametrize("eta", [0.0, 1.0, None])
def test_a_gaussian_law_is_sampled_with_its_moments(eta):
    mean, deviation, num = 0.4, 0.3, 20_000
    rng = torch.Generator().manual_seed(0)
    made = D.sample(
        gaussian_oracle(COSINE, mean, deviation**2), torch.randn(num, 1, generator=rng), COSINE, D.step_grid(100), eta,
        lambda shape: torch.randn(num, *shape, generator=rng),
    )  # fmt: skip
    assert made.mean().item() == pytest.approx(mean, abs=0.01)
    assert made.std().item() == pytest.approx(deviation, rel=0.05)


def test_an_inversion_comes_back_twice_as_near_with_twice_the_steps():
    oracle, x0 = gaussian_oracle(COSINE, 0.2, 0.25), rows(50, 3).double() * 0.5 + 0.2
    errors = []
    for num in (50, 100, 200):
        grid = D.step_grid(num)
        noise = D.invert(oracle, x0, COSINE, grid)
        errors.append((D.sample(oracle, noise, COSINE, grid, 0.0, None) - x0).abs().max().item())
    assert errors[2] < 0.03
    assert errors[0] / errors[1] == pytest.approx(2, abs=0.15) and errors[1] / errors[2] == pytest.approx(2, abs=0.15)
    abar = float(COSINE[grid[0]])  # the law's own map: quantiles stay
    true = (x0 - 0.2) / 0.5 * math.sqrt(abar * 0.25 + 1 - abar) + math.sqrt(abar) * 0.2
    torch.testing.assert_close(noise, true, rtol=0, atol=0.03)


def test_an_inversion_under_one_known_noise_is_exact():
    x0, noise = rows(4, 5).double(), rows(4, 5, seed=1).double()

    def predict(x, step):
        return D.x0_of(noise, x, COSINE[step], "epsilon"), None

    grid = D.step_grid(200)
    there = D.invert(predict, x0, COSINE, grid)
    torch.testing.assert_close(there, D.add_noise(x0, noise, COSINE[grid[0]]), rtol=0, atol=1e-9)
    torch.testing.assert_close(D.sample(predict, there, COSINE, grid, 0.0, None), x0, rtol=0, atol=1e-6)


def test_an_inversion_is_diffusers_inverse_scheduler():
    theirs = scheduler("DDIMInverseScheduler", set_alpha_to_one=True, timestep_spacing="leading")
    theirs.set_timesteps(20)
    x = expected = rows(2, 3)
    answers = {int(step): rows(2, 3, seed=int(step)) for step in theirs.timesteps}
    for step in theirs.timesteps:
        expected = theirs.step(answers[int(step)], step, expected).prev_sample
    grid = [int(step) for step in reversed(theirs.timesteps)]
    # Its step number is that of the state it goes to, ours of the state it starts from: the same answers in order.
    order = iter(answers.values())

    def predict(x, step):
        return D.x0_of(next(order), x, COSINE[step], "epsilon"), None

    torch.testing.assert_close(D.invert(predict, x, COSINE, grid), expected, rtol=1e-3, atol=1e-4)


def test_guidance_calls_what_counts_and_is_the_same_on_every_form():
    calls = []

    def answer(name, value):
        return lambda: calls.append(name) or value

    c, u = rows(2, 5), rows(2, 5, seed=1)
    assert torch.equal(D.with_guidance(answer("c", c), answer("u", u), 1), c) and calls == ["c"]
    assert torch.equal(D.with_guidance(answer("c", c), answer("u", u), 0), u) and calls == ["c", "u"]
    torch.testing.assert_close(D.guided(c, u, 3.0) - D.guided(c, u, 2.0), c - u)
    xt, abar = rows(2, 5, seed=2), float(COSINE[500])
    for prediction in PREDICTIONS:
        answers = [D.target_of(x0, D.epsilon_of(x0, xt, abar), torch.tensor(abar), prediction) for x0 in (c, u)]
        torch.testing.assert_close(
            D.x0_of(D.guided(*answers, 2.5), xt, abar, prediction), D.guided(c, u, 2.5), rtol=1e-4, atol=1e-4
        )


def test_a_grid_is_even_descends_and_stays_clear_of_pure_noise():
    assert D.step_grid(4) == [979, 625, 375, 125] and D.step_grid(1) == [979] and COSINE[979] < 1.1e-3
    assert D.step_grid(50)[:2] == [990, 970] and D.step_grid(1000) == list(range(999, -1, -1))
    assert max(D.step_grid(50)) < 999
    for wrong in (0, 1001):
        with pytest.raises(ConfigError, match="from 1 to 1000"):
            D.step_grid(wrong)


def test_one_step_of_a_perfect_network_is_the_mean_that_pure_noise_has():
    mean, noise = 0.4, rows(5000, 1)
    made = D.sample(gaussian_oracle(COSINE, mean, 0.09), noise, COSINE, D.step_grid(1), 0.0, None)
    assert made.mean().item() == pytest.approx(mean, abs=0.02) and made.std() < 0.02


def test_slerp_keeps_length_and_speed_meets_both_ends_and_refuses_opposites():
    a, b = (torch.nn.functional.normalize(rows(6, 8, seed=seed), dim=1) for seed in (0, 1))
    torch.testing.assert_close(D.slerp(a, b, 0.0), a)
    torch.testing.assert_close(D.slerp(a, b, 1.0), b)
    way = torch.stack([D.slerp(a, b, k / 10) for k in range(11)])
    torch.testing.assert_close(way.norm(dim=2), torch.ones(11, 6))
    angles = (way[:-1] * way[1:]).sum(dim=2).clamp(-1, 1).arccos()
    torch.testing.assert_close(angles, (a * b).sum(dim=1).arccos().expand(10, 6) / 10, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(D.slerp(a, b, 0.3), D.slerp(b, a, 0.7))
    flat = D.slerp(torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]]), 1 / 3)
    torch.testing.assert_close(flat, torch.tensor([[math.cos(math.pi / 6), math.sin(math.pi / 6)]]))
    torch.testing.assert_close(D.slerp(a, a * (1 + 1e-9), 0.5), a)
    noise = [rows(1, 3, 8, 8, seed=seed) for seed in (0, 1)]
    assert D.slerp(*noise, 0.5).norm().item() == pytest.approx(math.sqrt(192), rel=0.1)
    with pytest.raises(ConfigError, match="opposite"):
        D.slerp(a, -a, 0.5)
