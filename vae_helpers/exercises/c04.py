"""Exercises of chapter 04: the bound, its gap, and a tighter bound from several draws."""

import torch
from torch.distributions import MultivariateNormal, Normal, kl_divergence

from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(4)
BATCH = (*torch.rand(2, 5, 8, generator=GENERATOR), *torch.randn(2, 5, 3, generator=GENERATOR))
LOG_W = 3 * torch.randn(6, 5, generator=GENERATOR)


def in_doubles(log_w):
    """log of the mean of the weights, image by image, relative to the largest weight, in double precision."""
    largest = log_w.double().max(dim=1, keepdim=True).values
    return ((log_w.double() - largest).exp().mean(dim=1).log() + largest[:, 0]).float()


def joint(x, w, gamma):
    """−log p(x) from the covariance of the pair (x, z), z left out."""
    covariance = torch.tensor([[w, gamma], [1.0, 0.0]]) @ torch.tensor([[w, gamma], [1.0, 0.0]]).T
    return -MultivariateNormal(torch.zeros(1), covariance[:1, :1]).log_prob(torch.tensor([float(x)])).item()


def whole_by_loops(x, x_hat, mu, logvar, beta):
    prior, total = Normal(0.0, 1.0), 0.0
    for i in range(len(x)):
        total += sum((a - b) ** 2 for a, b in zip(x[i].tolist(), x_hat[i].tolist(), strict=True))
        total += beta * kl_divergence(Normal(mu[i], (0.5 * logvar[i]).exp()), prior).sum().item()
    return total / len(x)


EXERCISES = [
    Exercise(
        name="iwae",
        minutes=8,
        task="""Write `my_iwae(log_w)`: the bound on $\\log p(x)$ from several draws, $\\log\\frac1k\\sum_j \
w_j$. `log_w` holds the *logarithms* of the weights, shape (images, draws); one number per image. It has to be \
right for logarithms near −1000 too.""",
        blank="def my_iwae(log_w):\n    return ...",
        hints=(
            "exp(−1000) is 0 in floating point, so the sum must be taken by `torch.logsumexp`.",
            "log of a mean is log of the sum minus log k.",
        ),
        solution="""def my_iwae(log_w):
    k = torch.tensor(float(log_w.shape[1]))
    return torch.logsumexp(log_w, dim=1) - k.log()""",
        because="With one draw this is one draw's ELBO; with more it can only rise, on average.",
        truth=in_doubles,
        probes=((LOG_W,), (LOG_W[:, :1],), (LOG_W - 1000,), (torch.tensor([[0.0, -200.0], [-1000.0, -1003.0]]),)),
        mistakes={
            "def my_iwae(log_w):\n    return log_w.mean(dim=1)": (
                "The mean of the logarithms is the ELBO again; the mean is taken before the logarithm."
            ),
            "def my_iwae(log_w):\n    return log_w.exp().mean(dim=1).log()": (
                "Right for moderate weights; near −1000 all of them are 0 and the result is −inf. Use logsumexp."
            ),
            "def my_iwae(log_w):\n    return torch.logsumexp(log_w, dim=1)": (
                "That is the log of the sum; the log of the mean is smaller by log k."
            ),
            "def my_iwae(log_w):\n    return torch.logsumexp(log_w, dim=0) - torch.tensor(len(log_w)).log()": (
                "The sum runs over the images here; it has to run over the draws, dim=1."
            ),
            """def my_iwae(log_w):
    k = torch.tensor(float(log_w.shape[1]))
    return k.log() - torch.logsumexp(log_w, dim=1)""": "The sign: a bound on log p(x) is wanted, not on its negative.",
            """def my_iwae(log_w):
    return log_w.max(dim=1).values""": "The largest weight alone is above the mean; the other draws count too.",
        },
    ),
    Exercise(
        name="gap-of-a-shift",
        minutes=4,
        task="""The true posterior of an image is $\\mathcal N(1, 0.2^2)$. The encoder answers $\\mathcal N(1.1, \
0.2^2)$. How many nats does the ELBO lie below $\\log p(x)$?""",
        blank="my_gap = ...",
        hints=("The gap is KL(q ‖ true posterior).", "For equal widths it is shift² / (2σ²)."),
        solution="my_gap = 0.1**2 / (2 * 0.2**2)",
        because="0.125 nats: half a standard deviation off costs an eighth of a nat.",
        truth=0.125,
        mistakes={
            "my_gap = 0.1**2 / 0.2**2": "The ½ is missing: the divergence of two Gaussians of equal width is d²/(2σ²).",
            "my_gap = 0.1 / 0.2": "That is the shift in standard deviations; the divergence is half its square.",
            "my_gap = 0.1**2 / 2": "That is the gap for posteriors of width 1; measure the shift in widths of 0.2.",
            "my_gap = 0.1**2 / (2 * 0.2)": "0.2 is the standard deviation; the variance 0.04 belongs below.",
            "my_gap = -(0.1**2) / (2 * 0.2**2)": "The gap is a divergence and never negative.",
        },
    ),
    Exercise(
        name="one-number-evidence",
        minutes=6,
        task="""In the model with one number, $z \\sim \\mathcal N(0, 1)$ and $x = wz + \\gamma\\varepsilon$ \
with $\\varepsilon \\sim \\mathcal N(0, 1)$. Write `my_evidence(x, w, gamma)`: $-\\log p(x)$ in nats, for plain \
numbers.""",
        blank="def my_evidence(x, w, gamma):\n    return ...",
        hints=("x is a sum of two independent Gaussians.", "Its variance is w² + γ²."),
        solution="""def my_evidence(x, w, gamma):
    variance = torch.tensor(w**2 + gamma**2)
    return 0.5 * (x**2 / variance + (2 * torch.pi * variance).log())""",
        because="Only w² + γ² counts: a decoder that ignores its code (w = 0) may fit the data as well as any other.",
        truth=joint,
        probes=((0.0, 1.0, 0.5), (2.0, 1.5, 0.3), (-1.0, 0.0, 1.0), (0.7, -2.0, 0.1)),
        mistakes={
            """def my_evidence(x, w, gamma):
    variance = torch.tensor(gamma**2)
    return 0.5 * (x**2 / variance + (2 * torch.pi * variance).log())""": (
                "That is −log p(x | z = 0): the code varies too, and adds w² to the variance."
            ),
            """def my_evidence(x, w, gamma):
    variance = torch.tensor(w**2 + gamma)
    return 0.5 * (x**2 / variance + (2 * torch.pi * variance).log())""": (
                "γ is the standard deviation of the noise; its variance is γ²."
            ),
            """def my_evidence(x, w, gamma):
    variance = torch.tensor((w + gamma) ** 2)
    return 0.5 * (x**2 / variance + (2 * torch.pi * variance).log())""": (
                "Variances of independent numbers add, not their standard deviations."
            ),
            """def my_evidence(x, w, gamma):
    variance = torch.tensor(w**2 + gamma**2)
    return 0.5 * x**2 / variance""": "The constant is missing: ½ log(2π · variance).",
            """def my_evidence(x, w, gamma):
    variance = torch.tensor(w**2 + gamma**2)
    return -0.5 * (x**2 / variance + (2 * torch.pi * variance).log())""": "That is log p(x); its negative is wanted.",
            """def my_evidence(x, w, gamma):
    variance = torch.tensor(w + gamma)
    return 0.5 * (x**2 / variance + (2 * torch.pi * variance).log())""": (
                "w and γ multiply standard numbers; square them."
            ),
        },
    ),
    Exercise(
        name="encoder-only",
        minutes=3,
        task="""The decoder is frozen and only the encoder is trained further. The ELBO rises by 3 nats. What \
happened?

- **A**: $\\log p(x)$ rose by 3 nats.
- **B**: The gap fell by 3 nats; $\\log p(x)$ is what it was.
- **C**: The KL to the prior fell by 3 nats.
- **D**: Nothing can be said without knowing the posterior.""",
        blank="my_answer = ...",
        hints=("Which of ELBO, gap and log p(x) depend on the encoder?", "log p(x) = ELBO + gap, for any encoder."),
        solution='my_answer = "B"',
        because="log p(x) belongs to decoder and prior alone, so the encoder can only move the gap.",
        truth="B",
        mistakes={
            'my_answer = "A"': "log p(x) depends on the decoder and the prior only, and both stand still.",
            'my_answer = "C"': "That may or may not be so: the reconstruction term moves too; only their sum is known.",
            'my_answer = "D"': "The posterior need not be known: log p(x) = ELBO + gap, and log p(x) did not change.",
            'my_answer = "E"': "The answers are A to D.",
        },
    ),
    Exercise(
        name="whole-loss",
        minutes=7,
        task="""Write `my_loss(x, x_hat, mu, logvar, beta)`, one number for a batch: the squared error of each \
image, summed over its pixels, plus `beta` times its KL term, summed over its units; then the mean over the \
images.""",
        blank="def my_loss(x, x_hat, mu, logvar, beta):\n    return ...",
        hints=("Two sums over dim=1, one mean at the very end.", "KL: ½ Σ (μ² + σ² − 1 − log σ²)."),
        solution="""def my_loss(x, x_hat, mu, logvar, beta):
    recon = ((x - x_hat) ** 2).sum(dim=1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)
    return (recon + beta * kl).mean()""",
        because="With β = 1 this is the negative ELBO of a decoder with variance ½, up to a constant.",
        truth=whole_by_loops,
        probes=((*BATCH, 1.0), (*BATCH, 4.0), (*(part[:1] for part in BATCH), 0.0)),
        mistakes={
            """def my_loss(x, x_hat, mu, logvar, beta):
    recon = ((x - x_hat) ** 2).mean(dim=1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)
    return (recon + beta * kl).mean()""": (
                "The squared error is a mean over pixels here, which multiplies β by their number."
            ),
            """def my_loss(x, x_hat, mu, logvar, beta):
    recon = ((x - x_hat) ** 2).sum(dim=1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(dim=1)
    return (recon + beta * kl).mean()""": "The KL is a mean over units here, which divides β by their number.",
            """def my_loss(x, x_hat, mu, logvar, beta):
    recon = ((x - x_hat) ** 2).sum(dim=1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)
    return (recon + beta * kl).sum()""": "That sums over the images, so the step size would depend on the batch.",
            """def my_loss(x, x_hat, mu, logvar, beta):
    recon = ((x - x_hat) ** 2).sum(dim=1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)
    return (beta * recon + kl).mean()""": "β stands at the wrong term; it multiplies the KL.",
            """def my_loss(x, x_hat, mu, logvar, beta):
    recon = ((x - x_hat) ** 2).sum(dim=1)
    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)
    return (recon - beta * kl).mean()""": "The KL is added: a loss that rewards it has no bottom.",
        },
    ),
]
