import math

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal, kl_divergence

from vae_helpers.latent import Gaussian, Mixture, fit_gaussian, standard_normal
from vae_helpers.losses import bernoulli_nll, gaussian_nll, kl_to_standard_normal
from vae_helpers.metrics import (
    bernoulli_pairs,
    coverage,
    energy_distance,
    flips,
    gauge,
    gaussian_pairs,
    grid_log_likelihood,
    interval,
    iwae_nll,
    latent_grid,
    log_weights,
    mean_and_error,
    midpoint_confidence,
    mixture_log_likelihood,
    negentropy,
    neighbour_change,
    neighbour_flips,
    prediction,
    rate_parts,
    roughness,
    small_steps,
)
from vae_helpers.models import seeded


class Linear:
    """A linear VAE, x = A z + noise of variance ½, with encoder N(z̄ + shift, s² I); pixels 5, latents 2."""

    def __init__(self, shift=0.0, s=None):
        self.A = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
        self.precision = self.A.T @ self.A / 0.5 + torch.eye(2)
        eigenvalues, rotation = torch.linalg.eigh(self.precision)  # rotate z so that the true posterior is diagonal
        self.A, self.variances = self.A @ rotation, 1 / eigenvalues
        self.shift, self.s = shift, s

    def encode(self, x):
        mu = x @ self.A / 0.5 * self.variances + self.shift
        variances = self.variances if self.s is None else torch.full((2,), self.s**2)
        return mu, variances.log().expand_as(mu)

    def decode(self, z):
        return z @ self.A.T

    def evidence(self, x, prior=None):
        prior = prior or standard_normal(2)
        spread = self.A @ prior.scale
        return MultivariateNormal(self.A @ prior.mean, spread @ spread.T + 0.5 * torch.eye(5)).log_prob(x)


@pytest.fixture
def x():
    return torch.randn(40, 5, generator=torch.Generator().manual_seed(1))


def test_pairs_agree_with_the_losses_on_the_diagonal(x):
    pixels, logits = torch.sigmoid(x), 3 * x.flip(0)
    torch.testing.assert_close(bernoulli_pairs(pixels, logits).diag(), -bernoulli_nll(pixels, logits))
    for variance in (0.5, 0.1, 2.0):
        expected = -gaussian_nll(x, logits, variance)
        torch.testing.assert_close(gaussian_pairs(x, logits, variance).diag(), expected, rtol=1e-4, atol=1e-3)


def test_pairs_put_images_in_rows_and_codes_in_columns(x):
    pairs = bernoulli_pairs(torch.sigmoid(x), x[:7])
    assert pairs.shape == (40, 7)
    torch.testing.assert_close(pairs[3, 5], -bernoulli_nll(torch.sigmoid(x[3]), x[5]))


def test_the_default_grid():
    grid = latent_grid()
    assert grid.shape == (161**2, 2) and grid.min() == -4 and grid.max() == 4
    assert (grid[1] - grid[0]).norm() == pytest.approx(0.05, abs=1e-5)
    assert len(grid.unique(dim=0)) == len(grid)


@pytest.mark.parametrize(("half_width", "step"), [(4, 0), (4, -1), (1, 2), (math.inf, 1), (math.nan, 1)])
def test_grids_that_make_no_sense(half_width, step):
    with pytest.raises(ValueError, match="step must lie above 0"):
        latent_grid(half_width, step)


def test_grid_gives_the_evidence_of_a_linear_gaussian_model(x):
    model = Linear()
    exact = model.evidence(x).double()
    torch.testing.assert_close(grid_log_likelihood(model.decode, x, gaussian_pairs), exact, rtol=0, atol=2e-3)


def test_grid_under_another_prior(x):
    model, prior = Linear(), Gaussian(torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 0.0], [0.7, 0.5]]))
    exact = model.evidence(x, prior).double()
    fine = latent_grid(half_width=6.0)
    got = grid_log_likelihood(model.decode, x, gaussian_pairs, prior=prior, grid=fine)
    near = exact > -25  # codes of the others lie beyond the grid
    assert near.sum() > 20
    torch.testing.assert_close(got[near], exact[near], rtol=0, atol=5e-3)


def test_a_decoder_that_ignores_z_leaves_its_own_likelihood(x):
    pixels, logits = torch.sigmoid(x), torch.linspace(-2, 2, 5)
    got = -grid_log_likelihood(lambda z: logits.expand(len(z), -1), pixels)
    inside = 2 * math.log(math.erf(4 / math.sqrt(2)))
    expected = bernoulli_nll(pixels, logits.expand(40, -1)).double() - inside
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-3)


def test_log_weights_are_constant_when_q_is_the_true_posterior(x):
    model = Linear()
    with seeded(0):
        weights = log_weights(model, x, 7, gaussian_nll, decode=model.decode)
    assert weights.shape == (7, 40)
    torch.testing.assert_close(weights, model.evidence(x).expand(7, 40), rtol=1e-4, atol=1e-3)


def test_log_weights_against_torch_distributions(x):
    model = Linear(shift=0.3, s=0.4)
    with seeded(3):
        weights = log_weights(model, x, 1, gaussian_nll, decode=model.decode)[0]
    mu, logvar = model.encode(x)
    with seeded(3):
        z = mu + (0.5 * logvar).exp() * torch.randn_like(mu)
    q, prior = (Independent(Normal(m, s), 1) for m, s in [(mu, (0.5 * logvar).exp()), (0 * mu, torch.ones_like(mu))])
    likelihood = Independent(Normal(model.decode(z), math.sqrt(0.5)), 1).log_prob(x)
    torch.testing.assert_close(weights, likelihood + prior.log_prob(z) - q.log_prob(z), rtol=1e-4, atol=1e-4)


def test_iwae_falls_from_the_elbo_to_the_evidence(x):
    model = Linear(shift=0.3, s=0.4)
    mu, logvar = model.encode(x)
    spread = (model.A.square() @ logvar.exp().T).sum(dim=0)  # E‖A(z − μ)‖², over 2 σx² = 1
    elbo = -(gaussian_nll(x, model.decode(mu)) + spread + kl_to_standard_normal(mu, logvar))
    one, five, many = (iwae_nll(model, x, k, gaussian_nll, decode=model.decode, seed=k) for k in (1, 5, 3000))
    averaged = torch.stack([iwae_nll(model, x, 1, gaussian_nll, decode=model.decode, seed=s) for s in range(400)])
    torch.testing.assert_close(averaged.mean(), -elbo.mean(), rtol=0, atol=0.05)
    assert one.mean() > five.mean() > many.mean()
    torch.testing.assert_close(many.mean(), -model.evidence(x).mean(), rtol=0, atol=0.05)


def test_iwae_repeats_with_its_seed_and_leaves_the_stream_alone(x):
    model = Linear(s=0.4)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = iwae_nll(model, x, 3, gaussian_nll, decode=model.decode, seed=9)
    assert torch.rand(1) == expected
    assert torch.equal(first, iwae_nll(model, x, 3, gaussian_nll, decode=model.decode, seed=9))
    assert not torch.equal(first, iwae_nll(model, x, 3, gaussian_nll, decode=model.decode, seed=8))


@pytest.mark.parametrize("k", [0, -1, 2.0, "3", True])
def test_iwae_needs_a_count(x, k):
    with pytest.raises(ValueError, match="k must be an integer of 1 or more"):
        iwae_nll(Linear(), x, k)


AFFINE = torch.tensor([[3.0, -1.0], [0.5, 0.2]]), torch.tensor([4.0, -7.0])


def bent(z):
    """A smooth decoder from the plane to five pixels that no affine map undoes."""
    z1, z2 = z[:, 0], z[:, 1]
    return torch.stack([z1, z2, (2 * z1).sin(), (z1 * z2).tanh(), z2.square()], dim=1)


def classify(x):
    return x.argmax(dim=1)


def log_probs(x):
    return x.log_softmax(dim=1)


def everything(decode, z):
    """Every metric of a decoder and its codes z that must not see the gauge."""
    own = fit_gaussian(z)
    pixels = bent(standard_normal(2).sample(40, seed=5))
    parts = Mixture(torch.tensor([0.3, 0.7]), (own, Gaussian(own.mean, 0.8 * own.scale)))
    grid = latent_grid(step=0.2)
    return {
        "coverage": coverage(decode(z[:200]), decode(own.sample(100))).mean(),
        "energy": energy_distance(decode(z[:200]), decode(parts.sample(200))).mean(),
        "flips": flips(classify, decode, z, scale=own.scale, delta=0.1).mean(),
        "neighbours": neighbour_flips(classify, decode, z, scale=own.scale).mean(),
        "neighbour change": neighbour_change(decode, z, scale=own.scale).mean(),
        "roughness": roughness(decode, z, scale=own.scale).mean(),
        "midpoints": midpoint_confidence(log_probs, decode, z).mean(),
        "negentropy": negentropy(z).mean(),
        "grid": grid_log_likelihood(decode, pixels, gaussian_pairs, prior=own, grid=grid).mean(),
        "mixture": mixture_log_likelihood(decode, pixels, parts, gaussian_pairs, grid=grid).mean(),
    }


def test_no_metric_but_the_gauge_sees_an_affine_map_of_the_codes():
    a, b = AFFINE
    z = bent(standard_normal(2).sample(2000))[:, [0, 3]].contiguous() + 0.3 * standard_normal(2).sample(2000, seed=1)
    # L of the mapped codes is A L Q with a rotation Q: steps along the unit sphere keep their law, not their numbers
    before = everything(bent, z)
    after = everything(lambda w: bent(torch.linalg.solve(a, (w - b).T).T), z @ a.T + b)
    for name, value in before.items():
        slack = {"flips": 0.03, "coverage": 0.1, "energy": 0.05}.get(name, 2e-3 * max(1, abs(value)))
        assert abs(after[name] - value) < slack, (name, value, after[name])
    assert gauge(fit_gaussian(z @ a.T + b)) > gauge(fit_gaussian(z)) + 5


def test_the_gauge_is_the_divergence_that_torch_computes():
    gaussian = Gaussian(torch.tensor([1.0, -2.0]), torch.tensor([[2.0, 0.0], [0.7, 0.3]]))
    theirs = MultivariateNormal(gaussian.mean, scale_tril=gaussian.scale)
    prior = MultivariateNormal(torch.zeros(2), torch.eye(2))
    assert gauge(gaussian) == pytest.approx(kl_divergence(theirs, prior).item(), rel=1e-6)
    assert gauge(standard_normal(3)) == 0


@pytest.mark.parametrize("d", [1, 2])
def test_negentropy_is_0_for_gaussian_codes_and_known_for_two_clouds(d):
    generator = torch.Generator().manual_seed(3)
    normal = torch.randn(20_000, d, generator=generator) * 7 + 3
    assert abs(negentropy(normal).mean()) < 0.01
    sign = torch.randint(2, (20_000, 1), generator=generator) * 2 - 1
    clouds = torch.randn(20_000, d, generator=generator) + 10 * sign * torch.eye(d)[0]
    assert negentropy(clouds).mean() == pytest.approx(0.5 * math.log(101) - math.log(2), abs=0.02)


@pytest.mark.parametrize("omega", [0.5, 1.0, 2.0])
def test_roughness_is_1_for_a_linear_decoder_and_known_for_a_sine(omega):
    z = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    one = torch.eye(1, dtype=torch.float64)
    assert roughness(lambda z: 5 * z + 2, z, scale=one).mean() == pytest.approx(1, abs=0.01)
    wave = roughness(lambda z: torch.sin(omega * z), z, scale=one, h=1e-4).mean()
    assert wave == pytest.approx(omega**2 / math.tanh(omega**2), rel=0.01)


@pytest.mark.parametrize("delta", [0.1, 0.5])
def test_flips_happen_as_often_as_a_half_line_says(delta):
    z = torch.randn(100_000, 1, generator=torch.Generator().manual_seed(5))
    rate, error = mean_and_error(
        flips(lambda x: (x[:, 0] > 0).long(), lambda z: 3 * z, z, scale=torch.eye(1), delta=delta)
    )
    assert abs(rate - math.erf(delta / math.sqrt(2)) / 2) < 4 * error  # half of those within δ of 0 step across
    assert error == pytest.approx((rate * (1 - rate) / 100_000) ** 0.5, rel=0.01)


def test_a_neighbour_across_the_border_is_a_flip():
    z = torch.tensor([[0.0, 0], [1, 0], [3, 0], [0, 50], [1, 50]])  # the scale makes 50 upwards as short as 0.5
    scale = torch.diag(torch.tensor([1.0, 100.0]))
    found = neighbour_flips(lambda x: (x[:, 1] > 25).long(), lambda z: z, z, scale=scale, k=1)
    assert found.tolist() == [1, 1, 0, 1, 1]
    assert neighbour_flips(lambda x: (x[:, 0] > 2).long(), lambda z: z, z, scale=scale, k=1).tolist() == [0, 0, 1, 0, 0]


def test_neighbours_change_as_little_as_a_line_says_and_as_much_as_strangers():
    z = torch.arange(200.0)[:, None]
    found = neighbour_change(lambda z: 3 * z, z, scale=torch.eye(1), k=4)  # two places on, but at the ends
    assert found[50] == pytest.approx(2**2 / (2 * z.var().item()))
    noise = torch.randn(200, 50, generator=torch.Generator().manual_seed(13))
    assert neighbour_change(lambda z: noise, z, scale=torch.eye(1)).mean() == pytest.approx(1, abs=0.05)


def test_a_small_step_has_its_length_in_the_units_of_the_codes():
    scale = torch.tensor([[2.0, 0.0], [1.0, 0.5]])
    z = torch.randn(1000, 2)
    steps = torch.linalg.solve_triangular(scale, (small_steps(z, scale, 0.3) - z).T, upper=False).T
    torch.testing.assert_close(steps.norm(dim=1), torch.full((1000,), 0.3), rtol=1e-3, atol=1e-4)
    assert steps.mean(dim=0).norm() < 0.05


def test_coverage_agrees_with_neighbours_of_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    generator = torch.Generator().manual_seed(6)
    reference, samples = torch.randn(300, 4, generator=generator), torch.randn(100, 4, generator=generator) + 0.5
    radius = NearestNeighbors().fit(reference.numpy()).kneighbors(n_neighbors=5)[0][:, -1]
    nearest = NearestNeighbors().fit(samples.numpy()).kneighbors(reference.numpy(), n_neighbors=1)[0][:, 0]
    assert (coverage(reference, samples).numpy() == (nearest <= radius)).all()
    assert coverage(reference, reference).mean() == 1
    assert coverage(reference, reference[:1].repeat(100, 1)).mean() < 0.1


def test_confidence_at_midpoints_is_that_of_the_point_half_way():
    z = torch.randn(50, 2, generator=torch.Generator().manual_seed(7))
    other = z[torch.randperm(50, generator=torch.Generator().manual_seed(0))]
    expected = bent(z / 2 + other / 2).softmax(dim=1).amax(dim=1)
    torch.testing.assert_close(midpoint_confidence(log_probs, bent, z), expected)


def test_the_rate_is_information_plus_divergence_from_the_prior():
    mu = 3 * torch.randn(500, 2, generator=torch.Generator().manual_seed(8))
    logvar = torch.randn(500, 2, generator=torch.Generator().manual_seed(9)) - 2
    information, divergence = rate_parts(mu, logvar)
    total, error = mean_and_error(information + divergence)
    clouds, prior = Independent(Normal(mu, (0.5 * logvar).exp()), 1), Independent(Normal(torch.zeros(2), 1.0), 1)
    assert abs(total - kl_divergence(clouds, prior).mean()) < 4 * error
    aggregate = MixtureSameFamily(Categorical(torch.ones(500)), clouds)
    torch.manual_seed(0)
    z = aggregate.sample((20_000,))  # the divergence once more, with other draws
    theirs, their_error = mean_and_error(aggregate.log_prob(z) - prior.log_prob(z))
    ours, our_error = mean_and_error(divergence)
    assert abs(theirs - ours) < 4 * math.hypot(their_error, our_error)


def test_information_is_log_n_for_codes_far_apart_and_0_for_equal_ones():
    far = 1000.0 * torch.arange(64).reshape(-1, 1)
    information, _ = rate_parts(far, torch.zeros(64, 1))
    torch.testing.assert_close(information, torch.full((64,), math.log(64), dtype=torch.float64))
    information, divergence = rate_parts(torch.ones(64, 1), torch.zeros(64, 1))
    assert information.abs().max() < 1e-9 and abs(divergence.mean() - 0.5) < 0.5


def test_a_mixture_as_prior_gives_the_evidence_of_a_mixture(x):
    model = Linear()
    other = Gaussian(torch.tensor([1.0, -0.5]), torch.tensor([[0.7, 0.0], [0.2, 0.4]]))
    prior = Mixture(torch.tensor([0.25, 0.75]), (standard_normal(2), other))
    got = mixture_log_likelihood(model.decode, x, prior, gaussian_pairs)
    each = [model.evidence(x, prior) for prior in (standard_normal(2), other)]
    exact = torch.logsumexp(torch.stack([each[0] + math.log(0.25), each[1] + math.log(0.75)]), dim=0)
    torch.testing.assert_close(got.float(), exact.float(), rtol=0, atol=2e-3)


def test_mean_error_and_interval_are_those_of_scipy():
    from scipy import stats

    values = torch.randn(10, generator=torch.Generator().manual_seed(1))
    mean, error = mean_and_error(values)
    assert mean == pytest.approx(values.mean().item()) and error == pytest.approx(stats.sem(values.numpy()), rel=1e-5)
    theirs = stats.ttest_1samp(values.double().numpy(), 0).confidence_interval(0.9)
    column = np.zeros(10, dtype=[("key", "S3"), ("value", float)])["value"]  # of a table, with odd strides
    column[:] = values
    for given in (values, values.tolist(), column):
        mean, half = interval(given, 0.9)
        assert (mean - half, mean + half) == pytest.approx((theirs.low, theirs.high), rel=1e-5)


def test_a_further_value_lies_in_its_prediction_as_often_as_said():
    draws = torch.randn(4000, 6, generator=torch.Generator().manual_seed(12)) * 3 + 100
    inside = [abs(new - mean) < half for *old, new in draws.tolist() for mean, half in [prediction(old, 0.9)]]
    rate, error = mean_and_error(torch.tensor(inside))
    assert abs(rate - 0.9) < 4 * error


def test_energy_distance_is_that_of_scipy_on_a_line_and_0_for_equal_laws():
    from scipy import stats

    generator = torch.Generator().manual_seed(11)
    x, y = torch.randn(3000, 1, generator=generator), 0.5 * torch.randn(3000, 1, generator=generator) + 1
    theirs = stats.energy_distance(x[:, 0].numpy(), y[:, 0].numpy()) ** 2
    values = energy_distance(x, y)
    assert values.shape == (3000,) and values.mean() == pytest.approx(theirs, abs=0.002)
    repeats = torch.stack([energy_distance(*torch.randn(2, 400, 3, generator=generator)).mean() for _ in range(50)])
    mean, error = mean_and_error(repeats)  # unbiased: a biased estimate would be 0.01 above
    assert abs(mean) < 4 * error < 0.005
