"""Exercises of chapter 03: likelihoods in nats, and the weight that a coded loss gives the KL term."""

import torch
from torch.distributions import Bernoulli, Normal

from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(3)
X, X_HAT = torch.rand(2, 3, 5, generator=GENERATOR)
LOGITS = 3 * torch.randn(3, 5, generator=GENERATOR)
FAR = torch.tensor([[200.0, -200.0]])


def gaussian_by_library(x, x_hat, variance):
    return -Normal(x_hat, variance**0.5).log_prob(x).sum(dim=1)


def bernoulli_by_library(x, logits):
    return -Bernoulli(logits=logits.double(), validate_args=False).log_prob(x.double()).sum(dim=1).float()


def beta_by_slopes(recon, kl, pixels, latents):
    """b/a read off the slopes of the coded loss: b by one unit's KL, a by one pixel's reconstruction."""
    errors, prices = torch.zeros(pixels, requires_grad=True), torch.zeros(latents, requires_grad=True)
    loss = getattr(errors, recon)() + getattr(prices, kl)()
    a, b = torch.autograd.grad(loss, (errors, prices))
    return (b[0] / a[0]).item()


EXERCISES = [
    Exercise(
        name="gaussian-nll",
        minutes=6,
        task="""Write `my_nll(x, x_hat, variance)`: $-\\log p(x|z)$ of a Gaussian with mean `x_hat` and the \
given variance at every pixel, **with** its constant. Shapes (images, pixels); one number per image, in nats.""",
        blank="def my_nll(x, x_hat, variance):\n    return ...",
        hints=(
            "Per pixel: (x − x̂)² / 2σ² + ½ log(2πσ²).",
            "Pixels are independent given z, so their numbers are summed: `.sum(dim=1)`.",
        ),
        solution="""def my_nll(x, x_hat, variance):
    each = (x - x_hat) ** 2 / (2 * variance) + 0.5 * math.log(2 * math.pi * variance)
    return each.sum(dim=1)""",
        because="With σ² = ½ this is the squared error plus a constant: the convention of the book.",
        truth=gaussian_by_library,
        probes=((X, X_HAT, 0.5), (X, X_HAT, 2.0), (X[:1], X_HAT[:1], 0.01)),
        mistakes={
            "def my_nll(x, x_hat, variance):\n    return ((x - x_hat) ** 2 / (2 * variance)).sum(dim=1)": (
                "The squares are right; the constant ½ log(2πσ²) per pixel is missing."
            ),
            """def my_nll(x, x_hat, variance):
    each = (x - x_hat) ** 2 / variance + 0.5 * math.log(2 * math.pi * variance)
    return each.sum(dim=1)""": "The ½ in front of the squares is missing: (x − x̂)² / 2σ².",
            """def my_nll(x, x_hat, variance):
    each = (x - x_hat) ** 2 / (2 * variance) + 0.5 * math.log(2 * math.pi * variance)
    return each.mean(dim=1)""": (
                "That is the mean over pixels. A likelihood is a product over pixels, so their logs add."
            ),
            """def my_nll(x, x_hat, variance):
    each = (x - x_hat) ** 2 / (2 * variance) + 0.5 * math.log(2 * math.pi * variance)
    return each.sum()""": "That sums over the images too; one number per image is wanted, sum(dim=1).",
            """def my_nll(x, x_hat, variance):
    each = (x - x_hat) ** 2 / (2 * variance) + 0.5 * math.log(2 * math.pi * variance)
    return -each.sum(dim=1)""": "That is log p; the negative log-likelihood has the other sign.",
            """def my_nll(x, x_hat, variance):
    norm = ((x - x_hat) ** 2).sum(dim=1).sqrt()
    return norm / (2 * variance) + 0.5 * x.shape[1] * math.log(2 * math.pi * variance)""": (
                "There is a square root over the sum of squares; with it this is no Gaussian."
            ),
        },
    ),
    Exercise(
        name="bce-from-logits",
        minutes=8,
        task="""Write `my_bce(x, logits)`: the cross-entropy $-\\sum_i x_i\\log p_i + (1-x_i)\\log(1-p_i)$ with \
$p = \\mathrm{sigmoid}(\\text{logits})$, one number per image. Shapes (images, pixels); x lies between 0 and 1. \
It has to be right for logits of ±200 too. (Without calling PyTorch's own cross-entropy.)""",
        blank="def my_bce(x, logits):\n    return ...",
        hints=(
            "−log p = softplus(−logit) and −log(1 − p) = softplus(logit).",
            "Together: softplus(logit) − x · logit, summed over the pixels.",
        ),
        solution="def my_bce(x, logits):\n    return (F.softplus(logits) - x * logits).sum(dim=1)",
        because="Written with softplus nothing overflows, and no probability has to be clipped.",
        truth=bernoulli_by_library,
        probes=(
            (X, LOGITS),
            (X.round(), LOGITS),
            (torch.tensor([[0.0, 1.0]]), FAR),
            (torch.tensor([[0.2, 0.9]]), FAR / 25),
        ),
        mistakes={
            """def my_bce(x, logits):
    p = torch.sigmoid(logits)
    return -(x * p.log() + (1 - x) * (1 - p).log()).sum(dim=1)""": (
                "Right for small logits; at ±200 the sigmoid is 0 or 1 and its log infinite. Stay with the logits."
            ),
            """def my_bce(x, logits):
    p = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    return -(x * p.log() + (1 - x) * (1 - p).log()).sum(dim=1)""": (
                "Clipping hides the overflow: at logits of ±200 it charges 16 nats where 200 are due."
            ),
            """def my_bce(x, logits):
    p = torch.sigmoid(logits)
    return -(x * (p + 1e-8).log() + (1 - x) * (1 - p + 1e-8).log()).sum(dim=1)""": (
                "Adding a tiny number keeps it finite and wrong: at logits of ±200 each pixel costs 200 nats, not 18."
            ),
            "def my_bce(x, logits):\n    return (F.softplus(logits) - x * logits).mean(dim=1)": (
                "That is the mean over pixels; the nats of independent pixels are summed."
            ),
            "def my_bce(x, logits):\n    return (x * logits - F.softplus(logits)).sum(dim=1)": (
                "That is the log-likelihood; its negative is wanted."
            ),
            "def my_bce(x, logits):\n    return (F.softplus(logits) + x * logits).sum(dim=1)": (
                "One sign is wrong: where x = 1 the price must fall as the logit grows."
            ),
            "def my_bce(x, logits):\n    return F.softplus(-logits).mul(x).sum(dim=1)": (
                "Only the pixels with ink are charged; (1 − x) log(1 − p) is missing."
            ),
        },
    ),
    Exercise(
        name="coded-beta",
        minutes=8,
        task="""Write `my_beta_of(recon, kl, pixels, latents)` for a loss with cross-entropy. `recon` and `kl` \
are `"sum"` or `"mean"` and say how each term is reduced over its pixels or latent units. Written as $a$ times \
the summed cross-entropy plus $b$ times the summed KL, β is $b/a$. Which β does the loss have?""",
        blank="def my_beta_of(recon, kl, pixels, latents):\n    return ...",
        hints=(
            "Write the loss as a · (sum over pixels) + b · (sum over units).",
            "A mean over n numbers is a sum with weight 1/n. β = b/a.",
        ),
        solution="""def my_beta_of(recon, kl, pixels, latents):
    a = 1 if recon == "sum" else 1 / pixels
    b = 1 if kl == "sum" else 1 / latents
    return b / a""",
        because='"mean" and "sum" for 784 pixels: β = 784. The popular fix, to sum the KL only, makes it worse.',
        truth=beta_by_slopes,
        probes=tuple(
            (r, k, p, d) for r in ("sum", "mean") for k in ("sum", "mean") for p, d in ((784, 2), (12288, 128))
        ),
        mistakes={
            """def my_beta_of(recon, kl, pixels, latents):
    a = 1 if recon == "sum" else 1 / pixels
    b = 1 if kl == "sum" else 1 / latents
    return a / b""": "That is a/b. β multiplies the KL, so the weight of the KL stands above.",
            """def my_beta_of(recon, kl, pixels, latents):
    return 1 if recon == "sum" else pixels""": "The reduction of the KL counts too: a mean over d units divides by d.",
            """def my_beta_of(recon, kl, pixels, latents):
    return 1 if kl == "sum" else 1 / latents""": "The reduction of the reconstruction counts too: its mean divides a.",
            """def my_beta_of(recon, kl, pixels, latents):
    if recon == kl:
        return 1
    return pixels if recon == "mean" else 1 / latents""": "Two means do not cancel: β is pixels / latents then.",
            """def my_beta_of(recon, kl, pixels, latents):
    return 1""": "β = 1 holds with both sums, not in general.",
            """def my_beta_of(recon, kl, pixels, latents):
    a = 1 if recon == "sum" else 1 / pixels
    b = 1 if kl == "sum" else 1 / latents
    return b / (2 * a)""": "b/(2a) is the decoder's variance for squared error; with cross-entropy β = b/a.",
        },
    ),
    Exercise(
        name="rescaled-pixels",
        minutes=6,
        task="""A loss is 1,000 times the *mean* squared error over 3,072 colour values, plus the summed KL, for \
pixels in $[0, 1]$. Which β is that? Then the pixels are rescaled to $[-1, 1]$ and the code stays as it is. \
Which β is it now, for pixels measured as before? Give both.""",
        blank="my_betas = ...",
        hints=(
            "a is the weight of the summed squared error: 1000/3072.",
            "What does doubling the range do to the squared error of the same two images?",
        ),
        solution="my_betas = 3072 / 1000, 3072 / 4000",
        because="β = b/a = 3.07; on twice the range the same images have four times the squared error, so 0.77.",
        truth=(3.072, 0.768),
        within=1e-2,
        mistakes={
            "my_betas = 1000 / 3072, 4000 / 3072": "That is a, the reconstruction's weight; β = b/a is the inverse.",
            "my_betas = 3.072, 3.072": (
                "The first is right. Rescaling is not free: the squared error of the same images changes."
            ),
            "my_betas = 3.072, 3.072 / 2": "Twice the range is four times the *squared* error.",
            "my_betas = 3.072, 3.072 * 4": "The error grows fourfold, so the KL counts less beside it, not more.",
            "my_betas = 1.536, 0.384": "b/(2a) is the decoder's variance σx²; in this book β = b/a for SSE + KL.",
        },
    ),
    Exercise(
        name="bce-verdict",
        minutes=3,
        task="""Lecture notes say that "BCE is wrong" for grey images. Which verdict is right?

- **A**: It is wrong: its minimum is not at the image.
- **B**: Nothing is wrong: it is the log-likelihood of the grey image.
- **C**: Its minimum is at the image, but it is no log-likelihood of grey values: the density does not integrate \
to 1.
- **D**: It is right if the images are divided by 255.""",
        blank="my_verdict = ...",
        hints=(
            "Differentiate softplus(l) − x l in l.",
            'Chapter 03 integrates it over [0, 1]. An answer looks like "A".',
        ),
        solution='my_verdict = "C"',
        because="A valid loss, an unnormalised likelihood; the continuous Bernoulli supplies the missing factor.",
        truth="C",
        mistakes={
            'my_verdict = "A"': "Its slope is sigmoid(l) − x, zero exactly where the mean is x, grey or not.",
            'my_verdict = "B"': (
                "Then its exponential would integrate to 1 over [0, 1]; chapter 03 finds that it does not."
            ),
            'my_verdict = "D"': (
                "Dividing by 255 is needed, but leaves grey values between 0 and 1, and the same question."
            ),
            'my_verdict = "all of them"': "One letter is wanted; the four cannot all be right.",
        },
    ),
]
