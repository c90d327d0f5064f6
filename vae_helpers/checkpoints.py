"""Save and load a model's weights: verified, atomic, and without running code. The files are safetensors."""

import hashlib
import json
import re
from pathlib import Path

import torch
from safetensors import SafetensorError, torch as safetensors_torch

from vae_helpers.whole_files import write_whole

SIGNS = {  # how files begin that are given by mistake for a checkpoint, as patterns
    rb"version https://git-lfs": "a git-lfs pointer: the file itself was never fetched",
    rb"<": "an HTML page",
    rb"PK\x03\x04": "a zip archive, perhaps of pickles, which can run code",
    rb"\x80[\2-\5][^\0]": "a pickle, which can run code",
}


def save(model, path, meta=None, *, half=False):
    """Write the weights of `model` to `path`, with `meta`, a dict that JSON can hold; half=True stores 16-bit floats.

    The file appears whole or not at all: it is written beside its place, flushed to disk and renamed. Raises
    ValueError for weights that are not finite (in the stored precision) or such a meta, OSError that names the path.
    """
    tensors = {name: _stored(tensor, half) for name, tensor in model.state_dict().items()}
    for name, tensor in tensors.items():
        _check_finite(name, tensor, f"nothing was written to {path}")
    try:
        text = json.dumps(meta or {}, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"meta must be a dict that JSON can hold, got {meta!r:.80}: {error}.") from error
    metadata = {"meta": text, "sha256": _digest(tensors, text)}
    write_whole(path, safetensors_torch.save(tensors, metadata))


def load_into(model, path):
    """Copy the weights stored at `path` into `model`, in the model's own precision, and return their meta.

    Everything is checked first: container, checksum, names, sizes, finite numbers. Raises FileNotFoundError, or
    ValueError in one sentence that names the file; the model is then as it was, to the last bit.
    """
    path = Path(path)
    tensors, metadata = _read(path)
    if not {"meta", "sha256"} <= {*metadata}:
        raise ValueError(f"{path} was not written by save(): it holds no checksum; load it with safetensors itself.")
    if metadata["sha256"] != _digest(tensors, metadata["meta"]):
        raise ValueError(f"{path} is damaged: its SHA-256 is not the one it was saved with; fetch or save it again.")
    own = model.state_dict()
    _check_sizes(path, tensors, own)
    cast = {name: tensors[name].to(tensor.dtype) for name, tensor in own.items()}
    for name, tensor in cast.items():
        _check_finite(name, tensor, f"{path} was not loaded")
    try:
        meta = json.loads(metadata["meta"])
    except (ValueError, RecursionError):
        raise ValueError(f"{path} was not loaded: its meta is not JSON.") from None
    with torch.no_grad():
        for name, tensor in own.items():
            tensor.copy_(cast[name])
    return meta


def _stored(tensor, half):
    dtype = torch.float16 if half and tensor.is_floating_point() else tensor.dtype
    return tensor.detach().to("cpu", dtype, copy=True).contiguous()


def _digest(tensors, text):
    """SHA-256 over the meta text and every tensor's name, kind, shape and bytes, in the order of the names."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"\n{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def _check_finite(name, tensor, outcome):
    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
        raise ValueError(f"{name} holds NaN or infinity as {str(tensor.dtype).removeprefix('torch.')}; {outcome}.")


def _check_sizes(path, stored, own):
    differ = [
        f"{name} is {_size(stored.get(name))} in the file and {_size(own.get(name))} in the model"
        for name in sorted({*stored, *own})
        if _size(stored.get(name)) != _size(own.get(name))
    ]
    if differ:
        more = f" (and {len(differ) - 3} more)" if len(differ) > 3 else ""
        raise ValueError(f"{path} belongs to a model of other sizes: {'; '.join(differ[:3])}{more}.")


def _size(tensor):
    if tensor is None:
        return "absent"
    kind = "" if tensor.is_floating_point() else f" {tensor.dtype}".replace("torch.", "")
    return ("×".join(map(str, tensor.shape)) or "a single number") + kind


def _read(path):
    """Tensors and metadata of a safetensors file; ValueError that says what the file is instead."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no checkpoint at {path}.")
    content = path.read_bytes()  # once, for another process may replace the file meanwhile
    try:
        tensors = safetensors_torch.load(content)
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        return tensors, header.get("__metadata__") or {}
    except (SafetensorError, ValueError, RuntimeError):
        start = content[:64].lstrip()
        found = next((what for sign, what in SIGNS.items() if re.match(sign, start)), "")
        found = found or ("an empty file" if not content else "cut short, or another kind of file")
        raise ValueError(
            f"{path} is not a checkpoint: {found} ({len(content):,} bytes); fetch it again, or save it with save()."
        ) from None
