"""One configuration in, one row of numbers out: the runs that the chapters' tables hold.

A `Run` decides everything but the versions and the number of threads, which its row names; `make sweep` computes many.
"""

import hashlib
import json
import math
import os
import platform
import time
from dataclasses import asdict, dataclass
from functools import cache
from itertools import count
from typing import ClassVar

import torch

from vae_helpers import latent, metrics
from vae_helpers.data import load_digit_images
from vae_helpers.losses import bernoulli_nll, kl_to_standard_normal, squared_error
from vae_helpers.models import PIXELS, VAE, mlp, reparameterize, seeded
from vae_helpers.training import fit

# arm: the code that the decoder sees, and the parts of ½ (μ² + (σ² − 1) − log σ²) that its loss charges
ARMS = {
    "autoencoder": ("mean", ()),
    "fixed noise": ("fixed", ()),
    "VAE": ("learned", ("place", "width", "entropy")),
    "place only": ("learned", ("place",)),
    "noise only": ("learned", ("width", "entropy")),
    "no entropy": ("learned", ("place", "width")),
}
LIVE = 0.01  # nats: a unit that carries less counts as dead
FREE_NATS = 0.5  # of the arm "free bits": what each latent unit may carry without charge
ARMS |= {name: ARMS["VAE"] for name in ("warm-up", "cyclical", "free bits")}
STEPS = 0.03, 0.1, 0.3  # lengths of the small steps, as shares of the spread of the codes
BATCH = 128
IMAGES = 2000  # test images and draws behind coverage, flips, roughness and midpoints
GRID_IMAGES, RATE_IMAGES, SHAPE_CODES = 500, 5000, 10_000


def warm_up(done):
    """The weight of the KL term as a share of β, by the share of training that is done: up to the middle, then 1."""
    return min(1.0, 2 * done)


def cyclical(done):
    """The same, four times, each in a quarter of the training."""
    return min(1.0, 2 * (4 * done % 1))


SCHEDULES = {"warm-up": warm_up, "cyclical": cyclical}


@dataclass(frozen=True)
class Run:
    """arm: of ARMS; likelihood: "gaussian" (squared error, σx² = ½) or "bernoulli"; weight β; seed; data set."""

    arm: str = "VAE"
    likelihood: str = "gaussian"
    beta: float = 1.0
    seed: int = 0
    data: str = "mnist"
    TABLE: ClassVar[str] = "runs"

    def __post_init__(self):
        if self.arm not in ARMS or self.likelihood not in ("gaussian", "bernoulli"):
            raise ValueError(f"arm must be one of {', '.join(ARMS)} and likelihood gaussian or bernoulli, got {self}.")
        if not self.beta >= 0:
            raise ValueError(f"beta must be 0 or more, got {self.beta!r}.")

    @property
    def key(self):
        """A name for files, the same for the same configuration on every machine."""
        return key_of(self, f"{self.data}-{self.likelihood}")


def key_of(run, name):
    """The name of a run's files: `name`, the seed, and a hash of the whole configuration."""
    text = json.dumps(asdict(run), sort_keys=True)
    return f"{name}-{run.seed:02}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


class Keyed:
    """What the runs of the later tables share: files are named after the table."""

    @property
    def key(self):
        """A name for files, the same for the same configuration on every machine."""
        return key_of(self, self.TABLE)


def draw(kind, mu, logvar):
    """The code that the decoder sees: the mean, the mean with noise of variance 1, or a draw from N(μ, σ²)."""
    if kind == "mean":
        return mu
    return mu + torch.randn_like(mu) if kind == "fixed" else reparameterize(mu, logvar)


def charge(parts, mu, logvar):
    """The named parts of the KL term per image, nats; all three together are KL(N(μ, σ²) ‖ N(0, I))."""
    terms = {"place": mu.square(), "width": logvar.exp() - 1, "entropy": -logvar}
    return 0.5 * sum((terms[part] for part in parts), torch.zeros_like(mu)).sum(dim=-1)


def unit_kl(mu, logvar):
    """The KL term of each latent unit, averaged over the images: (latent_dim,) nats, whose sum is the mean KL term."""
    return torch.stack([kl_to_standard_normal(mu[:, [i]], logvar[:, [i]]).mean() for i in range(mu.shape[1])])


def reconstruction(run, model, x, z):
    """−log p(x|z) per image, up to the Gaussian's constant: (n,) nats."""
    logits = model.decode_logits(z)
    return bernoulli_nll(x, logits) if run.likelihood == "bernoulli" else squared_error(x, torch.sigmoid(logits))


def loss_of(run, steps=1):
    """The loss function of a run, for `fit`: reconstruction + β · the charge of its arm.

    steps: of the whole training, for the arms with a schedule. In evaluation every VAE is judged by the same loss.
    """
    kind, parts = ARMS[run.arm]
    schedule, step = SCHEDULES.get(run.arm, lambda done: 1.0), count()

    def loss_fn(model, x):
        mu, logvar = model.encode(x)
        recon = reconstruction(run, model, x, draw(kind, mu, logvar)).mean()
        charged = charge(parts, mu, logvar).mean()
        price = run.beta * charged
        if model.training and run.arm == "free bits":
            units = [charge(parts, mu[:, [i]], logvar[:, [i]]).mean() for i in range(mu.shape[1])]
            price = run.beta * sum(unit.clamp(min=FREE_NATS) for unit in units)
        elif model.training:
            price = schedule(next(step) / (steps + 1)) * price  # fit tries the loss once before the first step
        return {"loss": recon + price, "recon": recon, "charge": charged}

    return loss_fn


def trained(run, data, watch=None):
    """The run's model, trained by the recipe, and its history per epoch, with what the test images show.

    watch: as in `fit`.
    """
    x = chosen(data.test.x)[:IMAGES]

    def after_epoch(model):
        mu, logvar = model.encode(x)
        units = unit_kl(mu, logvar).sort(descending=True).values
        seen = {f"unit {i} kl": value for i, value in enumerate(units, start=1)}
        return seen | {"spread": mu.std(dim=0).mean(), "sigma": (0.5 * logvar).exp().median()}

    model = VAE(seed=run.seed, mean=data.train.x.mean(dim=0))
    looks = {"epochs": data.epochs, "test": x, "after_epoch": after_epoch, "watch": watch}
    steps = data.epochs * -(-len(data.train.x) // BATCH)
    history = fit(model, data.train.x, loss_of(run, steps), batch_size=BATCH, seed=run.seed, quiet=True, **looks)
    return model.eval(), history


def chosen(x):
    """The images x (n, pixels) in one random order, the same for every run: the first of MNIST are the clean ones."""
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))]


@torch.no_grad()
def measure(run, model, data, classifier):
    """All numbers of a trained model, {name: value}; the draws start at the run's seed.

    Regions: s1 is N(0, I), s2 the Gaussian fitted to the training codes, "mixture" ten Gaussians fitted to them, s4 the
    training codes themselves, noise of the arm included. classifier: (n, 784) pixels → (n, 10) logits.
    """
    kind, _ = ARMS[run.arm]
    with seeded(run.seed):
        x, (mu, logvar) = chosen(data.test.x), model.encode(data.train.x)
        noise = {"mean": None, "fixed": torch.zeros_like(logvar), "learned": logvar}[kind]
        own = latent.fit_gaussian(mu, noise)
        rows = torch.randperm(len(mu))[:SHAPE_CODES]
        codes = draw(kind, mu, logvar)[rows]
        mixture = latent.fit_mixture(codes, seed=run.seed)
        densities = {"s1": latent.standard_normal(), "s2": own, "mixture": mixture}
        regions = {name: density.sample(IMAGES, seed=run.seed) for name, density in densities.items()}
        regions["s4"] = codes[:IMAGES]
        row = likelihoods(run, model, x) | grids(run, model, x[:GRID_IMAGES], own, mixture)
        row |= {f"train {name}": value for name, value in likelihoods(run, model, data.train.x[rows]).items()}
        row |= pictures(model, x[:IMAGES], regions, own, classifier, run.seed)
        row |= {"gauge": metrics.gauge(own), "negentropy": metrics.negentropy(codes).mean().item()}
        moments = mu.mean(dim=0), (mu.square() + (0 if noise is None else noise.exp())).mean(dim=0)
        row |= {
            f"{name} {i + 1}": values[i].item()
            for name, values in zip(("mean", "square"), moments, strict=True)
            for i in (0, 1)
        }
    return row


def likelihoods(run, model, x):
    """Test means in nats: reconstruction from μ and from a draw, the whole KL term, and its parts."""
    mu, logvar = model.encode(x)
    kind, _ = ARMS[run.arm]
    row = {
        "recon of mean": reconstruction(run, model, x, mu),
        "recon": reconstruction(run, model, x, draw(kind, mu, logvar)),
        "squared error": squared_error(x, model.decode(mu)),
        "spread": mu.std(dim=0).mean(),
        "sigma": (0.5 * logvar).exp().median(),
    }
    if kind == "learned":
        information, divergence = metrics.rate_parts(mu[:RATE_IMAGES], logvar[:RATE_IMAGES], seed=run.seed)
        row |= {"kl": kl_to_standard_normal(mu, logvar), "information": information, "aggregate kl": divergence}
    return {name: value.mean().item() for name, value in row.items()}


def grids(run, model, x, own, mixture):
    """−log p(x) on a grid of the latent plane, mean in nats, with N(0, I), a Gaussian and a mixture as prior."""
    decode, pairs = (
        (model.decode_logits, metrics.bernoulli_pairs)
        if run.likelihood == "bernoulli"
        else (model.decode, metrics.gaussian_pairs)
    )
    coarse = metrics.latent_grid(step=0.1)
    nll = {
        "grid nll s1": metrics.grid_log_likelihood(decode, x, pairs),
        "grid nll s2": metrics.grid_log_likelihood(decode, x, pairs, prior=own),
        "coarse grid nll s2": metrics.grid_log_likelihood(decode, x, pairs, prior=own, grid=coarse),
        "grid nll mixture": metrics.mixture_log_likelihood(decode, x, mixture, pairs, grid=coarse),
    }
    return {name: -value.mean().item() for name, value in nll.items()}


def pictures(model, x, regions, own, classifier, seed):
    """What decoded draws look like, by region: coverage, distance from test images, flips, roughness, midpoints."""

    def log_probs(images):
        return classifier(images).log_softmax(dim=1)

    def classes(images):
        return classifier(images).argmax(dim=1)

    mu, _ = model.encode(x)
    reference = model.decode(mu)
    row = {f"coverage {name}": metrics.coverage(reference, model.decode(z)) for name, z in regions.items()}
    row |= {f"energy {name}": metrics.energy_distance(x, model.decode(z)) for name, z in regions.items()}
    row["energy of reconstructions"] = metrics.energy_distance(x, reference)
    for name in ("s2", "s4"):
        z = regions[name]
        row[f"roughness {name}"] = metrics.roughness(model.decode, z, scale=own.scale)
        row[f"midpoints {name}"] = metrics.midpoint_confidence(log_probs, model.decode, z, seed=seed)
        row[f"confidence {name}"] = log_probs(model.decode(z)).max(dim=1).values.exp()
        for step in STEPS:
            row[f"flips {name} {step}"] = metrics.flips(
                classes, model.decode, z, scale=own.scale, delta=step, seed=seed
            )
    row["flips neighbour"] = metrics.neighbour_flips(classes, model.decode, regions["s4"], scale=own.scale)
    row["change neighbour"] = metrics.neighbour_change(model.decode, regions["s4"], scale=own.scale)
    return {name: value.mean().item() for name, value in row.items()}


def train_classifier(data, *, seed=0, epochs=None):
    """An MLP that names digits, (n, 784) pixels → (n, 10) logits, trained on images shifted by up to two pixels."""
    with seeded(seed):
        model, epochs = mlp(PIXELS, 256, 128, 10), epochs or 2 * data.epochs
        batches = -(-len(data.train.x) // 128)
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.01, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=epochs * batches + 1)
        for _ in range(epochs):
            for rows in torch.randperm(len(data.train.x)).split(128):
                images = data.train.x[rows].reshape(-1, 28, 28)
                dy, dx = torch.randint(-2, 3, (2,)).tolist()
                x = images.roll((dy, dx), dims=(1, 2)).reshape(-1, PIXELS)  # the margin of four pixels is black
                loss = torch.nn.functional.cross_entropy(model(x), data.train.y[rows], label_smoothing=0.02)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
    return model.eval()


def read_table(path):
    """The runs.csv or history.csv of the sweep as a structured array: table["kl"] is a column. Missing: NaN."""
    import numpy as np

    if not os.path.isfile(path):  # a pipe would be waited for
        raise FileNotFoundError(f"{path} not found.")
    kept = {"deletechars": "", "replace_space": " ", "comments": None}
    return np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf-8", **kept)


def where(table, **values):
    """The rows that hold these values, in the order of the table, which is that of the seeds within one configuration.

    Raises ValueError where there are none.
    """
    found = table
    for name, value in values.items():
        found = found[found[name] == value]
    if not len(found):
        raise ValueError(f"the table has no row with {values}.")
    return found


def summary(groups, columns, digits=2):
    """A table in words: a line for each group of rows, and for each column their mean ± its 95 % interval.

    groups: {name: rows of a table}; columns: {heading: column}, or names of columns. A column without numbers gets a
    dash.
    """
    columns = columns if isinstance(columns, dict) else dict(zip(columns, columns, strict=True))
    lines = [["", *columns]]
    for name, rows in groups.items():
        cells = [metrics.interval(rows[column]) for column in columns.values()]
        cells = ["–" if math.isnan(mean) else f"{mean:.{digits}f} ± {half:.{digits}f}" for mean, half in cells]
        lines.append([str(name), *cells])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    marks = "<" + ">" * len(columns)
    return "\n".join("  ".join(f"{c:{m}{w}}" for c, m, w in zip(line, marks, widths, strict=True)) for line in lines)


@cache
def images_of(name):
    """The data set of this name, loaded once in a process."""
    return load_digit_images(name)


def pixel_hash(x):
    """SHA-256 of the pixels as bytes 0 … 255, image after image."""
    return hashlib.sha256((x * 255).round().to(torch.uint8).numpy()).hexdigest()


def row_of(run, classifiers):
    """The run's row, its history, and its weights in half precision: all that a worker sends back.

    classifiers: {data set: classifier}, as for `measure`.
    """
    start, data = time.perf_counter(), images_of(run.data)
    model, history = trained(run, data)
    row = asdict(run) | {"key": run.key} | measure(run, model, data, classifiers[run.data]) | made(start, data.train.x)
    return row, history, {name: tensor.half() for name, tensor in model.state_dict().items()}


def made(start, x):
    """How a row came about: seconds since `start`, threads, version, machine, and the hash of the training pixels."""
    clock = {"seconds": round(time.perf_counter() - start, 1), "threads": torch.get_num_threads()}
    return clock | {"torch": torch.__version__, "machine": platform.machine(), "pixels sha256": pixel_hash(x)}
