"""Exercises of chapter 12: a label with its price, a chain of squared errors, and axes that are held or not."""

import math

import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_helpers.exercises.core import Exercise


def by_library(a, b, variance):
    return kl_divergence(Normal(a, variance**0.5), Normal(b, variance**0.5)).sum().item()


def gap_of_upright(first, second):
    """KL from the best upright Gaussian to the tilted one, by the library."""
    turn = torch.tensor([[1.0, -1.0], [1.0, 1.0]], dtype=torch.float64) / 2**0.5
    widths = torch.tensor([first, second], dtype=torch.float64)
    tilted = MultivariateNormal(torch.zeros(2, dtype=torch.float64), turn @ torch.diag(widths**2) @ turn.T)
    upright = torch.diag(1 / tilted.precision_matrix.diag())
    return kl_divergence(MultivariateNormal(torch.zeros(2, dtype=torch.float64), upright), tilted).item()


A, B = torch.tensor([1.0, 2.0, -1.0]), torch.tensor([0.5, 2.5, 0.0])

CODES = torch.randn(2000, 2, generator=torch.Generator().manual_seed(12)) @ torch.tensor([[1.0, 1.0], [0.0, 0.5]])

EXERCISES = [
    Exercise(
        name="price-of-a-label",
        minutes=4,
        task="""A VAE needs 30.3 nats for an image. A conditional VAE needs 25.3 nats for an image whose label \
is given. Ten labels, equally frequent. By how many nats is the conditional model the better description of \
image *and* label, compared with the plain one's description of the image alone?""",
        blank="my_gain = ...",
        hints=("The label has to be paid for too.", "One of ten equal cases costs log 10 nats."),
        solution="my_gain = 30.3 - 25.3 - math.log(10)",
        because="2.7 nats.",
        truth=5 - math.log(10),
        mistakes={
            "my_gain = 30.3 - 25.3": "The label is not free: it has to be described as well.",
            "my_gain = 30.3 - 25.3 + math.log(10)": "The label adds to the cost of the conditional model.",
            "my_gain = 30.3 - 25.3 - math.log2(10)": "Those are bits; log 10 = 2.30 nats.",
            "my_gain = 30.3 - 25.3 - 1": "One of ten cases costs log 10 nats, not 1.",
        },
    ),
    Exercise(
        name="kl-of-a-step",
        minutes=5,
        task="""Two Gaussians have the means `a` and `b` (shape (d,)) and the same `variance` in every \
coordinate. Write `my_step(a, b, variance)`: their KL divergence.""",
        blank="def my_step(a, b, variance):\n    return ...",
        hints=("The widths agree, so only the shift costs.", "‖a − b‖² / (2 · variance)."),
        solution="def my_step(a, b, variance):\n    return ((a - b) ** 2).sum() / (2 * variance)",
        because="So every step of a diffusion model is trained with a squared error.",
        truth=by_library,
        probes=((A, B, 1.0), (A, B, 0.01), (B, A, 4.0)),
        mistakes={
            "def my_step(a, b, variance):\n    return ((a - b) ** 2).sum() / variance": "The ½ is missing.",
            "def my_step(a, b, variance):\n    return ((a - b) ** 2).mean() / (2 * variance)": (
                "The coordinates are independent: their nats add, sum instead of mean."
            ),
            "def my_step(a, b, variance):\n    return ((a - b) ** 2).sum() / (2 * variance**2)": (
                "`variance` is σ² already."
            ),
            "def my_step(a, b, variance):\n    return ((a - b) ** 2).sum() / 2": (
                "The shift counts in units of the width."
            ),
            "def my_step(a, b, variance):\n    return ((a - b) ** 2).sum().sqrt() / (2 * variance)": (
                "The square root is too much."
            ),
        },
    ),
    Exercise(
        name="price-of-turning",
        minutes=8,
        task="""Two code units have the standard deviations `first` and `second`. They are turned by 45 degrees, \
and the encoder must answer with an upright Gaussian. Write `my_price(first, second)`: the nats that are lost. \
(The best upright Gaussian has the diagonal of the precision matrix.)""",
        blank="def my_price(first, second):\n    return ...",
        hints=(
            "Precisions p = 1/σ². After 45 degrees both diagonal entries are their mean.",
            "½ (Σ log Pᵢᵢ − log det P), and the determinant does not change.",
        ),
        solution="""def my_price(first, second):
    p, q = first**-2, second**-2
    return math.log((p + q) / 2) - 0.5 * math.log(p * q)""",
        because="The log of the arithmetic over the geometric mean of the precisions: 0 for equal widths.",
        truth=gap_of_upright,
        probes=((0.07, 0.07), (0.07, 0.14), (1.0, 0.1), (0.3, 0.2)),
        mistakes={
            """def my_price(first, second):
    p, q = first**2, second**2
    return math.log((p + q) / 2) - 0.5 * math.log(p * q) + 0.5 * abs(math.log(p / q))""": (
                "For two units precisions and variances give the same price, but nothing has to be added."
            ),
            """def my_price(first, second):
    p, q = first**-1, second**-1
    return math.log((p + q) / 2) - 0.5 * math.log(p * q)""": "A precision is one over the *variance*.",
            """def my_price(first, second):
    p, q = first**-2, second**-2
    return math.log((p + q) / 2) - math.log(p * q)""": "There is a ½ in front of log det P.",
            """def my_price(first, second):
    p, q = first**-2, second**-2
    return 0.5 * (math.log((p + q) / 2) - 0.5 * math.log(p * q))""": (
                "Both diagonal entries are the mean, so it counts twice and the ½ cancels."
            ),
            """def my_price(first, second):
    return 0.0""": "That is right for equal widths only.",
        },
    ),
    Exercise(
        name="independent-codes",
        minutes=6,
        task="""A critic should compare codes `z`, shape (n, d), with codes whose units are *independent* but \
distributed as before. Write `my_shuffle(z)`, which makes the second from the first.""",
        blank="def my_shuffle(z):\n    return ...",
        hints=("Each unit keeps its values, but in another order.", "A permutation of its own for every column."),
        solution="""def my_shuffle(z):
    return torch.stack([column[torch.randperm(len(z))] for column in z.T], dim=1)""",
        because="One order for all columns changes nothing; an order inside each code mixes the units.",
        truth=None,
        probes=((CODES,),),
        must=(
            ("not yet: the result should have the shape of z.", lambda f: f(CODES.clone()).shape == CODES.shape),
            (
                "not yet: every unit should keep its own values.",
                lambda f: torch.equal(f(CODES.clone()).sort(dim=0).values, CODES.sort(dim=0).values),
            ),
            (
                "not yet: the units are still dependent.",
                lambda f: abs(torch.corrcoef(f(CODES.clone()).T)[0, 1]) < 0.1,
            ),
        ),
        mistakes={
            "def my_shuffle(z):\n    return z[torch.randperm(len(z))]": (
                "One order for all columns: the codes stay whole, and the units as dependent as before."
            ),
            "def my_shuffle(z):\n    return z.gather(1, torch.rand(z.shape).argsort(dim=1))": (
                "That shuffles inside each code, so that units exchange their values."
            ),
            "def my_shuffle(z):\n    return torch.randn_like(z)": (
                "Those are draws from N(0, I); the units should be distributed as before."
            ),
            "def my_shuffle(z):\n    return z.flip(0)": "The same order for all columns again, and no chance in it.",
        },
    ),
]
