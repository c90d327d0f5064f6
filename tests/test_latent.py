"""Latent coordinates against numpy, scipy and torch.distributions."""

import numpy as np
import pytest
import torch
from scipy import stats

from vae_helpers import latent


@pytest.fixture
def codes():
    mix = torch.tensor([[3.0, 0.0], [1.0, 0.5]])
    return torch.randn(4000, 2, generator=torch.Generator().manual_seed(0)) @ mix.T + torch.tensor([10.0, -4.0])


def test_fitted_moments_match_numpy(codes):
    fitted = latent.fit_gaussian(codes)
    np.testing.assert_allclose(fitted.mean, codes.numpy().mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(fitted.scale @ fitted.scale.T, np.cov(codes.numpy().T), rtol=1e-4)


def test_aggregate_posterior_adds_the_mean_variance(codes):
    logvar = torch.stack([torch.zeros(4000), torch.linspace(-2, 1, 4000)], dim=1)
    fitted = latent.fit_gaussian(codes, logvar)
    draws = codes + (0.5 * logvar).exp() * torch.randn(50, 4000, 2, generator=torch.Generator().manual_seed(1))
    np.testing.assert_allclose(
        fitted.scale @ fitted.scale.T, np.cov(draws.reshape(-1, 2).numpy().T), rtol=0.02, atol=0.02
    )


def test_quantile_coordinates_of_the_prior_are_those_of_scipy():
    u = torch.tensor([[0.5, 0.5], [0.025, 0.975], [0.3, 0.001]])
    np.testing.assert_allclose(latent.standard_normal().at(u), stats.norm.ppf(u), rtol=1e-4, atol=1e-6)


def test_the_box_of_quantiles_holds_the_middle_share(codes):
    fitted = latent.fit_gaussian(codes)
    white = torch.linalg.solve_triangular(fitted.scale, (codes - fitted.mean).T, upper=False).T
    edge = stats.norm.ppf(0.975)
    assert (white.abs() < edge).all(dim=1).float().mean().item() == pytest.approx(0.95**2, abs=0.015)


@pytest.mark.parametrize("u", [[0.0, 0.5], [0.5, 1.0], [float("nan"), 0.5]])
def test_quantiles_at_infinity_are_refused(u):
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        latent.standard_normal().at(u)


def test_affine_maps_of_the_codes_carry_samples_and_grids_along(codes):
    a, b = torch.tensor([[0.1, 0.0], [2.0, 7.0]]), torch.tensor([5.0, 6.0])  # lower triangular keeps the axes' order
    moved = latent.fit_gaussian(codes @ a.T + b)
    base = latent.fit_gaussian(codes)
    for draw in (lambda g: g.sample(10), lambda g: latent.quantile_grid(g, 5)):
        torch.testing.assert_close(draw(moved), draw(base) @ a.T + b, rtol=1e-3, atol=1e-3)


def test_grid_orientation_and_ends():
    grid = latent.box_grid((0, 20), (-7.5, 7.5), n=4)
    assert grid.shape == (4, 4, 2)
    assert grid[0, 0].tolist() == [0, 7.5] and grid[-1, -1].tolist() == [20, -7.5]
    quantiles = latent.quantile_grid(latent.standard_normal(), n=3)
    np.testing.assert_allclose(quantiles[0, 0], [-1.959964, 1.959964], rtol=1e-4)


def test_a_mixture_is_found_again_and_drawn_from_by_its_weights():
    far = latent.Gaussian(torch.tensor([20.0, -20.0]), torch.tensor([[2.0, 0.0], [1.0, 0.5]]))
    mixture = latent.Mixture(torch.tensor([0.25, 0.75]), (latent.standard_normal(), far))
    z = mixture.sample(20_000, seed=3)
    there = z[:, 0] > 10
    assert there.float().mean() == pytest.approx(0.75, abs=0.01) and not there[:100].all() and there[:100].any()
    torch.testing.assert_close(torch.cov(z[there].T), far.scale @ far.scale.T, rtol=0.05, atol=0.05)
    torch.testing.assert_close(mixture.sample(10, seed=3), mixture.sample(10, seed=3))
    fitted = latent.fit_mixture(z, k=2)
    order = fitted.weights.argsort().tolist()
    torch.testing.assert_close(fitted.weights[order].float(), mixture.weights, rtol=0, atol=0.01)
    for found, true in zip(order, mixture.parts, strict=True):
        torch.testing.assert_close(fitted.parts[found].mean, true.mean, rtol=0, atol=0.06)
        torch.testing.assert_close(fitted.parts[found].scale, true.scale, rtol=0.05, atol=0.05)


def test_straight_path_has_equal_steps():
    path = latent.straight_path(torch.zeros(2), torch.tensor([3.0, 6.0]), n=4)
    np.testing.assert_allclose(path, [[0, 0], [1, 2], [2, 4], [3, 6]], rtol=1e-6)


@pytest.mark.parametrize("bad", [torch.zeros(2, 2), torch.zeros(5), torch.ones(10, 2)])
def test_codes_without_spread_are_refused(bad):
    with pytest.raises(ValueError, match=r"mu must have shape|do not spread"):
        latent.fit_gaussian(bad)


def test_outline_runs_around_the_box(codes):
    fitted = latent.fit_gaussian(codes)
    outline = latent.Panel(None, fitted, codes).outline()
    white = torch.linalg.solve_triangular(fitted.scale, (outline - fitted.mean).T, upper=False).T
    np.testing.assert_allclose(white.abs().amax(dim=1), stats.norm.ppf(0.975), rtol=1e-3)


def test_a_sphere_is_seen_from_the_side_that_is_asked_for():
    points = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0]])
    places, near, front = latent.seen_from(points, 0, 0)
    assert torch.allclose(front, points[0]) and near.tolist() == [True, False, False, False]
    assert torch.allclose(places, torch.tensor([[0.0, 0], [1, 0], [0, 1], [0, 0]]), atol=1e-6)
    places, near, front = latent.seen_from(points, 90, 30)
    assert torch.allclose(front, torch.tensor([0, 3**0.5 / 2, 0.5]), atol=1e-6)
    assert torch.allclose(places[0], torch.tensor([-1.0, 0]), atol=1e-6)
    assert torch.allclose(places[2], torch.tensor([0, 3**0.5 / 2]), atol=1e-6) and near[1] and near[2]
