import math

import pytest
import torch

from vae_helpers import diffusion
from vae_helpers.diffusion import STEPS, Denoiser, left_after
from vae_helpers.models import seeded


class Exact:
    """The best estimate of the noise in codes that are N(0, s² I)."""

    def __init__(self, s, dim=4):
        self.s, self.dim = s, dim

    def __call__(self, z, t):
        left = left_after()[t][:, None]
        return (1 - left).sqrt() * z / (left * self.s**2 + 1 - left)


def test_what_is_left_falls_from_almost_all_to_almost_nothing():
    left = left_after()
    assert len(left) == STEPS and (left.diff() < 0).all() and left[0] > 0.99 and 0 < left[-1] < 0.001


def test_any_number_of_steps_takes_about_the_same_away():
    assert left_after(800)[-1].log().item() == pytest.approx(left_after(100)[-1].log().item(), rel=0.15)
    with pytest.raises(ValueError, match="more than 20, got 20"):
        left_after(20)


def test_the_error_of_the_best_estimate_is_the_variance_that_it_cannot_know():
    s, n = 0.7, 200_000
    with seeded(0):
        errors = diffusion.noise_error(Exact(s, 2), s * torch.randn(n, 2))
    left = left_after()
    expected = 2 * (left * s**2 / (left * s**2 + 1 - left)).mean()
    assert abs(errors.mean() - expected) < 4 * errors.std() / n**0.5


def test_the_best_estimate_brings_back_the_distribution():
    codes = diffusion.sample(Exact(1.0), 20_000)
    assert abs(codes.std() - 1) < 0.01 and codes.mean().abs() < 0.02
    wide = diffusion.sample(Exact(0.5), 20_000)
    assert abs(wide.std() - 0.5) < 0.06  # a hundred steps and the variance for s = 1: a little too wide


def test_the_denoiser_sees_the_step_and_starts_at_its_seed():
    first, second, other = Denoiser(3, seed=1), Denoiser(3, seed=1), Denoiser(3, seed=2)
    z = torch.ones(1, 3).expand(STEPS, 3)
    outputs = [model(z, torch.arange(STEPS)) for model in (first, second, other)]
    assert torch.equal(outputs[0], outputs[1]) and not torch.equal(outputs[0], outputs[2])
    assert len(outputs[0].unique(dim=0)) == STEPS


def test_draws_repeat_with_the_seed_and_leave_the_stream_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    codes = diffusion.sample(Denoiser(2), 5, seed=3)
    assert torch.equal(torch.rand(1), expected) and torch.equal(codes, diffusion.sample(Denoiser(2), 5, seed=3))
    assert math.isfinite(codes.sum())
