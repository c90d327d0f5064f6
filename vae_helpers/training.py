"""`fit`: the loop around a loss function. It shuffles, steps, keeps the history and stops in time; it knows no loss."""

import copy
import os
import signal
import sys
import threading
from contextlib import contextmanager
from numbers import Real

import torch
from tqdm.auto import tqdm

from vae_helpers.models import seeded


def fit(
    model, x, loss_fn, *, epochs, seed=0, batch_size=128, lr=3e-3, test=None, after_epoch=None, watch=None, quiet=False
):
    """Train `model` in place; return the history {name: [mean per epoch, …]} of every term of the loss function.

    x: (n, pixels) float32 in [0, 1], on the model's device. loss_fn(model, batch) returns a dict of scalars, of which
    "loss" is minimised.
    After each epoch, without gradients and in evaluation mode: with test, more such images, the history also gets every
    term on them ("test loss", …); after_epoch(model) returns more numbers for it; watch(model, history, share done)
    may show how things stand. quiet: no bar, and no line at the end.
    AdamW without weight decay, one-cycle learning rate with peak `lr`. Batch order and noise start at `seed`; the
    random numbers outside are left alone. An interrupt ends at a batch boundary and keeps model and history.
    Raises ValueError before the first step for bad arguments, FloatingPointError before a step that is not finite.
    Whatever is raised later, by the functions given too, carries the history so far as `.history`. Two threads at once
    share torch's random numbers, so neither repeats.
    """
    _check_numbers(epochs=epochs, batch_size=batch_size, lr=lr)
    for name, images in {"x": x, "test": x if test is None else test}.items():
        _check_images(name, images)
    if test is not None and test.shape[1] != x.shape[1]:
        raise ValueError(f"test must have as many pixels as x, {x.shape[1]}, got {test.shape[1]}.")
    _check_loss(model, x, loss_fn)
    parameters = [p for p in model.parameters() if p.requires_grad]
    batches = epochs * -(-len(x) // batch_size)
    optimizer = torch.optim.AdamW(parameters, lr=lr, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=batches + 1)
    looks = [] if test is None else [("test ", "loss_fn", lambda model: loss_fn(model, test))]
    looks += [] if after_epoch is None else [("", "after_epoch", after_epoch)]
    order, history, bar = torch.Generator().manual_seed(seed), {}, _bar(batches, quiet)
    with (
        seeded(seed),
        torch.enable_grad(),
        _mode(model, training=True),
        _carrying(history),
        _interrupt_flag() as interrupted,
        bar,
    ):
        for epoch in range(1, epochs + 1):
            sums, seen = {}, 0
            for rows in torch.randperm(len(x), generator=order).split(batch_size):
                batch = x.index_select(0, rows.to(x.device))  # twice as fast as x[rows]
                terms = loss_fn(model, batch)
                _backward(model, parameters, terms, epoch, batch)
                optimizer.step()
                schedule.step()
                bar.update()
                seen += len(rows)
                for name, value in terms.items():
                    sums[name] = sums.get(name, 0.0) + _number(value) * len(rows)
                if interrupted.is_set():
                    break
            _record(history, {name: total / seen for name, total in sums.items()})
            with _mode(model, training=False), torch.no_grad():
                for prefix, name, look in looks:
                    with seeded(seed):
                        numbers = look(model)
                    _check_scalars(name, numbers)
                    _record(history, {prefix + term: value for term, value in numbers.items()})
                if watch is not None:
                    watch(model, history, epoch / epochs)
            bar.set_postfix_str(_summary(history), refresh=False)
            if interrupted.is_set():
                break
    if not quiet:
        kept = " Interrupted; the model and the history so far are kept." if interrupted.is_set() else ""
        print(f"epoch {epoch} of {epochs}: {_summary(history)}.{kept}")
    return history


def _bar(batches, quiet):
    """A progress bar where somebody watches: in a notebook or a terminal, never in a log."""
    watched = "ipykernel" in sys.modules or sys.stderr.isatty()
    hidden = quiet or not watched or bool(os.environ.get("TQDM_DISABLE"))  # which tqdm's notebook bar does not read
    return tqdm(total=batches, unit="batch", leave=False, disable=hidden, mininterval=0.5)


def _summary(history):
    return ", ".join(f"{name} {values[-1]:.4g}" for name, values in history.items())


def _backward(model, parameters, terms, epoch, batch):
    """Gradients of terms["loss"]; raises before anything non-finite can reach the weights."""
    _check_scalars("loss_fn", terms, "loss")
    for parameter in parameters:
        parameter.grad = None
    loss = terms["loss"]
    if torch.isfinite(loss):
        loss.backward()
        norms = torch._foreach_norm([p.grad for p in parameters if p.grad is not None])
        if torch.isfinite(torch.stack(norms).sum()):
            return
    listed = ", ".join(f"{name} = {_number(value):.4g}" for name, value in terms.items())
    raise FloatingPointError(
        f"the loss or its gradient is not finite in epoch {epoch} ({listed}{_largest_logvar(model, batch)}); "
        "no step was taken: lower lr, or keep logvar below 88, where exp() overflows in float32."
    )


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
def _carrying(history):
    """What is raised inside takes the history along, so that an error in the last epoch costs none of the others."""
    try:
        yield
    except Exception as error:
        error.history = history
        raise


@contextmanager
def _mode(model, *, training):
    """All parts of the model in one mode; afterwards each is in its own again."""
    before = [(part, part.training) for part in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for part, mode in before:
            part.training = mode


@contextmanager
def _interrupt_flag():
    """A flag that an interrupt raises instead of breaking into the middle of a step; a second one breaks in."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield flag
        return

    def interrupt(number, frame):
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before if before is not None else signal.SIG_DFL)


def _check_numbers(epochs, batch_size, lr):
    for name, value in {"epochs": epochs, "batch_size": batch_size}.items():
        if type(value) is not int or value < 1:
            raise ValueError(f"{name} must be an integer of 1 or more, got {value!r}.")
    if isinstance(lr, bool) or not isinstance(lr, Real) or not 0 < lr <= 1:
        raise ValueError(f"lr must be a number above 0 and up to 1, got {lr!r}.")


def _check_images(name, x):
    if not isinstance(x, torch.Tensor) or x.dtype != torch.float32 or x.ndim != 2 or not len(x):
        found = f"{x.dtype} of shape {tuple(x.shape)}" if isinstance(x, torch.Tensor) else type(x).__name__
        raise ValueError(f"{name} must be a float32 tensor of shape (images, pixels), one image or more, got {found}.")
    low, high = x.min().item(), x.max().item()
    if not (low >= 0 and high <= 1):  # also true for NaN
        raise ValueError(
            f"pixels of {name} must lie in [0, 1], got values from {low:.4g} to {high:.4g}; divide by 255?"
        )


def _check_loss(model, x, loss_fn):
    try:
        with torch.enable_grad(), seeded(0):
            terms = loss_fn(copy.deepcopy(model), x[:2])  # on a copy, so that the trial leaves no trace
    except RuntimeError as error:
        raise ValueError(f"loss_fn cannot work on x with {x.shape[1]} pixels per image: {error}.") from error
    _check_scalars("loss_fn", terms, "loss")
    if not getattr(terms["loss"], "requires_grad", False):
        raise ValueError("terms['loss'] must be computed from weights that are trained, without detach().")


def _check_scalars(name, terms, *keys):
    """ValueError unless a function of the caller, called `name`, returned a dict of real numbers with these keys."""
    scalars = isinstance(terms, dict) and all(
        v.numel() == 1 and not v.is_complex() if isinstance(v, torch.Tensor) else isinstance(v, Real)
        for v in terms.values()
    )
    if not scalars or not {*keys} <= {*terms}:
        wanted = "".join(f" with the key {key!r}" for key in keys)
        raise ValueError(f"{name} must return a dict of scalars{wanted}, got {terms!r:.80}.")
