"""Exercises of chapter 01: what the loss of an autoencoder sees and what it does not."""

import torch

from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(1)
X, X_HAT = torch.rand(2, 4, 6, generator=GENERATOR)
IMAGES = torch.rand(40, 5, generator=GENERATOR) @ torch.rand(5, 8, generator=GENERATOR)


def one_by_one(x, x_hat):
    return torch.stack([torch.dot(a - b, a - b) for a, b in zip(x, x_hat, strict=True)])


def by_eigenvalues(x, k):
    """What k principal components leave: the sum of the other eigenvalues of the covariance (over n)."""
    covariance = torch.cov(x.T.double(), correction=0)
    return torch.linalg.eigvalsh(covariance)[: x.shape[1] - k].sum().item()


def same_images(weight, bias, shift):
    return bias - weight @ shift


EXERCISES = [
    Exercise(
        name="squared-error",
        minutes=4,
        task="""Write `my_error(x, x_hat)`: the squared error of every image, summed over its pixels. Both have \
shape (images, pixels).""",
        blank="def my_error(x, x_hat):\n    return ...",
        hints=("One number per image.", "`(x - x_hat) ** 2`, summed over dim=1."),
        solution="def my_error(x, x_hat):\n    return ((x - x_hat) ** 2).sum(dim=1)",
        because="Summed over pixels it is −log p(x|z) of a Gaussian with variance ½, up to a constant (chapter 03).",
        truth=one_by_one,
        probes=((X, X_HAT), (X[:1], X_HAT[:1]), (X, X)),
        mistakes={
            "def my_error(x, x_hat):\n    return ((x - x_hat) ** 2).mean(dim=1)": (
                "That is the mean over pixels; it is smaller by the number of pixels, and moves β."
            ),
            "def my_error(x, x_hat):\n    return ((x - x_hat) ** 2).sum()": (
                "One number per image is wanted: sum(dim=1)."
            ),
            "def my_error(x, x_hat):\n    return (x - x_hat).abs().sum(dim=1)": (
                "Those are absolute differences; square them."
            ),
            "def my_error(x, x_hat):\n    return ((x - x_hat) ** 2).sum(dim=1).sqrt()": (
                "The root makes it a distance; the loss is its square."
            ),
            "def my_error(x, x_hat):\n    return ((x - x_hat).sum(dim=1)) ** 2": (
                "The differences are squared before they are summed, else they cancel."
            ),
        },
    ),
    Exercise(
        name="components",
        minutes=6,
        task="""Write `my_rest(x, k)`: the mean squared error per image (summed over pixels) that the best \
reconstruction from $k$ principal components leaves on the images `x` themselves.""",
        blank="def my_rest(x, k):\n    return ...",
        hints=(
            "Take away the mean image first.",
            "Singular values of the centred images: their squares beyond the first k, by the number of images.",
        ),
        solution="""def my_rest(x, k):
    centred = x - x.mean(dim=0)
    return torch.linalg.svdvals(centred)[k:].square().sum() / len(x)""",
        because="No linear autoencoder with k codes can leave less.",
        truth=by_eigenvalues,
        probes=((IMAGES, 2), (IMAGES, 0), (IMAGES, 4)),
        within=1e-2,
        mistakes={
            """def my_rest(x, k):
    return torch.linalg.svdvals(x)[k:].square().sum() / len(x)""": "The mean image was not taken away first.",
            """def my_rest(x, k):
    centred = x - x.mean(dim=0)
    return torch.linalg.svdvals(centred)[:k].square().sum() / len(x)""": (
                "That is what the k components keep; the rest is wanted."
            ),
            """def my_rest(x, k):
    centred = x - x.mean(dim=0)
    return torch.linalg.svdvals(centred)[k:].square().sum()""": "Divide by the number of images for the mean.",
            """def my_rest(x, k):
    centred = x - x.mean(dim=0)
    return torch.linalg.svdvals(centred)[k:].sum() / len(x)""": (
                "The error is made of the *squares* of singular values."
            ),
            """def my_rest(x, k):
    centred = x - x.mean(dim=0)
    return torch.linalg.svdvals(centred)[k:].square().mean() / len(x)""": (
                "The squares are added, not averaged, over the components that are left out."
            ),
        },
    ),
    Exercise(
        name="shifted-codes",
        minutes=6,
        task="""All codes are shifted by the vector `shift`. The first layer of the decoder computes `weight @ z \
+ bias`. Write `my_bias(weight, bias, shift)`: the new bias with which every image stays as it was.""",
        blank="def my_bias(weight, bias, shift):\n    return ...",
        hints=("weight @ (z + shift) + new = weight @ z + bias for every z.", "Solve for the new bias."),
        solution="def my_bias(weight, bias, shift):\n    return bias - weight @ shift",
        because="So the loss cannot know where the cloud of codes lies, and N(0, I) need not be there.",
        truth=same_images,
        probes=(
            (torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, -1.0]]), torch.zeros(3), torch.tensor([1.0, -2.0])),
            (torch.eye(2), torch.tensor([1.0, 1.0]), torch.tensor([5.0, 0.0])),
        ),
        mistakes={
            "def my_bias(weight, bias, shift):\n    return bias + weight @ shift": (
                "The sign: the shift has to be undone."
            ),
            "def my_bias(weight, bias, shift):\n    return bias - weight.sum(dim=1)": (
                "The shift itself does not appear."
            ),
            "def my_bias(weight, bias, shift):\n    return -weight @ shift": "The old bias is lost.",
            "def my_bias(weight, bias, shift):\n    return bias": (
                "Then every image changes by weight @ shift before the next layer."
            ),
        },
    ),
]
