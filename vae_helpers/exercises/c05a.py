"""Exercises of the appendix 05a: correlations, rotations, and the scatter of one draw."""

import torch
from torch.distributions import MultivariateNormal, kl_divergence

from vae_helpers.exercises.core import Exercise

MEAN = torch.tensor([0.5, -1.0])
WIDE = torch.tensor([[2.0, 0.6], [0.6, 0.5]])


def by_library(mean, covariance):
    d = len(mean)
    return kl_divergence(MultivariateNormal(mean, covariance), MultivariateNormal(torch.zeros(d), torch.eye(d))).item()


EXERCISES = [
    Exercise(
        name="kl-with-correlations",
        minutes=7,
        task="""Write `my_kl(mean, covariance)`: the KL divergence of $\\mathcal N(\\text{mean}, \
\\text{covariance})$ from $\\mathcal N(0, I)$ for a covariance that need not be diagonal. Shapes (d,) and (d, \
d).""",
        blank="def my_kl(mean, covariance):\n    return ...",
        hints=(
            "½ (mᵀm + trace − d − log det).",
            "`covariance.trace()`, `torch.logdet(covariance)`, and d = len(mean).",
        ),
        solution="""def my_kl(mean, covariance):
    return 0.5 * (mean @ mean + covariance.trace() - len(mean) - torch.logdet(covariance))""",
        because="Correlations appear in the determinant only, and always cost.",
        truth=by_library,
        probes=((MEAN, WIDE), (MEAN, torch.eye(2)), (torch.zeros(3), 0.25 * torch.eye(3))),
        mistakes={
            """def my_kl(mean, covariance):
    v = covariance.diag()
    return 0.5 * (mean**2 + v - 1 - v.log()).sum()""": "That sees the variances only; correlations are missing.",
            """def my_kl(mean, covariance):
    return 0.5 * (mean @ mean + covariance.trace() - 1 - torch.logdet(covariance))""": "It is − d, one for every unit.",
            """def my_kl(mean, covariance):
    return 0.5 * (mean @ mean + covariance.trace() - len(mean) + torch.logdet(covariance))""": (
                "The sign of the log determinant: a narrow cloud costs."
            ),
            """def my_kl(mean, covariance):
    return mean @ mean + covariance.trace() - len(mean) - torch.logdet(covariance)""": "The ½ is missing.",
            """def my_kl(mean, covariance):
    return 0.5 * (mean @ mean + covariance.sum() - len(mean) - torch.logdet(covariance))""": (
                "The trace is the sum of the diagonal, not of all entries."
            ),
        },
    ),
    Exercise(
        name="rotated-posterior",
        minutes=6,
        task="""$q = \\mathcal N(0, \\mathrm{diag}(4, \\tfrac14))$ is rotated by 45 degrees. What is its KL \
divergence from $\\mathcal N(0, I)$ now, and what does the diagonal formula give when it is fed with the new \
variances? Give both.""",
        blank="my_prices = ...",
        hints=(
            "The prior looks alike from all sides, so the first does not change.",
            "The new variances are both ½ (4 + ¼) = 2.125.",
        ),
        solution="""my_prices = (
    0.5 * (4 + 0.25 - 2),
    2.125 - 1 - torch.tensor(2.125).log(),
)""",
        because="1.125 and 0.371 nats: the difference is what the correlation is worth.",
        truth=(1.125, 0.37123),
        mistakes={
            "my_prices = 1.125, 1.125": "The diagonal formula does not see the correlation, and gives less.",
            "my_prices = 0.371, 0.371": "The true divergence does not change under a rotation: 1.125.",
            "my_prices = 0.371, 1.125": "They are exchanged.",
            "my_prices = 2.25, 0.371": "The ½ is missing in the first.",
            "my_prices = 1.125, 0.1856": "Two units have the variance 2.125 each; this is one of them.",
        },
    ),
    Exercise(
        name="scatter-of-a-draw",
        minutes=5,
        task="""One draw estimates the KL term of $\\mathcal N(\\mu, 1)$ by $\\log q(z) - \\log p(z)$. For which \
$\\mu > 0$ is the standard deviation of this estimate as large as the KL itself?""",
        blank="my_mu = ...",
        hints=("log q(z) − log p(z) = μz − ½μ² with z = μ + ε.", "Its standard deviation is μ, its mean ½μ²."),
        solution="my_mu = 2.0",
        because="Below μ = 2 one draw is mostly noise; the closed form has none.",
        truth=2.0,
        mistakes={
            "my_mu = 1.0": "At μ = 1 the scatter is 1 and the KL ½.",
            "my_mu = 2**0.5": "At √2 the KL is 1 nat, the scatter 1.41.",
            "my_mu = 0.0": "There both are zero; a positive μ is asked for.",
            "my_mu = 4.0": "At μ = 4 the KL is 8 and the scatter 4.",
        },
    ),
]
