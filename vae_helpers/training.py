"""`fit`: the loop around a loss function. It shuffles, steps, keeps the history and stops in time; it knows no loss."""

import os
import signal
import threading
from contextlib import contextmanager

import torch
from tqdm.auto import tqdm

from vae_helpers.models import seeded


def fit(model, x, loss_fn, *, epochs, seed=0, batch_size=256, lr=3e-3, after_epoch=None):
    """Train `model` in place; return the history {name: [mean per epoch, …]} of every term of the loss function.

    x: (n, pixels) float32 in [0, 1]. loss_fn(model, batch) returns a dict of scalars, of which "loss" is minimised.
    after_epoch(model), if given, returns more numbers for the history; it runs without gradients, in evaluation mode.
    AdamW without weight decay, one-cycle learning rate with peak `lr`. Batch order and noise start at `seed`; the
    random numbers outside are left alone. An interrupt ends at a batch boundary and keeps model and history.
    Raises ValueError before the first step for bad arguments, FloatingPointError before a step that is not finite;
    that error carries the history so far as `.history`.
    """
    _check_numbers(epochs=epochs, batch_size=batch_size, lr=lr)
    _check_images(x)
    _check_loss(model, x, loss_fn)
    batches_per_epoch = -(-len(x) // batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * batches_per_epoch + 1)
    order, history = torch.Generator().manual_seed(seed), {}
    quiet = bool(os.environ.get("TQDM_DISABLE"))  # tqdm's notebook bar does not read its own variable
    progress = tqdm(total=epochs * batches_per_epoch, unit="batch", leave=False, disable=quiet)
    with seeded(seed), _mode(model, training=True), _interrupt_flag() as interrupted, progress:
        for epoch in range(1, epochs + 1):
            sums, seen = {}, 0
            for rows in torch.randperm(len(x), generator=order).split(batch_size):
                batch = x[rows]
                terms = loss_fn(model, batch)
                _backward(model, optimizer, terms, epoch, history, batch)
                optimizer.step()
                schedule.step()
                progress.update()
                seen += len(rows)
                for name, value in terms.items():
                    sums[name] = sums.get(name, 0.0) + _number(value) * len(rows)
                if interrupted.is_set():
                    break
            _record(history, {name: total / seen for name, total in sums.items()})
            if after_epoch is not None:
                with _mode(model, training=False), torch.no_grad(), seeded(seed):
                    _record(history, after_epoch(model))
            if interrupted.is_set():
                print(f"Interrupted in epoch {epoch} of {epochs}; the model and the history so far are kept.")
                break
    return history


def _backward(model, optimizer, terms, epoch, history, batch):
    """Gradients of terms["loss"]; raises before anything non-finite can reach the weights."""
    optimizer.zero_grad(set_to_none=True)
    loss = terms["loss"]
    if torch.isfinite(loss):
        loss.backward()
        norm = torch.nn.utils.get_total_norm([p.grad for p in model.parameters() if p.grad is not None])
        if torch.isfinite(norm):
            return
    listed = ", ".join(f"{name} = {_number(value):.4g}" for name, value in terms.items())
    error = FloatingPointError(
        f"the loss or its gradient is not finite in epoch {epoch} ({listed}{_largest_logvar(model, batch)}); "
        "no step was taken: lower lr, or keep logvar below 88, where exp() overflows in float32."
    )
    error.history = history
    raise error


def _largest_logvar(model, batch):
    with torch.no_grad():
        code = model.encode(batch) if hasattr(model, "encode") else None
    return f", largest logvar = {code[1].max():.4g}" if isinstance(code, tuple) else ""


def _number(value):
    return torch.as_tensor(value).detach().item()


def _record(history, numbers):
    for name, value in numbers.items():
        history.setdefault(name, []).append(_number(value))


@contextmanager
def _mode(model, *, training):
    before = model.training
    model.train(training)
    try:
        yield
    finally:
        model.train(before)


@contextmanager
def _interrupt_flag():
    """A flag that an interrupt raises instead of breaking into the middle of a step."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield flag
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: flag.set())
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)


def _check_numbers(epochs, batch_size, lr):
    for name, value in {"epochs": epochs, "batch_size": batch_size}.items():
        if type(value) is not int or value < 1:
            raise ValueError(f"{name} must be an integer of 1 or more, got {value!r}.")
    if not isinstance(lr, (int, float)) or not 0 < lr < float("inf"):
        raise ValueError(f"lr must be a positive number, got {lr!r}.")


def _check_images(x):
    if not isinstance(x, torch.Tensor) or x.dtype != torch.float32 or x.ndim != 2 or not len(x):
        found = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, torch.Tensor) else type(x).__name__
        raise ValueError(f"x must be a float32 tensor of shape (images, pixels) with at least one image, got {found}.")
    low, high = x.min().item(), x.max().item()
    if not (low >= 0 and high <= 1):  # also true for NaN
        raise ValueError(f"pixels of x must lie in [0, 1], got values from {low:.4g} to {high:.4g}; divide by 255?")


def _check_loss(model, x, loss_fn):
    try:
        with torch.no_grad(), seeded(0):
            terms = loss_fn(model, x[:2])
    except RuntimeError as error:
        raise ValueError(f"loss_fn cannot work on x with {x.shape[1]} pixels per image: {error}.") from error
    scalars = isinstance(terms, dict) and all(torch.as_tensor(value).numel() == 1 for value in terms.values())
    if not scalars or "loss" not in terms:
        raise ValueError(f"loss_fn must return a dict of scalars with the key 'loss', got {terms!r:.80}.")
