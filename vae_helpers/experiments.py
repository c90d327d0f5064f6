"""One configuration in, one row of numbers out: the runs that the chapters' tables hold.

A `Run` decides everything but the versions and the number of threads, which its row names; `make sweep` computes many.
"""

import hashlib
import json
import platform
import time
from dataclasses import asdict, dataclass
from functools import cache

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
STEPS = 0.03, 0.1, 0.3  # lengths of the small steps, as shares of the spread of the codes
IMAGES = 2000  # test images and draws behind coverage, flips, roughness and midpoints
GRID_IMAGES, RATE_IMAGES, SHAPE_CODES = 500, 5000, 10_000


@dataclass(frozen=True)
class Run:
    """arm: of ARMS; likelihood: "gaussian" (squared error, σx² = ½) or "bernoulli"; weight β; seed; data set."""

    arm: str = "VAE"
    likelihood: str = "gaussian"
    beta: float = 1.0
    seed: int = 0
    data: str = "mnist"

    def __post_init__(self):
        if self.arm not in ARMS or self.likelihood not in ("gaussian", "bernoulli"):
            raise ValueError(f"arm must be one of {', '.join(ARMS)} and likelihood gaussian or bernoulli, got {self}.")

    @property
    def key(self):
        """A name for files, the same for the same configuration on every machine."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{self.data}-{self.likelihood}-{self.seed:02}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def draw(kind, mu, logvar):
    """The code that the decoder sees: the mean, the mean with noise of variance 1, or a draw from N(μ, σ²)."""
    if kind == "mean":
        return mu
    return mu + torch.randn_like(mu) if kind == "fixed" else reparameterize(mu, logvar)


def charge(parts, mu, logvar):
    """The named parts of the KL term per image, nats; all three together are KL(N(μ, σ²) ‖ N(0, I))."""
    terms = {"place": mu.square(), "width": logvar.exp() - 1, "entropy": -logvar}
    return 0.5 * sum((terms[part] for part in parts), torch.zeros_like(mu)).sum(dim=-1)


def reconstruction(run, model, x, z):
    """−log p(x|z) per image, up to the Gaussian's constant: (n,) nats."""
    logits = model.decode_logits(z)
    return bernoulli_nll(x, logits) if run.likelihood == "bernoulli" else squared_error(x, torch.sigmoid(logits))


def loss_of(run):
    """The loss function of a run, for `fit`: reconstruction + β · the charge of its arm."""
    kind, parts = ARMS[run.arm]

    def loss_fn(model, x):
        mu, logvar = model.encode(x)
        recon = reconstruction(run, model, x, draw(kind, mu, logvar))
        charged = charge(parts, mu, logvar)
        return {"loss": (recon + run.beta * charged).mean(), "recon": recon.mean(), "charge": charged.mean()}

    return loss_fn


def trained(run, data):
    """The run's model, trained by the recipe, and its history per epoch, with what the test images show."""
    x = data.test.x[:IMAGES]

    def after_epoch(model):
        mu, logvar = model.encode(x)
        units = [kl_to_standard_normal(mu[:, [i]], logvar[:, [i]]).mean() for i in range(mu.shape[1])]
        seen = {f"unit {i} kl": value for i, value in enumerate(sorted(units, reverse=True), start=1)}
        return seen | {"spread": mu.std(dim=0).mean(), "sigma": (0.5 * logvar).exp().median()}

    model = VAE(seed=run.seed, mean=data.train.x.mean(dim=0))
    looks = {"test": x, "after_epoch": after_epoch}
    history = fit(model, data.train.x, loss_of(run), epochs=data.epochs, seed=run.seed, quiet=True, **looks)
    return model.eval(), history


@torch.no_grad()
def measure(run, model, data, classifier):
    """All numbers of a trained model, {name: value}; the draws start at the run's seed.

    Regions: s1 is N(0, I), s2 the Gaussian fitted to the training codes, s4 the training codes, noise of the arm
    included. classifier: (n, 784) pixels → (n, 10) logits.
    """
    kind, _ = ARMS[run.arm]
    with seeded(run.seed):
        mu, logvar = model.encode(data.train.x)
        noise = {"mean": None, "fixed": torch.zeros_like(logvar), "learned": logvar}[kind]
        own = latent.fit_gaussian(mu, noise)
        codes = draw(kind, mu, logvar)[torch.randperm(len(mu))[:SHAPE_CODES]]
        regions = {
            "s1": latent.standard_normal().sample(IMAGES, seed=run.seed),
            "s2": own.sample(IMAGES, seed=run.seed),
            "s4": codes[:IMAGES],
        }
        row = likelihoods(run, model, data.test.x) | grids(run, model, data, own, codes)
        row |= pictures(model, data.test.x[:IMAGES], regions, own, classifier, run.seed)
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


def grids(run, model, data, own, codes):
    """−log p(x) on a grid of the latent plane, test mean in nats, with N(0, I), a Gaussian and a mixture as prior."""
    from sklearn.mixture import GaussianMixture

    x = data.test.x[:GRID_IMAGES]
    decode, pairs = (
        (model.decode_logits, metrics.bernoulli_pairs)
        if run.likelihood == "bernoulli"
        else (model.decode, metrics.gaussian_pairs)
    )
    fitted = GaussianMixture(10, random_state=run.seed).fit(codes.double().numpy())
    parts = zip(fitted.weights_, fitted.means_, fitted.covariances_, strict=True)
    mixture = [
        (w, latent.Gaussian(torch.tensor(m).float(), torch.linalg.cholesky(torch.tensor(c)).float()))
        for w, m, c in parts
    ]
    coarse = metrics.latent_grid(step=0.1)
    nll = {
        "grid nll s1": metrics.grid_log_likelihood(decode, x, pairs),
        "grid nll s2": metrics.grid_log_likelihood(decode, x, pairs, prior=own),
        "coarse grid nll s2": metrics.grid_log_likelihood(decode, x, pairs, prior=own, grid=coarse),
        "grid nll mixture": metrics.mixture_log_likelihood(decode, x, mixture, pairs, grid=coarse),
    }
    return {name: -value.mean().item() for name, value in nll.items()}


def pictures(model, x, regions, own, classifier, seed):
    """What decoded draws look like: coverage, class flips, roughness, midpoints, by region."""

    def log_probs(images):
        return classifier(images).log_softmax(dim=1)

    def classes(images):
        return classifier(images).argmax(dim=1)

    mu, _ = model.encode(x)
    reference = model.decode(mu)
    row = {f"coverage {name}": metrics.coverage(reference, model.decode(z)) for name, z in regions.items()}
    for name in ("s2", "s4"):
        z = regions[name]
        row[f"roughness {name}"] = metrics.roughness(model.decode, z, scale=own.scale)
        row[f"midpoints {name}"] = metrics.midpoint_confidence(log_probs, model.decode, z, seed=seed)
        row[f"confidence {name}"] = log_probs(model.decode(z)).max(dim=1).values.exp()
        for step in STEPS:
            row[f"flips {name} {step}"] = metrics.flips(
                classes, model.decode, z, scale=own.scale, delta=step, seed=seed
            )
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


@cache
def _data(name):
    return load_digit_images(name)


def pixel_hash(x):
    """SHA-256 of the pixels as bytes 0 … 255, image after image."""
    return hashlib.sha256((x * 255).round().to(torch.uint8).numpy()).hexdigest()


def row_of(run, classifier):
    """The run's row, its history, and its weights in half precision: all that a worker sends back."""
    start, data = time.perf_counter(), _data(run.data)
    model, history = trained(run, data)
    row = asdict(run) | {"key": run.key} | measure(run, model, data, classifier)
    made = {"seconds": round(time.perf_counter() - start, 1), "threads": torch.get_num_threads()}
    made |= {"torch": torch.__version__, "machine": platform.machine(), "pixels sha256": pixel_hash(data.train.x)}
    return row | made, history, {name: tensor.half() for name, tensor in model.state_dict().items()}
