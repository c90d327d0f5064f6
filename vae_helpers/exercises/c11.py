"""Exercises of chapter 11: a codebook, a rate that is fixed, and a volume that changes."""

import math

import torch

from vae_helpers.exercises.core import Exercise

GENERATOR = torch.Generator().manual_seed(11)
H, BOOK = torch.randn(9, 2, generator=GENERATOR), torch.randn(5, 2, generator=GENERATOR)
USED = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3]), torch.tensor([4, 4, 4, 4]), torch.tensor([0, 0, 0, 1])
Z = torch.randn(6, 2, generator=GENERATOR)
UW3 = torch.tensor([0.2, 0.7, -0.4]), torch.tensor([1.0, 0.5, 0.3])
U, W = torch.tensor([0.5, -0.3]), torch.tensor([1.0, 2.0])


def nearest_in_loops(h, book):
    return torch.tensor([min(range(len(book)), key=lambda k: (x - book[k]).norm().item()) for x in h])


def entropy_counted(index, k):
    shares = [(index == i).double().mean().item() for i in range(k)]
    return math.exp(-sum(p * math.log(p) for p in shares if p))


def volume_by_autograd(z, u, w, b):
    def layer(x):
        return x + u * torch.tanh(x @ w + b)

    return torch.stack([torch.autograd.functional.jacobian(layer, x).det().abs().log() for x in z])


EXERCISES = [
    Exercise(
        name="nearest-entry",
        minutes=5,
        task="""Write `my_lookup(h, book)`: for every output of the encoder, shape (n, d), the number of the \
nearest entry of the codebook, shape (K, d).""",
        blank="def my_lookup(h, book):\n    return ...",
        hints=("`torch.cdist(h, book)` holds all distances.", "`argmin` over the entries, dim=1."),
        solution="def my_lookup(h, book):\n    return torch.cdist(h, book).argmin(dim=1)",
        because="A choice has no gradient; that is what the straight-through trick is for.",
        truth=nearest_in_loops,
        probes=((H, BOOK), (H[:1], BOOK), (BOOK, BOOK)),
        mistakes={
            "def my_lookup(h, book):\n    return torch.cdist(h, book).argmin(dim=0)": (
                "That gives the nearest output for every entry; the entries stand in dim=1."
            ),
            "def my_lookup(h, book):\n    return (h @ book.T).argmax(dim=1)": (
                "The largest product is not the smallest distance, unless all entries have the same length."
            ),
            "def my_lookup(h, book):\n    return torch.cdist(h, book).argmax(dim=1)": "That is the farthest entry.",
            "def my_lookup(h, book):\n    return book[torch.cdist(h, book).argmin(dim=1)]": (
                "Those are the entries themselves; their numbers are wanted."
            ),
        },
    ),
    Exercise(
        name="perplexity",
        minutes=6,
        task="""Write `my_perplexity(index, k)`: the exponential of the entropy (in nats) of how often each of k \
entries is used; `index` holds the numbers of the entries that were used.""",
        blank="def my_perplexity(index, k):\n    return ...",
        hints=(
            "`torch.bincount(index, minlength=k) / len(index)` are the shares.",
            "An unused entry adds nothing: p log p → 0. `torch.special.entr` knows that.",
        ),
        solution="""def my_perplexity(index, k):
    shares = torch.bincount(index, minlength=k) / len(index)
    return torch.special.entr(shares).sum().exp()""",
        because="1 if one entry does everything, k if all are used alike; here more is better.",
        truth=entropy_counted,
        probes=tuple((index, 5) for index in USED),
        mistakes={
            """def my_perplexity(index, k):
    shares = torch.bincount(index, minlength=k) / len(index)
    return (-(shares * shares.log()).sum()).exp()""": (
                "0 · log 0 is not a number in floating point; unused entries add 0."
            ),
            """def my_perplexity(index, k):
    shares = torch.bincount(index, minlength=k) / len(index)
    return torch.special.entr(shares).sum()""": "That is the entropy; the perplexity is its exponential.",
            """def my_perplexity(index, k):
    return (torch.bincount(index, minlength=k) > 0).sum()""": (
                "That counts the entries that are used at all, however rarely."
            ),
            """def my_perplexity(index, k):
    shares = torch.bincount(index, minlength=k) / len(index)
    return 2 ** torch.special.entr(shares).sum()""": "The entropy is in nats here, so the base is e, not 2.",
        },
    ),
    Exercise(
        name="volume-of-a-bend",
        minutes=8,
        task="""The layer $z + u\\tanh(w^\\top z + b)$ bends a cloud of codes. Write `my_log_volume(z, u, w, \
b)`: the logarithm of the factor by which it changes volumes at each row of z. Shapes: z (n, d), u and w (d,); b \
is a number. (The cloud may even fold, so take the absolute value of the factor.)""",
        blank="def my_log_volume(z, u, w, b):\n    return ...",
        hints=(
            "The Jacobian is I + u (w tanh′)ᵀ, whose determinant is 1 + tanh′ · wᵀu; take its absolute value.",
            "tanh′(a) = 1 − tanh²(a).",
        ),
        solution="""def my_log_volume(z, u, w, b):
    slope = 1 - torch.tanh(z @ w + b) ** 2
    return (1 + slope * (w @ u)).abs().log()""",
        because="log q falls by exactly this where volumes grow.",
        truth=volume_by_autograd,
        probes=((Z, U, W, 0.3), (Z, W, U, -1.0), (Z, 3 * U, -5 * U, 0.0), (Z.repeat(1, 2)[:, :3], *UW3, 0.1)),
        mistakes={
            """def my_log_volume(z, u, w, b):
    slope = 1 - torch.tanh(z @ w + b) ** 2
    return (1 + slope * (w @ u)).abs()""": "That is the factor; its logarithm is wanted.",
            """def my_log_volume(z, u, w, b):
    slope = torch.tanh(z @ w + b)
    return (1 + slope * (w @ u)).abs().log()""": "The derivative of tanh is 1 − tanh², not tanh.",
            """def my_log_volume(z, u, w, b):
    slope = 1 - torch.tanh(z @ w + b) ** 2
    return (slope * (w @ u)).abs().log()""": (
                "The identity is missing: the layer *adds* to z, so the determinant is 1 + …."
            ),
            """def my_log_volume(z, u, w, b):
    slope = 1 - torch.tanh(z @ w + b) ** 2
    return -(1 + slope * (w @ u)).abs().log()""": "The sign belongs to log q, not to the volume.",
            """def my_log_volume(z, u, w, b):
    slope = 1 - torch.tanh(z @ w) ** 2
    return (1 + slope * (w @ u)).abs().log()""": "The shift b is inside the tanh too.",
        },
    ),
]
