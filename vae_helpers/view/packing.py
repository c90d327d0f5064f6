"""One latent plane as the explorer's script wants it: JSON types, numbers in base64, everything checked.

Weights travel in half precision; pictures agree with torch to 1/255 on the same rounded weights.
"""

from base64 import b64encode

import torch
from torch import nn

from vae_helpers.view.plots import SIDE

LIMIT = 2000  # codes drawn per plane


def pack(title, panel):
    """What the script needs of one panel, as JSON types; checks everything that it relies on."""
    sizes, weights = _decoder(title, panel.model)
    codes, labels = _codes(title, panel)
    mean, scale = _gaussian(title, panel.gaussian)
    unit = max(codes.abs().max().item(), 1e-6) / 32767
    digits = [] if labels is None else labels.unique().tolist()
    medians = [[digit, *_rounded(codes[labels == digit].quantile(0.5, dim=0))] for digit in digits]
    view = _view(codes, mean, scale)
    return {
        "title": title,
        "note": _note(codes, view),
        "view": view.T.tolist(),
        "sizes": sizes,
        "weights": to_base64(weights),
        "mean": mean.tolist(),
        "scale": scale.tolist(),
        "codes": to_base64((codes[:LIMIT] / unit).round().to(torch.int16)),
        "unit": unit,
        "labels": "" if labels is None else to_base64(labels[:LIMIT].to(torch.uint8)),
        "medians": medians,
    }


def pack_encoder(title, model):
    """Layer sizes and weights of an encoder from 784 pixels to μ and log σ² of two axes, as JSON types."""
    sizes, weights = _mlp(title, "encoder", model)
    if sizes[0] != SIDE * SIDE or sizes[-1] != 4:
        raise ValueError(f"panel {title!r}: the encoder must lead from {SIDE * SIDE} to 4 numbers, got {sizes}.")
    return {"sizes": sizes, "weights": to_base64(weights)}


def _decoder(title, model):
    sizes, weights = _mlp(title, "decoder", model)
    if sizes[0] != 2 or sizes[-1] != SIDE * SIDE:
        raise ValueError(f"panel {title!r}: the decoder must lead from 2 to {SIDE * SIDE} numbers, got {sizes}.")
    return sizes, weights


def _mlp(title, name, model):
    """Layer sizes, and all weights and biases in half precision, in the order in which they are used."""
    layers = list(getattr(model, name, ()))
    alternate = all(isinstance(layer, (nn.Linear, nn.SiLU)[i % 2]) for i, layer in enumerate(layers))
    if len(layers) % 2 == 0 or not alternate or any(layer.bias is None for layer in layers[::2]):
        found = ", ".join(type(layer).__name__ for layer in layers) or f"no {name}"
        raise ValueError(f"panel {title!r}: the {name} must be Linear layers with SiLU between them, got {found}.")
    sizes = [layers[0].in_features, *(layer.out_features for layer in layers[::2])]
    parts = [part.detach().reshape(-1) for layer in layers[::2] for part in (layer.weight, layer.bias)]
    weights = torch.cat(parts).to("cpu", torch.float16)
    if not torch.isfinite(weights).all():
        raise ValueError(f"panel {title!r}: a weight is not finite, or too large for half precision (65,504).")
    return sizes, weights


def _codes(title, panel):
    codes = torch.as_tensor(panel.codes).detach().float().cpu()
    if codes.ndim != 2 or codes.shape[1] != 2 or not len(codes) or not torch.isfinite(codes).all():
        raise ValueError(f"panel {title!r}: codes must be finite and of shape (n, 2), got {tuple(codes.shape)}.")
    if panel.labels is None:
        return codes, None
    labels = torch.as_tensor(panel.labels).cpu()
    if labels.shape != codes.shape[:1] or labels.is_floating_point() or not ((labels >= 0) & (labels <= 9)).all():
        raise ValueError(f"panel {title!r}: labels must be {len(codes)} integers in 0 … 9, one per code.")
    return codes, labels


def _gaussian(title, gaussian):
    mean, scale = (torch.as_tensor(part).detach().double().cpu() for part in (gaussian.mean, gaussian.scale))
    if mean.shape != (2,) or scale.shape != (2, 2):
        raise ValueError(f"panel {title!r}: the Gaussian must be 2-D, got {mean.numel()} dimensions.")
    if not torch.isfinite(mean).all() or not torch.isfinite(scale).all() or not torch.linalg.det(scale).abs() > 0:
        raise ValueError(f"panel {title!r}: the Gaussian must have a finite mean and an invertible scale.")
    return mean, scale


def _view(codes, mean, scale):
    """What a plane shows, (low, high) × (z₁, z₂): the prior's and the cursor's box, and 99 % of the codes per axis."""
    box = 1.96 * torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]], dtype=torch.float64)
    middle = codes.double().quantile(torch.tensor([0.005, 0.995], dtype=torch.float64), dim=0)
    points = torch.cat([box, mean + box @ scale.T, middle])
    low, high = points.min(dim=0).values, points.max(dim=0).values
    margin = 0.04 * (high - low).max()
    return torch.stack([low - margin, high + margin])


def _note(codes, view):
    """How far the codes reach, and how many of them lie outside the view."""
    spans = (codes.max(dim=0).values - codes.min(dim=0).values).tolist()
    reach = " × ".join(f"{span:.0f}" if span >= 10 else f"{span:.1f}" for span in spans)
    middle, half = view.mean(dim=0), (view[1] - view[0]).max() / 2  # the view is drawn square
    outside = ((codes[:LIMIT] - middle).abs() > half).any(dim=1).sum().item()
    return f"Codes span {reach} latent units" + (
        f"; {outside} of {len(codes[:LIMIT])} lie outside this view." if outside else "."
    )


def _rounded(values):
    return [round(value, 4) for value in values.tolist()]


def to_base64(tensor):
    """Its numbers as bytes, the lowest first, whatever the machine."""
    array = tensor.contiguous().numpy()
    return b64encode(array.astype(array.dtype.newbyteorder("<")).tobytes()).decode()
