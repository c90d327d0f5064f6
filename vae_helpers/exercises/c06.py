"""Exercises of chapter 06: fair regions, and what they hold."""

import math

import torch
from torch.distributions import Normal

from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(6)
MEAN, SCALE = torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 0.0], [0.5, 1.0]])
CODES = torch.randn(500, 2, generator=GENERATOR) @ SCALE.T + MEAN
U = torch.rand(20, 2, generator=GENERATOR)
REAL = torch.randn(60, 3, generator=GENERATOR)
MADE = torch.cat([REAL[:10] + 0.01, REAL[:10] - 0.01, torch.full((40, 3), 9.0)])
TIE = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[-1.0]])


def share_of_box(d, half):
    return math.erf(half / 2**0.5) ** d


def fitted_points(codes, u):
    """The same by two regressions: the second coordinate follows the first, and has a rest of its own."""
    (x, y), e = codes.T.double(), Normal(0.0, 1.0).icdf(u.double())
    slope = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    rest = (y - y.mean() - slope * (x - x.mean())).square().sum().div(len(x) - 1).sqrt()
    first = x.std() * e[:, 0]
    return torch.stack([x.mean() + first, y.mean() + slope * first + rest * e[:, 1]], dim=1).float()


def neighbours_counted(real, made, k):
    """Share of real images with a made one nearer than the k-th nearest other real one, counted in loops."""
    hits = 0
    for i, x in enumerate(real):
        own = sorted((x - y).norm().item() for j, y in enumerate(real) if j != i)[k - 1]
        hits += any((x - y).norm().item() <= own for y in made)
    return hits / len(real)


EXERCISES = [
    Exercise(
        name="box-share",
        minutes=4,
        task="""Write `my_share(d, half)`: the share of $\\mathcal N(0, I)$ in $d$ dimensions that lies in the \
box from `-half` to `half` on every axis.""",
        blank="def my_share(d, half):\n    return ...",
        hints=(
            "One axis: erf(half / √2), as `torch.erf` or `math.erf`.",
            "The coordinates are independent, so the shares multiply.",
        ),
        solution="def my_share(d, half):\n    return torch.erf(torch.tensor(half / 2**0.5)) ** d",
        because="91 % of the plane for ±2, but 47 % in sixteen dimensions: a box says less and less about a Gaussian.",
        truth=share_of_box,
        probes=((1, 1.0), (2, 2.0), (16, 2.0)),
        mistakes={
            "def my_share(d, half):\n    return math.erf(half / 2**0.5)": (
                "That is one axis; the shares of d axes multiply."
            ),
            "def my_share(d, half):\n    return math.erf(half) ** d": "erf has another unit: divide by √2 first.",
            "def my_share(d, half):\n    return 1 - d * (1 - math.erf(half / 2**0.5))": (
                "What the axes leave out overlaps; multiply the shares instead of adding the rests."
            ),
            "def my_share(d, half):\n    return (0.5 * (1 + math.erf(half / 2**0.5))) ** d": (
                "That counts everything below `half`; the part below −half has to go."
            ),
        },
    ),
    Exercise(
        name="fair-sampler",
        minutes=7,
        task="""Write `my_points(codes, u)`: `u` holds quantiles between 0 and 1, shape (n, 2), and `codes` has \
shape (m, 2). Return the points of the Gaussian *fitted to the codes* at these quantiles: mean + L Φ⁻¹(u), with \
L the lower Cholesky factor of the covariance of the codes.""",
        blank="def my_points(codes, u):\n    return ...",
        hints=(
            "`torch.special.ndtri` is Φ⁻¹; `torch.cov(codes.T)` the covariance.",
            "`torch.linalg.cholesky(...)` gives L; a row of points is ndtri(u) @ L.T + mean.",
        ),
        solution="""def my_points(codes, u):
    scale = torch.linalg.cholesky(torch.cov(codes.T))
    return torch.special.ndtri(u) @ scale.T + codes.mean(dim=0)""",
        because="In such coordinates two models can be shown through the same window, whatever their scale.",
        truth=fitted_points,
        probes=((CODES, torch.tensor([[0.5, 0.5], [0.9, 0.5], [0.1, 0.99], [0.3, 0.0001]])), (CODES[:50], U)),
        within=2e-2,
        mistakes={
            "def my_points(codes, u):\n    return torch.special.ndtri(u)": (
                "Those are the quantiles of N(0, I); shift and stretch them to the codes."
            ),
            """def my_points(codes, u):
    return torch.special.ndtri(u) * codes.std(dim=0) + codes.mean(dim=0)""": (
                "The widths are right, but the tilt of the cloud is lost; use the Cholesky factor."
            ),
            """def my_points(codes, u):
    return torch.special.ndtri(u) @ torch.cov(codes.T) + codes.mean(dim=0)""": (
                "The covariance itself stretches too much; its Cholesky factor is its root."
            ),
            """def my_points(codes, u):
    scale = torch.linalg.cholesky(torch.cov(codes.T))
    return torch.special.ndtri(u) @ scale + codes.mean(dim=0)""": "L is on the wrong side: for rows it is @ L.T.",
            """def my_points(codes, u):
    scale = torch.linalg.cholesky(torch.cov(codes.T))
    return u @ scale.T + codes.mean(dim=0)""": "The quantiles have to become normal numbers first: Φ⁻¹(u).",
        },
    ),
    Exercise(
        name="coverage",
        minutes=9,
        task="""Write `my_coverage(real, made, k)` for images of shape (n, pixels): the share of real images \
that have at least one made image nearer than (or as near as) their k-th nearest *other* real image.""",
        blank="def my_coverage(real, made, k):\n    return ...",
        hints=(
            "`torch.cdist(real, real)` holds a zero for every image and itself.",
            "So the k-th nearest *other* one stands at position k of the sorted row, counted from 0.",
        ),
        solution="""def my_coverage(real, made, k):
    own = torch.cdist(real, real).sort(dim=1).values[:, k]
    return (torch.cdist(real, made).amin(dim=1) <= own).float().mean()""",
        because="Copies of a sixth of the images cover, at k = 1, little more than that sixth.",
        truth=neighbours_counted,
        probes=((REAL, MADE, 1), (REAL, MADE, 5), (REAL, REAL + 9, 3), (*TIE, 1)),
        mistakes={
            """def my_coverage(real, made, k):
    own = torch.cdist(real, real).sort(dim=1).values[:, k - 1]
    return (torch.cdist(real, made).amin(dim=1) <= own).float().mean()""": (
                "Position k − 1 counts the image itself, at distance 0, as its first neighbour."
            ),
            """def my_coverage(real, made, k):
    own = torch.cdist(real, real).sort(dim=1).values[:, k].mean()
    return (torch.cdist(real, made).amin(dim=1) <= own).float().mean()""": (
                "One radius for all; every real image has its own, large where images are rare."
            ),
            """def my_coverage(real, made, k):
    own = torch.cdist(made, made).sort(dim=1).values[:, k]
    return (torch.cdist(made, real).amin(dim=1) <= own).float().mean()""": "Real and made are exchanged.",
            """def my_coverage(real, made, k):
    own = torch.cdist(real, real).sort(dim=1).values[:, k]
    return (torch.cdist(made, real) <= own).any(dim=1).float().mean()""": (
                "That is precision, a share of the *made* images; coverage is a share of the real ones."
            ),
            """def my_coverage(real, made, k):
    own = torch.cdist(real, real).sort(dim=1).values[:, k]
    return (torch.cdist(real, made).amin(dim=1) > own).float().mean()""": "That is the share that is *not* reached.",
        },
    ),
]
