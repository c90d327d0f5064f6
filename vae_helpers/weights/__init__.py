"""The models that come with the package, and what opens them; `make weights` trains them again."""

import json
from importlib import resources

import torch
from torch import nn

from vae_helpers import checkpoints
from vae_helpers.latent import Gaussian, Panel
from vae_helpers.models import PIXELS, VAE, ConvVAE, mlp

SWEPT = (0.01, 0.1, 0.3, 2.0, 3.0, 4.0, 5.0, 8.0)  # β of the decoders that come with the package beside the pair
CODES = 2000  # test images whose codes come with a model


class ShippedCodes(nn.Module):
    """What a stored panel needs besides its model: Gaussian, codes (2000, 2), labels (2000,)."""

    def __init__(self, mean=None, scale=None, codes=None, labels=None):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2) if mean is None else mean)
        self.register_buffer("scale", torch.eye(2) if scale is None else scale)
        self.register_buffer("codes", torch.zeros(CODES, 2) if codes is None else codes)
        self.register_buffer("labels", torch.zeros(CODES, dtype=torch.uint8) if labels is None else labels)


def shipped_pair():
    """{"without KL": Panel, "with KL": Panel}: the same net, seed and batches, squared error + β · KL with β = 0 and 1.

    Codes and labels belong to 2,000 test images of MNIST, the Gaussians to all training codes; no data set is loaded.
    Raises FileNotFoundError or ValueError that names the file when a stored file is missing or damaged.
    """
    return {"without KL": _shipped("without_kl"), "with KL": _shipped("with_kl")}


def shipped_sweep():
    """{β: Panel} in the order of β: the pair at 0 and 1, and between and beyond it models that can only decode.

    Raises FileNotFoundError or ValueError that names the file when a stored file is missing or damaged.
    """
    pair = dict(zip((0.0, 1.0), shipped_pair().values(), strict=True))
    others = {beta: _shipped(f"beta_{beta:g}", Decoder()) for beta in SWEPT}
    return dict(sorted((pair | others).items()))


def shipped_conv():
    """The `ConvVAE` of chapter 10 with 16 latents, trained on MNIST: squared error + KL. Errors as in shipped_pair."""
    model = ConvVAE()
    with _folder() as folder:
        checkpoints.load_into(model, folder / "conv.safetensors")
    return model.eval()


def shipped_classifier(name):
    """The classifier behind the tables for "mnist" or "digits": (n, 784) pixels in [0, 1] → (n, 10) logits."""
    model = mlp(PIXELS, 256, 128, 10)
    with _folder() as folder:
        checkpoints.load_into(model, folder / f"classifier_{name}.safetensors")
    return model.eval()


def thresholds(likelihood="gaussian"):
    """(8,) values of β at which the units of a linear VAE on MNIST die, largest first; "gaussian" or "bernoulli".

    For squared error they are twice the eigenvalues λ of the pixels' covariance; for cross-entropy the eigenvalues of
    the covariance in units of the curvature m (1 − m) at the mean image m.
    """
    with _folder() as folder:
        return torch.tensor(json.loads((folder / "sweep.json").read_text(encoding="utf-8"))["thresholds"][likelihood])


class Decoder(nn.Module):
    """The decoding half of a VAE."""

    def __init__(self, decoder=None):
        super().__init__()
        self.decoder = VAE().decoder if decoder is None else decoder

    def decode(self, z):
        """(batch, 2) → (batch, 784) pixels in (0, 1)."""
        return torch.sigmoid(self.decoder(z))


def _folder():
    return resources.as_file(resources.files("vae_helpers").joinpath("weights"))


def _shipped(name, model=None):
    model, shipped = VAE() if model is None else model, ShippedCodes()
    with _folder() as folder:
        checkpoints.load_into(model, folder / f"{name}.safetensors")
        checkpoints.load_into(shipped, folder / f"{name}_codes.safetensors")
    return Panel(model.eval(), Gaussian(shipped.mean, shipped.scale), shipped.codes, shipped.labels.long())
