"""`fit`: it learns, repeats itself, and ends well whatever happens."""

import os
import re
import signal
import threading
import time

import numpy as np
import pytest
import torch
from torch import nn

from vae_helpers.losses import kl_to_standard_normal, squared_error
from vae_helpers.models import VAE, reparameterize
from vae_helpers.training import fit


def small_vae(seed=0):
    return VAE(hidden=(16,), seed=seed)


def loss_fn(model, x):
    mu, logvar = model.encode(x)
    recon, kl = squared_error(x, model.decode(reparameterize(mu, logvar))), kl_to_standard_normal(mu, logvar)
    return {"loss": (recon + kl).mean(), "recon": recon.mean(), "kl": kl.mean()}


@pytest.fixture
def x():
    return torch.rand(100, 784, generator=torch.Generator().manual_seed(0))


def weights(model):
    return [p.detach().clone() for p in model.parameters()]


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a, b, strict=True))


def test_linear_regression_reaches_the_least_squares_solution():
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(200, 3, generator=generator)
    y = x @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3

    class Line(nn.Linear):
        pass

    def regression(model, batch):  # the target is a function of the input, so the batch is enough
        target = batch @ torch.tensor([[1.0], [-2.0], [0.5]]) + 0.3
        return {"loss": (model(batch) - target).square().mean()}

    model = Line(3, 1)
    history = fit(model, x, regression, epochs=150, batch_size=20, lr=0.05)
    reference = torch.linalg.lstsq(torch.cat([x, torch.ones(200, 1)], dim=1), y).solution.flatten()
    torch.testing.assert_close(torch.cat([model.weight[0], model.bias]), reference, atol=2e-3, rtol=0)
    assert history["loss"][-1] < 1e-5 * history["loss"][0]


def test_history_holds_every_term_once_per_epoch(x):
    history = fit(small_vae(), x, loss_fn, epochs=3, after_epoch=lambda model: {"grad": torch.is_grad_enabled()})
    assert set(history) == {"loss", "recon", "kl", "grad"} and all(len(values) == 3 for values in history.values())
    assert history["grad"] == [0, 0, 0]
    assert history["loss"][0] == pytest.approx(history["recon"][0] + history["kl"][0], rel=1e-5)


def test_epoch_mean_weighs_batches_by_their_size(x):
    seen = []

    def mean_pixel(model, batch):
        seen.append(len(batch))
        return {"loss": model(batch).mean() * 0, "pixel": batch.mean()}

    history = fit(small_vae(), x, mean_pixel, epochs=1, batch_size=99)
    assert seen == [2, 99, 1]  # the first is the trial call
    assert history["pixel"][0] == pytest.approx(x.mean().item(), rel=1e-5)


def test_same_seed_same_run_whatever_happened_before(x):
    first = fit(small_vae(), x, loss_fn, epochs=2, seed=1)
    torch.rand(17)
    assert fit(small_vae(), x, loss_fn, epochs=2, seed=1) == first
    assert fit(small_vae(), x, loss_fn, epochs=2, seed=2) != first
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    fit(small_vae(), x, loss_fn, epochs=1)
    assert torch.equal(torch.rand(3), expected)


def test_random_numbers_in_after_epoch_do_not_change_the_run(x):
    plain = fit(small_vae(), x, loss_fn, epochs=2)
    noisy = fit(small_vae(), x, loss_fn, epochs=2, after_epoch=lambda model: {"draw": torch.rand(5).sum()})
    assert noisy["loss"] == plain["loss"]


def test_interrupt_ends_at_a_batch_boundary_and_keeps_everything(x, capsys):
    model, calls = small_vae(), []

    def interrupted(model, batch):
        calls.append(len(batch))
        if len(calls) == 4:  # one look before training, then the third batch
            os.kill(os.getpid(), signal.SIGINT)
        return loss_fn(model, batch)

    model.eval()
    handler = signal.getsignal(signal.SIGINT)
    history = fit(model, x, interrupted, epochs=5, batch_size=25)
    assert len(calls) == 4 and len(history["loss"]) == 1
    assert "epoch 1 of 5: loss" in (said := capsys.readouterr().out) and "Interrupted" in said
    assert not model.training and signal.getsignal(signal.SIGINT) is handler
    reference = small_vae()
    _train_by_hand(reference, x, batches=3, total=5 * 4)
    assert same(weights(model), weights(reference))
    fit(model, x, loss_fn, epochs=1)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer that interrupts")
def test_forty_interrupts_at_any_moment_leave_no_half_step(x):
    """A timer interrupts wherever the run then is; the weights are always those after a whole number of batches.

    The timer counts what this process computes, so that a busy machine does not change how many runs it cuts.
    """

    def noted(model, batch):
        steps.append(weights(model))
        return loss_fn(model, batch)

    def run():
        steps.clear()
        history = fit(model := small_vae(), x, noted, epochs=60, batch_size=50, quiet=True, watch=lambda *now: None)
        return weights(model), history

    steps = []
    for _ in range(2):  # the first is slower than those that come
        start = time.process_time()
        run()
    span = time.process_time() - start
    path, before = steps[1:], signal.getsignal(signal.SIGPROF)
    moments = torch.linspace(0.02, 0.8, 40).mul(span).tolist()
    cut = 0
    signal.signal(signal.SIGPROF, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        for moment in moments:
            handler = signal.getsignal(signal.SIGINT)
            try:
                signal.setitimer(signal.ITIMER_PROF, moment)
                after, history = run()
            except KeyboardInterrupt:  # before the first step, or after the last
                continue
            finally:
                signal.setitimer(signal.ITIMER_PROF, 0)
            assert signal.getsignal(signal.SIGINT) is handler
            taken = len(steps) - 1
            assert taken == len(path) or same(after, path[taken])
            assert len(history["loss"]) == -(-taken // 2)
            cut += taken < len(path)
    finally:
        signal.signal(signal.SIGPROF, before)
    assert cut > 20


def test_a_second_interrupt_breaks_into_a_loss_that_never_ends(x):
    def endless(model, batch):
        calls.append(1)
        if len(calls) > 1:
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)
        return loss_fn(model, batch)

    calls, handler, model = [], signal.getsignal(signal.SIGINT), small_vae().eval()
    with pytest.raises(KeyboardInterrupt):
        fit(model, x, endless, epochs=2)
    assert signal.getsignal(signal.SIGINT) is handler and not model.training


def _train_by_hand(model, x, batches, total):
    """The same steps without `fit`: what an uninterrupted loop has done after that many batches."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.0, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=total + 1)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for rows in order.split(25)[:batches]:
            optimizer.zero_grad()
            loss_fn(model, x[rows])["loss"].backward()
            optimizer.step()
            schedule.step()


def test_works_outside_the_main_thread(x):
    histories = []
    thread = threading.Thread(target=lambda: histories.append(fit(small_vae(), x, loss_fn, epochs=1)))
    thread.start()
    thread.join()
    assert len(histories[0]["loss"]) == 1


def test_infinite_loss_stops_before_the_step(x):
    model = small_vae()
    with torch.no_grad():
        model.encoder[-1].bias[2:] = 90.0
    before = weights(model)
    with pytest.raises(FloatingPointError, match=r"epoch 1 .*kl = inf.*largest logvar = 9\d") as caught:
        fit(model, x, loss_fn, epochs=2)
    assert same(weights(model), before) and caught.value.history == {}


def test_finite_loss_with_infinite_gradient_stops_too(x):
    def rooted(model, batch):
        return {"loss": (model(batch).mean() * 0).sqrt()}

    model = small_vae()
    before = weights(model)
    with pytest.raises(FloatingPointError, match="no step was taken"):
        fit(model, x, rooted, epochs=1)
    assert same(weights(model), before)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x * 255, r"must lie in \[0, 1\].*divide by 255"),
        (lambda x: x.index_fill(0, torch.tensor([3]), float("nan")), r"must lie in \[0, 1\]"),
        (lambda x: x.double(), "float32"),
        (lambda x: (x * 255).to(torch.uint8), "float32"),
        (lambda x: x.numpy(), "ndarray"),
        (lambda x: x.reshape(-1, 28, 28), r"shape \(100, 28, 28\)"),
        (lambda x: x[:0], r"shape \(0, 784\)"),
        (lambda x: x[:, :100], "100 pixels per image"),
    ],
)
def test_bad_images_are_refused_before_the_first_step(x, change, message):
    model = small_vae()
    before = weights(model)
    with pytest.raises(ValueError, match=message):
        fit(model, change(x), loss_fn, epochs=1)
    with pytest.raises(
        ValueError, match=message if "100 pixels" not in message else "as many pixels as x, 784, got 100"
    ):
        fit(model, x, loss_fn, epochs=1, test=change(x))
    assert same(weights(model), before)


@pytest.mark.parametrize(
    "arguments",
    [{"epochs": 0}, {"epochs": -1}, {"epochs": "3"}, {"epochs": True}, {"batch_size": 0}, {"lr": 0}]
    + [{"lr": lr} for lr in ("fast", True, 1e300, float("nan"))],
)
def test_bad_numbers_are_named(x, arguments):
    name, value = next(iter(arguments.items()))
    with pytest.raises(ValueError, match=f"{name} must be .* got {re.escape(repr(value))}"):
        fit(small_vae(), x, loss_fn, **{"epochs": 1, **arguments})


def test_a_rate_of_numpy_is_a_number(x):
    assert fit(small_vae(), x, loss_fn, epochs=1, lr=np.float32(3e-3))["loss"]


NOT_SCALARS = [None, 1.5, torch.tensor(1.5), {"loss": 1j}, {"loss": torch.tensor(1j)}, {"loss": torch.ones(2)}]


@pytest.mark.parametrize("found", [*NOT_SCALARS, {"total": 1.0}])
def test_loss_function_must_return_scalars_with_a_loss(x, found):
    with pytest.raises(ValueError, match="loss_fn must return a dict of scalars with the key 'loss', got "):
        fit(small_vae(), x, lambda model, batch: found, epochs=1)


@pytest.mark.parametrize("found", [1.5, 3, torch.tensor(1.5)])
def test_a_loss_that_does_not_depend_on_weights_is_named(x, found):
    with pytest.raises(ValueError, match="must be computed from weights that are trained, without detach"):
        fit(small_vae(), x, lambda model, batch: {"loss": found}, epochs=1)


def test_a_frozen_model_is_named_and_no_grad_around_does_not_matter(x):
    with torch.no_grad():
        assert fit(small_vae(), x, loss_fn, epochs=1) == fit(small_vae(), x, loss_fn, epochs=1)
    with pytest.raises(ValueError, match="weights that are trained"):
        fit(small_vae().requires_grad_(False), x, loss_fn, epochs=1)


@pytest.mark.parametrize("found", [*NOT_SCALARS, "an error"])
@pytest.mark.parametrize("which", ["loss_fn", "after_epoch"])
def test_what_goes_wrong_in_a_later_epoch_costs_none_before_it(x, which, found):
    def at_fault(epochs):
        if epochs < 2:
            return {"seen": 1}
        if found == "an error":
            raise OverflowError("mine")
        return found

    def later(model, batch):
        calls.append(1)
        return loss_fn(model, batch) if len(calls) < 7 else at_fault(2)  # a trial, then four batches an epoch

    def count(model):
        looks.append(1)
        return at_fault(len(looks))

    calls, looks = [], []
    functions = {"loss_fn": later} if which == "loss_fn" else {"loss_fn": loss_fn, "after_epoch": count}
    error = (OverflowError, "mine") if found == "an error" else (ValueError, f"{which} must return a dict of scalars")
    model = small_vae()
    model.encoder.eval()
    with pytest.raises(error[0], match=error[1]) as caught:
        fit(model, x, **functions, epochs=3, batch_size=25)
    kept = caught.value.history
    assert len(kept["loss"]) == (1 if which == "loss_fn" else 2) and kept.get("seen", [1]) == [1]
    assert model.training and model.decoder.training and not model.encoder.training


def test_a_loss_that_is_no_scalar_on_the_test_images_is_named(x):
    def whole(model, batch):
        return loss_fn(model, batch) if len(batch) < 60 else None

    with pytest.raises(ValueError, match="loss_fn must return a dict of scalars, got None") as caught:
        fit(small_vae(), x, whole, epochs=1, batch_size=50, test=x[:60])
    assert len(caught.value.history["loss"]) == 1


def test_a_loss_that_turns_to_nan_is_stopped_in_its_epoch_with_the_history_before(x):
    def turning(model, batch):
        calls.append(1)
        terms = loss_fn(model, batch)
        return terms if len(calls) < 7 else terms | {"loss": terms["loss"] * float("nan")}

    calls, model = [], small_vae()
    with pytest.raises(FloatingPointError, match=r"epoch 2 \(loss = nan") as caught:
        fit(model, x, turning, epochs=3, batch_size=25)
    assert len(caught.value.history["loss"]) == 1
    assert all(torch.isfinite(weight).all() for weight in model.parameters())


def test_neither_the_trial_nor_a_refusal_is_seen_by_a_part_that_counts(x):
    model = nn.Sequential(nn.Linear(784, 3), nn.BatchNorm1d(3))
    counted = model[1].num_batches_tracked
    with pytest.raises(ValueError, match="dict of scalars"):
        fit(model, x, lambda m, batch: m(batch).mean(), epochs=1)
    assert counted.item() == 0
    fit(model, x, lambda m, batch: {"loss": m(batch).square().mean()}, epochs=2, batch_size=25)
    assert model[1].num_batches_tracked.item() == 8


@pytest.mark.parametrize("n", [1, 7, 33])
def test_any_number_of_images(x, n):
    assert len(fit(small_vae(), x[:n], loss_fn, epochs=1, batch_size=32)["loss"]) == 1
