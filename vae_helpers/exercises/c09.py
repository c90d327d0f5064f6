"""Exercises of chapter 09: what the rate consists of, and a density fitted afterwards."""

import math

import torch
from torch.distributions import Categorical, MixtureSameFamily, Normal

from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(9)
MU, LOGVAR = torch.randn(30, 1, generator=GENERATOR), torch.full((30, 1), -2.0)
Z = torch.randn(12, 1, generator=GENERATOR)


def by_mixture(z, mu, logvar):
    parts = Normal(mu[:, 0].double(), (0.5 * logvar[:, 0].double()).exp())
    mixture = MixtureSameFamily(Categorical(torch.ones(len(mu), dtype=torch.float64)), parts)
    return mixture.log_prob(z[:, 0].double()).float()


EXERCISES = [
    Exercise(
        name="aggregate-density",
        minutes=9,
        task="""Write `my_log_q(z, mu, logvar)`: $\\log q(z)$ of the *aggregate* posterior, the mixture of the \
posteriors of n images. Shapes: z (m, 1), mu and logvar (n, 1); m numbers. One code unit, to keep it short.""",
        blank="def my_log_q(z, mu, logvar):\n    return ...",
        hints=(
            "An (m, n) table of log densities: −½ ((z − μᵀ)²/σ² + log σ² + log 2π).",
            "The mean of the densities over the images: logsumexp over dim=1, minus log n.",
        ),
        solution="""def my_log_q(z, mu, logvar):
    squares = (z - mu.T) ** 2 / logvar.T.exp()
    table = -0.5 * (squares + logvar.T + math.log(2 * math.pi))
    return torch.logsumexp(table, dim=1) - math.log(len(mu))""",
        because="The rate is I(x; z) + KL(q(z) ‖ p(z)), and this is the q(z) of the second part.",
        truth=by_mixture,
        probes=((Z, MU, LOGVAR), (Z, MU[:2], LOGVAR[:2]), (Z + 5, MU, LOGVAR)),
        mistakes={
            """def my_log_q(z, mu, logvar):
    squares = (z - mu.T) ** 2 / logvar.T.exp()
    table = -0.5 * (squares + logvar.T + math.log(2 * math.pi))
    return torch.logsumexp(table, dim=1)""": "The densities are averaged over the images: log n is missing.",
            """def my_log_q(z, mu, logvar):
    squares = (z - mu.T) ** 2 / logvar.T.exp()
    table = -0.5 * (squares + logvar.T + math.log(2 * math.pi))
    return table.mean(dim=1)""": "That is the mean of the logarithms; the density of a mixture averages densities.",
            """def my_log_q(z, mu, logvar):
    squares = (z[:, 0] - mu.mean()) ** 2 / mu.var()
    return -0.5 * (squares + (2 * torch.pi * mu.var()).log())""": (
                "That is a Gaussian fitted to the means, not the mixture."
            ),
            """def my_log_q(z, mu, logvar):
    squares = (z - mu.T) ** 2 / logvar.T.exp()
    table = -0.5 * (squares + math.log(2 * math.pi))
    return torch.logsumexp(table, dim=1) - math.log(len(mu))""": "The term log σ² of the density is missing.",
        },
    ),
    Exercise(
        name="largest-information",
        minutes=3,
        task="""A training set has 60,000 images. How many nats can a code at most tell about *which* image it \
is?""",
        blank="my_nats = ...",
        hints=("If every image can be told from every other …", "… the information is the log of their number."),
        solution="my_nats = math.log(60_000)",
        because="11.0 nats: a rate above that is spent on something else, mostly on lying far from N(0, I).",
        truth=math.log(60_000),
        mistakes={
            "my_nats = math.log2(60_000)": "Those are bits; nats take the natural logarithm.",
            "my_nats = 60_000": "The number of images is exp(nats).",
            "my_nats = math.log10(60_000)": "Nats take the natural logarithm.",
            "my_nats = 0.5 * math.log(60_000)": "There is no ½: it is the entropy of one of n equal cases.",
        },
    ),
    Exercise(
        name="what-follows",
        minutes=3,
        task="""Which sentence about a trained VAE is right?

- **A**: Every $q(z|x)$ is close to $\\mathcal N(0, I)$.
- **B**: The codes μ of all images follow $\\mathcal N(0, I)$.
- **C**: The average of all $q(z|x)$ should be close to $\\mathcal N(0, I)$, while each of them is narrow.
- **D**: The KL term makes $q(z)$ equal to $\\mathcal N(0, I)$.""",
        blank="my_verdict = ...",
        hints=("If each were N(0, I), what would the code tell?", "rate = I(x; z) + KL(q(z) ‖ p(z))."),
        solution='my_verdict = "C"',
        because="The average is drawn towards the prior; each single posterior has to stay narrow to be of use.",
        truth="C",
        mistakes={
            'my_verdict = "A"': "Then the code would tell nothing: that is collapse.",
            'my_verdict = "B"': "The means alone have less variance than 1; the noise σ² makes up the rest.",
            'my_verdict = "D"': "It pulls towards it, and pays: holes and a rest in nats remain.",
            'my_verdict = "all"': "One letter is wanted.",
        },
    ),
    Exercise(
        name="rate-split",
        minutes=3,
        task="""A VAE spends 5.3 nats per image on average. Its aggregate posterior lies 0.2 nats from \
$\\mathcal N(0, I)$. How many nats does the code tell about the image?""",
        blank="my_information = ...",
        hints=("rate = information + KL(q(z) ‖ p(z)).",),
        solution="my_information = 5.3 - 0.2",
        because="5.1 nats; the rest is paid for lying in the wrong place.",
        truth=5.1,
        mistakes={
            "my_information = 5.3": (
                "0.2 of these nats are the price of the whole cloud, and tell nothing about an image."
            ),
            "my_information = 5.5": "The two parts add up to the rate.",
            "my_information = 0.2": "That is the part that tells nothing.",
            "my_information = 5.3 / 0.2": "The parts are added, not multiplied.",
        },
    ),
]
