"""Train the pair that chapter 00 opens with, on MNIST: the same net, seed and batches, without and with the KL term.

`make weights` writes into vae_helpers/weights, for each model: its weights in half precision, the
codes of 2,000 test images with labels, the Gaussian fitted to all training codes, and a JSON with recipe and numbers.
"""

import json
import platform
from pathlib import Path

import torch

from vae_helpers import __version__, checkpoints
from vae_helpers.data import load_digit_images
from vae_helpers.experiments import pixel_hash
from vae_helpers.latent import fit_gaussian
from vae_helpers.losses import kl_to_standard_normal, squared_error
from vae_helpers.models import HIDDEN, VAE, reparameterize, seeded
from vae_helpers.training import fit
from vae_helpers.weights import CODES, ShippedCodes

FOLDER = Path(__file__).parents[1] / "vae_helpers" / "weights"
SEED = 0
BETAS = {"without_kl": 0.0, "with_kl": 1.0}


def main():
    data = load_digit_images("mnist")
    for name, beta in BETAS.items():
        model = train(data, beta)
        numbers = evaluate(model, data.test.x)
        write(name, beta, model, data, numbers)
        print(f"{name}: squared error {numbers['squared_error']:.2f}, KL {numbers['kl_nats']:.2f} nats on test images")


def train(data, beta):
    """A VAE trained by squared error + beta · KL; its weights are then rounded to half precision, as stored."""

    def loss_fn(model, x):
        mu, logvar = model.encode(x)
        recon = squared_error(x, model.decode(reparameterize(mu, logvar)))
        kl = kl_to_standard_normal(mu, logvar)
        return {"loss": (recon + beta * kl).mean(), "recon": recon.mean(), "kl": kl.mean()}

    model = VAE(seed=SEED, mean=data.train.x.mean(dim=0))
    fit(model, data.train.x, loss_fn, epochs=data.epochs, seed=SEED)
    return model.half().float().eval()


@torch.no_grad()
def evaluate(model, x):
    """Means over x: squared error of the reconstruction from μ and from a draw z ~ q(z|x), and KL in nats."""
    mu, logvar = model.encode(x)
    with seeded(SEED):
        drawn = model.decode(reparameterize(mu, logvar))
    return {
        "squared_error": squared_error(x, model.decode(mu)).mean().item(),
        "squared_error_of_a_draw": squared_error(x, drawn).mean().item(),
        "kl_nats": kl_to_standard_normal(mu, logvar).mean().item(),
    }


@torch.no_grad()
def write(name, beta, model, data, numbers):
    """The three files of one model."""
    codes = model.encode(data.test.x[:CODES])[0]
    gaussian = fit_gaussian(*model.encode(data.train.x))
    shipped = ShippedCodes(gaussian.mean, gaussian.scale, codes, data.test.y[:CODES].to(torch.uint8))
    recipe = {
        "model": f"VAE(latent_dim=2, hidden={HIDDEN}, seed={SEED}), started at the mean training image",
        "loss": "mean over images of squared error + beta * KL, sums over pixels and latent dimensions",
        "beta": beta,
        "fit": {"epochs": data.epochs, "seed": SEED, "else": "the defaults of vae_helpers.training.fit"},
        "stored": "half precision; all numbers here were measured after the rounding",
    }
    checkpoints.save(model, FOLDER / f"{name}.safetensors", {"beta": beta, "seed": SEED}, half=True)
    checkpoints.save(shipped, FOLDER / f"{name}_codes.safetensors", {"of": f"{CODES} MNIST test images"})
    report = {
        "recipe": recipe,
        "test": {key: round(value, 4) for key, value in numbers.items()},
        "data": {"name": data.name, "train_pixels_sha256": pixel_hash(data.train.x), "test_images": len(data.test.x)},
        "versions": {"vae_helpers": __version__, "torch": torch.__version__, "python": platform.python_version()},
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
