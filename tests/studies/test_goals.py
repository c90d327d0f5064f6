import math

import pytest
import torch
from scipy import stats

from vae_helpers.data import load_digit_images
from vae_helpers.models import mlp
from vae_helpers.studies import goals
from vae_helpers.studies.goals import Maker, Run


@pytest.fixture(scope="module")
def digits():
    return load_digit_images("digits")


def test_labels_follow_the_pixels(digits):
    x = goals.labelled(digits.test)
    assert x.shape == (len(digits.test.x), 794) and torch.equal(x[:, :784], digits.test.x)
    assert torch.equal(x[:, 784:].argmax(dim=1), digits.test.y) and (x[:, 784:].sum(dim=1) == 1).all()


@pytest.mark.parametrize("name", goals.NAMES)
def test_each_loss_trains_its_own_nets_and_no_other(digits, name):
    model, x = Maker(Run(name), None), goals.labelled(digits.test)[:20]
    goals.LOSSES[name](model, x)["loss"].backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert hasattr(model, "critic") == (name == "gan") and model.decoder[0].in_features == 16 + 10 * (
        name == "conditional"
    )


def test_the_decoder_of_a_gan_does_not_train_the_critic(digits):
    model, x = Maker(Run("gan"), None), goals.labelled(digits.test)[:20]
    torch.manual_seed(0)
    loss = goals.gan_loss(model, x)["loss"]
    found = torch.autograd.grad(loss, model.critic.parameters(), retain_graph=True)
    torch.manual_seed(0)
    drawn = model.decode(torch.randn(20, 16)).detach()
    mistakes, slope = goals.critic_loss(model.critic, x[:, :784], drawn)
    wanted = torch.autograd.grad((mistakes + slope).mean(), model.critic.parameters())
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found, wanted, strict=True))
    [push] = torch.autograd.grad(loss, [model.decoder[-1].bias])

    def deceived(shift):  # the rest of the loss, for finite differences
        torch.manual_seed(0)
        with torch.no_grad():
            images = torch.sigmoid(model.decoder(torch.randn(20, 16)) + shift)
            return torch.nn.functional.softplus(-model.critic(images)).mean().item()

    assert (deceived(1e-2) - deceived(-1e-2)) / 2 == pytest.approx(1e-2 * push.sum().item(), rel=0.02)


def test_the_code_names_digits_where_it_holds_them():
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(10, (1000,), generator=generator)
    noise = torch.randn(1000, 10, generator=generator)
    assert goals.label_in(torch.nn.functional.one_hot(y) * 9 + noise, y) > 0.99
    assert goals.label_in(noise, y) < 0.2


@pytest.mark.parametrize("name", goals.NAMES)
def test_a_row_of_a_short_run(digits, monkeypatch, name):
    monkeypatch.setattr(goals, "images_of", lambda name: digits)
    monkeypatch.setattr(goals, "fit", lambda *args, **kwargs: None)
    row, history, weights = goals.row_of(Run(name, data="digits"), {"digits": mlp(784, 10)})
    assert history == {} and weights is None and row["key"] == Run(name, data="digits").key
    assert 1 <= row["digits"] <= 10 and 0 <= row["rarest"] <= 0.1 and row["energy"] > 0
    assert ("recon" in row) == (name != "gan")


class Copier(torch.nn.Module):
    """Decodes the asked digit as a plain grey: digit / 10 everywhere."""

    def decode(self, z):
        return (z[:, 16:].argmax(dim=1) / 10)[:, None].expand(-1, 784)

    def encoder(self, x):
        return torch.zeros(len(x), 32)


def test_asked_digits_are_counted(digits):
    def reads_grey(x):
        return torch.nn.functional.one_hot((x[:, 0] * 10).round().long(), 10) * 50.0

    row = goals.measure(Run("conditional"), Copier(), digits, reads_grey)
    share = torch.bincount(digits.test.y, minlength=10) / len(digits.test.y)
    assert row["as asked"] == 1 and row["confidence"] == pytest.approx(1) and row["kl"] == 0
    assert row["rarest"] == pytest.approx(share.min().item())
    assert row["digits"] == pytest.approx(math.exp(stats.entropy(share)), rel=1e-5)
