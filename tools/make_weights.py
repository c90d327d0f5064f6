"""Train the models that come with the package, on MNIST, all from seed 0, and write them into vae_helpers/weights.

The pair of chapter 00, without and with the KL term; the decoders of chapter 08, one for each β; and the classifiers
behind the tables. Of the last two, what `make sweep` has left in notebooks/results/runs is taken over. With each VAE go
the codes of 2,000 test images with labels and the Gaussian fitted to all training codes, and with each kind a JSON with
recipe and numbers. All weights are in half precision.
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
from vae_helpers.training import fit
from vae_helpers.weights import BETAS, CODES, Decoder, ShippedCodes

FOLDER = Path(__file__).parents[1] / "vae_helpers" / "weights"
SEED = 0
PAIR = {"without_kl": 0.0, "with_kl": 1.0}


def main():
    data = load_digit_images("mnist")
    for name, beta in PAIR.items():
        model = train(data, beta)
        numbers = evaluate(model, data.test.x)
        write(name, beta, model, data, numbers)
        print(f"{name}: squared error {numbers['squared_error']:.2f}, KL {numbers['kl_nats']:.2f} nats on test images")
    write_sweep(data)


def write_sweep(data):
    """Decoders over β, and the classifiers."""
    report, runs = {}, sweep.RESULTS / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    for beta in BETAS:
        run, model = experiments.Run(beta=beta, seed=SEED), VAE()
        if (stored := runs / f"{run.key}.safetensors").exists():
            checkpoints.load_into(model, stored)
        else:
            model = experiments.trained(run, data)[0].half().float()
        report[f"{beta:g}"] = evaluate(model.eval(), data.test.x)
        about = {"beta": beta, "seed": SEED}
        checkpoints.save(Decoder(model.decoder), FOLDER / f"beta_{beta:g}.safetensors", about, half=True)
        write_codes(f"beta_{beta:g}", model, data)
    for name in ("mnist", "digits"):
        about = {"data": name}
        checkpoints.save(sweep.classifier_of(name, runs), FOLDER / f"classifier_{name}.safetensors", about, half=True)
    write_report("sweep", {"recipe": recipe(BETAS), "test": report, "data": about_data(data)})


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
    checkpoints.save(model, FOLDER / f"{name}.safetensors", {"beta": beta, "seed": SEED}, half=True)
    write_codes(name, model, data)
    write_report(name, {"recipe": recipe(beta), "test": numbers, "data": about_data(data)})


@torch.no_grad()
def write_codes(name, model, data):
    """What a Panel needs besides its model."""
    codes = model.encode(data.test.x[:CODES])[0]
    gaussian = fit_gaussian(*model.encode(data.train.x))
    shipped = ShippedCodes(gaussian.mean, gaussian.scale, codes, data.test.y[:CODES].to(torch.uint8))
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


def about_data(data):
    """Name, proof, and the eigenvalues of the covariance of the training pixels, in squared pixel units."""
    x = data.train.x.double()
    values = torch.linalg.eigvalsh(torch.cov(x.T, correction=0)).flip(0)[:8].tolist()
    proof = {"train_pixels_sha256": experiments.pixel_hash(data.train.x), "test_images": len(data.test.x)}
    return {"name": data.name, **proof, "eigenvalues": values}


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
