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
    constant = x.shape[-1] / 2 * torch.log(2 * math.pi * variance)
    return squared_error(x, x_hat) / (2 * variance) + constant


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


def effective_beta(recon_weight, kl_weight):
    """β = b / a of a coded loss a·R + b·KL, both terms summed per image, R the squared error or the cross-entropy.

    A mean over 784 pixels is a = 1/784, a mean over d latent dimensions b = 1/d. With squared error the likelihood that
    β refers to is the Gaussian with σx² = ½, so that SSE + KL has β = 1. Raises ValueError unless recon_weight > 0.
    """
    if not recon_weight > 0:
        raise ValueError(f"recon_weight must be above 0, got {recon_weight!r}.")
    return kl_weight / recon_weight


def decoder_deviation(recon_weight, kl_weight):
    """σx = √(b / 2a): a·SSE + b·KL is b times the negative ELBO of a Gaussian decoder with this standard deviation.

    Weights and errors as in effective_beta. Returns pixel units: 0.71 for SSE + KL, on a scale from 0 to 1.
    """
    return math.sqrt(effective_beta(recon_weight, kl_weight) / 2)
