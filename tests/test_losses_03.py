import math

import pytest
import torch
from torch.distributions import ContinuousBernoulli

from vae_helpers.losses import bernoulli_nll, continuous_bernoulli_nll, effective_beta


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


@pytest.mark.parametrize(
    ("recon", "kl", "likelihood", "expected"),
    [(0.5, 1, "gaussian", 1), (1, 1, "gaussian", 0.5), (1 / 784, 1, "gaussian", 392), (1, 0.5, "bernoulli", 0.5)],
)
def test_effective_beta(recon, kl, likelihood, expected):
    assert effective_beta(recon, kl, likelihood=likelihood) == pytest.approx(expected)


@pytest.mark.parametrize(("recon", "likelihood"), [(0, "gaussian"), (-1, "bernoulli"), (1, "poisson")])
def test_effective_beta_names_what_is_wrong(recon, likelihood):
    with pytest.raises(ValueError, match="recon_weight > 0"):
        effective_beta(recon, 1, likelihood=likelihood)
