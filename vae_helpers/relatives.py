"""Relatives of the VAE, on one screen each: another posterior, prior or divergence. The formulas of chapter 11.

Each `…_terms(model, x)` returns what is lost and what is priced, per image: the squared error of a decoded code, and
the charge that takes the place of the KL term. A `Relative` is the network of the book with other ends.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

from vae_helpers import losses, models
from vae_helpers.models import HIDDEN, PIXELS, mlp, seeded, start_at

POSITIONS, CODEBOOK, CODE_DIM = 4, 16, 2  # of the discrete code: 16⁴ = 65,536 codes, few enough to sum over all
SCALES = 0.5, 1.0, 2.0  # of the kernels in the maximum mean discrepancy, in units of N(0, I)


class Relative(nn.Module):
    """Encoder with `out` numbers per image, decoder of `latent_dim`; same seed, same starting weights as the VAE.

    parts: what it has besides, by name: modules or parameters. mean: as in `VAE`.
    """

    def __init__(self, out, latent_dim, *, seed=0, mean=None, **parts):
        super().__init__()
        with seeded(seed):
            self.encoder = mlp(PIXELS, *HIDDEN, out)
            self.decoder = mlp(latent_dim, *reversed(HIDDEN), PIXELS)
        start_at(self.decoder, mean)
        for name, part in parts.items():
            setattr(self, name, part)

    def decode(self, z):
        """(batch, latent_dim) → (batch, 784) pixels in (0, 1)."""
        return torch.sigmoid(self.decoder(z))


def charged_loss(terms, weight):
    """The loss of a relative, for `fit`: the mean over images of squared error + weight · charge."""

    def loss(model, x):
        recon, charge = (term.mean() for term in terms(model, x))
        return {"loss": recon + weight * charge, "recon": recon, "charge": charge}

    return loss


def vae_terms(model, x):
    mu, logvar = model.encoder(x).chunk(2, dim=1)
    x_hat = model.decode(models.reparameterize(mu, logvar))
    return losses.squared_error(x, x_hat), losses.kl_to_standard_normal(mu, logvar)


def vmf_parameters(h):
    """(batch, 3) numbers → their direction μ, a unit vector, and length + 0.1, the concentration κ, (batch, 1)."""
    return F.normalize(h, dim=1), h.norm(dim=1, keepdim=True) + 0.1


def vmf_sample(mu, kappa):
    """A draw from the von Mises–Fisher density ∝ exp(κ μᵀz) on the sphere in three dimensions: z = w μ + √(1 − w²) v.

    w inverts its own distribution function, v is a direction at right angles to μ, uniform; the gradient goes through
    both parameters. mu: (batch, 3) unit vectors; kappa: (batch, 1). Returns (batch, 3) unit vectors.
    """
    u = torch.rand_like(kappa)
    w = 1 + torch.log(u + (1 - u) * torch.exp(-2 * kappa)) / kappa
    noise = torch.randn_like(mu)
    v = F.normalize(noise - (noise * mu).sum(dim=1, keepdim=True) * mu, dim=1)
    return w * mu + (1 - w**2).clamp(min=1e-12).sqrt() * v


def vmf_kl(kappa):
    """KL(vMF(μ, κ) ‖ uniform) = κ coth κ − 1 + log(κ / sinh κ) on the sphere: (batch,) nats, whatever μ.

    kappa: (batch, 1), above 0. Source: Davidson et al. 2018, for three dimensions.
    """
    log_sinh = kappa + torch.log1p(-torch.exp(-2 * kappa)) - math.log(2)
    return (kappa / torch.tanh(kappa) - 1 + kappa.log() - log_sinh).squeeze(1)


def sphere_terms(model, x):
    mu, kappa = vmf_parameters(model.encoder(x))
    z = vmf_sample(mu, kappa)
    return losses.squared_error(x, model.decode(z)), vmf_kl(kappa)


def quantize(h, codebook):
    """The nearest of K vectors for each of h: their values, with the gradient passed straight to h, and their numbers.

    h: (batch, positions, dim); codebook: (K, dim). Returns z like h, and (batch, positions) integers. Source: van den
    Oord et al. 2017.
    """
    index = (h.unsqueeze(2) - codebook).square().sum(dim=-1).argmin(dim=2)
    return h + (codebook[index] - h).detach(), index


def vq_terms(model, x):
    h = model.encoder(x).unflatten(1, (POSITIONS, CODE_DIM))
    z, index = quantize(h, model.codebook)
    moves_codebook = (h.detach() - model.codebook[index]).square().sum(dim=(1, 2))
    commits = (h - model.codebook[index].detach()).square().sum(dim=(1, 2))
    x_hat = model.decode(z.flatten(1))
    return losses.squared_error(x, x_hat), moves_codebook + 0.25 * commits


def adversarial_terms(model, x):
    z = model.encoder(x)
    draws, critic = torch.randn_like(z), model.critic
    tells_apart = F.softplus(-critic(draws)) + F.softplus(critic(z.detach()))
    frozen = {name: weight.detach() for name, weight in critic.named_parameters()}
    deceives = F.softplus(-torch.func.functional_call(critic, frozen, z))
    return losses.squared_error(x, model.decode(z)), (tells_apart + deceives).squeeze(1)


def kernel(a, b):
    """Σ exp(−‖a − b‖² / 2s²) over three scales s, for every pair: a (n, d), b (m, d) → (n, m)."""
    squares = torch.cdist(a, b).square()
    return sum(torch.exp(-squares / (2 * s**2)) for s in SCALES)


def mmd(a, b):
    """Squared maximum mean discrepancy between the distributions behind two sets of draws: the unbiased estimate.

    a, b: (n, d), n of 2 or more. 0 on average for equal distributions; a scalar. Source: Gretton et al. 2012.
    """
    n = len(a)
    itself = n * len(SCALES)  # of each point with itself
    within = kernel(a, a).sum() - itself + kernel(b, b).sum() - itself
    return within / (n * (n - 1)) - 2 * kernel(a, b).mean()


def mmd_terms(model, x):
    z = model.encoder(x)
    charge = mmd(z, torch.randn_like(z)).expand(len(x))
    return losses.squared_error(x, model.decode(z)), charge


def planar(z, u, w, b):
    """One planar layer z + u tanh(wᵀz + b), and the logarithm of its Jacobian determinant, 1 + tanh′(wᵀz + b) wᵀu.

    u is first moved along w until wᵀu > −1, which makes the layer invertible (Rezende and Mohamed 2015, appendix, here
    so that u = 0 stays). z, u, w: (batch, d); b: (batch, 1). Returns (batch, d) and (batch,).
    """
    along = (w * u).sum(dim=1, keepdim=True)
    allowed = F.softplus(along + math.log(math.e - 1)) - 1
    u = u + (allowed - along) * w / w.square().sum(dim=1, keepdim=True).clamp(min=1e-8)
    t = torch.tanh((w * z).sum(dim=1, keepdim=True) + b)
    slope = 1 + (1 - t**2) * (w * u).sum(dim=1, keepdim=True)
    return z + u * t, slope.log().squeeze(1)


def planar_terms(model, x):
    mu, logvar, u, w, b = model.encoder(x).split([2, 2, 2, 2, 1], dim=1)
    start = models.reparameterize(mu, logvar)
    z, log_det = planar(start, u, w, b)
    moved = 0.5 * (z.square() - start.square()).sum(dim=1) - log_det  # what the layer adds, by one draw
    charge = losses.kl_to_standard_normal(mu, logvar) + moved
    return losses.squared_error(x, model.decode(z)), charge


def ridge_terms(model, x):
    z = model.encoder(x)
    layers = [layer for layer in model.decoder if isinstance(layer, nn.Linear)]
    weights = sum(layer.weight.square().sum() for layer in layers)
    charge = 0.5 * z.square().sum(dim=1) + 1e-2 * weights
    return losses.squared_error(x, model.decode(z)), charge
