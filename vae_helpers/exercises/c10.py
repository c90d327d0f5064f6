"""Exercises of chapter 10: many dimensions, and a decision with a price."""

import math

import torch
from torch.distributions import Normal, kl_divergence

from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(10)
A, B = torch.randn(2, 16, generator=GENERATOR)
UNITS = (
    torch.randn(20, 5, generator=GENERATOR) * torch.tensor([2.0, 1.0, 0.3, 0.05, 0.0]),
    torch.tensor([-3.0, -1.0, -0.1, 0.0, 0.0]).repeat(20, 1),
)
SCORES = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0]), torch.tensor([2.5, 4.5, 6.0, 7.0])


def turned_by_plane(a, b, share):
    """The same point, built from a and the part of b at right angles to it."""
    angle = torch.acos((a @ b / (a.norm() * b.norm())).clamp(-1, 1))
    side = b / b.norm() - a / a.norm() * angle.cos()
    unit = a / a.norm() * (share * angle).cos() + side / side.norm() * (share * angle).sin()
    length = (1 - share) * a.norm() + share * b.norm()
    return unit * length


def cost_counted(usual, strange, threshold, rare, price):
    sent_back = sum(1 for s in usual.tolist() if s > threshold) / len(usual)
    accepted = sum(1 for s in strange.tolist() if s <= threshold) / len(strange)
    return (1 - rare) * sent_back + rare * price * accepted


def live_counted(mu, logvar, least):
    prior, count = Normal(0.0, 1.0), 0
    for i in range(mu.shape[1]):
        price = kl_divergence(Normal(mu[:, i], (0.5 * logvar[:, i]).exp()), prior).mean().item()
        count += price > least
    return count


EXERCISES = [
    Exercise(
        name="many-small-prices",
        minutes=4,
        task="""Every one of 64 code units has mean 0 and standard deviation 0.9 for every image. Nobody would \
call one of them informative. How many nats is the KL term of the whole code?""",
        blank="my_nats = ...",
        hints=("One unit: ½ (0.81 − 1 − log 0.81).", "Units are independent, so their nats add."),
        solution="my_nats = 64 * 0.5 * (0.9**2 - 1 - 2 * torch.tensor(0.9).log())",
        because="0.66 nats: little per unit, but enough to be seen in a loss.",
        truth=32 * (0.81 - 1 - math.log(0.81)),
        mistakes={
            "my_nats = 0.5 * (0.9**2 - 1 - 2 * math.log(0.9))": "That is one unit; there are 64.",
            "my_nats = 64 * (0.9**2 - 1 - 2 * math.log(0.9))": "The ½ is missing.",
            "my_nats = 64 * 0.5 * (0.9 - 1 - math.log(0.9))": (
                "0.9 is the standard deviation; the formula takes its square."
            ),
            "my_nats = 0.0": "The price is zero only at standard deviation 1.",
        },
    ),
    Exercise(
        name="spherical-path",
        minutes=8,
        task="""Write `my_path(a, b, share)`: the point on the spherical path from code `a` to code `b`. Its \
direction turns evenly from that of `a` to that of `b`, and its length goes evenly from the one to the other.""",
        blank="def my_path(a, b, share):\n    return ...",
        hints=(
            "With the angle ω between them: direction sin((1−t)ω)/sin ω · a/‖a‖ + sin(tω)/sin ω · b/‖b‖.",
            "Multiply by the length (1−t)‖a‖ + t‖b‖.",
        ),
        solution="""def my_path(a, b, share):
    u, v = a / a.norm(), b / b.norm()
    angle = torch.acos((u @ v).clamp(-1, 1))
    turned = ((1 - share) * angle).sin() * u + (share * angle).sin() * v
    return turned / angle.sin() * ((1 - share) * a.norm() + share * b.norm())""",
        because="Half-way it is as long as its ends, where the straight path is shorter by about √2.",
        truth=turned_by_plane,
        probes=((A, B, 0.0), (A, B, 0.5), (A, 3 * B, 0.25), (A, B, 1.0)),
        mistakes={
            "def my_path(a, b, share):\n    return (1 - share) * a + share * b": (
                "That is the straight path; half-way it is too short."
            ),
            """def my_path(a, b, share):
    z = (1 - share) * a + share * b
    return z / z.norm() * ((1 - share) * a.norm() + share * b.norm())""": (
                "The length is right, but the direction does not turn evenly: it is faster in the middle."
            ),
            """def my_path(a, b, share):
    u, v = a / a.norm(), b / b.norm()
    angle = torch.acos((u @ v).clamp(-1, 1))
    return (((1 - share) * angle).sin() * u + (share * angle).sin() * v) / angle.sin()""": (
                "The direction is right; every point has length 1, whatever the lengths of a and b."
            ),
            """def my_path(a, b, share):
    u, v = a / a.norm(), b / b.norm()
    angle = torch.acos((u @ v).clamp(-1, 1))
    turned = (share * angle).sin() * u + ((1 - share) * angle).sin() * v
    return turned / angle.sin() * ((1 - share) * a.norm() + share * b.norm())""": "It starts at b and ends at a.",
        },
    ),
    Exercise(
        name="cost-of-a-threshold",
        minutes=7,
        task="""Pictures with a score above `threshold` are sent back, which costs 1 for a usual one. A strange \
one that is accepted costs `price`. A share `rare` of all pictures is strange. Write `my_cost(usual, strange, \
threshold, rare, price)`: the mean cost per picture; `usual` and `strange` are scores.""",
        blank="def my_cost(usual, strange, threshold, rare, price):\n    return ...",
        hints=(
            "Two errors: usual ones sent back, strange ones accepted.",
            "Weight the first by 1 − rare, the second by rare times its price.",
        ),
        solution="""def my_cost(usual, strange, threshold, rare, price):
    sent_back = (usual > threshold).float().mean()
    accepted = (strange <= threshold).float().mean()
    return (1 - rare) * sent_back + rare * price * accepted""",
        because="Neither error alone chooses a threshold; the two prices do.",
        truth=cost_counted,
        probes=((*SCORES, 3.0, 0.01, 50.0), (*SCORES, 0.0, 0.5, 1.0), (*SCORES, 10.0, 0.1, 20.0)),
        mistakes={
            """def my_cost(usual, strange, threshold, rare, price):
    sent_back = (usual > threshold).float().mean()
    accepted = (strange <= threshold).float().mean()
    return sent_back + price * accepted""": "How rare the strange ones are is left out.",
            """def my_cost(usual, strange, threshold, rare, price):
    sent_back = (usual > threshold).float().mean()
    accepted = (strange <= threshold).float().mean()
    return (1 - rare) * sent_back + rare * accepted""": "The price of a strange one that is accepted is left out.",
            """def my_cost(usual, strange, threshold, rare, price):
    sent_back = (usual <= threshold).float().mean()
    accepted = (strange > threshold).float().mean()
    return (1 - rare) * sent_back + rare * price * accepted""": (
                "These are the two *right* decisions; the errors are the other way round."
            ),
            """def my_cost(usual, strange, threshold, rare, price):
    sent_back = (usual > threshold).float().mean()
    accepted = (strange <= threshold).float().mean()
    return rare * sent_back + (1 - rare) * price * accepted""": (
                "The two shares are exchanged: strange ones are the rare ones."
            ),
        },
    ),
    Exercise(
        name="live-units",
        minutes=5,
        task="""Write `my_live(mu, logvar, least)`: the number of code units whose KL, averaged over the images, \
is above `least` nats. Shapes (images, units).""",
        blank="def my_live(mu, logvar, least):\n    return ...",
        hints=("The KL of each unit and image first, without a sum.", "Mean over dim=0, compare, count."),
        solution="""def my_live(mu, logvar, least):
    each = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
    return (each.mean(dim=0) > least).sum()""",
        because="A dead unit says N(0, 1) for every image: its price is zero, and so is what it tells.",
        truth=live_counted,
        probes=((*UNITS, 0.01), (*UNITS, 1.0), (*UNITS, 0.0)),
        mistakes={
            """def my_live(mu, logvar, least):
    each = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
    return (each > least).any(dim=0).sum()""": (
                "One image with a high price does not make a unit live; average over the images."
            ),
            """def my_live(mu, logvar, least):
    return (mu.std(dim=0) > least).sum()""": (
                "The spread of μ has other units than nats, and misses codes told by their width."
            ),
            """def my_live(mu, logvar, least):
    each = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
    return (each.mean(dim=1) > least).sum()""": "That counts images; the mean goes over dim=0.",
            """def my_live(mu, logvar, least):
    each = 0.5 * (mu**2 + logvar.exp() - 1 - logvar)
    return (each.mean(dim=0) <= least).sum()""": "Those are the dead ones.",
        },
    ),
]
