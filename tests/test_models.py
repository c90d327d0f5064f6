"""Models: shapes, ranges, seeds, and the reparameterised draw."""

from contextlib import contextmanager

import pytest
import torch

from vae_helpers.models import VAE, Autoencoder, ConvVAE, mlp, reparameterize, seeded


@pytest.mark.parametrize("latent_dim", [1, 2, 16])
def test_shapes_and_pixel_range(latent_dim):
    x = torch.rand(3, 784)
    vae, plain, conv = VAE(latent_dim), Autoencoder(latent_dim), ConvVAE(latent_dim)
    for mu, logvar in (vae.encode(x), conv.encode(x)):
        assert mu.shape == logvar.shape == plain.encode(x).shape == (3, latent_dim)
    for image in (vae(x), plain(x), conv(x), vae.decode(mu), conv.decode(mu)):
        assert image.shape == (3, 784) and image.min() >= 0 and image.max() <= 1


def test_the_convolutional_encoder_knows_that_pixels_have_neighbours():
    x = torch.zeros(2, 28, 28)
    x[0, 10:14, 10:14], x[1, 14:18, 14:18] = 1, 1  # the same square, four pixels on
    first, second = ConvVAE(seed=1).encoder[:5](x.flatten(1))
    assert torch.allclose(first[:, 1:5, 1:5], second[:, 2:6, 2:6], atol=1e-6) and not torch.allclose(first, second)
    assert torch.equal(first, ConvVAE(seed=1).encoder[:5](x.flatten(1))[0])


def test_the_convolutional_decoder_leaves_no_chequerboard():
    grow = ConvVAE().decoder[3:5]
    with torch.no_grad():
        grown = grow(torch.ones(1, 16, 7, 7))[0, :, 2:-2, 2:-2]
    assert torch.allclose(grown, grown[:, :1, :1].expand_as(grown), atol=1e-6)


def test_the_generators_of_all_gpus_are_kept(monkeypatch):
    asked = []

    @contextmanager
    def fork(devices):
        asked.extend(devices)
        yield

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.random, "fork_rng", fork)
    with seeded(0):
        pass
    assert asked == [0, 1]


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
