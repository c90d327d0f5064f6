import math

import pytest
import torch
from torch.distributions import Independent, MultivariateNormal, Normal

from vae_helpers.latent import Gaussian
from vae_helpers.losses import bernoulli_nll, gaussian_nll, kl_to_standard_normal
from vae_helpers.metrics import (
    bernoulli_pairs,
    gaussian_pairs,
    grid_log_likelihood,
    iwae_nll,
    latent_grid,
    log_weights,
)
from vae_helpers.models import seeded


class Linear:
    """A linear VAE, x = A z + noise of variance ½, with encoder N(z̄ + shift, s² I); pixels 5, latents 2."""

    def __init__(self, shift=0.0, s=None):
        self.A = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
        self.precision = self.A.T @ self.A / 0.5 + torch.eye(2)
        eigenvalues, rotation = torch.linalg.eigh(self.precision)  # rotate z so that the true posterior is diagonal
        self.A, self.variances = self.A @ rotation, 1 / eigenvalues
        self.shift, self.s = shift, s

    def encode(self, x):
        mu = x @ self.A / 0.5 * self.variances + self.shift
        variances = self.variances if self.s is None else torch.full((2,), self.s**2)
        return mu, variances.log().expand_as(mu)

    def decode(self, z):
        return z @ self.A.T

    def evidence(self, x):
        return MultivariateNormal(torch.zeros(5), self.A @ self.A.T + 0.5 * torch.eye(5)).log_prob(x)


@pytest.fixture
def x():
    return torch.randn(40, 5, generator=torch.Generator().manual_seed(1))


def test_pairs_agree_with_the_losses_on_the_diagonal(x):
    pixels, logits = torch.sigmoid(x), 3 * x.flip(0)
    torch.testing.assert_close(bernoulli_pairs(pixels, logits).diag(), -bernoulli_nll(pixels, logits))
    for variance in (0.5, 0.1, 2.0):
        expected = -gaussian_nll(x, logits, variance)
        torch.testing.assert_close(gaussian_pairs(x, logits, variance).diag(), expected, rtol=1e-4, atol=1e-3)


def test_pairs_put_images_in_rows_and_codes_in_columns(x):
    pairs = bernoulli_pairs(torch.sigmoid(x), x[:7])
    assert pairs.shape == (40, 7)
    torch.testing.assert_close(pairs[3, 5], -bernoulli_nll(torch.sigmoid(x[3]), x[5]))


def test_the_default_grid():
    grid = latent_grid()
    assert grid.shape == (161**2, 2) and grid.min() == -4 and grid.max() == 4
    assert (grid[1] - grid[0]).norm() == pytest.approx(0.05, abs=1e-5)
    assert len(grid.unique(dim=0)) == len(grid)


@pytest.mark.parametrize(("half_width", "step"), [(4, 0), (4, -1), (1, 2), (math.inf, 1), (math.nan, 1)])
def test_grids_that_make_no_sense(half_width, step):
    with pytest.raises(ValueError, match="step must lie above 0"):
        latent_grid(half_width, step)


def test_grid_gives_the_evidence_of_a_linear_gaussian_model(x):
    model = Linear()
    exact = model.evidence(x).double()
    torch.testing.assert_close(grid_log_likelihood(model.decode, x, gaussian_pairs), exact, rtol=0, atol=2e-3)


def test_grid_under_another_prior(x):
    model, scale = Linear(), torch.tensor([[2.0, 0.0], [0.7, 0.5]])
    prior = Gaussian(torch.tensor([1.0, -2.0]), scale)
    covariance = model.A @ scale @ scale.T @ model.A.T + 0.5 * torch.eye(5)
    exact = MultivariateNormal(model.A @ prior.mean, covariance).log_prob(x).double()
    fine = latent_grid(half_width=6.0)
    got = grid_log_likelihood(model.decode, x, gaussian_pairs, prior=prior, grid=fine)
    near = exact > -25  # codes of the others lie beyond the grid
    assert near.sum() > 20
    torch.testing.assert_close(got[near], exact[near], rtol=0, atol=5e-3)


def test_a_decoder_that_ignores_z_leaves_its_own_likelihood(x):
    pixels, logits = torch.sigmoid(x), torch.linspace(-2, 2, 5)
    got = -grid_log_likelihood(lambda z: logits.expand(len(z), -1), pixels)
    inside = 2 * math.log(math.erf(4 / math.sqrt(2)))
    expected = bernoulli_nll(pixels, logits.expand(40, -1)).double() - inside
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-3)


def test_log_weights_are_constant_when_q_is_the_true_posterior(x):
    model = Linear()
    with seeded(0):
        weights = log_weights(model, x, 7, gaussian_nll, decode=model.decode)
    assert weights.shape == (7, 40)
    torch.testing.assert_close(weights, model.evidence(x).expand(7, 40), rtol=1e-4, atol=1e-3)


def test_log_weights_against_torch_distributions(x):
    model = Linear(shift=0.3, s=0.4)
    with seeded(3):
        weights = log_weights(model, x, 1, gaussian_nll, decode=model.decode)[0]
    mu, logvar = model.encode(x)
    with seeded(3):
        z = mu + (0.5 * logvar).exp() * torch.randn_like(mu)
    q, prior = (Independent(Normal(m, s), 1) for m, s in [(mu, (0.5 * logvar).exp()), (0 * mu, torch.ones_like(mu))])
    likelihood = Independent(Normal(model.decode(z), math.sqrt(0.5)), 1).log_prob(x)
    torch.testing.assert_close(weights, likelihood + prior.log_prob(z) - q.log_prob(z), rtol=1e-4, atol=1e-4)


def test_iwae_falls_from_the_elbo_to_the_evidence(x):
    model = Linear(shift=0.3, s=0.4)
    mu, logvar = model.encode(x)
    spread = (model.A.square() @ logvar.exp().T).sum(dim=0)  # E‖A(z − μ)‖², over 2 σx² = 1
    elbo = -(gaussian_nll(x, model.decode(mu)) + spread + kl_to_standard_normal(mu, logvar))
    one, five, many = (iwae_nll(model, x, k, gaussian_nll, decode=model.decode, seed=k) for k in (1, 5, 3000))
    averaged = torch.stack([iwae_nll(model, x, 1, gaussian_nll, decode=model.decode, seed=s) for s in range(400)])
    torch.testing.assert_close(averaged.mean(), -elbo.mean(), rtol=0, atol=0.05)
    assert one.mean() > five.mean() > many.mean()
    torch.testing.assert_close(many.mean(), -model.evidence(x).mean(), rtol=0, atol=0.05)


def test_iwae_repeats_with_its_seed_and_leaves_the_stream_alone(x):
    model = Linear(s=0.4)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = iwae_nll(model, x, 3, gaussian_nll, decode=model.decode, seed=9)
    assert torch.rand(1) == expected
    assert torch.equal(first, iwae_nll(model, x, 3, gaussian_nll, decode=model.decode, seed=9))
    assert not torch.equal(first, iwae_nll(model, x, 3, gaussian_nll, decode=model.decode, seed=8))


@pytest.mark.parametrize("k", [0, -1, 2.0, "3", True])
def test_iwae_needs_a_count(x, k):
    with pytest.raises(ValueError, match="k must be an integer of 1 or more"):
        iwae_nll(Linear(), x, k)
