"""Losses against torch.distributions, which knows nothing of ours."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Independent, MultivariateNormal, Normal, kl_divergence

from vae_helpers.losses import (
    bernoulli_nll,
    decoder_deviation,
    effective_beta,
    gaussian_nll,
    kl_to_standard_normal,
    squared_error,
)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(5, 12, generator=generator), torch.randn(5, 12, generator=generator)


def test_squared_error_is_a_sum_over_pixels(batch):
    x, logits = batch
    by_hand = torch.stack([torch.linalg.vector_norm(row) ** 2 for row in x - logits])
    torch.testing.assert_close(squared_error(x, logits), by_hand)


@pytest.mark.parametrize("variance", [0.5, 1.0, 0.03])
def test_gaussian_nll_is_a_density(batch, variance):
    x, x_hat = batch
    reference = Independent(Normal(x_hat, variance**0.5), 1).log_prob(x)
    torch.testing.assert_close(gaussian_nll(x, x_hat, variance), -reference)


def test_bernoulli_nll_on_binary_images(batch):
    x, logits = (batch[0] > 0.5).float(), batch[1]
    torch.testing.assert_close(bernoulli_nll(x, logits), -Independent(Bernoulli(logits=logits), 1).log_prob(x))


def test_bernoulli_nll_on_grey_images_is_least_at_the_image_itself(batch):
    x = batch[0]
    at_best = bernoulli_nll(x, torch.logit(x))
    torch.testing.assert_close(at_best, Bernoulli(x).entropy().sum(dim=1))
    assert (bernoulli_nll(x, torch.logit(x) + 0.1) > at_best).all()


def test_kl_against_the_general_gaussian_formula(batch):
    mu, logvar = batch
    q = MultivariateNormal(mu, torch.diag_embed(logvar.exp()))
    reference = kl_divergence(q, MultivariateNormal(torch.zeros(12), torch.eye(12)))
    torch.testing.assert_close(kl_to_standard_normal(mu, logvar), reference)


def test_kl_is_zero_at_the_prior_and_one_value_per_image():
    kl = kl_to_standard_normal(torch.zeros(7, 3), torch.zeros(7, 3))
    assert kl.shape == (7,) and (kl == 0).all()


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
