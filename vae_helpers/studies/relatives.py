"""Chapter 11's table: the relatives of the VAE, trained by the recipe of the book and judged by the same numbers."""

import math
import time
from dataclasses import asdict, dataclass
from itertools import product
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from vae_helpers import latent, metrics, relatives
from vae_helpers.experiments import BATCH, GRID_IMAGES, IMAGES, SHAPE_CODES, Keyed, chosen, images_of, made
from vae_helpers.losses import squared_error
from vae_helpers.models import PIXELS, mlp, reparameterize, seeded
from vae_helpers.relatives import CODE_DIM, CODEBOOK, POSITIONS, Relative
from vae_helpers.training import fit

SPHERE_POINTS = 40_000
NAMES = {  # kind: name in tables and figures
    "vae": "VAE",
    "sphere": "sphere",
    "codebook": "codebook",
    "adversarial": "critic",
    "discrepancy": "discrepancy",
    "planar": "one bend",
    "ridge": "penalty",
}

# name: (numbers per image that the encoder gives, numbers that the decoder takes, terms, weight of the charge)
KINDS = {
    "vae": (4, 2, relatives.vae_terms, 1.0),
    "sphere": (3, 3, relatives.sphere_terms, 1.0),
    "codebook": (POSITIONS * CODE_DIM, POSITIONS * CODE_DIM, relatives.vq_terms, 1.0),
    "adversarial": (2, 2, relatives.adversarial_terms, 10.0),
    "discrepancy": (2, 2, relatives.mmd_terms, 100.0),
    "planar": (9, 2, relatives.planar_terms, 1.0),
    "ridge": (2, 2, relatives.ridge_terms, 0.1),
}


@dataclass(frozen=True)
class Run(Keyed):
    """kind: of KINDS; data: "mnist" or "digits"."""

    kind: str = "sphere"
    seed: int = 0
    data: str = "mnist"
    TABLE: ClassVar[str] = "relatives"


def network(run, mean=None):
    """The untrained network of a run."""
    out, code, _, _ = KINDS[run.kind]
    with seeded(run.seed):
        parts = {
            "codebook": {
                "codebook": nn.Parameter(torch.empty(CODEBOOK, CODE_DIM).uniform_(-1 / CODEBOOK, 1 / CODEBOOK))
            }
        }
        parts["adversarial"] = {"critic": mlp(2, 64, 64, 1)}
    return Relative(out, code, seed=run.seed, mean=mean, **parts.get(run.kind, {}))


def codes(run, model, x):
    """What the decoder sees of each image, noise included: (n, numbers that the decoder takes)."""
    h = model.encoder(x)
    if run.kind == "sphere":
        return relatives.vmf_sample(*relatives.vmf_parameters(h))
    if run.kind == "codebook":
        return relatives.quantize(h.unflatten(1, (POSITIONS, CODE_DIM)), model.codebook)[0].flatten(1)
    if run.kind == "planar":
        mu, logvar, u, w, b = h.split([2, 2, 2, 2, 1], dim=1)
        return relatives.planar(reparameterize(mu, logvar), u, w, b)[0]
    return reparameterize(*h.chunk(2, dim=1)) if run.kind == "vae" else h


def centres(run, model, x):
    """The code without noise."""
    h = model.encoder(x)
    if run.kind == "sphere":
        return relatives.vmf_parameters(h)[0]
    if run.kind == "planar":
        mu, _, u, w, b = h.split([2, 2, 2, 2, 1], dim=1)
        return relatives.planar(mu, u, w, b)[0]
    return h.chunk(2, dim=1)[0] if run.kind == "vae" else codes(run, model, x)


def lattice(n=SPHERE_POINTS):
    """(n, 3) points spread evenly on the unit sphere, after Fibonacci."""
    i = torch.arange(n, dtype=torch.float64) + 0.5
    z, turn = 1 - 2 * i / n, i * torch.pi * (3 - 5**0.5)
    ring = (1 - z**2).sqrt()
    return torch.stack([ring * turn.cos(), ring * turn.sin(), z], dim=1).float()


def every_code():
    """All 65,536 combinations of codebook entries: (65536, 4) integers."""
    return torch.tensor(list(product(range(CODEBOOK), repeat=POSITIONS)))


class CodePrior(nn.Module):
    """p(k₁) p(k₂|k₁) p(k₃|k₁k₂) p(k₄|k₁k₂k₃): a small network for each entry, which sees those before it."""

    def __init__(self, seed=0):
        super().__init__()
        with seeded(seed):
            self.nets = nn.ModuleList(mlp(POSITIONS * CODEBOOK, 64, CODEBOOK) for _ in range(POSITIONS))

    def forward(self, onehot):
        """log p of each code; onehot: (n, 64). Returns (n,) nats."""
        each = onehot.unflatten(1, (POSITIONS, CODEBOOK))
        total = torch.zeros(len(onehot))
        for i, net in enumerate(self.nets):
            before = torch.cat([each[:, :i], torch.zeros_like(each[:, i:])], dim=1).flatten(1)
            total = total + (net(before).log_softmax(dim=1) * each[:, i]).sum(dim=1)
        return total


def fit_code_prior(index, seed=0, epochs=5):
    """A CodePrior trained on the entries of the training images, (n, 4) integers."""
    onehot, prior = F.one_hot(index, CODEBOOK).flatten(1).float(), CodePrior(seed)
    fit(
        prior, onehot, lambda model, x: {"loss": -model(x).mean()}, epochs=epochs, seed=seed, batch_size=512, quiet=True
    )
    return prior.eval()


def own_prior(run, model, z):
    """The densities that new codes are drawn from: {name: (points, log weights)}, weights that sum to 1.

    Every integral over codes becomes a sum over these points. z: codes of training images, for what is fitted.
    """
    if run.kind == "sphere":
        points = lattice()
        return {"own": (points, torch.full((len(points),), -torch.tensor(float(len(points))).log()))}
    if run.kind == "codebook":
        every, index = every_code(), relatives.quantize(z.unflatten(1, (POSITIONS, CODE_DIM)), model.codebook)[1]
        prior = fit_code_prior(index, run.seed)
        points = model.codebook[every].flatten(1)
        uniform = torch.full((len(points),), -torch.tensor(float(len(points))).log())
        learned = prior(F.one_hot(every, CODEBOOK).flatten(1).float())
        return {"own": (points, uniform), "fitted": (points, learned)}
    mixture, u = latent.fit_mixture(z[:SHAPE_CODES], seed=run.seed), metrics.latent_grid(step=0.1)
    log_n = (-u.square().sum(dim=1) / 2).log_softmax(dim=0)
    parts = zip(mixture.parts, mixture.weights.float().log(), strict=True)
    fitted = [(part.push(u), log_n + log_weight) for part, log_weight in parts]
    fine = metrics.latent_grid()
    own = fine, (-fine.square().sum(dim=1) / 2).log_softmax(dim=0)
    return {"own": own, "fitted": tuple(torch.cat(column) for column in zip(*fitted, strict=True))}


@torch.no_grad()
def log_likelihood(model, x, points, log_weights):
    """log Σ p(x|z) p(z) over the points of a prior: (n,) nats."""
    parts = []
    for z, log_w in zip(points.split(512), log_weights.split(512), strict=True):
        parts.append((metrics.gaussian_pairs(x, model.decode(z)) + log_w).double().logsumexp(dim=1))
    return torch.stack(parts).logsumexp(dim=0)


def drawn(run, points, log_weights):
    """2,000 codes from a prior given as points, or, where it is continuous, the draws themselves."""
    generator = torch.Generator().manual_seed(run.seed)
    return points[torch.multinomial(log_weights.exp(), IMAGES, replacement=True, generator=generator)]


def trained(run, data, epochs=None):
    """The run's network, trained by the recipe of the book."""
    model = network(run, data.train.x.mean(dim=0))
    loss = relatives.charged_loss(*KINDS[run.kind][2:])
    fit(model, data.train.x, loss, epochs=epochs or data.epochs, batch_size=BATCH, seed=run.seed, quiet=True)
    return model.eval()


@torch.no_grad()
def measure(run, model, data):
    """The numbers of chapter 07 for a relative, {name: value}; "own" is its own prior, "fitted" one made afterwards."""
    with seeded(run.seed):
        x = chosen(data.test.x)
        some = x[:IMAGES]
        recon, charge = KINDS[run.kind][2](model, x)
        z = codes(run, model, data.train.x)[torch.randperm(len(data.train.x))]
        reference = model.decode(centres(run, model, some))
        scale = latent.fit_gaussian(z).scale
        constant = PIXELS / 2 * math.log(math.pi)  # of the Gaussian with σx² = ½
        row = {"recon": recon, "charge": charge, "squared error": squared_error(some, reference)}
        row["bound"] = (recon + charge)[:GRID_IMAGES] + constant  # −ELBO where the charge is a KL term, as nll
        row["change neighbour"] = metrics.neighbour_change(model.decode, z[:IMAGES], scale=scale)
    with torch.enable_grad():
        priors = own_prior(run, model, z)
    for name, (points, log_weights) in priors.items():
        points, log_weights = points.detach(), log_weights.detach()
        samples = model.decode(drawn(run, points, log_weights))
        row[f"coverage {name}"] = metrics.coverage(reference, samples)
        row[f"energy {name}"] = metrics.energy_distance(some, samples)
        row[f"nll {name}"] = -log_likelihood(model, x[:GRID_IMAGES], points, log_weights)
    return {name: value.mean().item() for name, value in row.items()} | extras(run, model, x, z)


def extras(run, model, x, z):
    """What only one of them has: concentration, use of the codebook, moments of the codes."""
    if run.kind == "sphere":
        return {"kappa": relatives.vmf_parameters(model.encoder(x))[1].median().item()}
    if run.kind == "codebook":
        _, index = relatives.quantize(z.unflatten(1, (POSITIONS, CODE_DIM)), model.codebook)
        share = torch.bincount(index.flatten(), minlength=CODEBOOK) / index.numel()
        return {"perplexity": torch.exp(-(share * share.clamp(min=1e-12).log()).sum()).item()}
    return {
        "gauge": metrics.gauge(latent.fit_gaussian(z)),
        "negentropy": metrics.negentropy(z[:SHAPE_CODES]).mean().item(),
    }


def row_of(run, classifiers=None):
    """The run's row, no history, and no weights."""
    start, data = time.perf_counter(), images_of(run.data)
    model = trained(run, data)
    return asdict(run) | {"key": run.key} | measure(run, model, data) | made(start, data.train.x), {}, None
