"""Reconstruction terms and the KL term: one value per image, in nats, summed over pixels or latent dimensions."""

import math

import torch
from torch.nn import functional as F


def squared_error(x, x_hat):
    """Σ (x − x̂)² per image: the "SSE" of the chapters, twice the Gaussian −log p(x|z) at σx² = 1, up to a constant.

    x, x_hat: (batch, pixels), pixels in [0, 1]. Returns (batch,), in squared pixel units.
    """
    return (x - x_hat).square().sum(dim=-1)


def gaussian_nll(x, x_hat, variance=0.5):
    """−log N(x; x̂, σx² I) = SSE / (2 σx²) + (D/2) log(2π σx²) per image.

    x, x_hat: (batch, D), pixels in [0, 1]; variance: the decoder's σx² (½ makes the first term the plain SSE).
    Returns (batch,) nats: a density on R^D, so it may be negative.
    """
    variance = torch.as_tensor(variance, dtype=x.dtype)
    return squared_error(x, x_hat) / (2 * variance) + x.shape[-1] / 2 * torch.log(2 * math.pi * variance)


def bernoulli_nll(x, logits):
    """−Σ x log x̂ + (1 − x) log(1 − x̂) per image, with x̂ = sigmoid(logits): binary cross-entropy.

    x, logits: (batch, pixels), x in [0, 1]. Returns (batch,) nats. On grey pixels it never reaches 0.
    """
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(dim=-1)


def kl_to_standard_normal(mu, logvar):
    """KL(N(μ, σ²) ‖ N(0, I)) = ½ Σ (μ² + σ² − 1 − log σ²) per image (Kingma & Welling 2013, appendix B).

    mu, logvar: (batch, latent_dim). Returns (batch,) nats, never negative beyond rounding.
    """
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(dim=-1)


def continuous_bernoulli_nll(x, logits):
    """−log of the continuous Bernoulli density per image: cross-entropy − Σ log C, C = ℓ / tanh(ℓ/2) at logit ℓ.

    x, logits: (batch, pixels), x in [0, 1]. Returns (batch,) nats: a density on [0, 1]^D, so it may be negative.
    C = 2 at ℓ = 0 (λ = ½), where the quotient is 0/0 and a series takes over. Source: Loaiza-Ganem, Cunningham 2019.
    """
    near_zero = logits.abs() < 0.1
    away = torch.where(near_zero, torch.ones_like(logits), logits)
    series = math.log(2) + logits.square() / 12 - 7 * logits.pow(4) / 1440
    log_c = torch.where(near_zero, series, (away / torch.tanh(away / 2)).log())
    return bernoulli_nll(x, logits) - log_c.sum(dim=-1)


def effective_beta(recon_weight, kl_weight, *, likelihood="gaussian"):
    """The β that a coded loss amounts to: b / (2a) for a·SSE + b·KL, b / a for a·BCE + b·KL, sums per image.

    A mean over 784 pixels is a = 1/784, a mean over d latent dimensions b = 1/d. likelihood: "gaussian" (squared
    error; β is then also the decoder variance σx²) or "bernoulli" (cross-entropy). Raises ValueError otherwise.
    """
    if likelihood not in ("gaussian", "bernoulli") or not recon_weight > 0:
        raise ValueError(f"need recon_weight > 0, gaussian or bernoulli; got {recon_weight!r}, {likelihood!r}.")
    return kl_weight / (2 * recon_weight if likelihood == "gaussian" else recon_weight)
