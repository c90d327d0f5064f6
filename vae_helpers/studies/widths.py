"""Chapter 10's table: VAEs with more than two latents, some of them trained without one of the digits.

The arms are the MLP of the book and the `ConvVAE`; the loss is squared error + KL (β = 1, σx² = ½), the recipe that of
the other tables.
"""

import time
from dataclasses import asdict, dataclass
from typing import ClassVar

import torch

from vae_helpers import experiments, metrics
from vae_helpers.experiments import BATCH, IMAGES, Keyed, chosen, images_of, made
from vae_helpers.latent import standard_normal
from vae_helpers.losses import gaussian_nll, kl_to_standard_normal, squared_error
from vae_helpers.models import VAE, ConvVAE
from vae_helpers.training import fit

DRAWS = 50  # of the importance-weighted bound
SHIFT = 3  # pixels


@dataclass(frozen=True)
class Run(Keyed):
    """net: "mlp" or "conv"; arm: "VAE" or "warm-up"; without: the digit left out of the training images, or −1."""

    latent_dim: int = 16
    net: str = "mlp"
    arm: str = "VAE"
    without: int = -1
    passes: int = 15
    seed: int = 0
    data: str = "mnist"
    TABLE: ClassVar[str] = "widths"


def trained(run, data):
    """The run's model, trained by the recipe of the book."""
    x = data.train.x[data.train.y != run.without]
    if run.net == "conv":
        model = ConvVAE(run.latent_dim, seed=run.seed)
    else:
        model = VAE(run.latent_dim, seed=run.seed, mean=x.mean(dim=0))
    steps = run.passes * -(-len(x) // BATCH)
    loss_fn = experiments.loss_of(experiments.Run(run.arm, seed=run.seed), steps)
    fit(model, x, loss_fn, epochs=run.passes, batch_size=BATCH, seed=run.seed, quiet=True)
    return model.eval()


@torch.no_grad()
def measure(run, model, data):
    """Numbers of a trained model on 2,000 random test images, {name: value}; nats, −log p with the Gaussian's constant.

    −log p is bounded by 50 importance-weighted draws. Coverage and energy belong to draws from N(0, I).
    """
    rows = chosen(torch.arange(len(data.test.x)))[:IMAGES]
    x = data.test.x[rows]
    mu, logvar = model.encode(x)
    units = experiments.unit_kl(mu, logvar)
    elbo, train = (bound(model, images, 1) for images in (x, chosen(data.train.x)[:IMAGES]))
    samples = model.decode(standard_normal(run.latent_dim).sample(IMAGES, seed=run.seed))
    reference = model.decode(mu)
    row = {
        "squared error": squared_error(x, reference),
        "kl": units.sum(),
        "live units": (units > experiments.LIVE).float().sum(),
        "−elbo": elbo,
        "train −elbo": train,
        f"−iwae {DRAWS}": bound(model, x, DRAWS),
        "coverage s1": metrics.coverage(reference, samples),
        "energy s1": metrics.energy_distance(x, samples),
        "shifted squared error": squared_error(shifted(x), model.decode(model.encode(shifted(x))[0])),
    }
    return {name: value.mean().item() for name, value in row.items()} | unusual(run, model, data, rows)


def bound(model, x, draws):
    """−ELBO (one draw) or the importance-weighted bound on −log p(x): (n,) nats."""
    return metrics.iwae_nll(model, x, draws, gaussian_nll, decode=model.decode)


def shifted(x):
    """Every image moved to the right and down by three pixels; the margin is black."""
    return x.reshape(-1, 28, 28).roll((SHIFT, SHIFT), dims=(1, 2)).reshape(len(x), -1)


def quarters(x, groups):
    """Which images have the least and the most ink, a quarter of each group: two (n,) masks.

    x: (n, 784); groups: (n,) integers, within which the quarters are counted.
    """
    ink, thin, thick = x.mean(dim=1), torch.zeros(len(x), dtype=bool), torch.zeros(len(x), dtype=bool)
    for group in groups.unique():
        low, high = ink[groups == group].quantile(torch.tensor([0.25, 0.75]))
        thin |= (groups == group) & (ink < low)
        thick |= (groups == group) & (ink > high)
    return thin, thick


def strange(x):
    """Images that are no digits, by name, made of the digits x: (n, 784) each."""
    generator = torch.Generator().manual_seed(0)
    order = torch.rand(x.shape, generator=generator).argsort(dim=1)
    return {
        "inverted": 1 - x,
        "scrambled": x.gather(1, order),
        "upside down": x.reshape(-1, 28, 28).flip(1).reshape(len(x), -1),
        "half": torch.where(torch.arange(784) % 28 < 14, x, torch.zeros(())),
        "blank": torch.zeros_like(x),
    }


def scores(model, x, pca):
    """How unusual each image is, by name, higher for stranger: −ELBO, reconstruction, KL, and PCA's squared error."""
    mu, logvar = model.encode(x)
    return {
        "−elbo": bound(model, x, 1),
        "recon": squared_error(x, model.decode(mu)),
        "kl": kl_to_standard_normal(mu, logvar),
        "pca": squared_error(x, pca(x)),
    }


def pca_of(x, k):
    """x̂(x) by the k principal components of the images x."""
    mean = x.mean(dim=0)
    basis = torch.linalg.eigh(torch.cov(x.T).double()).eigenvectors[:, -k:].float()
    return lambda images: mean + (images - mean) @ basis @ basis.T


def unusual(run, model, data, rows):
    """Area under the curve that tells strange images from usual ones, for every score: ½ is blind, 1 perfect."""
    from sklearn.metrics import roc_auc_score

    pca = pca_of(data.train.x[data.train.y != run.without], run.latent_dim)
    x, y = data.test.x[rows], data.test.y[rows]
    usual = scores(model, x[y != run.without], pca)
    others = strange(x[y != run.without])
    if run.without >= 0:
        others["left out"] = data.test.x[data.test.y == run.without]
    found = {}
    for name, images in others.items():
        for score, values in scores(model, images, pca).items():
            truth = torch.cat([torch.zeros(len(usual[score])), torch.ones(len(values))])
            found[f"auc {name} by {score}"] = roc_auc_score(truth, torch.cat([usual[score], values]))
    return found


def row_of(run, classifiers=None):
    """The run's row, no history, and no weights."""
    start, data = time.perf_counter(), images_of(run.data)
    model = trained(run, data)
    return asdict(run) | {"key": run.key} | measure(run, model, data) | made(start, data.train.x), {}, None
