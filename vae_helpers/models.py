"""The networks of the chapters on 28 × 28 images: MLPs with a 2-D latent space by default, and a convolutional VAE."""

from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import nn

SIDE = 28  # pixels along the edge of an image
PIXELS = SIDE**2
HIDDEN = (128, 128, 128)


@contextmanager
def seeded(seed):
    """Inside, torch's random numbers start at `seed`; outside, the stream goes on as if nothing had happened.

    So on every device: the generators of all GPUs are set and put back like that of the processor.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise ValueError(f"seed must be an integer, got {seed!r}.")
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield


def mlp(*sizes):
    """Linear layers of the given widths, SiLU between them, none after the last.

    sizes: two or more positive integers, input first. Raises ValueError otherwise.
    """
    if len(sizes) < 2 or not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError(
            f"latent_dim and hidden must give two or more layer sizes, all positive integers; got {sizes}."
        )
    layers = [nn.Linear(sizes[0], sizes[1])]
    for n_in, n_out in pairwise(sizes[1:]):
        layers += [nn.SiLU(), nn.Linear(n_in, n_out)]
    return nn.Sequential(*layers)


def start_at(decoder, mean):
    """Let an untrained decoder draw about the mean image for any code: its last bias becomes the logit of the mean.

    mean: (784,) pixels in [0, 1], or None for no change. Without it some thousand steps go into darkening the margin.
    """
    if mean is not None:
        with torch.no_grad():
            decoder[-1].bias.copy_(torch.logit(mean.clamp(0.01, 0.99)))


def reparameterize(mu, logvar):
    """z = μ + σ ε with ε ~ N(0, I) and σ = exp(½ log σ²): a draw from q(z|x) that lets the gradient through.

    mu, logvar: (batch, latent_dim). Returns z, of the same shape. Source: Kingma & Welling 2013, section 2.4.
    """
    eps = torch.randn_like(mu)
    return mu + (0.5 * logvar).exp() * eps


class Autoencoder(nn.Module):
    """x → z → x̂: a code of `latent_dim` numbers per image, and a decoder whose pixels lie in (0, 1).

    Same seed, same starting weights. mean: (784,) pixels in [0, 1] that the decoder draws before it has learned
    anything, or None. Raises ValueError for sizes that are not positive integers.
    """

    def __init__(self, latent_dim=2, hidden=HIDDEN, seed=0, mean=None):
        super().__init__()
        with seeded(seed):
            self.encoder = mlp(PIXELS, *hidden, latent_dim)
            self.decoder = mlp(latent_dim, *reversed(hidden), PIXELS)
        start_at(self.decoder, mean)

    def encode(self, x):
        """(batch, 784) pixels → (batch, latent_dim) codes."""
        return self.encoder(x)

    def decode_logits(self, z):
        """(batch, latent_dim) → (batch, 784) logits, for the Bernoulli loss."""
        return self.decoder(z)

    def decode(self, z):
        """(batch, latent_dim) → (batch, 784) pixels in (0, 1)."""
        return torch.sigmoid(self.decode_logits(z))

    def forward(self, x):
        """(batch, 784) pixels → their reconstruction x̂."""
        return self.decode(self.encode(x))


class VAE(nn.Module):
    """x → q(z|x) = N(μ, σ²) → z → x̂: the encoder returns two numbers per latent dimension, μ and log σ².

    Arguments as in Autoencoder.
    """

    def __init__(self, latent_dim=2, hidden=HIDDEN, seed=0, mean=None):
        super().__init__()
        with seeded(seed):
            self.encoder = mlp(PIXELS, *hidden, 2 * latent_dim)
            self.decoder = mlp(latent_dim, *reversed(hidden), PIXELS)
        start_at(self.decoder, mean)

    def encode(self, x):
        """(batch, 784) pixels → mu and logvar, both (batch, latent_dim)."""
        mu, logvar = self.encoder(x).chunk(2, dim=-1)
        return mu, logvar

    def decode_logits(self, z):
        """(batch, latent_dim) → (batch, 784) logits, for the Bernoulli loss."""
        return self.decoder(z)

    def decode(self, z):
        """(batch, latent_dim) → (batch, 784) pixels in (0, 1)."""
        return torch.sigmoid(self.decode_logits(z))

    def forward(self, x):
        """(batch, 784) pixels → the reconstruction from the mean, without noise."""
        mu, _ = self.encode(x)
        return self.decode(mu)


class ConvVAE(VAE):
    """The same with convolutions: 28 → 14 → 7 pixels a side on the way in, the reverse on the way out.

    The decoder grows the image by repeating each pixel twice, then mixing neighbours: upsampling and a convolution,
    which leave no chequerboard. Same seed, same starting weights.
    """

    def __init__(self, latent_dim=16, channels=(8, 16), seed=0):
        nn.Module.__init__(self)
        few, many = channels
        down = {"kernel_size": 4, "stride": 2, "padding": 1}
        same = {"kernel_size": 3, "padding": 1}
        with seeded(seed):
            self.encoder = nn.Sequential(
                *(nn.Unflatten(1, (1, 28, 28)), nn.Conv2d(1, few, **down), nn.SiLU()),
                *(nn.Conv2d(few, many, **down), nn.SiLU(), nn.Flatten()),
                nn.Linear(many * 7 * 7, 2 * latent_dim),
            )
            self.decoder = nn.Sequential(
                *(nn.Linear(latent_dim, many * 7 * 7), nn.SiLU()),
                *(nn.Unflatten(1, (many, 7, 7)), nn.Upsample(scale_factor=2)),
                *(nn.Conv2d(many, few, **same), nn.SiLU(), nn.Upsample(scale_factor=2)),
                *(nn.Conv2d(few, 1, **same), nn.Flatten()),
            )
