"""Chapter 12's table of autoencoders with ever smaller KL weights, and of four ways to draw from each."""

import time
from dataclasses import asdict, dataclass
from typing import ClassVar

import torch

from vae_helpers import diffusion, experiments, latent, metrics
from vae_helpers.experiments import BATCH, IMAGES, SHAPE_CODES, Keyed, chosen, images_of, made
from vae_helpers.losses import kl_to_standard_normal, squared_error
from vae_helpers.models import VAE, reparameterize, seeded
from vae_helpers.training import fit

PASSES, CODE_PASSES = 8, 16  # of the autoencoder over the images, of the diffusion model over their codes
PUSH = 0.1  # the share of their spread by which codes are moved to see what the decoder makes of it


@dataclass(frozen=True)
class Run(Keyed):
    """beta: the weight of the KL term; data: "mnist" or "digits"."""

    beta: float = 1.0
    latent_dim: int = 16
    seed: int = 0
    data: str = "mnist"
    TABLE: ClassVar[str] = "bridge"


def trained(run, data, epochs=PASSES):
    """The autoencoder of a run: squared error + β KL, eight passes."""
    model = VAE(run.latent_dim, seed=run.seed, mean=data.train.x.mean(dim=0))
    loss = experiments.loss_of(experiments.Run(beta=run.beta, seed=run.seed))
    fit(model, data.train.x, loss, epochs=epochs, batch_size=BATCH, seed=run.seed, quiet=True)
    return model.eval()


class CodeDiffusion:
    """A diffusion model of a VAE's codes of images x; each unit is brought to mean 0 and variance 1, and back after."""

    def __init__(self, model, x, *, epochs=CODE_PASSES, seed=0, watch=None):
        with torch.no_grad():
            mu, logvar = model.encode(x)
        self.mean = mu.mean(dim=0)
        self.spread = (mu.var(dim=0) + logvar.exp().mean(dim=0)).sqrt()
        self.denoiser = diffusion.Denoiser(mu.shape[1], seed=seed)

        def loss(denoiser, images):
            with torch.no_grad():
                z = reparameterize(*model.encode(images))
            return {"loss": diffusion.noise_error(denoiser, (z - self.mean) / self.spread).mean()}

        looks = {"quiet": True, "watch": watch}
        self.history = fit(self.denoiser, x, loss, epochs=epochs, batch_size=256, seed=seed, **looks)

    def sample(self, n, seed=0):
        """(n, d) codes."""
        return self.mean + self.spread * diffusion.sample(self.denoiser, n, seed)


@torch.no_grad()
def measure(run, model, data, draws):
    """Numbers of a trained model; draws: {name: density with sample(n, seed)} to draw codes from."""
    with seeded(run.seed):
        x = chosen(data.test.x)[:IMAGES]
        mu, logvar = model.encode(x)
        reference, spread = model.decode(mu), mu.std(dim=0)
        row = {
            "squared error": squared_error(x, reference),
            "recon": squared_error(x, model.decode(reparameterize(mu, logvar))),
            "kl": kl_to_standard_normal(mu, logvar),
            "pushed": squared_error(reference, model.decode(mu + PUSH * spread * torch.randn_like(mu))),
            "energy of reconstructions": metrics.energy_distance(x, reference),
        }
    for name, density in draws.items():
        samples = model.decode(density.sample(IMAGES, seed=run.seed))
        row[f"energy {name}"] = metrics.energy_distance(x, samples)
        row[f"coverage {name}"] = metrics.coverage(reference, samples)
    row["spread"] = spread
    return {name: value.mean().item() for name, value in row.items()}


def densities(run, model, data):
    """N(0, I), a Gaussian and a mixture of ten fitted to training codes, and a diffusion model of them."""
    with torch.no_grad(), seeded(run.seed):
        mu, logvar = model.encode(data.train.x)
        rows = torch.randperm(len(mu))[:SHAPE_CODES]
        codes = reparameterize(mu[rows], logvar[rows])
    return {
        "prior": latent.standard_normal(run.latent_dim),
        "gaussian": latent.fit_gaussian(mu, logvar),
        "mixture": latent.fit_mixture(codes, seed=run.seed),
        "diffusion": CodeDiffusion(model, data.train.x, seed=run.seed),
    }


def row_of(run, classifiers=None):
    """The run's row, no history, and no weights."""
    start, data = time.perf_counter(), images_of(run.data)
    model = trained(run, data)
    row = measure(run, model, data, densities(run, model, data))
    return asdict(run) | {"key": run.key} | row | made(start, data.train.x), {}, None
