"""Models: shapes, ranges, seeds, and the reparameterised draw."""

import pytest
import torch

from vae_helpers.models import VAE, Autoencoder, mlp, reparameterize, seeded


@pytest.mark.parametrize("latent_dim", [1, 2, 16])
def test_shapes_and_pixel_range(latent_dim):
    x = torch.rand(3, 784)
    vae, plain = VAE(latent_dim), Autoencoder(latent_dim)
    mu, logvar = vae.encode(x)
    assert mu.shape == logvar.shape == plain.encode(x).shape == (3, latent_dim)
    for image in (vae(x), plain(x), vae.decode(mu)):
        assert image.shape == (3, 784) and image.min() >= 0 and image.max() <= 1


def test_same_seed_same_weights_and_the_stream_outside_goes_on():
    torch.manual_seed(5)
    expected = torch.rand(2)
    torch.manual_seed(5)
    first = VAE(seed=3)
    assert torch.equal(torch.rand(2), expected)
    again, other = VAE(seed=3), VAE(seed=4)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.encoder[0].weight, other.encoder[0].weight)


def test_reparameterized_draws_have_the_mean_and_the_variance_asked_for():
    n, mu, logvar = 200_000, torch.tensor([[1.5, -2.0]]), torch.tensor([[0.8, -1.2]])
    with seeded(0):
        z = reparameterize(mu.expand(n, 2), logvar.expand(n, 2))
    error = (logvar.exp() / n).sqrt()
    assert ((z.mean(dim=0) - mu).abs() < 4 * error).all()
    assert ((z.var(dim=0) / logvar.exp() - 1).abs() < 4 * (2 / n) ** 0.5).all()


def test_reparameterize_lets_the_gradient_through():
    mu, logvar = torch.zeros(4, 2, requires_grad=True), torch.zeros(4, 2, requires_grad=True)
    reparameterize(mu, logvar).sum().backward()
    assert torch.equal(mu.grad, torch.ones(4, 2)) and logvar.grad.abs().sum() > 0


@pytest.mark.parametrize("sizes", [(784,), (784, 0), (784, 2.0), (784, True), (784, "2"), ()])
def test_bad_sizes_are_named(sizes):
    with pytest.raises(ValueError, match="positive integers"):
        mlp(*sizes)


@pytest.mark.parametrize("model", [VAE, Autoencoder])
@pytest.mark.parametrize("latent_dim", [0, -1, "2", 1.5])
def test_bad_latent_dim(model, latent_dim):
    with pytest.raises((ValueError, TypeError)):
        model(latent_dim)


def test_bad_seed():
    with pytest.raises(ValueError, match=r"seed must be an integer, got 1\.5"):
        VAE(seed=1.5)
