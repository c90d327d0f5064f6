import pytest
import torch

from vae_helpers import latent
from vae_helpers.data import load_digit_images
from vae_helpers.studies import bridge
from vae_helpers.studies.bridge import CodeDiffusion, Run


class TwoClouds:
    """An encoder whose codes form two narrow clouds, chosen by the brightness of the first pixel."""

    def encode(self, x):
        side = torch.where(x[:, :1] > 0.5, 3.0, -1.0)
        mu = torch.cat([side, 10 * side], dim=1)
        return mu, torch.full_like(mu, -4.0)


def test_the_diffusion_of_codes_finds_both_clouds_at_their_scale():
    x = torch.rand(4000, 784, generator=torch.Generator().manual_seed(0))
    z = CodeDiffusion(TwoClouds(), x, epochs=60, seed=0).sample(2000)
    upper = z[:, 0] > 1
    assert 0.4 < upper.float().mean() < 0.6
    assert torch.allclose(z[upper].median(dim=0).values, torch.tensor([3.0, 30.0]), rtol=0.1)
    assert torch.allclose(z[~upper].median(dim=0).values, torch.tensor([-1.0, -10.0]), rtol=0.15)


def test_a_row_compares_the_same_model_by_four_densities(monkeypatch):
    digits = load_digit_images("digits")
    monkeypatch.setattr(bridge, "images_of", lambda name: digits)
    monkeypatch.setattr(bridge, "PASSES", 2)
    row, history, weights = bridge.row_of(Run(0.01, latent_dim=3, data="digits"))
    assert history == {} and weights is None
    for name in ("prior", "gaussian", "mixture", "diffusion"):
        assert row[f"energy {name}"] > 0 and 0 <= row[f"coverage {name}"] <= 1
    assert row["kl"] > 0 and row["recon"] >= row["squared error"] - 0.5 and row["spread"] > 0


def test_a_density_of_known_draws_is_measured_as_such():
    digits = load_digit_images("digits")
    run = Run(1.0, latent_dim=2)
    model = bridge.trained(run, digits, epochs=3)
    with torch.no_grad():
        mu, _ = model.encode(digits.test.x)

    class Again:
        def sample(self, n, seed=0):
            return mu

    far = latent.Gaussian(torch.full((2,), 50.0), torch.eye(2))
    row = bridge.measure(run, model, digits, {"again": Again(), "far": far})
    assert row["coverage again"] == 1 and row["energy far"] > row["energy again"]
    assert row["energy again"] == pytest.approx(row["energy of reconstructions"], abs=1e-4)
