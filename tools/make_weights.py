"""Train the models that come with the package, on MNIST, all from seed 0, and write them into vae_helpers/weights.

The pair of chapter 00, without and with the KL term; the decoders of chapter 08, one for each β; the convolutional VAE
of chapter 10; and the classifiers behind the tables. What `make sweep` has left in notebooks/results/runs is taken
over. With each VAE of the plane go the codes of 2,000 test images with labels and the Gaussian fitted to all training
codes, and with each kind a JSON with recipe and numbers. All weights are in half precision.
"""

import json
import platform
from pathlib import Path

import sweep
import torch

from vae_helpers import __version__, checkpoints, experiments
from vae_helpers.data import load_digit_images
from vae_helpers.data.images import EPOCHS
from vae_helpers.latent import fit_gaussian
from vae_helpers.losses import kl_to_standard_normal, squared_error
from vae_helpers.models import HIDDEN, VAE, reparameterize, seeded
from vae_helpers.studies import widths
from vae_helpers.weights import CODES, SWEPT, Decoder, ShippedCodes

FOLDER = Path(__file__).parents[1] / "vae_helpers" / "weights"
SEED = 0
PAIR = {"without_kl": 0.0, "with_kl": 1.0}


def main():
    data, runs = load_digit_images("mnist"), sweep.RESULTS / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for name, beta in PAIR.items():
        model = model_of(beta, data, runs)
        save(model, name, beta, model, data)
        write_report(name, {"recipe": recipe(beta), "test": evaluate(model, data.test.x), "data": about_data(data)})
    tests = {}
    for beta in SWEPT:
        model = model_of(beta, data, runs)
        save(Decoder(model.decoder), f"beta_{beta:g}", beta, model, data)
        tests[f"{beta:g}"] = evaluate(model, data.test.x)
    report = {"recipe": recipe(SWEPT), "test": tests, "data": about_data(data), "thresholds": thresholds(data.train.x)}
    write_report("sweep", report)
    conv = widths.trained(widths.Run(16, "conv", seed=SEED), data).half().float()
    checkpoints.save(conv, FOLDER / "conv.safetensors", {"beta": 1.0, "seed": SEED}, half=True)
    about = recipe(1.0) | {"model": f"ConvVAE(latent_dim=16, seed={SEED})"}
    write_report("conv", {"recipe": about, "test": evaluate(conv, data.test.x), "data": about_data(data)})
    for name in ("mnist", "digits"):
        about = {"data": name}
        checkpoints.save(sweep.classifier_of(name, runs), FOLDER / f"classifier_{name}.safetensors", about, half=True)


def model_of(beta, data, runs):
    """The VAE of one β, rounded to half precision, as stored: that of the sweep where it is there, else trained."""
    run, model = experiments.Run(beta=beta, seed=SEED), VAE()
    if (stored := runs / f"{run.key}.safetensors").exists():
        checkpoints.load_into(model, stored)
    else:
        model = experiments.trained(run, data)[0].half().float()
    return model.eval()


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
def save(stored, name, beta, model, data):
    """What is stored of a model, and what a Panel needs besides."""
    rows = experiments.chosen(torch.arange(len(data.test.x)))[:CODES]
    codes, gaussian = model.encode(data.test.x[rows])[0], fit_gaussian(*model.encode(data.train.x))
    shipped = ShippedCodes(gaussian.mean, gaussian.scale, codes, data.test.y[rows].to(torch.uint8))
    checkpoints.save(stored, FOLDER / f"{name}.safetensors", {"beta": beta, "seed": SEED}, half=True)
    checkpoints.save(shipped, FOLDER / f"{name}_codes.safetensors", {"of": f"{CODES} MNIST test images"})


def recipe(beta):
    """In words and numbers, what makes the model; beta: a weight, or several."""
    return {
        "model": f"VAE(latent_dim=2, hidden={HIDDEN}, seed={SEED}), started at the mean training image",
        "loss": "mean over images of squared error + beta * KL, sums over pixels and latent dimensions",
        "beta": beta,
        "fit": {"epochs": EPOCHS["mnist"], "seed": SEED, "else": "the defaults of vae_helpers.training.fit"},
        "stored": "half precision; all numbers here were measured after the rounding",
    }


def thresholds(x):
    """The β at which the linear units die, largest first, by likelihood: pixel covariance in units of the curvature."""
    x = x[:, x.mean(dim=0) > 0].double()
    mean, covariance = x.mean(dim=0), torch.cov(x.T, correction=0)
    root = (mean * (1 - mean)).sqrt()
    scaled = {"gaussian": 2 * covariance, "bernoulli": covariance / (root[:, None] * root)}
    return {name: torch.linalg.eigvalsh(values).flip(0)[:8].tolist() for name, values in scaled.items()}


def about_data(data):
    """Name and proof."""
    proof = {"train_pixels_sha256": experiments.pixel_hash(data.train.x), "test_images": len(data.test.x)}
    return {"name": data.name} | proof


def write_report(name, report):
    """`report` as JSON, floats to four digits, with the versions."""
    report = json.loads(json.dumps(report), parse_float=lambda text: round(float(text), 4))
    report["versions"] = {
        "vae_helpers": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    (FOLDER / f"{name}.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
