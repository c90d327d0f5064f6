"""Exercises of chapter 16, a VAE from an empty file: seven links of one chain, each tested where the truth is known.

The last links are estimates that draw. Their test is a VAE so small that its integrals can be computed: four pixels,
two latent units, two linear layers.
"""

import math

import numpy as np
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence
from torch.nn import functional as F

from vae_helpers.exercises.c02 import FAIR_DRAW, LOGVAR, MU
from vae_helpers.exercises.c13 import GRADIENT, trains
from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(16)
PAIRS = tuple(
    (torch.rand(n, pixels, generator=GENERATOR), 3 * torch.randn(n, pixels, generator=GENERATOR))
    for n, pixels in ((2, 4), (3, 784))
)
CODES = tuple(tuple(torch.randn(2, n, d, generator=GENERATOR)) for n, d in ((4, 1), (3, 5)))
MIXTURES = tuple(
    (
        2 * torch.randn(6, d, generator=GENERATOR),
        2 * torch.randn(k, d, generator=GENERATOR),
        0.5 * torch.randn(k, d, generator=GENERATOR) - 0.5,
        torch.randn(k, generator=GENERATOR).log_softmax(0),
    )
    for k, d in ((1, 1), (3, 2), (10, 2))
)
FAR = torch.full((2, 2), 40.0), *MIXTURES[1][1:]  # fmt: skip


class Tiny:
    """A VAE of four pixels and two latent units, whose integrals can be computed."""

    def __init__(self):
        rows = torch.tensor(
            [[0.9, -0.7, 0.4, 0.2], [0.1, 0.8, -0.6, 0.5], [-1.0, -0.5, 0.3, -0.8], [0.2, -0.9, -0.4, 0.1]]
        )
        self.to_codes = rows.T.clone().requires_grad_()
        self.to_pixels = torch.tensor([[2.5, -2.0, 1.0, 0.5], [0.3, 1.0, -1.5, 2.0]]).requires_grad_()

    def encode(self, x):
        return (x @ self.to_codes).chunk(2, dim=1)

    def decode_logits(self, z):
        return z @ self.to_pixels + torch.tensor([0.2, -0.4, 0.1, 0.0])


TINY = Tiny()
IMAGES = torch.tensor([[1.0, 0.0, 0.8, 0.3], [0.1, 0.9, 0.2, 0.6], [0.5, 0.5, 1.0, 0.0]])
NODES, WEIGHTS = (torch.tensor(part, dtype=torch.float32) for part in np.polynomial.hermite_e.hermegauss(40))
PLANE = torch.cartesian_prod(*2 * (torch.linspace(-8, 8, 401),))


def hat(z):
    """The log density of two equal Gaussians as a prior: (n, 2) → (n,)."""
    centres = torch.tensor([[-1.0, 0.5], [1.5, -0.5]])
    return MixtureSameFamily(
        Categorical(torch.ones(2)), Independent(Normal(centres, torch.full((2, 2), 0.6)), 1)
    ).log_prob(z)


def standard(z):
    return Normal(0.0, 1.0).log_prob(z).sum(dim=1)


def likelihood(x, z):
    """log p(x|z) of one image at codes (m, 2)."""
    logits = TINY.decode_logits(z)
    return (x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).sum(dim=1)


def exact_elbo(log_prior=standard):
    """The bound of each image by Gauss–Hermite quadrature over q(z|x)."""
    bounds, weights = [], torch.outer(WEIGHTS, WEIGHTS).flatten() / (2 * math.pi)
    for x in IMAGES:
        mu, logvar = (part[0] for part in TINY.encode(x[None]))
        sigma = (0.5 * logvar).exp()
        z = mu + sigma * torch.cartesian_prod(NODES, NODES)
        inside = likelihood(x, z) + log_prior(z) - Normal(mu, sigma).log_prob(z).sum(dim=1)
        bounds.append((weights * inside).sum())
    return torch.stack(bounds)


@torch.no_grad()
def exact_evidence():
    """log p(x) of each image, on a fine grid of codes."""
    step = 2 * math.log(16 / 400)
    return torch.stack([(likelihood(x, PLANE) + standard(PLANE)).logsumexp(0) + step for x in IMAGES])


def averages(estimate, n=4000):
    """Mean over n repetitions of each image, and the error of that mean."""
    values = estimate(IMAGES.repeat_interleave(n, dim=0)).detach().reshape(3, n)
    return values.mean(dim=1), values.std(dim=1) / math.sqrt(n)


def slopes_agree(f):
    """Do the slopes of the average bound in both halves of the model agree with those of the quadrature?"""
    with torch.enable_grad():
        wanted = torch.autograd.grad(exact_elbo().sum(), (TINY.to_codes, TINY.to_pixels))
        value = f(TINY, IMAGES.repeat_interleave(4000, dim=0)).sum() / 4000
        if not value.requires_grad:
            return False
        found = torch.autograd.grad(value, (TINY.to_codes, TINY.to_pixels), allow_unused=True)
    return all(a is not None and (a - b).norm() < 0.1 * b.norm() for a, b in zip(found, wanted, strict=True))


def agrees(estimate, exact):
    mean, error = averages(estimate)
    return bool(((mean - exact.detach()).abs() < 5 * error + 1e-3).all() and (error > 1e-4).all())


def one_per_image(result):
    return isinstance(result, torch.Tensor) and result.shape == (3,)


def nats_of_pixels(x, logits):
    p = logits.double().sigmoid()
    return F.binary_cross_entropy(p, x.double(), reduction="none").sum(dim=1).float()


def link(number, name, minutes, task, blank, solution, **more):
    """A link of the chain, which may use the functions of the links before it."""
    given = "\n\n\n".join(earlier.solution for earlier in EXERCISES)
    EXERCISES.append(
        Exercise(
            name=name,
            minutes=minutes,
            task=f"Link {number}. {task}",
            blank=blank,
            solution=solution,
            given=given,
            **more,
        )
    )


EXERCISES = []

link(
    1,
    "chain-sampler",
    4,
    "Write `my_sampler(mu, logvar)`: one draw from $\\mathcal N(\\mu, \\sigma^2)$ for every entry, with a way for "
    "the gradient. The comments say the three steps.",
    "def my_sampler(mu, logvar):\n    # 1. the standard deviation, from log σ²\n    # 2. noise, in the shape of mu\n"
    "    # 3. stretched and shifted\n    return ...",
    "def my_sampler(mu, logvar):\n    sigma = (0.5 * logvar).exp()\n    eps = torch.randn_like(mu)\n"
    "    return mu + sigma * eps",
    hints=("σ = exp(½ log σ²).", "`torch.randn_like(mu)`, drawn apart from everything that is trained."),
    because="The same three lines in every VAE.",
    truth=None,
    probes=((MU, LOGVAR),),
    must=FAIR_DRAW,
    mistakes={
        "def my_sampler(mu, logvar):\n    return mu + logvar.exp() * torch.randn_like(mu)": (
            "exp(logvar) is σ², not σ."
        ),
        "def my_sampler(mu, logvar):\n    return mu + (0.5 * logvar).exp() * torch.rand_like(mu)": (
            "The noise is uniform; it should be normal."
        ),
        "def my_sampler(mu, logvar):\n    return torch.normal(mu, (0.5 * logvar).exp())": (
            "Right draws, but no gradient gets through (torch.normal and detach cut it)."
        ),
        "def my_sampler(mu, logvar):\n    return (0.5 * logvar).exp() * torch.randn_like(mu)": (
            "The shift by mu is missing."
        ),
        "def my_sampler(mu, logvar):\n    return mu + (0.5 * logvar).exp()": "There is no noise in it.",
    },
)

link(
    2,
    "chain-recon",
    6,
    "Write `my_recon_term(x, logits)`: $-\\log p(x|z)$ of the Bernoulli likelihood, one number per image, in nats. "
    "x has values in [0, 1]. The sum runs over what, and which sign makes it a loss?",
    "def my_recon_term(x, logits):\n    # log x̂ is F.logsigmoid(logits); and log(1 − x̂)?\n    return ...",
    "def my_recon_term(x, logits):\n"
    "    log_p = x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)\n    return -log_p.sum(dim=1)",
    hints=(
        "log(1 − sigmoid(a)) is logsigmoid(−a), without any overflow.",
        "−Σ x log x̂ + (1 − x) log(1 − x̂), over the pixels of an image.",
    ),
    because="With logits there is no logarithm of 0, however sure the decoder is.",
    truth=nats_of_pixels,
    probes=PAIRS,
    must=(
        (
            "not yet: where the decoder is very sure and wrong (logits of ±200) the number is not right.",
            lambda f: abs(f(torch.tensor([[0.0, 1.0]]), torch.tensor([[200.0, -200.0]])) - 400).max() < 0.1,
        ),
        *trains(nats_of_pixels, PAIRS[0]),
    ),
    mistakes={
        "def my_recon_term(x, logits):\n    p = torch.sigmoid(logits)\n"
        "    return -(x * p.log() + (1 - x) * (1 - p).log()).sum(dim=1)": (
            "Right while the decoder is unsure; at logits of ±200 the logarithm of 0 comes back."
        ),
        "def my_recon_term(x, logits):\n"
        "    return (x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).sum(dim=1)": (
            "That is log p(x|z); a loss is its negative."
        ),
        "def my_recon_term(x, logits):\n"
        "    return -(x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).mean(dim=1)": (
            "A mean over the pixels: the KL term would then count 784 times as much."
        ),
        "def my_recon_term(x, logits):\n    return -(x * F.logsigmoid(logits)).sum(dim=1)": (
            "The black part is missing: (1 − x) log(1 − x̂)."
        ),
        "def my_recon_term(x, logits):\n"
        "    return -(x * F.logsigmoid(logits) + (1 - x) * F.logsigmoid(-logits)).sum()": (
            "One number per image is wanted."
        ),
        "def my_recon_term(x, logits):\n"
        "    return -(x * F.logsigmoid(logits) + (1 - x) * (1 - F.logsigmoid(logits))).sum(dim=1)": (
            "log(1 − x̂) is not 1 − log x̂."
        ),
    },
)

link(
    3,
    "chain-kl",
    4,
    "Write `my_kl_term(mu, logvar)`: $\\mathrm{KL}(\\mathcal N(\\mu, \\sigma^2)\\,\\|\\,\\mathcal N(0, I))$, one "
    "number per image, in nats, for any number of units.",
    "def my_kl_term(mu, logvar):\n    return ...",
    "def my_kl_term(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)",
    hints=("Three parts that move and a constant, all under one ½.", "It must be 0 at the prior: test it there first."),
    because="Test at the prior, at known codes, with a gradient: then trust it.",
    truth=lambda mu, logvar: kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(1),
    probes=CODES,
    must=GRADIENT,
    mistakes={
        "def my_kl_term(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(dim=1)": (
            "The nats of the units add; no mean."
        ),
        "def my_kl_term(mu, logvar):\n    return 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(dim=1)": (
            "The sign is wrong."
        ),
        "def my_kl_term(mu, logvar):\n    return 0.5 * (mu**2 + logvar.exp() - 1 - 2 * logvar).sum(dim=1)": (
            "log σ² is logvar itself, not twice logvar."
        ),
        "def my_kl_term(mu, logvar):\n    return 0.5 * (mu**2 + (2 * logvar).exp() - 1 - logvar).sum(dim=1)": (
            "σ² is exp(logvar), not exp(2 logvar)."
        ),
        "def my_kl_term(mu, logvar):\n    return 0.5 * (mu.abs() + logvar.exp() - 1 - logvar).sum(dim=1)": (
            "μ counts by its square."
        ),
    },
)

link(
    4,
    "chain-elbo",
    6,
    "Write `my_elbo(model, x)`: an estimate of the ELBO of every image with one draw, shape (images,), in nats. The "
    "model has `encode(x)`, which returns mu and logvar, and `decode_logits(z)`. Use your three functions.",
    "def my_elbo(model, x):\n    return ...",
    "def my_elbo(model, x):\n    mu, logvar = model.encode(x)\n"
    "    logits = model.decode_logits(my_sampler(mu, logvar))\n"
    "    return -my_recon_term(x, logits) - my_kl_term(mu, logvar)",
    hints=("Encode, draw, decode; then two terms.", "The ELBO is what is maximised: both terms count against it."),
    because="On average it is the bound itself: the test compares it with an integral over q(z|x).",
    truth=None,
    probes=((TINY, IMAGES),),
    must=(
        ("not yet: one number per image is wanted.", lambda f: one_per_image(f(TINY, IMAGES))),
        (
            "not yet: the average over many draws is not the ELBO of a small model, computed by quadrature.",
            lambda f: agrees(lambda x: f(TINY, x), exact_elbo()),
        ),
        (
            "not yet: the value is right, but training needs its slopes, and they are not those of the bound.",
            slopes_agree,
        ),
    ),
    mistakes={
        "def my_elbo(model, x):\n    mu, logvar = model.encode(x)\n"
        "    logits = model.decode_logits(my_sampler(mu, logvar))\n"
        "    return my_recon_term(x, logits) + my_kl_term(mu, logvar)": "That is the loss, the negative of the ELBO.",
        "def my_elbo(model, x):\n    mu, logvar = model.encode(x)\n"
        "    logits = model.decode_logits(my_sampler(mu, logvar))\n"
        "    return my_kl_term(mu, logvar) - my_recon_term(x, logits)": "The KL term has to be subtracted too.",
        "def my_elbo(model, x):\n    mu, logvar = model.encode(x)\n"
        "    logits = model.decode_logits(my_sampler(mu, logvar))\n    return -my_recon_term(x, logits)": (
            "The KL term is missing."
        ),
        "def my_elbo(model, x):\n    mu, logvar = model.encode(x)\n    logits = model.decode_logits(mu)\n"
        "    return -my_recon_term(x, logits) - my_kl_term(mu, logvar)": (
            "Decoded from the mean: without a draw it is no estimate of the expectation."
        ),
        "def my_elbo(model, x):\n    mu, logvar = model.encode(x)\n"
        "    logits = model.decode_logits(my_sampler(mu, logvar))\n"
        "    return (-my_recon_term(x, logits) - my_kl_term(mu, logvar)).mean()": (
            "That is the mean over the images; keep one number for each."
        ),
    },
)

WEIGHT = """    mu, logvar = model.encode(x)
    rows = []
    for _ in range(k):
        z = my_sampler(mu, logvar)
        log_p = -0.5 * (z**2 + math.log(2 * math.pi)).sum(dim=1)
        log_q = -0.5 * ((z - mu) ** 2 / logvar.exp() + logvar + math.log(2 * math.pi)).sum(dim=1)
        rows.append({row})
    {last}"""


def iwae(row="log_p - log_q - my_recon_term(x, model.decode_logits(z))",
         last="return torch.stack(rows).logsumexp(dim=0) - math.log(k)"):  # fmt: skip
    return "def my_iwae(model, x, k):\n" + WEIGHT.format(row=row, last=last)


link(
    5,
    "chain-iwae",
    12,
    "Write `my_iwae(model, x, k)`: the bound $\\log\\frac1k\\sum_i p(x, z_i)/q(z_i|x)$ with $k$ draws from "
    "$q(z|x)$ for every image, shape (images,), in nats.",
    "def my_iwae(model, x, k):\n    return ...",
    iwae(),
    hints=(
        "Every draw needs its own log p(x|z) + log p(z) − log q(z|x); the closed KL is of no use here.",
        "The logarithm of a mean of exponentials: logsumexp − log k.",
        "log N(z; μ, σ²) = −½((z − μ)²/σ² + log σ² + log 2π), summed over units.",
    ),
    because="With k = 1 it is the ELBO; with many draws it comes close to log p(x) itself.",
    truth=None,
    probes=((TINY, IMAGES, 1), (TINY, IMAGES, 5)),
    must=(
        ("not yet: one number per image is wanted.", lambda f: one_per_image(f(TINY, IMAGES, 3))),
        (
            "not yet: with k = 1 its average should be the ELBO.",
            lambda f: agrees(lambda x: f(TINY, x, 1), exact_elbo()),
        ),
        (
            "not yet: with 3,000 draws it should be near log p(x).",
            lambda f: (f(TINY, IMAGES, 3000) - exact_evidence()).abs().max() < 0.05,
        ),
    ),
    mistakes={
        iwae(last="return torch.stack(rows).mean(dim=0)"): (
            "That is the mean of the logarithms: the ELBO again, whatever k is. The mean stands inside the logarithm."
        ),
        iwae(last="return torch.stack(rows).logsumexp(dim=0)"): "The 1/k is missing: − log k.",
        iwae(last="return torch.stack(rows).amax(dim=0)"): "The largest weight is not the mean of all.",
        iwae(row="log_p - my_recon_term(x, model.decode_logits(z))"): (
            "log q(z|x) is missing: the draws come from q, and each has to be divided by its density."
        ),
        iwae(row="-my_kl_term(mu, logvar) - my_recon_term(x, model.decode_logits(z))"): (
            "The closed KL is an average over draws; inside the logarithm every draw needs its own ratio."
        ),
    },
)


def mixture(parts="-0.5 * (((z[:, None] - means) / log_sigmas.exp()) ** 2 + 2 * log_sigmas + math.log(2 * math.pi))",
            last="return (parts.sum(dim=2) + log_weights).logsumexp(dim=1)"):  # fmt: skip
    return f"def my_log_mixture(z, means, log_sigmas, log_weights):\n    parts = {parts}\n    {last}"


link(
    6,
    "chain-mixture",
    10,
    "A prior that fits: write `my_log_mixture(z, means, log_sigmas, log_weights)`, the log density of a mixture of "
    "upright Gaussians. z: (n, d); means and log_sigmas: (k, d), the latter log standard deviations; log_weights: "
    "(k,), logarithms of weights that add up to 1. Shape (n,), in nats.",
    "def my_log_mixture(z, means, log_sigmas, log_weights):\n    return ...",
    mixture(),
    hints=(
        "Every z against every Gaussian: z[:, None] − means has shape (n, k, d).",
        "Sum over d the log densities, add the log weights, then a logsumexp over the k Gaussians.",
    ),
    because="The sum of densities stands inside the logarithm; logsumexp keeps it from running over.",
    truth=lambda z, means, log_sigmas, log_weights: MixtureSameFamily(
        Categorical(logits=log_weights), Independent(Normal(means, log_sigmas.exp()), 1)
    ).log_prob(z),
    probes=(*MIXTURES, FAR),
    mistakes={
        mixture(last="return (parts.sum(dim=2) + log_weights).sum(dim=1)"): (
            "A sum of logarithms is a product of densities; the densities add, inside the logarithm."
        ),
        mixture(last="return parts.sum(dim=2).logsumexp(dim=1)"): "The weights of the Gaussians are missing.",
        mixture(parts="-0.5 * ((z[:, None] - means) ** 2 / log_sigmas.exp() + log_sigmas + math.log(2 * math.pi))"): (
            "log_sigmas are logarithms of standard deviations, not of variances."
        ),
        mixture(parts="-0.5 * (((z[:, None] - means) / log_sigmas.exp()) ** 2 + 2 * log_sigmas)"): (
            "The log 2π per dimension is missing."
        ),
        mixture(last="return (parts + log_weights[:, None]).logsumexp(dim=1).sum(dim=1)"): (
            "Sum over the dimensions first: a Gaussian in d dimensions has one weight, not one per dimension."
        ),
        mixture(last="return (parts.sum(dim=2) + log_weights).amax(dim=1)"): (
            "The nearest Gaussian alone is not the whole mixture."
        ),
    },
)


def fitted(prior="log_prior(z)", q="log_q", sign="-"):
    return f"""def my_fitted_elbo(model, x, log_prior):
    mu, logvar = model.encode(x)
    z = my_sampler(mu, logvar)
    log_q = -0.5 * ((z - mu) ** 2 / logvar.exp() + logvar + math.log(2 * math.pi)).sum(dim=1)
    return {prior} {sign} {q} - my_recon_term(x, model.decode_logits(z))"""


link(
    7,
    "chain-fitted-prior",
    8,
    "Write `my_fitted_elbo(model, x, log_prior)`: the ELBO of every image under any prior, given as a function from "
    "codes (n, d) to log densities (n,); one draw, in nats. There is no closed form any more.",
    "def my_fitted_elbo(model, x, log_prior):\n    return ...",
    fitted(),
    hints=(
        "The KL divergence is a mean over draws from q: of what?",
        "log p(x|z) + log p(z) − log q(z|x) at the drawn z.",
    ),
    because="Exchange the prior, and nothing else in the bound changes.",
    truth=None,
    probes=((TINY, IMAGES, hat),),
    must=(
        ("not yet: one number per image is wanted.", lambda f: one_per_image(f(TINY, IMAGES, hat))),
        (
            "not yet: under N(0, 1) its average should be the ELBO of link 4.",
            lambda f: agrees(lambda x: f(TINY, x, standard), exact_elbo()),
        ),
        (
            "not yet: under a prior with two peaks its average is not the bound by quadrature.",
            lambda f: agrees(lambda x: f(TINY, x, hat), exact_elbo(hat)),
        ),
    ),
    mistakes={
        fitted(prior="", sign="-", q="my_kl_term(mu, logvar)"): (
            "my_kl_term is the price against N(0, I); the prior that was given is not used."
        ),
        fitted(prior="log_prior(mu)"): "The prior has to be asked at the draw, not at the mean.",
        fitted(q="0"): "log q(z|x) is missing.",
        fitted(sign="+"): "log q(z|x) counts against the bound: minus.",
        fitted(prior="log_prior(z) - my_kl_term(mu, logvar)"): (
            "The closed KL is counted on top of the two log densities, whose difference is the KL already."
        ),
    },
)
