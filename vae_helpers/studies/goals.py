"""Chapter 12's table of three makers of images: a VAE, one that is told the digit, and a GAN."""

import time
from dataclasses import asdict, dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from vae_helpers import losses, metrics, models
from vae_helpers.experiments import BATCH, IMAGES, Keyed, chosen, images_of, made
from vae_helpers.models import HIDDEN, PIXELS, mlp, seeded, start_at
from vae_helpers.training import fit

LATENTS, DIGITS = 16, 10
NAMES = {"vae": "VAE", "conditional": "conditional VAE", "gan": "GAN"}


@dataclass(frozen=True)
class Run(Keyed):
    """kind: of NAMES; data: "mnist" or "digits"."""

    kind: str = "vae"
    seed: int = 0
    data: str = "mnist"
    TABLE: ClassVar[str] = "goals"


def labelled(images):
    """Pixels and the label as ten numbers of which one is 1: (n, 794)."""
    return torch.cat([images.x, F.one_hot(images.y, DIGITS)], dim=1)


class Maker(nn.Module):
    """A decoder, and what trains it: an encoder or a critic. The conditional kind tells both of its nets the label."""

    def __init__(self, run, mean):
        super().__init__()
        told = DIGITS if run.kind == "conditional" else 0
        with seeded(run.seed):
            if run.kind == "gan":
                self.critic = mlp(PIXELS, *HIDDEN, 1)
            else:
                self.encoder = mlp(PIXELS + told, *HIDDEN, 2 * LATENTS)
            self.decoder = mlp(LATENTS + told, *HIDDEN, PIXELS)
        start_at(self.decoder, mean)

    def decode(self, z):
        """(n, 16) codes, with ten numbers for the label where it is told → (n, 784) pixels in (0, 1)."""
        return torch.sigmoid(self.decoder(z))


def plain_loss(model, x):
    image, _ = x.split([PIXELS, DIGITS], dim=1)
    mu, logvar = model.encoder(image).chunk(2, dim=1)
    recon = losses.squared_error(image, model.decode(models.reparameterize(mu, logvar))).mean()
    kl = losses.kl_to_standard_normal(mu, logvar).mean()
    return {"loss": recon + kl, "recon": recon, "kl": kl}


def conditional_loss(model, x):
    image, label = x.split([PIXELS, DIGITS], dim=1)
    mu, logvar = model.encoder(x).chunk(2, dim=1)
    z = torch.cat([models.reparameterize(mu, logvar), label], dim=1)
    recon = losses.squared_error(image, model.decode(z)).mean()
    kl = losses.kl_to_standard_normal(mu, logvar).mean()
    return {"loss": recon + kl, "recon": recon, "kl": kl}


def critic_loss(critic, images, drawn):
    """−log of the chance that the critic gives to the truth for images and for drawn ones, and its slope's penalty.

    critic: (n, 784) → (n, 1) logits for "image". Returns (n,) each. The penalty is the squared length of its gradient
    at the images (Mescheder et al. 2018, R1), without which this training collapses to a few pictures.
    """
    images = images.detach().requires_grad_()
    logits = critic(images)
    (slope,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    mistakes = F.softplus(-logits) + F.softplus(critic(drawn.detach()))
    return mistakes.squeeze(1), slope.square().sum(dim=1)


def gan_loss(model, x):
    image, _ = x.split([PIXELS, DIGITS], dim=1)
    drawn, critic = model.decode(torch.randn(len(x), LATENTS)), model.critic
    mistakes, slope = critic_loss(critic, image, drawn)
    frozen = {name: weight.detach() for name, weight in critic.named_parameters()}
    deceives = F.softplus(-torch.func.functional_call(critic, frozen, drawn)).mean()
    whole = mistakes.mean() + slope.mean() + deceives
    return {"loss": whole, "critic": mistakes.mean()}


LOSSES = {"vae": plain_loss, "conditional": conditional_loss, "gan": gan_loss}


def trained(run, data, epochs=None):
    """The run's nets, trained by the recipe of the book."""
    model, recipe = Maker(run, data.train.x.mean(dim=0)), {"batch_size": BATCH, "seed": run.seed, "quiet": True}
    fit(model, labelled(data.train), LOSSES[run.kind], epochs=epochs or data.epochs, **recipe)
    return model.eval()


@torch.no_grad()
def measure(run, model, data, classifier):
    """Numbers of a trained model, {name: value}; classifier: (n, 784) pixels → (n, 10) logits."""
    with seeded(run.seed):
        x, asked = chosen(data.test.x)[:IMAGES], chosen(data.test.y)[:IMAGES]
        z, row = torch.randn(len(x), LATENTS), {}
        told = F.one_hot(asked, DIGITS) if run.kind == "conditional" else torch.empty(len(x), 0)
        samples = model.decode(torch.cat([z, told], dim=1))
        if run.kind != "gan":
            every = torch.cat([x, told], dim=1)
            mu, logvar = model.encoder(every).chunk(2, dim=1)
            recon = losses.squared_error(x, model.decode(torch.cat([models.reparameterize(mu, logvar), told], dim=1)))
            row = {"recon": recon.mean(), "kl": losses.kl_to_standard_normal(mu, logvar).mean()}
            row |= {"label in code": label_in(mu, asked)}
        chances = classifier(samples).softmax(dim=1)
        found = chances.argmax(dim=1)
        share = torch.bincount(found, minlength=DIGITS) / len(found)
    row |= {"as asked": (found == asked).float().mean(), "confidence": chances.amax(dim=1).mean()}
    row |= {"digits": torch.special.entr(share).sum().exp(), "rarest": share.min()}
    row |= {"energy": metrics.energy_distance(x, samples).mean(), "coverage": metrics.coverage(x, samples).mean()}
    return {name: float(value) for name, value in row.items()}


def label_in(mu, y):
    """Share of digits that the 15 nearest codes name right; mu: (n, d), the first half asks the second."""
    from sklearn.neighbors import KNeighborsClassifier

    half = len(mu) // 2
    return KNeighborsClassifier(15).fit(mu[half:], y[half:]).score(mu[:half], y[:half])


def row_of(run, classifiers):
    """The run's row, no history, and no weights; the classifiers name what the draws show."""
    start, data = time.perf_counter(), images_of(run.data)
    model = trained(run, data)
    row = measure(run, model, data, classifiers[run.data])
    return asdict(run) | {"key": run.key} | row | made(start, data.train.x), {}, None
