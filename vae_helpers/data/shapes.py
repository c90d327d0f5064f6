"""Small pictures of which everything is known: a bright shape on a dark ground, drawn from four factors."""

import math
from dataclasses import dataclass

import torch

from vae_helpers.models import SIDE

SHAPES = "disc", "square", "diamond"
RADII = 3.0, 4.0, 5.0, 6.0  # pixels
PLACES = tuple(range(8, 20))  # centres, in pixels from the left and from the top
FACTORS = {"shape": len(SHAPES), "size": len(RADII), "column": len(PLACES), "row": len(PLACES)}
NAMES = tuple(FACTORS)


@dataclass(frozen=True, eq=False)
class Shapes:
    """x (n, 784) float32 in [0, 1]; factors (n, 4) int64, one column for each of FACTORS, in its order."""

    x: torch.Tensor
    factors: torch.Tensor


def all_factors():
    """Every combination of the four factors: (1728, 4) int64."""
    return torch.cartesian_prod(*(torch.arange(n) for n in FACTORS.values()))


def draw_shapes(factors, ground=0.0, ink=1.0):
    """The pictures of the given factors: (n, 784) in [0, 1], with smooth edges.

    factors: (n, 4) int64, values as counted by FACTORS. ground, ink: grey of background and shape, numbers or (n, 1).
    """
    if factors.ndim != 2 or factors.shape[1] != len(FACTORS):
        raise ValueError(f"factors must have shape (n, {len(FACTORS)}), got {tuple(factors.shape)}.")
    shape, radius, column, row = factors.T
    radius, places = torch.tensor(RADII)[radius], torch.tensor(PLACES, dtype=torch.float32)
    pixels = torch.arange(SIDE, dtype=torch.float32)
    dx = (pixels - places[column][:, None])[:, None, :].abs().expand(-1, SIDE, SIDE)
    dy = (pixels - places[row][:, None])[:, :, None].abs().expand(-1, SIDE, SIDE)
    same_area = 2 / math.pi**0.5  # a square of half-side r / same_area is as large as a disc of radius r
    square, diamond = torch.maximum(dx, dy) * same_area, (dx + dy) * same_area / 2**0.5
    beyond = torch.stack([(dx**2 + dy**2).sqrt(), square, diamond])
    beyond = beyond[shape, torch.arange(len(factors))] - radius[:, None, None]
    mask = (0.5 - beyond).clamp(0, 1).flatten(1)
    return ground + (torch.as_tensor(ink) - ground) * mask


def load_shapes():
    """Every picture, bright on black, in one random order that is always the same: a `Shapes` of 1,728."""
    factors = all_factors()
    factors = factors[torch.randperm(len(factors), generator=torch.Generator().manual_seed(0))]
    return Shapes(draw_shapes(factors), factors)
