"""Exercises of chapter 02: draws that let the gradient through, and how to catch one that does not."""

import torch

from vae_helpers.exercises.core import Exercise

N = 20_000
MU, LOGVAR = torch.full((N // 2, 2), 1.5), torch.full((N // 2, 2), -1.0)
SIGMA = 0.6065  # exp(−½)


def slopes(draw):
    """The draws, and how they change with μ and log σ²."""
    mu, logvar = MU.clone().requires_grad_(), LOGVAR.clone().requires_grad_()
    z = draw(mu, logvar)
    gradients = torch.autograd.grad(z.sum(), (mu, logvar), allow_unused=True) if z.requires_grad else (None, None)
    return z.detach(), *gradients


def follows_the_width(draw):
    z, _, slope = slopes(draw)
    return slope is not None and torch.allclose(slope, 0.5 * (z - MU), atol=1e-3)


def right(mu, logvar):
    return mu + (0.5 * logvar).exp() * torch.randn_like(mu)


def one_noise_for_all(mu, logvar):
    return mu + (0.5 * logvar).exp() * torch.randn(())


def uniform_noise(mu, logvar):
    return mu + (0.5 * logvar).exp() * torch.rand_like(mu)


def variance_for_width(mu, logvar):
    return mu + logvar.exp() * torch.randn_like(mu)


def frozen_noise(mu, logvar):
    return mu + (0.5 * logvar).exp() * 0.5


def no_mean(mu, logvar):
    return (0.5 * logvar).exp() * torch.randn_like(mu)


# What a sampler has to do, and what to say where it does not.
FAIR_DRAW = (
    ("not yet: the draws do not have the shape of mu.", lambda f: slopes(f)[0].shape == MU.shape),
    ("not yet: all draws are the same.", lambda f: slopes(f)[0].std() > 1e-3),
    ("not yet: the mean of many draws is not mu.", lambda f: abs(slopes(f)[0].mean() - 1.5) < 0.02),
    (
        "not yet: the standard deviation of many draws is not σ = exp(½ logvar).",
        lambda f: abs(slopes(f)[0].std() - SIGMA) < 0.02,
    ),
    (
        "not yet: the draws are not normal; the share of them beyond 2σ is another.",
        lambda f: abs(((slopes(f)[0] - 1.5).abs() > 2 * SIGMA).float().mean() - 0.0455) < 0.01,
    ),
    (
        "not yet: all units of an image have the same noise.",
        lambda f: abs(torch.corrcoef(slopes(f)[0].T)[0, 1]) < 0.05,
    ),
    ("not yet: every call gives the same noise.", lambda f: not torch.equal(f(MU, LOGVAR), f(MU, LOGVAR))),
    (
        "not yet: the gradient does not reach mu with slope 1 (is there a detach, or torch.normal?).",
        lambda f: slopes(f)[1] is not None and torch.allclose(slopes(f)[1], torch.ones_like(MU)),
    ),
    ("not yet: the gradient does not reach logvar as it should, ½ (z − μ).", follows_the_width),
)

EXERCISES = [
    Exercise(
        name="reparameterise",
        minutes=5,
        task="""Write `my_draw(mu, logvar)`: one draw from $\\mathcal N(\\mu, \\sigma^2)$ for every entry, \
through which the gradient reaches both inputs.""",
        blank="def my_draw(mu, logvar):\n    return ...",
        hints=(
            "Noise that depends on nothing, then shifted and stretched.",
            "σ is exp(½ log σ²), and `torch.randn_like(mu)` has the shape that you need.",
        ),
        solution="def my_draw(mu, logvar):\n    return mu + (0.5 * logvar).exp() * torch.randn_like(mu)",
        because="The noise is drawn outside, so z is a smooth function of μ and log σ².",
        truth=None,
        probes=((MU, LOGVAR),),
        must=FAIR_DRAW,
        mistakes={
            "def my_draw(mu, logvar):\n    return mu + logvar.exp() * torch.randn_like(mu)": (
                "exp(logvar) is the variance; the noise has to be stretched by its root, exp(½ logvar)."
            ),
            "def my_draw(mu, logvar):\n    return mu + (0.5 * logvar).exp() * torch.rand_like(mu)": (
                "rand_like draws uniformly from 0 to 1; the noise of a Gaussian comes from randn_like."
            ),
            "def my_draw(mu, logvar):\n    return mu + logvar * torch.randn_like(mu)": (
                "logvar is a logarithm and may be negative; the noise is stretched by σ = exp(½ logvar)."
            ),
            "def my_draw(mu, logvar):\n    return torch.normal(mu, (0.5 * logvar).exp())": (
                "The draws are right, but no gradient gets through (torch.normal and detach cut it)."
            ),
            "def my_draw(mu, logvar):\n    return mu + (0.5 * logvar).exp() * torch.randn(())": (
                "There is one noise for all entries; every code needs its own, torch.randn_like(mu)."
            ),
        },
    ),
    Exercise(
        name="uniform-noise",
        minutes=4,
        task="""Somebody writes `torch.rand_like` in place of `torch.randn_like`. Which mean and standard \
deviation do the draws have for $\\mu = 1.5$ and $\\sigma = 0.5$? Give both, to three digits.""",
        blank="my_draws = ...",
        hints=(
            "rand_like is uniform on [0, 1].",
            "A uniform number on [0, 1] has mean ½ and standard deviation 1/√12.",
        ),
        solution="my_draws = 1.5 + 0.5 * 0.5, 0.5 / 12**0.5",
        because="Mean 1.75, deviation 0.144. Nothing stops: the Gaussian that is charged is not the one that is drawn.",
        truth=(1.75, 0.1443),
        within=5e-3,
        mistakes={
            "my_draws = 1.5, 0.5": "That is what randn_like gives; uniform numbers from 0 to 1 are not centred at 0.",
            "my_draws = 1.5, 0.5 / 12**0.5": "The width is right. The uniform noise has mean ½ and moves the mean too.",
            "my_draws = 2.0, 0.5 / 12**0.5": "The shift is σ times the mean of the noise, 0.5 · 0.5, not ½.",
            "my_draws = 1.75, 12**-0.5": "That is the width of the uniform noise itself; it is stretched by σ = 0.5.",
            "my_draws = 1.75, 0.5 / 12": "1/12 is the variance of the uniform noise; its deviation is the root.",
        },
    ),
    Exercise(
        name="sampler-test",
        minutes=8,
        task="""A sampling layer may be wrong without any error or odd curve. Write `my_is_right(sampler)`, \
which returns `True` for a right `sampler(mu, logvar)` and `False` for a wrong one. A sampler takes two tensors \
of the same shape; every entry needs noise of its own. The check hands your test six samplers.""",
        blank="def my_is_right(sampler):\n    return ...",
        hints=(
            "Encode one image many times: what should differ, and by how much?",
            "With 20,000 equal entries of mu and logvar, compare mean and standard deviation of the draws.",
            "One of the wrong ones has the right mean and width over many calls, but uses one noise for all entries.",
        ),
        solution="""def my_is_right(sampler, n=20_000):
    mu, logvar = torch.full((n, 1), 0.3), torch.full((n, 1), -1.0)
    z = sampler(mu, logvar)
    return bool(abs(z.mean() - 0.3) < 0.02 and abs(z.std() - (0.5 * logvar).exp().mean()) < 0.02)""",
        because="Mean and width of many draws, against μ and exp(½ logvar), catch all of the wrong ones.",
        truth=lambda sampler: sampler is right,
        probes=tuple(
            (f,) for f in (right, frozen_noise, uniform_noise, variance_for_width, one_noise_for_all, no_mean)
        ),
        mistakes={
            "def my_is_right(sampler):\n    return True": "It accepts every sampler, and so is no test.",
            "def my_is_right(sampler):\n    return False": "It refuses the right sampler too.",
            """def my_is_right(sampler):
    z = sampler(torch.zeros(1000, 1), torch.zeros(1000, 1))
    return bool(abs(z.mean()) < 0.1 and abs(z.std() - 1) < 0.1)""": (
                "At σ = 1 variance and deviation agree, and at μ = 0 a missing mean does; try other values."
            ),
            """def my_is_right(sampler):
    mu, logvar = torch.full((20000, 1), 0.3), torch.full((20000, 1), -1.0)
    return bool(abs(sampler(mu, logvar).mean() - 0.3) < 0.02)""": (
                "It accepts the sampler that takes the variance for the width: test the width too, at σ other than 1."
            ),
            """def my_is_right(sampler):
    mu, logvar = torch.full((20000, 1), 0.3), torch.full((20000, 1), -1.0)
    return bool(abs(sampler(mu, logvar).std() - math.exp(-0.5)) < 0.02)""": (
                "It accepts the sampler that drops μ: test the mean too, at μ other than 0."
            ),
        },
    ),
    Exercise(
        name="score-crossing",
        minutes=8,
        task="""The loss is $f(z) = \\sin(\\omega z)$ with $z \\sim \\mathcal N(0.5, 1.5^2)$. For small \
$\\omega$ the path estimate of the gradient with respect to $\\mu$ varies less than the score function (without \
a baseline), for large $\\omega$ more. 1.5 is the standard deviation. At which $\\omega$ do their variances \
cross? Two digits.""",
        blank="my_omega = ...",
        hints=(
            "The path estimate is ω cos(ωz), the score-function estimate sin(ωz) (z − μ)/σ².",
            "Draw a million z once, and print the ratio of the two variances for ω from 0.5 to 1.",
        ),
        solution="my_omega = 0.72",
        because="Near 0.72. A wavy loss is what makes the path estimate vary; the crossing moves with σ.",
        truth=0.724,
        within=0.015,
        mistakes={
            "my_omega = 1.0": "At ω = 1 the score function already has about a third of the variance.",
            "my_omega = 0.76": "That is the crossing with the mean of f as baseline; it is asked for without one.",
            "my_omega = 0.878": "1.5 is the standard deviation of z, not its variance.",
            "my_omega = 0.5": "At ω = 0.5 the path estimate still has the smaller variance, by a factor of about six.",
            "my_omega = 1 / 1.5": "1/σ is near, but there the path estimate is still better; compute both variances.",
            "my_omega = 2.0": "At ω = 2 the score function has about a tenth of the variance.",
        },
    ),
]
