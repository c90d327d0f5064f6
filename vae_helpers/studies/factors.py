"""Chapter 12's table: β-VAEs of drawn shapes, and what their codes have to do with the factors that drew them.

Cross-entropy + β KL and six latents, as in the papers on the subject; every run takes the same number of steps.
"""

import time
from dataclasses import asdict, dataclass
from typing import ClassVar

import torch

from vae_helpers import experiments, metrics
from vae_helpers.data.shapes import FACTORS, load_shapes
from vae_helpers.experiments import key_of, made
from vae_helpers.losses import bernoulli_nll, kl_to_standard_normal
from vae_helpers.models import VAE, reparameterize, seeded
from vae_helpers.training import fit

LATENTS, STEPS, BATCH = 6, 3000, 64
TURNS = 5  # random rotations of the codes, over which the score of rotated codes is averaged
WORLDS = "all", "gaps", "few", "corner"


@dataclass(frozen=True)
class Run:
    """beta: the weight of the KL term; world: which pictures are trained on, of WORLDS."""

    beta: float = 1.0
    world: str = "all"
    seed: int = 0
    TABLE: ClassVar[str] = "factors"

    @property
    def key(self):
        """A name for files, the same for the same configuration on every machine."""
        return key_of(self, "factors")


def shown(world, factors, seed=0):
    """Which pictures a world shows, as an (n,) mask; factors: (n, 4), as in `Shapes`.

    "all"; "gaps": those in every third column and row; "few": as many at random; "corner": all but the large discs in
    the right half. Raises ValueError for another name.
    """
    if world not in WORLDS:
        raise ValueError(f"world must be one of {', '.join(WORLDS)}, got {world!r}.")
    shape, size, column, row = factors.T
    gaps = (column % 3 == 1) & (row % 3 == 1)
    if world == "few":
        order = torch.randperm(len(factors), generator=torch.Generator().manual_seed(seed))
        return torch.isin(torch.arange(len(factors)), order[: int(gaps.sum())])
    corner = (shape == 0) & (size >= 2) & (column >= 6)
    return {"all": torch.ones_like(gaps), "gaps": gaps, "corner": ~corner}[world]


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


@torch.no_grad()
def measure(run, model, shapes):
    """Numbers of a trained model on all pictures, {name: value}: MIG by factor, and after rotations of live units."""
    x, factors, seen = shapes.x, shapes.factors, shown(run.world, shapes.factors, run.seed)
    with seeded(run.seed):
        mu, logvar = model.encode(x)
        recon = bernoulli_nll(x, model.decode_logits(reparameterize(mu, logvar)))
    kl = kl_to_standard_normal(mu, logvar)
    live = experiments.unit_kl(mu, logvar) > experiments.LIVE
    codes = mu[:, live] if live.sum() > 1 else mu
    gaps = metrics.mutual_information_gap(codes, factors)
    row = {"recon": recon[seen].mean(), "kl": kl[seen].mean(), "live units": live.sum(), "mig": gaps.mean()}
    row |= {f"mig {name}": value for name, value in zip(FACTORS, gaps, strict=True)}
    rotated = [metrics.mutual_information_gap(turned(codes, seed), factors).mean() for seed in range(TURNS)]
    row["mig turned"] = sum(rotated) / TURNS
    if not seen.all():
        row |= {"recon unseen": recon[~seen].mean(), "kl unseen": kl[~seen].mean()}
    return {name: float(value) for name, value in row.items()}


def row_of(run, classifiers=None):
    """The run's row, no history, and no weights."""
    start, shapes = time.perf_counter(), load_shapes()
    model = trained(run, shapes)
    return asdict(run) | {"key": run.key} | measure(run, model, shapes) | made(start, shapes.x), {}, None
