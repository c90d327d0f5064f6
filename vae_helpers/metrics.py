"""Exact and sampled likelihoods of a decoder with a small latent space: one value per image, in nats."""

import math

import torch
from torch.nn import functional as F

from vae_helpers.latent import standard_normal
from vae_helpers.losses import bernoulli_nll
from vae_helpers.models import seeded


def bernoulli_pairs(x, logits):
    """log p(x|z) = Σ x·logit − log(1 + e^logit) for every image with every decoded code, by one matrix product.

    x: (n, pixels) in [0, 1]; logits: (m, pixels). Returns (n, m) nats; on the diagonal it is −bernoulli_nll.
    """
    return x @ logits.T - F.softplus(logits).sum(dim=-1)


def gaussian_pairs(x, x_hat, variance=0.5):
    """log N(x; x̂, σx² I) for every image with every decoded code, by one matrix product.

    x: (n, D); x_hat: (m, D); variance: the decoder's σx². Returns (n, m) nats; on the diagonal it is −gaussian_nll.
    """
    sse = x.square().sum(dim=-1, keepdim=True) - 2 * x @ x_hat.T + x_hat.square().sum(dim=-1)
    return -sse / (2 * variance) - x.shape[-1] / 2 * math.log(2 * math.pi * variance)


def latent_grid(half_width=4.0, step=0.05):
    """(n², 2) points of a square grid on [−half_width, half_width]²; 161² of them by default. z₁ varies fastest."""
    if not 0 < step <= half_width < math.inf:
        raise ValueError(f"step must lie above 0 and not above half_width, got {step!r} and {half_width!r}.")
    axis = torch.linspace(-half_width, half_width, 2 * round(half_width / step) + 1)
    return torch.cartesian_prod(axis, axis).flip(dims=[1])


@torch.no_grad()
def grid_log_likelihood(decode, x, pairs=bernoulli_pairs, *, prior=None, grid=None):
    """log p(x) = log Σ p(x|z) p(z) Δ² over a fine grid of the latent plane; no encoder is needed.

    decode: (m, 2) codes → what `pairs` compares with x (logits for bernoulli_pairs); x: (n, pixels) in [0, 1].
    prior: a latent.Gaussian, N(0, I) by default; grid: evenly spaced points u of `latent_grid`, from which
    z = mean + scale u. Returns (n,) nats. Memory: a few hundred decoded grid points at a time.
    """
    prior, grid = prior or standard_normal(2), latent_grid() if grid is None else grid
    area = (grid[1] - grid[0]).norm() ** 2
    parts = []
    for u in grid.split(512):
        log_prior = -u.square().sum(dim=-1) / 2 - math.log(2 * math.pi)
        log_joint = pairs(x, decode(prior.mean + u @ prior.scale.T)) + log_prior
        parts.append(log_joint.double().logsumexp(dim=-1))
    return torch.stack(parts).logsumexp(dim=0) + area.log()


def log_weights(model, x, k, nll=bernoulli_nll, *, decode=None):
    """log p(x|z) + log p(z) − log q(z|x) for k draws z ~ q(z|x) per image: (k, n) nats.

    model.encode(x) gives mu and logvar; decode gives what `nll` compares with x (model.decode_logits by default).
    The mean over draws estimates the ELBO.
    """
    mu, logvar = model.encode(x)
    rows = []
    for _ in range(k):
        eps = torch.randn_like(mu)
        z = mu + (0.5 * logvar).exp() * eps
        log_ratio = (eps.square() + logvar - z.square()).sum(dim=-1) / 2  # log p(z) − log q(z|x)
        rows.append(log_ratio - nll(x, (decode or model.decode_logits)(z)))
    return torch.stack(rows)


@torch.no_grad()
def iwae_nll(model, x, k, nll=bernoulli_nll, *, decode=None, seed=0):
    """−log (1/k) Σ p(x, z_i) / q(z_i|x), the bound of Burda et al. 2016 on −log p(x): (n,) nats; k = 1 is −ELBO.

    Arguments as in `log_weights`; the draws start at `seed`. Raises ValueError unless k is an integer of 1 or more.
    """
    if type(k) is not int or k < 1:
        raise ValueError(f"k must be an integer of 1 or more, got {k!r}.")
    with seeded(seed):
        return math.log(k) - log_weights(model, x, k, nll, decode=decode).logsumexp(dim=0)
