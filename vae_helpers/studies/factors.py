"""Chapter 12's table: β-VAEs of drawn shapes, and what their codes have to do with the factors that drew them.

Cross-entropy + β KL and six latents, as in the papers on the subject; every run takes the same number of steps.
"""

import time
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import ClassVar

import torch

from vae_helpers import experiments, metrics
from vae_helpers.data.shapes import NAMES, Shapes, load_shapes
from vae_helpers.experiments import Keyed, made
from vae_helpers.losses import bernoulli_nll, kl_to_standard_normal
from vae_helpers.models import VAE, reparameterize, seeded
from vae_helpers.training import fit

LATENTS, STEPS, BATCH = 6, 3000, 64
TURNS = 5  # random rotations of the codes, over which the score of rotated codes is averaged
WORLDS = "all", "band", "gaps", "few", "corner"


@dataclass(frozen=True)
class Run(Keyed):
    """beta: the weight of the KL term; world: which pictures are trained on, of WORLDS."""

    beta: float = 1.0
    world: str = "all"
    seed: int = 0
    TABLE: ClassVar[str] = "factors"


def shown(world, factors, seed=0):
    """Which pictures a world shows, as an (n,) mask; factors: (n, 4), as in `Shapes`.

    "all"; "band": the upper six of the twelve rows; "gaps": those in every third column and row; "few": as many at
    random; "corner": all but the large shapes in the right half. Raises ValueError for another name.
    """
    if world not in WORLDS:
        raise ValueError(f"world must be one of {', '.join(WORLDS)}, got {world!r}.")
    _, size, column, row = factors.T
    gaps = (column % 3 == 1) & (row % 3 == 1)
    if world == "few":
        order = torch.randperm(len(factors), generator=torch.Generator().manual_seed(seed))
        return torch.isin(torch.arange(len(factors)), order[: int(gaps.sum())])
    corner = (size >= 2) & (column >= 6)
    return {"all": torch.ones_like(gaps), "band": row < 6, "gaps": gaps, "corner": ~corner}[world]


def pictures_of(world):
    """The pictures that a world is judged on: all there are, but of the "band" only its own."""
    shapes = load_shapes()
    there = shown("band" if world == "band" else "all", shapes.factors)
    return Shapes(shapes.x[there], shapes.factors[there])


def trained(run, shapes):
    """The run's VAE, trained for the same number of steps whatever the number of pictures."""
    x = shapes.x[shown(run.world, shapes.factors, run.seed)]
    model, epochs = VAE(LATENTS, seed=run.seed, mean=x.mean(dim=0)), -(-STEPS // -(-len(x) // BATCH))
    loss = experiments.loss_of(experiments.Run("VAE", "bernoulli", run.beta, run.seed))
    fit(model, x, loss, epochs=epochs, batch_size=BATCH, lr=1e-3, seed=run.seed, quiet=True)
    return model.eval()


def turned(codes, seed):
    """The codes (n, d), brought to variance 1, after a random rotation: what N(0, I) cannot tell from before."""
    generator = torch.Generator().manual_seed(seed)
    rotation, _ = torch.linalg.qr(torch.randn(codes.shape[1], codes.shape[1], generator=generator))
    return (codes - codes.mean(dim=0)) / codes.std(dim=0).clamp(min=1e-6) @ rotation.to(codes.dtype)


def turns(mu, logvar, factors):
    """How firmly the axes of the codes are held, {name: value}; mu, logvar: (n, d) of live units, factors: (n, 4).

    "turn": nats per picture that it costs to turn two units by 45 degrees and say the result with upright Gaussians,
    for the pair where it costs least; "next turn": for the pair after that. "turn size" …: the share of the variance of
    a factor that the cheapest pair follows. Empty for fewer than two units.
    """
    found = []
    for pair in combinations(range(mu.shape[1]), 2):
        precision = (-logvar[:, pair]).exp()
        found.append((0.5 * (2 * precision.mean(dim=1).log() - precision.log().sum(dim=1)).mean().item(), pair))
    if not found:
        return {}
    (price, pair), *others = sorted(found)
    row = {"turn": price} | ({"next turn": others[0][0]} if others else {})
    for name, factor in zip(NAMES[1:], factors.T[1:], strict=True):
        codes = torch.cat([mu[:, pair], torch.ones(len(mu), 1)], dim=1)
        rest = factor[:, None] - codes @ torch.linalg.lstsq(codes, factor[:, None].float()).solution
        row[f"turn {name}"] = 1 - (rest.var() / factor.float().var()).item()
    return row


@torch.no_grad()
def measure(run, model, shapes):
    """Numbers of a trained model on the pictures, {name: value}: MIG by factor, and after rotations of live units."""
    x, factors, seen = shapes.x, shapes.factors, shown(run.world, shapes.factors, run.seed)
    with seeded(run.seed):
        mu, logvar = model.encode(x)
        recon = bernoulli_nll(x, model.decode_logits(reparameterize(mu, logvar)))
    kl = kl_to_standard_normal(mu, logvar)
    live = experiments.unit_kl(mu, logvar) > experiments.LIVE
    codes = mu[:, live] if live.sum() > 1 else mu
    held = turns(mu[:, live], logvar[:, live], factors)
    gaps = metrics.mutual_information_gap(codes, factors)
    row = {"recon": recon[seen].mean(), "kl": kl[seen].mean(), "live units": live.sum(), "mig": gaps.mean()}
    row |= {f"mig {name}": value for name, value in zip(NAMES, gaps, strict=True)}
    rotated = [metrics.mutual_information_gap(turned(codes, seed), factors).mean() for seed in range(TURNS)]
    row["mig turned"] = sum(rotated) / TURNS
    if not seen.all():
        row["recon unseen"] = recon[~seen].mean()
    if run.world == "corner":
        twins = (factors[:, 1] >= 2) & (factors[:, 2] < 6)  # the mirror images of those left out, which were shown
        row["recon mirrored"] = recon[twins].mean()
    return {name: float(value) for name, value in row.items()} | held


def row_of(run, classifiers=None):
    """The run's row, no history, and no weights."""
    start, shapes = time.perf_counter(), pictures_of(run.world)
    model = trained(run, shapes)
    return asdict(run) | {"key": run.key} | measure(run, model, shapes) | made(start, shapes.x), {}, None
