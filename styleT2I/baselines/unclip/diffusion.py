"""Diffusion as functions of tensors: schedules, noising, posteriors, samplers, inversion, guidance.

abar is the fraction of a state's variance that is signal: x_t = sqrt(abar) x_0 + sqrt(1 - abar) noise. Tables are
float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch

from styleT2I.config import suggestion
from styleT2I.errors import ConfigError

NUM_TRAIN_STEPS = 1000
MAX_BETA = 0.999
NOISE = 0.98  # of a schedule's steps, from where on a state is noise: of the cosine's a thousandth is signal
_CENTRE = 1 / 255  # half the width of an 8-bit level in [-1, 1]


def cosine_abar(num: int = NUM_TRAIN_STEPS) -> torch.Tensor:
    """abar float64 [num] of the cosine schedule (Nichol and Dhariwal 2021), no beta above MAX_BETA."""
    u = torch.arange(num + 1, dtype=torch.float64) / num
    f = torch.cos((u + 0.008) / 1.008 * math.pi / 2).square()
    return (1 - (1 - f[1:] / f[:-1]).clamp(max=MAX_BETA)).cumprod(dim=0)


def linear_abar(num: int = NUM_TRAIN_STEPS) -> torch.Tensor:
    """abar float64 [num] of betas from 1e-4 to 0.02 (Ho et al. 2020), scaled so that any num adds the same noise."""
    scale = 1000 / num
    return (1 - torch.linspace(1e-4 * scale, 0.02 * scale, num, dtype=torch.float64)).cumprod(dim=0)


SCHEDULES = {"cosine": cosine_abar, "linear": linear_abar}


def abar_table(schedule: str, num: int = NUM_TRAIN_STEPS) -> torch.Tensor:
    """abar float64 [num] of a schedule by name; ConfigError for an unknown one."""
    if schedule not in SCHEDULES:
        raise ConfigError(f"unknown noise schedule {schedule!r}{suggestion(schedule, SCHEDULES)}")
    return SCHEDULES[schedule](num)


def step_grid(num: int, num_train: int = NUM_TRAIN_STEPS) -> list[int]:
    """`num` of the training's steps, noisiest first: the middles of equal parts, so that none is pure noise.

    Where the cosine schedule ends, an error of epsilon counts 20,000 times in x_0; the middles stay clear of that. Of
    few parts the first middle is no noise yet, which sampling starts from: it is moved up to NOISE of the steps.
    """
    if not 1 <= num <= num_train:
        raise ConfigError(f"the number of sampling steps is from 1 to {num_train}, got {num}")
    middles = [int((k + 0.5) * num_train / num) for k in reversed(range(num))]
    return [max(middles[0], int(NOISE * num_train) - 1), *middles[1:]]


def add_noise(x0: torch.Tensor, noise: torch.Tensor, abar: torch.Tensor | float) -> torch.Tensor:
    """x_t of x_0 and standard normal noise of its shape [N, ...]; abar a number, or [N] one per row."""
    signal, rest = _roots(abar, x0)
    return signal * x0 + rest * noise


def target_of(x0: torch.Tensor, noise: torch.Tensor, abar: torch.Tensor, prediction: str) -> torch.Tensor:
    """The target of a network of this prediction at `add_noise(x0, noise, abar)`."""
    if prediction == "x0":
        return x0
    if prediction == "epsilon":
        return noise
    signal, rest = _roots(abar, x0)
    return signal * noise - rest * x0


def x0_of(output: torch.Tensor, xt: torch.Tensor, abar: torch.Tensor | float, prediction: str) -> torch.Tensor:
    """x_0 out of a network's answer at x_t."""
    if prediction == "x0":
        return output
    signal, rest = _roots(abar, xt)
    if prediction == "epsilon":
        return (xt - rest * output) / signal
    return signal * xt - rest * output


def epsilon_of(x0: torch.Tensor, xt: torch.Tensor, abar: torch.Tensor | float) -> torch.Tensor:
    """The noise that makes x_t of x_0."""
    signal, rest = _roots(abar, xt)
    return (xt - signal * x0) / rest


def posterior(
    x0: torch.Tensor, xt: torch.Tensor, abar: torch.Tensor | float, abar_next: torch.Tensor | float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [N, ...] and variance of q(x at abar_next | x_t, x_0), abar_next > abar; any two steps of a schedule."""
    abar, abar_next = _exact(abar), _exact(abar_next)
    beta = 1 - abar / abar_next
    of_x0 = abar_next.sqrt() * beta / (1 - abar)
    of_xt = (abar / abar_next).sqrt() * (1 - abar_next) / (1 - abar)
    variance = per_row(beta * (1 - abar_next) / (1 - abar), xt)
    return per_row(of_x0, xt) * x0 + per_row(of_xt, xt) * xt, variance


def log_variance_range(
    abar: torch.Tensor | float, abar_next: torch.Tensor | float, floor: torch.Tensor | float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log of the smallest and the largest variance of a step, the posterior's and beta, float64.

    floor: stands in for the posterior's variance where that is 0, at the last step; the step's before, by custom.
    """
    abar, abar_next, floor = _exact(abar), _exact(abar_next), _exact(floor)
    beta = 1 - abar / abar_next
    smallest = beta * (1 - abar_next) / (1 - abar)
    return torch.where(smallest > 0, smallest, floor).log(), beta.log()


def variance_floor(abar: torch.Tensor) -> float:
    """The posterior's variance at step 1 of a schedule's table [T], the least that is not 0."""
    return float((1 - abar[1] / abar[0]) * (1 - abar[0]) / (1 - abar[1]))


def learned_log_variance(output: torch.Tensor, smallest: torch.Tensor, largest: torch.Tensor) -> torch.Tensor:
    """Log variance [N, ...] between two of `log_variance_range`, by a network's numbers from -1 to 1 [N, ...]."""
    share = (output + 1) / 2
    return share * per_row(largest, output) + (1 - share) * per_row(smallest, output)


def learned_range_loss(
    x0: torch.Tensor,
    xt: torch.Tensor,
    mean_x0: torch.Tensor,
    variance_output: torch.Tensor,
    step: torch.Tensor,
    abar: torch.Tensor,
) -> torch.Tensor:
    """The variational bound's term in bits per number, mean over everything; its gradient reaches variance_output only.

    x0, xt, mean_x0 (the network's x_0), variance_output [N, ...]; step int64 [N]; abar the schedule's table [T]. Step 0
    counts the likelihood of 8-bit levels, the others the divergence of the true posterior from the network's.
    """  # fmt: skip
    table = torch.cat([abar.new_ones(1), abar])
    here, before = table[step + 1], table[step]
    smallest, largest = log_variance_range(here, before, variance_floor(abar))
    log_variance = learned_log_variance(variance_output, smallest, largest)
    true_mean, _ = posterior(x0, xt, here, before)
    mean, _ = posterior(mean_x0.detach(), xt, here, before)
    divergence = _normal_divergence(true_mean, per_row(smallest, xt), mean, log_variance)
    likelihood = -_level_log_likelihood(x0, mean, log_variance)
    is_first = (step == 0).view(-1, *[1] * (x0.ndim - 1))
    return torch.where(is_first, likelihood, divergence).mean() / math.log(2)


def guided(conditional: torch.Tensor, unconditional: torch.Tensor, scale: float) -> torch.Tensor:
    """Classifier-free guidance: 1 is the conditional answer, 0 the unconditional one, above 1 goes further."""
    return unconditional + scale * (conditional - unconditional)


def with_guidance(
    conditional: Callable[[], torch.Tensor], unconditional: Callable[[], torch.Tensor], scale: float
) -> torch.Tensor:
    """`guided` of two ways to call a network, of which at scales 0 and 1 only the one that counts is called."""
    if scale == 1:
        return conditional()
    return unconditional() if scale == 0 else guided(conditional(), unconditional(), scale)


def ddim_sigma(abar: float, abar_next: float, eta: float) -> float:
    """Deviation of the noise of a DDIM step; eta 0 adds none, eta 1 the posterior's."""
    return eta * math.sqrt(max((1 - abar_next) / (1 - abar) * (1 - abar / abar_next), 0.0))


def ddim_step(
    x0: torch.Tensor,
    xt: torch.Tensor,
    abar: float,
    abar_next: float,
    eta: float = 0.0,
    noise: torch.Tensor | None = None,
) -> torch.Tensor:
    """From x_t to the state at abar_next: less noisy when sampling, noisier, with eta 0, when inverting."""
    epsilon = epsilon_of(x0, xt, abar)
    sigma = ddim_sigma(abar, abar_next, eta) if eta else 0.0
    x = math.sqrt(abar_next) * x0 + math.sqrt(max(1 - abar_next - sigma**2, 0.0)) * epsilon
    return x + sigma * noise if sigma else x


def ddpm_step(
    x0: torch.Tensor,
    xt: torch.Tensor,
    abar: float,
    abar_next: float,
    log_variance: torch.Tensor | None,
    noise: torch.Tensor,
) -> torch.Tensor:
    """From x_t to a draw at abar_next; log_variance [N, ...] of the network's, None: the posterior's."""  # fmt: skip
    mean, variance = posterior(x0, xt, abar, abar_next)
    if abar_next == 1:
        return mean
    return mean + (variance.sqrt() if log_variance is None else (log_variance / 2).exp()) * noise


def sample(
    predict: Callable,
    x: torch.Tensor,
    abar: torch.Tensor,
    grid: Sequence[int],
    eta: float | None,
    draw: Callable[[Sequence[int]], torch.Tensor],
    clip: float | None = None,
) -> torch.Tensor:
    """x_0 from pure noise x [N, ...] over the steps of grid, noisiest first.

    predict(x_t, step) -> (x_0, numbers of a learned variance or None). abar: the schedule's table [T]. eta: of DDIM;
    None: DDPM with the network's variance. draw(shape) gives the noise of a step, asked for only where there is some.
    clip: bound of |x_0|.
    """  # fmt: skip
    levels = [float(abar[step]) for step in grid] + [1.0]
    floor = variance_floor(abar)
    for step, here, after in zip(grid, levels, levels[1:], strict=False):
        x0, variance = predict(x, step)
        x0 = x0 if clip is None else x0.clamp(-clip, clip)
        if eta is not None:
            x = ddim_step(x0, x, here, after, eta, draw(x.shape[1:]) if eta and after < 1 else None)
            continue
        log_variance = None
        if variance is not None:
            log_variance = learned_log_variance(variance, *log_variance_range(here, after, floor))
        x = ddpm_step(x0, x, here, after, log_variance, draw(x.shape[1:]) if after < 1 else x)
    return x


def invert(predict: Callable, x0: torch.Tensor, abar: torch.Tensor, grid: Sequence[int]) -> torch.Tensor:
    """The noise that `sample` with eta 0 over the same grid makes (nearly) x0 of: DDIM the other way, nothing clipped.

    predict as there; it is asked with the step number of the state that a move starts from.
    """
    steps = list(reversed(grid))
    levels = [float(abar[step]) for step in steps]
    # x0 itself has no step number; that of the least noisy state is used.
    moves = zip([steps[0], *steps], [1.0, *levels], levels, strict=False)
    x = x0
    for step, here, after in moves:
        epsilon = epsilon_of(predict(x, step)[0], x, abar[step])
        mean = (x - math.sqrt(1 - here) * epsilon) / math.sqrt(here)
        x = math.sqrt(after) * mean + math.sqrt(1 - after) * epsilon
    return x


def slerp(a: torch.Tensor, b: torch.Tensor, theta: float) -> torch.Tensor:
    """Between rows a and b [N, ...] along the arc of their directions: a at theta 0, b at 1.

    The angle is that of the whole rows; rows of one direction are joined by a line. ConfigError for opposite ones,
    between which no arc is the shortest.
    """
    flat_a, flat_b = a.flatten(1).double(), b.flatten(1).double()
    cosine = torch.nn.functional.cosine_similarity(flat_a, flat_b, dim=1).clamp(-1, 1)
    if (cosine < -1 + 1e-7).any():
        raise ConfigError("between two opposite vectors no arc is the shortest; change one of them")
    angle = per_row(cosine.arccos(), flat_a)
    is_line = angle.sin() < 1e-4
    safe = torch.where(is_line, torch.ones_like(angle), angle)
    of_a = torch.where(is_line, torch.full_like(angle, 1 - theta), ((1 - theta) * safe).sin() / safe.sin())
    of_b = torch.where(is_line, torch.full_like(angle, theta), (theta * safe).sin() / safe.sin())
    return (of_a * flat_a + of_b * flat_b).view(a.shape).to(a.dtype)


def per_row(value: torch.Tensor | float, x: torch.Tensor) -> torch.Tensor:
    """A number, or numbers [N], shaped to be multiplied with x [N, ...], in its type and on its device."""
    value = torch.as_tensor(value).to(x.dtype).to(x.device)
    return value.view(-1, *[1] * (x.ndim - 1)) if value.ndim else value


def _exact(value):
    return torch.as_tensor(value, dtype=torch.float64)


def _roots(abar, x):
    """Factors of signal and noise for x; computed in float64, as 1 - abar is small at the first steps."""
    abar = _exact(abar)
    return per_row(abar.sqrt(), x), per_row((1 - abar).sqrt(), x)


def _normal_divergence(mean, log_variance, other_mean, other_log_variance):
    """KL of N(mean, exp(log_variance)) from the other normal, elementwise, in nats."""
    scaled = (mean - other_mean).square() * (-other_log_variance).exp()
    return 0.5 * (other_log_variance - log_variance + (log_variance - other_log_variance).exp() + scaled - 1)


def _level_log_likelihood(x0, mean, log_variance):
    """Log probability that a normal gives the 8-bit level around each of x0, in nats."""
    normal, scale = torch.distributions.Normal(0.0, 1.0), (-log_variance / 2).exp()
    above = normal.cdf((x0 - mean + _CENTRE) * scale)
    below = normal.cdf((x0 - mean - _CENTRE) * scale)
    upper = torch.where(x0 > 0.999, torch.ones_like(above), above)
    lower = torch.where(x0 < -0.999, torch.zeros_like(below), below)
    return (upper - lower).clamp_min(1e-12).log()
