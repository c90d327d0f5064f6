"""Exercises of chapter 13, the bug clinic: short code with a fault, and two patients with none."""

import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from vae_helpers.exercises.c02 import FAIR_DRAW, LOGVAR, MU
from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(13)
IMAGES = tuple(tuple(torch.rand(2, n, pixels, generator=GENERATOR)) for n, pixels in ((3, 784), (5, 784)))
PRIOR = torch.zeros(2, 2), torch.zeros(2, 2)
CODES = PRIOR, *(tuple(torch.randn(2, n, d, generator=GENERATOR)) for n, d in ((3, 1), (5, 2), (4, 7)))
LOGITS = tuple((x, 4 * torch.randn(*x.shape, generator=GENERATOR)) for x, _ in IMAGES)


def sum_of_squares(x, x_hat):
    return torch.cdist(x[:, None], x_hat[:, None]).flatten() ** 2


def price(mu, logvar):
    return kl_divergence(Normal(mu, (0.5 * logvar).exp()), Normal(0.0, 1.0)).sum(dim=1)


def bernoulli(x, logits):
    return -Bernoulli(logits=logits, validate_args=False).log_prob(x).sum(dim=1)


def reaches(f):
    """Do gradients of the KL arrive at both inputs, with the slopes of the library's KL?"""
    mu, logvar = (part.clone().requires_grad_() for part in CODES[2])
    found = f(mu, logvar)
    if not (isinstance(found, torch.Tensor) and found.requires_grad):
        return False
    wanted = torch.autograd.grad(price(mu, logvar).sum(), (mu, logvar))
    slopes = torch.autograd.grad(found.sum(), (mu, logvar), allow_unused=True)
    return all(a is not None and torch.allclose(a, b, atol=1e-5) for a, b in zip(slopes, wanted, strict=True))


GRADIENT = (("not yet: the value is right, but the gradient does not reach mu and logvar as it should.", reaches),)


def slopes_of(recon, truth, first, second):
    """Does the term pass on to its second argument, the decoder's output, the slopes that the library finds?"""
    found = []
    for term in (recon, truth):
        out = second.clone().requires_grad_()
        value = term(first.clone(), out)
        if not (isinstance(value, torch.Tensor) and value.requires_grad):
            return False
        found.append(torch.autograd.grad(value.sum(), out)[0])
    return torch.allclose(*found, rtol=1e-3, atol=1e-4)


def trains(truth, probe):
    words = "not yet: the value is right, but its gradient does not reach what the decoder returns."
    return ((words, lambda recon: slopes_of(recon, truth, *probe)),)


def heads_pass(heads):
    mu, logvar = (part.clone().requires_grad_() for part in CODES[2])
    found = heads(mu, logvar)
    return all(part.requires_grad for part in found) and bool(
        (torch.autograd.grad(sum(part.sum() for part in found), mu)[0] == 1).all()
    )


TASK = ' Mend the code, or hand in the word `"healthy"` in place of the function.'


def bed(number, name, complaint, sick, cure, **more):
    """A patient: its complaint, its code as it came in, and the code cured."""
    return Exercise(
        name=name, minutes=more.pop("minutes", 5), task=f"Patient {number}. {complaint}{TASK}",
        blank=sick, solution=cure, **more,
    )  # fmt: skip


def kl_of(number, body):
    return f"def my_kl_{number}(mu, logvar):\n{body}"


EXERCISES = [
    bed(
        1,
        "grey-page",
        '*"Whatever I put in, the same grey picture comes out, and the KL term is 0. More epochs do not help."*',
        "def my_recon_1(x, x_hat):\n    return ((x - x_hat) ** 2).mean(dim=1)",
        "def my_recon_1(x, x_hat):\n    return ((x - x_hat) ** 2).sum(dim=1)",
        hints=(
            "Both terms are nats of the same image. Is each a sum over the same kind of thing?",
            "A mean over 784 pixels makes the reconstruction term 784 times too small.",
        ),
        because="With the mean over pixels the price of the code was 784 times too high: β = 784. (The most common "
        "fault of all; keras-team/keras#6015 and pytorch/examples#290 are two of many threads.)",
        truth=sum_of_squares,
        probes=IMAGES,
        must=trains(sum_of_squares, IMAGES[0]),
        mistakes={
            "def my_recon_1(x, x_hat):\n    return ((x - x_hat) ** 2).sum()": (
                "That sums over the images as well; one number per image is wanted."
            ),
            "def my_recon_1(x, x_hat):\n    return ((x - x_hat) ** 2).mean()": (
                "That averages over pixels and images; the pixels of an image must be summed."
            ),
            "def my_recon_1(x, x_hat):\n    return 0.5 * ((x - x_hat) ** 2).sum(dim=1)": (
                "The ½ belongs to a decoder variance of 1; in this book it is ½, which makes the term the plain sum."
            ),
            "def my_recon_1(x, x_hat):\n    return ((x - x_hat) ** 2).sum(dim=1).sqrt()": (
                "A square root is no likelihood of a Gaussian; the sum of squares is."
            ),
            "def my_recon_1(x, x_hat):\n    return (x - x_hat).abs().sum(dim=1)": (
                "That is the likelihood of another distribution (Laplace), not a repair."
            ),
            "def my_recon_1(x, x_hat):\n    return 100 * ((x - x_hat) ** 2).mean(dim=1)": (
                "A magic factor moves β without saying where to. The factor that undoes the mean is 784, and a sum "
                "needs none."
            ),
        },
    ),
    bed(
        2,
        "far-from-home",
        '*"Reconstructions are fine, but the codes lie all over the place: their KL divergence is far above '
        "that of others. I weight the KL term for the minibatch, as a repository does. (There are 1,500 "
        'images.)"*',
        kl_of(2, "    kl = 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)\n    return len(mu) / 1500 * kl"),
        kl_of(2, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)"),
        hints=(
            "Of what is the mean over a batch an estimate?",
            "Both terms are averages over the same images; the batch is in both. What is left of the weight?",
        ),
        because="The factor was β = 64/1500 in disguise, and it would change with the batch size. Averages over a "
        "batch estimate the averages over the data as they are. (AntixK/PyTorch-VAE#35.)",
        truth=price,
        probes=CODES,
        must=GRADIENT,
        mistakes={
            kl_of(2, "    return 1500 / len(mu) * 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)"): (
                "Now the weight is upside down: β above 1, and still a matter of the batch size."
            ),
            kl_of(2, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1) / len(mu)"): (
                "Dividing by the batch size is the job of the mean over the batch, which comes after this function."
            ),
            kl_of(2, "    return 64 / 1500 * 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)"): (
                "That freezes the factor at its value for one batch size; it should not be there at all."
            ),
            kl_of(2, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(dim=1)"): (
                "The nats of independent units add; a mean over the units is another hidden weight."
            ),
            kl_of(2, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()"): (
                "One number per image is wanted, not one for the batch."
            ),
        },
    ),
    bed(
        3,
        "two-widths",
        '*"My KL term is the right formula, tested. But when I estimate the KL of the codes that are drawn by Monte '
        'Carlo, I find another number."*',
        "def my_sample_3(mu, logvar):\n    return mu + logvar.exp() * torch.randn_like(mu)",
        "def my_sample_3(mu, logvar):\n    return mu + (0.5 * logvar).exp() * torch.randn_like(mu)",
        hints=(
            "Which Gaussian does the sampler draw from, and which one is priced?",
            "exp(logvar) is σ². What stretches the noise is σ.",
        ),
        because="The sampler took the number for log σ, the price for log σ²: two different Gaussians, equal only at "
        "σ = 1. (keras-team/keras#3283 and #9972.)",
        truth=None,
        probes=((MU, LOGVAR),),
        must=FAIR_DRAW,
        mistakes={
            "def my_sample_3(mu, logvar):\n    return mu + (0.5 * logvar).exp() * torch.rand_like(mu)": (
                "The width is right now, but rand_like draws uniform noise."
            ),
            "def my_sample_3(mu, logvar):\n    return mu + logvar.exp().sqrt() * torch.randn(())": (
                "The width is right now, but one noise serves all codes."
            ),
            "def my_sample_3(mu, logvar):\n    return mu + logvar.exp() ** 2 * torch.randn_like(mu)": (
                "The root has to be taken, not the square."
            ),
            "def my_sample_3(mu, logvar):\n    return torch.normal(mu, (0.5 * logvar).exp())": (
                "The Gaussian is right now, but no gradient gets through (torch.normal and detach cut it)."
            ),
            "def my_sample_3(mu, logvar):\n    return mu + 0.5 * logvar.exp() * torch.randn_like(mu)": (
                "The ½ belongs inside the exponential: exp(½ log σ²) is the root of σ²."
            ),
        },
    ),
    bed(
        4,
        "narrow-minimum",
        '*"I have written the KL term in σ, as in a paper. With nothing but this term in the loss, σ does not go '
        'to 1."*',
        kl_of(
            4,
            "    sigma = (0.5 * logvar).exp()\n    return (mu**2 + sigma**2 - torch.log(sigma) - 0.5).sum(dim=1)",
        ),
        kl_of(
            4,
            "    sigma = (0.5 * logvar).exp()\n    return (0.5 * mu**2 + 0.5 * sigma**2 - torch.log(sigma) - "
            "0.5).sum(dim=1)",
        ),
        hints=(
            "What does the term say of the prior itself, μ = 0 and σ = 1?",
            "½(μ² + σ² − 1 − 2 log σ): the ½ stands before the squares too.",
        ),
        because="One evaluation at the prior shows it: ½ nat per unit instead of 0. The minimum stood at σ = 0.707.",
        truth=price,
        probes=CODES,
        must=GRADIENT,
        mistakes={
            kl_of(
                4,
                "    sigma = (0.5 * logvar).exp()\n    return (mu**2 + sigma**2 - torch.log(sigma) - 1).sum(dim=1)",
            ): "Now it is 0 at the prior, but its smallest value still is not there: the ½ before the squares is "
            "missing.",
            kl_of(
                4,
                "    sigma = (0.5 * logvar).exp()\n    return 0.5 * (mu**2 + sigma**2 - torch.log(sigma) - "
                "1).sum(dim=1)",
            ): "Half of log σ² is log σ; here only half of log σ is left, and the minimum is still not at σ = 1.",
            kl_of(
                4,
                "    sigma = (0.5 * logvar).exp()\n    return (0.5 * mu**2 + sigma**2 - torch.log(sigma) - "
                "0.5).sum(dim=1)",
            ): "The ½ before σ² is missing too.",
            kl_of(
                4,
                "    sigma = (0.5 * logvar).exp()\n    return (mu**2 + sigma**2 - 2 * torch.log(sigma) - 1).sum(dim=1)",
            ): "Its minimum and its zero are right, but it is twice the KL divergence: the ½ is missing in front of "
            "all.",
            kl_of(
                4,
                "    sigma = logvar.exp()\n    return 0.5 * (mu**2 + sigma**2 - 1 - 2 * torch.log(sigma)).sum(dim=1)",
            ): "The formula is right, but this σ is the variance: exp(logvar).",
        },
    ),
    bed(
        5,
        "free-ride",
        '*"The KL term is in the loss and prints the right number, only the number grows and grows. The weight '
        'seems to have no effect."*',
        "@torch.no_grad()\n" + kl_of(5, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)"),
        kl_of(5, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)"),
        hints=(
            "The value is right. What else does a loss need?",
            "Look above the function.",
        ),
        because="A term without a gradient is a number beside the loss. It trains nothing, and no value shows it; one "
        "backward pass does.",
        truth=price,
        probes=tuple(tuple(part.clone().requires_grad_() for part in pair) for pair in CODES),
        must=GRADIENT,
        mistakes={
            kl_of(
                5,
                "    variance = logvar.detach().exp()\n    return 0.5 * (mu**2 + variance - 1 - logvar).sum(dim=1)",
            ): "A detach() is left on the variance: its slope in log σ² is then −½ everywhere, and σ grows for ever.",
            kl_of(5, "    return 0.5 * (mu.detach() ** 2 + logvar.exp() - 1 - logvar).sum(dim=1)"): (
                "A detach() is left on μ: nothing holds the centres."
            ),
            kl_of(
                5,
                "    return torch.tensor((0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)).tolist(), "
                "requires_grad=True)",
            ): "A new tensor that asks for gradients has none to pass on: it is cut off from mu and logvar.",
            kl_of(5, "    return (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)"): (
                "The gradient flows now, but the ½ got lost in the repair."
            ),
        },
    ),
    bed(
        6,
        "bottomless",
        '*"My loss falls below zero and goes on falling, faster and faster, while the pictures get worse. I have the '
        'formula from the paper."*',
        kl_of(6, "    return 0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(dim=1)"),
        kl_of(6, "    return -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum(dim=1)"),
        hints=(
            "Can a divergence be negative?",
            "The paper writes what is to be made large; a loss is made small.",
        ),
        because="The paper's expression is −KL, a part of the bound that is maximised. In a loss it rewards distance "
        "from the prior without end.",
        truth=price,
        probes=CODES,
        must=GRADIENT,
        mistakes={
            kl_of(6, "    return -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum()"): (
                "The sign is right now, but one number per image is wanted."
            ),
            kl_of(6, "    return (0.5 * (1 + logvar - mu**2 - logvar.exp())).clamp(min=0).sum(dim=1)"): (
                "Cutting off at 0 leaves a term that is 0 everywhere: the sign has to change."
            ),
            kl_of(6, "    return 0.5 * (1 + logvar + mu**2 - logvar.exp()).sum(dim=1)"): (
                "The sign of one part has changed; all four parts have the wrong one."
            ),
            kl_of(6, "    return -0.5 * (1 + logvar - mu**2 - logvar.exp()).mean(dim=1)"): (
                "The sign is right now, but the units are averaged; their nats add."
            ),
            kl_of(6, "    return (0.5 * (1 + logvar - mu**2 - logvar.exp()) ** 2).sum(dim=1)"): (
                "A square hides the sign and is another function."
            ),
        },
    ),
    bed(
        7,
        "rising-price",
        '*"The KL term should fall, as losses do. Mine starts near 0 and rises for the whole training, to '
        'several nats."*',
        kl_of(7, "    return -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(dim=1)"),
        'my_kl_7 = "healthy"',
        hints=(
            "Test the code first: at the prior, against the library, with a gradient.",
            "What is the KL term of a model whose code says nothing yet, and what has to happen for it to say "
            "something?",
        ),
        because="The code is right, and so is the curve: the KL term is what the code says about an image, in nats, "
        "and "
        "before training it says nothing. (pytorch/examples#631; chapter 08.)",
        truth=None,
        healthy=True,
        probes=tuple(tuple(part.clone().requires_grad_() for part in pair) for pair in CODES),
        mistakes={
            kl_of(7, "    return 0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(dim=1)"): (
                "With that sign the term is negative, and training would run from the prior. Nothing was wrong before."
            ),
            kl_of(7, "    return -0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).mean(dim=1)"): (
                "That makes the number smaller, and wrong: the nats of the units add. Nothing was wrong before."
            ),
            kl_of(7, "    return 1 / (-0.5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(dim=1))"): (
                "That curve would fall, and say nothing. Nothing was wrong before."
            ),
            kl_of(7, "    return -5 * (1 + logvar - mu.pow(2) - logvar.exp()).sum(dim=1)"): (
                "Ten times the weight does press the number down, by letting the code say less. Nothing was wrong "
                "before."
            ),
        },
    ),
    bed(
        8,
        "half-price",
        '*"Everything looks normal. But the KL term that I print is smaller than that of a colleague with the '
        'same network and loss, although my codes seem to say more."*',
        kl_of(8, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).mean(dim=1)"),
        kl_of(8, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)"),
        hints=(
            "The ward measures the KL with its own instrument. Which number does this code print for the same codes?",
            "Independent units add their nats, whatever their number.",
        ),
        because="The mean over d units is β = 1/d, here ½: the code is charged half, and buys more. The printed number "
        "is half of the true one as well, so that nothing looks wrong. (A forum thread that chapter 03 answers has "
        "it.)",
        truth=price,
        probes=CODES,
        must=GRADIENT,
        mistakes={
            kl_of(8, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum()"): (
                "That sums over the images too; one number per image is wanted."
            ),
            kl_of(8, "    return (mu**2 + logvar.exp() - 1 - logvar).mean(dim=1)"): (
                "Twice the mean is the sum for two units only, and the task is any number of units."
            ),
            kl_of(8, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=0)"): (
                "That sums over the images and leaves the units."
            ),
            kl_of(8, "    return 0.5 * (mu**2 + logvar.exp() - 1 - logvar).amax(dim=1)"): (
                "The largest unit is not the sum of all."
            ),
            kl_of(8, "    return 2 * 0.5 * (mu**2 + logvar.exp() - 1 - logvar).sum(dim=1)"): (
                "That is twice the divergence: the ½ is lost, or a 2 for the two units came on top of the sum."
            ),
        },
    ),
    bed(
        9,
        "below-zero",
        '*"My reconstruction term has fallen below zero during the training. A negative loss cannot be right."*',
        """def my_recon_9(x, x_hat):
    variance = 0.05
    nll = (x - x_hat) ** 2 / (2 * variance) + 0.5 * math.log(2 * math.pi * variance)
    return nll.sum(dim=1)""",
        'my_recon_9 = "healthy"',
        hints=(
            "Compare with torch.distributions.Normal(x_hat, 0.05**0.5).",
            "What is the largest value of a density whose standard deviation is 0.22?",
        ),
        because="It is the negative logarithm of a density over 784 real numbers, and one of width 0.22 reaches 1.8 "
        "per pixel. Only probabilities are at most 1; differences between models remain as they are (chapter 03).",
        truth=None,
        healthy=True,
        probes=tuple(
            (x, out.clone().requires_grad_()) for x, x_hat in IMAGES for out in (x + 0.05 * (x_hat - 0.5), x_hat)
        ),
        mistakes={
            """def my_recon_9(x, x_hat):
    variance = 0.05
    nll = (x - x_hat) ** 2 / (2 * variance) + 0.5 * math.log(2 * math.pi * variance)
    return nll.sum(dim=1).abs()""": (
                "abs() turns the loss around: a better fit would count as a worse one. Nothing was wrong before."
            ),
            """def my_recon_9(x, x_hat):
    variance = 0.05
    nll = (x - x_hat) ** 2 / (2 * variance) + 0.5 * math.log(2 * math.pi * variance)
    return -nll.sum(dim=1)""": "That rewards bad fits. Nothing was wrong before.",
            """def my_recon_9(x, x_hat):
    variance = 0.05
    nll = (x - x_hat) ** 2 / (2 * variance) + 0.5 * math.log(2 * math.pi * variance)
    return nll.sum(dim=1).clamp(min=0)""": (
                "Below zero this has no gradient: training stops where it should go on. Nothing was wrong before."
            ),
            """def my_recon_9(x, x_hat):
    variance = 0.05
    nll = (x - x_hat) ** 2 / (2 * variance)
    return nll.sum(dim=1)""": (
                "Without its constant it is no likelihood any more; for training alone it would do. Nothing was wrong "
                "before."
            ),
            """def my_recon_9(x, x_hat):
    variance = 1
    nll = (x - x_hat) ** 2 / (2 * variance) + 0.5 * math.log(2 * math.pi * variance)
    return nll.sum(dim=1)""": (
                "A variance of 1 makes the number positive and the decoder a pessimist: the weight of the KL term is "
                "then twenty times as large. Nothing was wrong before."
            ),
        },
    ),
    bed(
        10,
        "below-the-floor",
        '*"My cross-entropy goes down to minus ten thousands, and the pictures are saturated: black and white, nothing '
        'in between. The images are loaded as they are in the file, x255 from 0 to 255."*',
        """def my_recon_10(x255, logits):
    bce = F.binary_cross_entropy_with_logits(logits, x255, reduction="none")
    return bce.sum(dim=1)""",
        """def my_recon_10(x255, logits):
    bce = F.binary_cross_entropy_with_logits(logits, x255 / 255, reduction="none")
    return bce.sum(dim=1)""",
        hints=(
            "What is the smallest value that the cross-entropy of a pixel can have, for a target in [0, 1]?",
            "The function does not complain about targets above 1; it becomes a straight line that falls for ever.",
        ),
        because="For targets in [0, 1] the term has a floor above 0. A target of 255 has none: every pixel that is not "
        "black is pushed to white without end.",
        truth=lambda x255, logits: bernoulli(x255 / 255, logits),
        probes=tuple((255 * x, logits) for x, logits in LOGITS),
        must=trains(lambda x, logits: bernoulli(x / 255, logits), (255 * LOGITS[0][0], LOGITS[0][1])),
        within=1e-5,
        mistakes={
            """def my_recon_10(x255, logits):
    bce = F.binary_cross_entropy_with_logits(logits, x255.clamp(0, 1), reduction="none")
    return bce.sum(dim=1)""": "Cutting at 1 turns every grey pixel white; the scale is what is wrong.",
            """def my_recon_10(x255, logits):
    bce = F.binary_cross_entropy_with_logits(logits, x255, reduction="none")
    return bce.sum(dim=1).clamp(min=0)""": "That hides the symptom; the gradient is 0 there, and nothing is learned.",
            """def my_recon_10(x255, logits):
    bce = F.binary_cross_entropy_with_logits(logits, x255, reduction="none")
    return bce.sum(dim=1) / 255""": "The target has to be scaled, not the loss.",
            """def my_recon_10(x255, logits):
    bce = F.binary_cross_entropy_with_logits(logits, x255 / 256, reduction="none")
    return bce.sum(dim=1)""": "White is 255, so that 255 has to become 1.",
            """def my_recon_10(x255, logits):
    bce = F.binary_cross_entropy_with_logits(logits, x255 / 255, reduction="none")
    return bce.mean(dim=1)""": "The scale is right now, but the pixels are averaged: that is patient 1.",
        },
    ),
    bed(
        11,
        "no-variety",
        '*"I encode one image a hundred times, and always get the same z. The loss looks fine. Noise is drawn, I can '
        'see it in the code."*',
        """def my_sample_11(mu, logvar):
    scale = 0.5
    eps = scale * torch.randn_like(mu)
    return mu + (0.5 * logvar).exp() * scale""",
        """def my_sample_11(mu, logvar):
    eps = torch.randn_like(mu)
    return mu + (0.5 * logvar).exp() * eps""",
        hints=(
            "Where does `eps` go?",
            "And which standard deviation should the noise have, so that the price fits what is drawn?",
        ),
        because="The noise was drawn and never used, so z was a fixed function of x, shifted by σ/2. A curve "
        "does not say what is wrong; many draws of one image do, and a linter names the variable that is never used. "
        "(twairball/keras_lstm_vae#1; for the scale, keras-team/keras PR 4211.)",
        truth=None,
        probes=((MU, LOGVAR),),
        must=FAIR_DRAW,
        mistakes={
            """def my_sample_11(mu, logvar):
    scale = 0.5
    eps = scale * torch.randn_like(mu)
    return mu + (0.5 * logvar).exp() * eps""": (
                "The noise is used now, but its standard deviation is ½: what is drawn is narrower than what is priced."
            ),
            """def my_sample_11(mu, logvar):
    eps = torch.randn_like(mu)
    return mu + logvar.exp() * eps""": "The noise is used now, but stretched by σ², not by σ.",
            """def my_sample_11(mu, logvar):
    eps = torch.randn_like(mu)
    return mu + eps""": "The noise is used now, but σ is not.",
            """def my_sample_11(mu, logvar):
    eps = torch.rand_like(mu)
    return mu + (0.5 * logvar).exp() * eps""": "Uniform noise is not what the price is for: randn_like.",
            """def my_sample_11(mu, logvar):
    return mu""": "Without noise this is an autoencoder with a price on its codes.",
        },
    ),
    bed(
        12,
        "one-quarter",
        '*"My pictures are more blurred than those of others, and most draws from N(0, I) look the same. The '
        'last layer of my encoder has the same activation as the others."*',
        "def my_heads_12(mu, logvar):\n    return F.relu(mu), logvar",
        "def my_heads_12(mu, logvar):\n    return mu, logvar",
        hints=(
            "Which values can the two outputs take, and which should they be able to take?",
            "μ may be any real number, and so may log σ².",
        ),
        because="ReLU leaves one quarter of the plane for the centres, and where it is flat they cannot move. μ and "
        "log σ² are plain linear outputs.",
        truth=lambda mu, logvar: (mu, logvar),
        probes=(*CODES[1:], (torch.full((2, 2), 15.0), torch.full((2, 2), -14.0))),
        must=(("not yet: the values pass, but the gradient does not.", heads_pass),),
        mistakes={
            "def my_heads_12(mu, logvar):\n    return torch.tanh(mu), logvar": (
                "tanh keeps μ between −1 and 1, and so the centres in a box."
            ),
            "def my_heads_12(mu, logvar):\n    return mu.abs(), logvar": "abs() leaves the same quarter of the plane.",
            "def my_heads_12(mu, logvar):\n    return F.leaky_relu(mu), logvar": (
                "Negative values are let through, but a hundred times too small."
            ),
            "def my_heads_12(mu, logvar):\n    return mu, F.relu(logvar)": (
                "μ is free now, but log σ² ≥ 0 means that no cloud can be narrower than the prior."
            ),
            "def my_heads_12(mu, logvar):\n    return mu, F.softplus(logvar)": (
                "softplus would be right for σ itself; log σ² may be negative."
            ),
        },
    ),
    bed(
        13,
        "one-for-all",
        '*"The same grey picture for every input, and a KL term of 0, as in bed 1. But my pixels are summed, and a '
        'perfect copy does not get 0. My loader gives images of shape (n, 1, pixels)."*',
        "def my_recon_13(x, x_hat):\n    return ((x - x_hat) ** 2).sum(dim=-1).mean(dim=1)",
        "def my_recon_13(x, x_hat):\n    return ((x.flatten(1) - x_hat) ** 2).sum(dim=1)",
        hints=(
            "Which shape has x − x_hat, for x of shape (n, 1, pixels) and x_hat of shape (n, pixels)?",
            "Every image is compared with every output. Bring both to the same shape first.",
        ),
        because="Broadcasting compared all images with all outputs, and the best answer to that is the mean image. No "
        "error is raised; an assert on the shapes would have.",
        truth=lambda x, x_hat: sum_of_squares(x[:, 0], x_hat),
        probes=tuple((x[:, None], x_hat) for x, x_hat in IMAGES),
        must=trains(lambda x, x_hat: sum_of_squares(x[:, 0], x_hat), (IMAGES[0][0][:, None], IMAGES[0][1])),
        mistakes={
            "def my_recon_13(x, x_hat):\n    return ((x - x_hat) ** 2).sum(dim=-1)": (
                "The mean is gone; now there is one number per *pair* of images."
            ),
            "def my_recon_13(x, x_hat):\n    return ((x - x_hat) ** 2).sum(dim=-1).mean(dim=0)": (
                "Still every image against every output, only averaged the other way."
            ),
            "def my_recon_13(x, x_hat):\n    return ((x - x_hat) ** 2).sum(dim=-1).amin(dim=1)": (
                "The nearest output is not the output for this image."
            ),
            "def my_recon_13(x, x_hat):\n    return ((x - x_hat[:, None]) ** 2).sum(dim=-1)": (
                "The pairs are right now; the result has shape (n, 1) and will broadcast again where it is added."
            ),
            "def my_recon_13(x, x_hat):\n    return ((x.flatten(1) - x_hat) ** 2).mean(dim=1)": (
                "The pairs are right now, but the pixels are averaged: that is patient 1."
            ),
        },
    ),
    bed(
        14,
        "never-black",
        '*"All my reconstructions lie in a fog: no pixel is black. I have changed to the cross-entropy with logits, '
        'which is said to be safer, and kept the last layer."*',
        """def my_recon_14(x, logits):
    x_hat = torch.sigmoid(logits)
    bce = F.binary_cross_entropy_with_logits(x_hat, x, reduction="none")
    return bce.sum(dim=1)""",
        """def my_recon_14(x, logits):
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return bce.sum(dim=1)""",
        hints=(
            "How often is the sigmoid applied before the logarithm is taken?",
            "sigmoid(0) = 0.5 and sigmoid(1) = 0.73: between these two lies all that this loss can see.",
        ),
        because="With two sigmoids no pixel can be below ½ or above 0.73 for the loss, whatever the network does; what "
        "it does is to push its outputs to the ends.",
        truth=bernoulli,
        probes=LOGITS,
        must=trains(bernoulli, LOGITS[0]),
        mistakes={
            """def my_recon_14(x, logits):
    x_hat = torch.sigmoid(logits)
    bce = F.binary_cross_entropy_with_logits(2 * x_hat - 1, x, reduction="none")
    return bce.sum(dim=1)""": "Shifting the fog does not lift it: the loss still sees a narrow band only.",
            """def my_recon_14(x, logits):
    bce = F.binary_cross_entropy_with_logits(x, logits, reduction="none")
    return bce.sum(dim=1)""": "Input and target are exchanged.",
            """def my_recon_14(x, logits):
    bce = F.binary_cross_entropy_with_logits(logits, x, reduction="none")
    return bce.mean(dim=1)""": "One sigmoid now, but the pixels are averaged: that is patient 1.",
            """def my_recon_14(x, logits):
    bce = F.binary_cross_entropy_with_logits(logits, x)
    return bce""": 'Without `reduction="none"` one mean over everything comes back.',
            """def my_recon_14(x, logits):
    x_hat = torch.sigmoid(logits)
    return ((x - x_hat) ** 2).sum(dim=1)""": "That is another likelihood, a Gaussian; the cross-entropy was wanted.",
        },
    ),
]
