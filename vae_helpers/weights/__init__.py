"""The models that come with the package, and what opens them; `make weights` trains them again."""

from importlib import resources

import torch
from torch import nn

from vae_helpers import checkpoints
from vae_helpers.latent import Gaussian, Panel
from vae_helpers.models import VAE

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


def _shipped(name):
    model, shipped = VAE(), ShippedCodes()
    with resources.as_file(resources.files("vae_helpers").joinpath("weights")) as folder:
        checkpoints.load_into(model, folder / f"{name}.safetensors")
        checkpoints.load_into(shipped, folder / f"{name}_codes.safetensors")
    return Panel(model.eval(), Gaussian(shipped.mean, shipped.scale), shipped.codes, shipped.labels.long())
