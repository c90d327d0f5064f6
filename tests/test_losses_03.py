import math

import pytest
import torch
from torch.distributions import ContinuousBernoulli

from vae_helpers.losses import (
    bernoulli_nll,
    continuous_bernoulli_nll,
    decoder_deviation,
    effective_beta,
    gaussian_nll,
    squared_error,
)


def test_continuous_bernoulli_matches_torch_distributions():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(50, 30, dtype=torch.float64, generator=generator)
    logits = 6 * torch.randn(50, 30, dtype=torch.float64, generator=generator)
    expected = -ContinuousBernoulli(logits=logits, lims=(0.4999, 0.5001)).log_prob(x).sum(dim=-1)
    torch.testing.assert_close(continuous_bernoulli_nll(x, logits), expected, rtol=1e-9, atol=1e-6)


def test_continuous_bernoulli_is_uniform_at_logit_zero():
    x = torch.rand(4, 7, dtype=torch.float64)
    torch.testing.assert_close(continuous_bernoulli_nll(x, torch.zeros(4, 7).double()), torch.zeros(4).double())


@pytest.mark.parametrize("logit", [0.0, 1e-9, -1e-4, 0.05, 0.0999, 0.1001, -3.0, 40.0, 1e4])
def test_continuous_bernoulli_integrates_to_one_and_stays_finite(logit):
    n = 200_000
    x = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    logits = torch.full((n, 1), logit, dtype=torch.float64)
    density = (-continuous_bernoulli_nll(x.unsqueeze(1), logits)).exp()
    assert density.mean().item() == pytest.approx(1, abs=2e-3)


def test_continuous_bernoulli_series_meets_the_quotient():
    logits = torch.tensor([[0.09], [-0.0999]], dtype=torch.float64)
    log_c = bernoulli_nll(logits * 0, logits) - continuous_bernoulli_nll(logits * 0, logits)
    torch.testing.assert_close(log_c, (logits / torch.tanh(logits / 2)).log().squeeze(1), rtol=0, atol=1e-9)


def test_continuous_bernoulli_gradient_through_both_branches():
    x = torch.rand(9, 1, dtype=torch.float64)
    logits = torch.tensor([[0.0], [1e-6], [0.05], [-0.09], [0.11], [-0.11], [2.0], [-9.0], [30.0]], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda value: continuous_bernoulli_nll(x, value), logits.requires_grad_())


def test_continuous_bernoulli_float32_gradient_near_zero():
    logits = torch.tensor([[0.0], [1e-5], [-1e-3], [0.0999], [0.1001]], requires_grad=True)
    x = torch.full((5, 1), 0.5)
    (gradient,) = torch.autograd.grad(continuous_bernoulli_nll(x, logits).sum(), logits)
    exact = logits.detach().double()
    expected = torch.sigmoid(exact) - 0.5 - torch.where(exact.abs() < 1e-2, exact / 6, 1 / exact - 1 / exact.sinh())
    torch.testing.assert_close(gradient.double(), expected, rtol=0, atol=2e-6)


def test_continuous_bernoulli_adds_log_two_per_pixel_at_most_at_grey():
    x, logits = torch.rand(3, 10), torch.randn(3, 10)
    assert (continuous_bernoulli_nll(x, logits) <= bernoulli_nll(x, logits) - 10 * math.log(2) + 1e-5).all()


@pytest.mark.parametrize(("recon", "kl", "expected"), [(0.5, 1, 2), (1, 1, 1), (1 / 784, 1, 784), (1, 0.5, 0.5)])
def test_effective_beta(recon, kl, expected):
    assert effective_beta(recon, kl) == pytest.approx(expected)


@pytest.mark.parametrize(("recon", "kl"), [(1, 1), (0.5, 1), (1 / 784, 1), (2000 / 3072, 0.3)])
def test_decoder_deviation_makes_the_loss_an_elbo(recon, kl):
    x, *guesses = torch.rand(3, 1, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    coded = [recon * squared_error(x, guess) for guess in guesses]
    nats = [gaussian_nll(x, guess, decoder_deviation(recon, kl) ** 2) for guess in guesses]
    torch.testing.assert_close((coded[0] - coded[1]) / kl, nats[0] - nats[1])


@pytest.mark.parametrize("function", [effective_beta, decoder_deviation])
@pytest.mark.parametrize("recon", [0, -1, math.nan])
def test_a_weight_that_is_not_positive_is_named(function, recon):
    with pytest.raises(ValueError, match="recon_weight must be above 0"):
        function(recon, 1)
