"""Exercises of chapter 08: when a unit dies, what a β buys, and the usual rescues."""

import torch

from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(8)
UNITS = torch.rand(7, 3, generator=GENERATOR) * torch.tensor([0.2, 1.0, 4.0])


def clamped(units, least):
    return sum(max(column.mean().item(), least) for column in units.T)


def rising(done, end):
    return min(done / 0.5, 1.0) * end


def best_rate(s2, gamma2, beta):
    """The rate of the best linear VAE of one Gaussian number, found by trying 200,001 decoders."""
    w = torch.linspace(0, 2 * s2**0.5, 200_001, dtype=torch.float64)
    noise = beta * gamma2
    a, v = w / (w**2 + noise), noise / (w**2 + noise)  # the best encoder of each decoder
    rate = 0.5 * (a**2 * s2 + v - 1 - v.log())
    loss = ((1 - w * a) ** 2 * s2 + w**2 * v) / (2 * gamma2) + beta * rate
    return rate[loss.argmin()].item()


EXERCISES = [
    Exercise(
        name="threshold",
        minutes=4,
        task="""The largest eigenvalue of the covariance of some images is 3.2 (squared pixels). Squared error \
plus β times the KL: above which β does a linear VAE with one code unit let it die?""",
        blank="my_threshold = ...",
        hints=(
            "In the book's currency the decoder's variance is ½.",
            "A unit lives while its eigenvalue is above β σx².",
        ),
        solution="my_threshold = 3.2 / 0.5",
        because="β = 2λ = 6.4. With ½ of the squared error in the loss it would be 3.2.",
        truth=6.4,
        mistakes={
            "my_threshold = 3.2": (
                "That holds for ½ of the squared error; the book's squared error has decoder variance ½."
            ),
            "my_threshold = 1.6": "The decoder variance ½ divides the eigenvalue: λ / ½.",
            "my_threshold = 3.2**0.5": "An eigenvalue of the covariance is a variance already; no root is taken.",
            "my_threshold = 3.2**2": "The threshold is linear in the eigenvalue.",
        },
    ),
    Exercise(
        name="free-bits",
        minutes=7,
        task="""Write `my_free_bits(units, least)` for the loss: `units` is the KL of every unit, shape (images, \
units). Each unit's *average over the batch* is charged, but at least `least` nats; the charges of the units are \
added.""",
        blank="def my_free_bits(units, least):\n    return ...",
        hints=("Average first, over the images.", "`.clamp(min=least)` makes every smaller number equal to `least`."),
        solution="def my_free_bits(units, least):\n    return units.mean(dim=0).clamp(min=least).sum()",
        because="Below `least` the charge is constant, so nothing pulls the unit down further.",
        truth=clamped,
        probes=((UNITS, 0.5), (UNITS, 0.0), (UNITS, 10.0), (UNITS[:1], 0.5)),
        mistakes={
            "def my_free_bits(units, least):\n    return units.mean(dim=0).clamp(max=least).sum()": (
                "clamp(max=…) charges at most that much; free bits charge at least."
            ),
            "def my_free_bits(units, least):\n    return units.clamp(min=least).mean(dim=0).sum()": (
                "Here each image is raised by itself, so images far above and below do not cancel; average first."
            ),
            "def my_free_bits(units, least):\n    return units.sum(dim=1).mean().clamp(min=least)": (
                "That gives the whole code free nats; one unit may then take all and the others die."
            ),
            "def my_free_bits(units, least):\n    return (units.mean(dim=0) - least).clamp(min=0).sum()": (
                "Same gradients, other values: the charge should be `least` there, not 0."
            ),
            "def my_free_bits(units, least):\n    return units.mean(dim=0).clamp(min=least).mean()": (
                "The charges of the units are added, not averaged."
            ),
        },
    ),
    Exercise(
        name="warm-up",
        minutes=4,
        task="""Write `my_warm_up(done, end)`: the β to use when the share `done` of the training (0 to 1) is \
over. It rises evenly from 0 to `end` in the first half and stays there.""",
        blank="def my_warm_up(done, end):\n    return ...",
        hints=("At a quarter of the training it is half of `end`.", "`min(2 * done, 1)` rises and stays."),
        solution="def my_warm_up(done, end):\n    return end * min(2 * done, 1)",
        because="At first the code is free, so that units come alive before they have to pay.",
        truth=rising,
        probes=((0.0, 4.0), (0.1, 4.0), (0.25, 1.0), (0.5, 4.0), (1.0, 4.0)),
        mistakes={
            "def my_warm_up(done, end):\n    return end * done": (
                "That rises to the very end; it should arrive half-way."
            ),
            "def my_warm_up(done, end):\n    return end * 2 * done": (
                "It goes on rising: after the end it is twice `end`."
            ),
            "def my_warm_up(done, end):\n    return min(2 * done, end)": (
                "The slope should be 2 · end: with end = 4 this arrives at 1 only."
            ),
            "def my_warm_up(done, end):\n    return end * (1 - min(2 * done, 1))": "That falls from `end` to 0.",
            "def my_warm_up(done, end):\n    return end if done > 0.5 else 0.0": (
                "That is a step; an even rise is wanted."
            ),
        },
    ),
    Exercise(
        name="rate-of-beta",
        minutes=10,
        task="""Data are one number from $\\mathcal N(0, s^2)$; the decoder is $wz$ with noise variance \
$\\gamma^2$, and the loss is $-\\log p(x|z) + \\beta\\,$KL. $w$ is learned, $\\gamma^2$ is given. Write \
`my_rate(s2, gamma2, beta)`: the KL per number (without its β) of the best such model, in nats.""",
        blank="def my_rate(s2, gamma2, beta):\n    return ...",
        hints=(
            "At the optimum the distortion is D = min(s², βγ²).",
            "A Gaussian number at distortion D costs ½ log(s²/D) nats.",
        ),
        solution="""def my_rate(s2, gamma2, beta):
    distortion = torch.tensor(min(s2, beta * gamma2))
    return 0.5 * (s2 / distortion).log()""",
        because="Each fourfold β takes one bit away, until at βγ² = s² nothing is spent at all: collapse.",
        truth=best_rate,
        probes=((4.0, 0.5, 1.0), (4.0, 0.5, 4.0), (4.0, 0.5, 20.0), (1.0, 0.1, 0.5)),
        mistakes={
            """def my_rate(s2, gamma2, beta):
    return 0.5 * torch.tensor(s2 / (beta * gamma2)).log()""": (
                "Above βγ² = s² a rate cannot be negative; the unit is dead."
            ),
            """def my_rate(s2, gamma2, beta):
    distortion = torch.tensor(min(s2, beta * gamma2))
    return (s2 / distortion).log()""": "Per number it is *half* the logarithm of the ratio of variances.",
            """def my_rate(s2, gamma2, beta):
    distortion = torch.tensor(min(s2, beta * gamma2))
    return beta * 0.5 * (s2 / distortion).log()""": "That is β times the KL; the rate is the KL itself.",
            """def my_rate(s2, gamma2, beta):
    return 0.5 * torch.tensor(1 + s2 / gamma2).log()""": "That does not depend on β.",
            """def my_rate(s2, gamma2, beta):
    distortion = torch.tensor(min(s2, gamma2 / beta))
    return 0.5 * (s2 / distortion).log()""": "A higher β tolerates *more* distortion: βγ².",
            """def my_rate(s2, gamma2, beta):
    distortion = torch.tensor(min(s2, beta * gamma2))
    return 0.5 * (s2 / distortion).log2()""": "Those are bits; nats take the natural logarithm.",
        },
        within=2e-3,
    ),
]
