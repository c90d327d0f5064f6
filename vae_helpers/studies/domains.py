"""Chapter 12's table of a changed world: DARLA's two steps in small (Higgins et al. 2017), and what they are worth.

Source pictures have a dark ground, target pictures a brighter one. A small network that reads shape and place is
trained on codes of source pictures only, and tried on both.
"""

import time
from dataclasses import asdict, dataclass
from typing import ClassVar

import torch

from vae_helpers.data.shapes import SIDE, all_factors, draw_shapes
from vae_helpers.experiments import Keyed, made
from vae_helpers.losses import kl_to_standard_normal, squared_error
from vae_helpers.models import VAE, Autoencoder, reparameterize, seeded
from vae_helpers.training import fit

GROUNDS = {"source": (0.0, 0.2), "target": (0.3, 0.5)}  # grey of the ground, drawn between these for each picture
INK = 0.8, 1.0
LATENTS, EPOCHS, HOLE = 6, 150, 10
ARMS = {  # what the reader is given: pixels or features themselves, or codes of a VAE that compares them, at some β
    "pixels": ("pixels", None),
    "features": ("features", None),
    "VAE 0.1": ("pixels", 0.1),
    "VAE 1": ("pixels", 1.0),
    "VAE 4": ("pixels", 4.0),
    "perceptual 0.1": ("features", 0.1),
    "perceptual 1": ("features", 1.0),
    "perceptual 4": ("features", 4.0),
}


@dataclass(frozen=True)
class Run(Keyed):
    """arm: of ARMS, what the reader of the pictures is given."""

    arm: str = "VAE 1"
    seed: int = 0
    TABLE: ClassVar[str] = "domains"


def world(domain, seed):
    """Every combination of factors once, on a ground and with an ink drawn for each.

    Returns x (1728, 784) in [0, 1], factors (1728, 4) int64, and the grey of the ground (1728, 1).
    """
    factors, generator = all_factors(), torch.Generator().manual_seed(seed)

    def greys(low, high):
        return low + (high - low) * torch.rand(len(factors), 1, generator=generator)

    ground, ink = greys(*GROUNDS[domain]), greys(*INK)
    return draw_shapes(factors, ground, ink), factors, ground


def holed(x):
    """The pictures (n, 784) with a square hole, ten pixels wide, at a random place, in the mean grey of each."""
    corner = torch.randint(SIDE - HOLE, (len(x), 2))
    pixel = torch.arange(SIDE)
    inside = (pixel >= corner[..., None]) & (pixel < corner[..., None] + HOLE)  # (n, 2, 28)
    hole = (inside[:, 0, :, None] & inside[:, 1, None, :]).flatten(1)
    return torch.where(hole, x.mean(dim=1, keepdim=True), x)


def denoiser(x, seed):
    """Step one: an autoencoder that fills in holes; its features are what the second step may compare."""
    model = Autoencoder(64, seed=seed, mean=x.mean(dim=0))

    def loss(model, x):
        return {"loss": squared_error(x, model(holed(x))).mean()}

    fit(model, x, loss, epochs=EPOCHS, lr=1e-3, seed=seed, quiet=True)
    return model.eval().requires_grad_(False)


def features_of(denoiser, x):
    """The second hidden layer of the denoiser, scaled so that over x its total variance is that of the pixels."""
    layers = denoiser.encoder[:4]
    scale = (x.var(dim=0).sum() / layers(x).var(dim=0).sum()).sqrt()
    return lambda images: scale * layers(images)


def trained(run, x, features):
    """Step two: a VAE of the pictures x whose reconstruction is compared by pixels or by the denoiser's features."""
    compare, beta = ARMS[run.arm]
    seen = features if compare == "features" else torch.nn.Identity()
    model = VAE(LATENTS, seed=run.seed, mean=x.mean(dim=0))

    def loss(model, x):
        mu, logvar = model.encode(x)
        x_hat = model.decode(reparameterize(mu, logvar))
        recon, kl = squared_error(seen(x), seen(x_hat)).mean(), kl_to_standard_normal(mu, logvar).mean()
        return {"loss": recon + beta * kl, "recon": recon, "kl": kl}

    fit(model, x, loss, epochs=EPOCHS, lr=1e-3, seed=run.seed, quiet=True)
    return model.eval()


def readers(codes, factors, seed):
    """Two networks with one hidden layer, fitted to codes (n, d): one reads column and row, one the shape."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    kind = {"hidden_layer_sizes": (64,), "max_iter": 400, "learning_rate_init": 3e-3, "random_state": seed}
    return MLPRegressor(**kind).fit(codes, factors[:, 2:]), MLPClassifier(**kind).fit(codes, factors[:, 0])


@torch.no_grad()
def measure(encode, seed):
    """Numbers of a code, {name: value}; encode: (n, 784) pixels → (n, d).

    In either world: mean distance of column and row from the truth, in pixels, and share of shapes named right. Also
    the share of the variance of the ground that a linear model reads from codes of source pictures ("ground told").
    """
    from sklearn.linear_model import Ridge

    x, factors, ground = world("source", seed)
    codes = encode(x)
    scale = codes.std()
    codes = (codes / scale).numpy()
    places, shapes = readers(codes, factors.numpy(), seed)
    row = {"ground told": Ridge(1.0).fit(codes, ground[:, 0]).score(codes, ground[:, 0])}
    for domain in GROUNDS:
        x, truth, _ = world(domain, seed + 1000)
        codes = (encode(x) / scale).numpy()
        row[f"place error {domain}"] = abs(places.predict(codes) - truth[:, 2:].numpy()).mean()
        row[f"shapes {domain}"] = (shapes.predict(codes) == truth[:, 0].numpy()).mean()
    return {name: float(value) for name, value in row.items()}


def row_of(run, classifiers=None):
    """The run's row, no history, and no weights."""
    start, (x, _, _) = time.perf_counter(), world("source", run.seed)
    compare, beta = ARMS[run.arm]
    features = features_of(denoiser(x, run.seed), x) if compare == "features" else torch.nn.Identity()
    with seeded(run.seed):
        model = None if beta is None else trained(run, x, features)
        row = measure(features if model is None else lambda x: model.encode(x)[0], run.seed)
        if model is not None:
            row["kl"] = kl_to_standard_normal(*model.encode(x)).mean().item()
    return asdict(run) | {"key": run.key} | row | made(start, x), {}, None
