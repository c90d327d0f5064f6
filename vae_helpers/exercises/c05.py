"""Exercises of chapter 05: the formula, its slope, and the slips that its zero shows."""

import math

import torch
from torch.distributions import Normal, kl_divergence

from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(5)
CODES = tuple(tuple(torch.randn(2, 4, d, generator=GENERATOR)) for d in (1, 2, 7))


def by_library(mu, logvar):
    return kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(dim=1)


def slope_by_autograd(sigma):
    sigma = torch.tensor(float(sigma), requires_grad=True)
    kl_divergence(Normal(0.3, sigma), Normal(0.0, 1.0)).backward()
    return sigma.grad.item()


def two_by_library(m, s, mean, scale):
    return kl_divergence(Normal(m, s), Normal(mean, scale)).item()


EXERCISES = [
    Exercise(
        name="kl-one-line",
        minutes=5,
        task="""Write `my_kl(mu, logvar)`: the KL divergence of $\\mathcal N(\\mu, \\sigma^2)$ from $\\mathcal \
N(0, I)$. Both inputs have shape (images, units); one number per image, in nats, for any number of units.""",
        blank="def my_kl(mu, logvar):\n    return ...",
        hints=(
            "Per unit: ½ (μ² + σ² − 1 − log σ²).",
            "σ² is `logvar.exp()`, log σ² is `logvar`; the nats of independent units add.",
        ),
        solution="def my_kl(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)",
        because="It is 0 at μ = 0, log σ² = 0 and positive everywhere else.",
        truth=by_library,
        probes=((torch.zeros(3, 2), torch.zeros(3, 2)), *CODES),
        mistakes={
            "def my_kl(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(dim=1)": (
                "That is the mean over the units. The nats of independent units add: sum(dim=1)."
            ),
            "def my_kl(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()": (
                "That sums over the images too; one number per image is wanted."
            ),
            "def my_kl(mu, logvar):\n    return (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)": "The ½ is missing.",
            "def my_kl(mu, logvar):\n    return -0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)": (
                "The sign is wrong: a divergence is never negative."
            ),
            "def my_kl(mu, logvar):\n    return 0.5 * (mu**2 + (2 * logvar).exp() - 1 - 2 * logvar).sum(dim=1)": (
                "logvar is read as log σ here. It is log σ², so σ² is logvar.exp()."
            ),
            "def my_kl(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - logvar).sum(dim=1)": (
                "The −1 is missing, so that the prior itself has a price of ½ per unit."
            ),
            "def my_kl(mu, logvar):\n    return -0.5 * (1 + logvar - mu**2 - logvar.exp()).mean()": (
                "The mean over images *and* units: the code of many tutorials, with β divided by the number of units."
            ),
        },
    ),
    Exercise(
        name="kl-slope",
        minutes=6,
        task="""Write `my_slope(sigma)`: the derivative of the KL term of one unit with respect to $\\sigma$ \
(not $\\sigma^2$, not $\\log\\sigma^2$), at $\\mu = 0.3$.""",
        blank="def my_slope(sigma):\n    return ...",
        hints=("μ² does not depend on σ.", "Differentiate ½σ² − log σ."),
        solution="def my_slope(sigma):\n    return sigma - 1 / sigma",
        because="Zero at σ = 1, without bound near 0: that is what keeps the noise alive.",
        truth=slope_by_autograd,
        probes=((0.25,), (0.5,), (1.0,), (3.0,)),
        mistakes={
            "def my_slope(sigma):\n    return (sigma - 1) / sigma": (
                "That stands in a well-known forum answer. Its zero is right, its values are not: try σ = ½."
            ),
            "def my_slope(sigma):\n    return (sigma**2 - 1) / (2 * sigma**2)": (
                "That is the derivative with respect to the variance σ²."
            ),
            "def my_slope(sigma):\n    return (sigma**2 - 1) / 2": "That is the derivative with respect to log σ².",
            "def my_slope(sigma):\n    return 1 / sigma - sigma": "The sign is wrong: above σ = 1 the price rises.",
            "def my_slope(sigma):\n    return sigma - 1": "The derivative of −log σ is −1/σ, not −1.",
            "def my_slope(sigma):\n    return 0.3 + sigma - 1 / sigma": (
                "μ is a constant here; its part has no slope in σ."
            ),
        },
    ),
    Exercise(
        name="lost-half",
        minutes=5,
        task="""A colleague codes the term as $\\mu^2 + \\sigma^2 - \\log\\sigma - \\tfrac12$. At which \
$\\sigma$ is this smallest, and what does it say of the prior itself ($\\mu = 0$, $\\sigma = 1$)? Give both \
numbers.""",
        blank="my_found = ...",
        hints=("Set the derivative 2σ − 1/σ to zero.", "What must the price of the prior itself be?"),
        solution="my_found = 2**-0.5, 0.5",
        because="Training would aim at σ = 0.707, and one evaluation at the prior shows the slip: ½ instead of 0.",
        truth=(math.sqrt(0.5), 0.5),
        mistakes={
            "my_found = 1.0, 0.0": "That is the right formula's answer; this one has lost a ½ in front of the squares.",
            "my_found = 1.0, 0.5": "The price is right. The minimum has moved: 2σ − 1/σ = 0.",
            "my_found = 2**-0.5, 0.0": "The width is right. Put μ = 0 and σ = 1 in: 0 + 1 − 0 − ½.",
            "my_found = 0.5, 0.5": "2σ = 1/σ gives σ² = ½.",
            "my_found = 2**0.5, 0.5": "2σ = 1/σ gives σ² = ½, not 2.",
        },
    ),
    Exercise(
        name="kl-two-gaussians",
        minutes=8,
        task="""Write `my_divergence(m, s, mean, scale)`: the KL divergence of $\\mathcal N(m, s^2)$ **from** \
$\\mathcal N(\\text{mean}, \\text{scale}^2)$, for plain numbers.""",
        blank="def my_divergence(m, s, mean, scale):\n    return ...",
        hints=(
            "Shift and stretch both until the second is N(0, 1); the divergence does not change.",
            "μ = (m − mean)/scale and σ = s/scale in the formula of this chapter.",
        ),
        solution="""def my_divergence(m, s, mean, scale):
    mu, sigma = (m - mean) / scale, s / scale
    return 0.5 * (mu**2 + sigma**2 - 1 - 2 * np.log(sigma))""",
        because="The divergence does not see units, so that one formula is enough for any two Gaussians.",
        truth=two_by_library,
        probes=((0.0, 1.0, 0.0, 1.0), (1.0, 0.5, 0.0, 2.0), (-2.0, 3.0, 1.0, 0.7), (0.0, 1.0, 0.0, 2.0)),
        mistakes={
            """def my_divergence(m, s, mean, scale):
    mu, sigma = (mean - m) / s, scale / s
    return 0.5 * (mu**2 + sigma**2 - 1 - 2 * np.log(sigma))""": (
                "That is the other order: the divergence is not symmetric."
            ),
            """def my_divergence(m, s, mean, scale):
    return 0.5 * (m**2 + s**2 - 1 - 2 * np.log(s))""": (
                "The second Gaussian is not used; that is the price against N(0, 1)."
            ),
            """def my_divergence(m, s, mean, scale):
    mu, sigma = m - mean, s / scale
    return 0.5 * (mu**2 + sigma**2 - 1 - 2 * np.log(sigma))""": (
                "The distance of the means is measured in units of `scale`."
            ),
            """def my_divergence(m, s, mean, scale):
    mu, sigma = (m - mean) / scale, s / scale
    return 0.5 * (mu**2 + sigma**2 - 1 - np.log(sigma))""": "log σ² is 2 log σ.",
            """def my_divergence(m, s, mean, scale):
    mu, variance = (m - mean) / scale, s / scale
    return 0.5 * (mu**2 + variance - 1 - np.log(variance))""": (
                "s and scale are standard deviations; the formula takes squares."
            ),
        },
    ),
    Exercise(
        name="one-nat",
        minutes=4,
        task="""At $\\sigma = 1$: how far from 0 may $\\mu$ lie for one nat? And at $\\mu = 0$, $\\sigma < 1$: \
how many *more* nats does each halving of a tiny $\\sigma$ cost, in the limit? Give both.""",
        blank="my_prices = ...",
        hints=("½ μ² = 1.", "For tiny σ only −log σ is left; what does halving add?"),
        solution="my_prices = 2**0.5, np.log(2)",
        because="√2, and log 2 = 0.69 nats, one bit for each halving.",
        truth=(math.sqrt(2), math.log(2)),
        within=5e-3,
        mistakes={
            "my_prices = 1.0, np.log(2)": "½ μ² = 1 gives μ = √2.",
            "my_prices = 2.0, np.log(2)": "½ μ² = 1 gives μ² = 2, so μ = √2.",
            "my_prices = 2**0.5, 1.0": "One *bit* per halving, which is log 2 nats.",
            "my_prices = 2**0.5, 0.5 * np.log(2)": "−½ log σ² is −log σ; halving σ adds log 2.",
            "my_prices = 2**0.5, 2 * np.log(2)": "log σ² falls by 2 log 2, and there is a ½ in front.",
        },
    ),
]
