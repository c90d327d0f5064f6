"""A small diffusion model for codes: noise is added in a hundred steps, and a network learns to take it away.

The formulas of chapter 12 (Ho et al. 2020): z_t = √ᾱ_t z + √(1 − ᾱ_t) ε, and the squared error of an estimate of ε.
"""

import torch
from torch import nn

from vae_helpers.models import mlp, seeded

STEPS = 100


def left_after(steps=STEPS):
    """ᾱ_t for t = 1 … steps: the share of the code's variance that is left after t steps, from near 1 to near 0.

    Step t takes away a share that grows in equal parts from 0.1/steps to 20/steps, the schedule of Ho et al. for any
    number of steps. Raises ValueError for 20 steps or fewer, where the last would take more than there is.
    """
    if steps <= 20:
        raise ValueError(f"steps must be more than 20, got {steps}.")
    return (1 - torch.linspace(0.1 / steps, 20 / steps, steps)).cumprod(dim=0)


class Denoiser(nn.Module):
    """(z_t, t) → an estimate of the noise ε in z_t; same seed, same starting weights."""

    def __init__(self, dim, hidden=128, seed=0):
        super().__init__()
        with seeded(seed):
            self.net = mlp(dim + 16, hidden, hidden, hidden, dim)
        self.dim = dim

    def forward(self, z, t):
        """z: (batch, dim); t: (batch,) integers from 0, one less than the number of steps taken."""
        phase = t[:, None] / STEPS * 2.0 ** torch.arange(8, device=z.device)
        return self.net(torch.cat([z, phase.sin(), phase.cos()], dim=1))


def noise_error(model, z):
    """‖ε − ε̂(z_t, t)‖² for a step t drawn for each code; z: (batch, dim), spread about 1. Returns (batch,)."""
    t = torch.randint(STEPS, (len(z),), device=z.device)
    left = left_after().to(z.device)[t][:, None]
    eps = torch.randn_like(z)
    z_t = left.sqrt() * z + (1 - left).sqrt() * eps
    return (eps - model(z_t, t)).square().sum(dim=1)


@torch.no_grad()
def sample(model, n, seed=0):
    """(n, dim) new codes: from N(0, I) back, each step a Gaussian draw about the mean that the estimate implies.

    Its variance, 1 − ᾱ_t / ᾱ_{t−1}, is exact for data that are N(0, I) themselves, to which codes that were brought to
    variance 1 are nearer than to a single point, for which the other usual choice is exact.
    """
    left = left_after()
    before = torch.cat([torch.ones(1), left[:-1]])
    with seeded(seed):
        z = torch.randn(n, model.dim)
        for t in reversed(range(STEPS)):
            ratio = left[t] / before[t]
            eps = model(z, torch.full((n,), t))
            mean = (z - (1 - ratio) / (1 - left[t]).sqrt() * eps) / ratio.sqrt()
            z = mean + (1 - ratio).sqrt() * torch.randn_like(z)
    return z
