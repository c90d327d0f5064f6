import math

import pytest
import torch
from torch.nn import functional as F

from vae_helpers import metrics, relatives
from vae_helpers.data import load_digit_images
from vae_helpers.latent import fit_mixture
from vae_helpers.models import seeded
from vae_helpers.studies import relatives as study
from vae_helpers.studies.relatives import KINDS, Run


@pytest.fixture(scope="module")
def digits():
    return load_digit_images("digits")


def untrained(kind, x):
    run = Run(kind)
    model = study.network(run, x.mean(dim=0))
    with torch.no_grad(), seeded(0):
        return run, model, study.codes(run, model, x)


@pytest.mark.parametrize("kind", KINDS)
def test_codes_fit_the_decoder_and_the_prior_is_one(digits, kind):
    x = digits.train.x[:400]
    run, model, z = untrained(kind, x)
    assert model.decode(z).shape == (400, 784) and study.centres(run, model, x).shape == z.shape
    for points, log_weights in study.own_prior(run, model, z).values():
        assert model.decode(points[:3]).shape == (3, 784)
        assert log_weights.double().exp().sum().item() == pytest.approx(1, abs=1e-3)
        assert study.drawn(run, points, log_weights).shape == (study.IMAGES, z.shape[1])


def test_the_lattice_is_even():
    points = study.lattice()
    assert torch.allclose(points.norm(dim=1), torch.ones(len(points)), atol=1e-5)
    assert points.mean(dim=0).abs().max() < 1e-3
    assert torch.allclose(points.T @ points / len(points), torch.eye(3) / 3, atol=1e-3)
    spacing = torch.cdist(points[:4000], points).topk(2, largest=False).values[:, 1]
    assert spacing.min() > 0.5 * math.sqrt(4 * math.pi / len(points))


def test_the_sphere_is_fine_enough_for_its_posteriors(digits):
    _, model, _ = untrained("sphere", digits.train.x[:50])
    values = []
    for n in (20_000, 40_000):
        points = study.lattice(n)
        log_weights = torch.full((n,), -math.log(n))
        values.append(study.log_likelihood(model, digits.test.x[:20], points, log_weights))
    assert (values[0] - values[1]).abs().max() < 0.01


def test_in_the_plane_the_sum_is_the_grid_of_the_other_tables(digits):
    run, model, z = untrained("vae", digits.train.x[:400])
    priors, x = study.own_prior(run, model, z), digits.test.x[:20]
    ours = study.log_likelihood(model, x, *priors["own"])
    assert torch.allclose(ours, metrics.grid_log_likelihood(model.decode, x, metrics.gaussian_pairs), atol=1e-3)
    ours = study.log_likelihood(model, x, *priors["fitted"])
    mixture, grid = fit_mixture(z, seed=0), metrics.latent_grid(step=0.1)
    theirs = metrics.mixture_log_likelihood(model.decode, x, mixture, metrics.gaussian_pairs, grid=grid)
    assert torch.allclose(ours, theirs, atol=2e-3)


def test_draws_of_points_follow_their_weights():
    points, weights = torch.arange(3.0)[:, None], torch.tensor([0.2, 0.3, 0.5])
    drawn = study.drawn(Run(), points, weights.log()).flatten().long()
    assert torch.allclose(torch.bincount(drawn) / len(drawn), weights, atol=0.05)


def test_every_code_is_there_once():
    every = study.every_code()
    assert every.shape == (65_536, 4) and len(every.unique(dim=0)) == 65_536 and every.max() == 15


def test_the_prior_of_codes_learns_what_follows_what():
    first = torch.randint(16, (4000,), generator=torch.Generator().manual_seed(0))
    index = torch.stack([first, first, 15 - first, torch.zeros(4000).long()], dim=1)
    prior = study.fit_code_prior(index, epochs=40)
    with torch.no_grad():
        every = F.one_hot(study.every_code(), 16).flatten(1).float()
        assert prior(every).double().exp().sum().item() == pytest.approx(1, abs=1e-4)
        mean = prior(F.one_hot(index, 16).flatten(1).float()).mean()
    assert abs(mean + math.log(16)) < 0.1


def test_a_factor_sees_only_the_entries_before_it():
    prior = study.CodePrior()
    onehot = F.one_hot(torch.tensor([[3, 5, 7, 9]]), 16).flatten(1).float().requires_grad_()
    chosen = prior.nets[2](torch.cat([onehot[:, :32], torch.zeros(1, 32)], dim=1)).log_softmax(dim=1)[0, 7]
    total = prior(onehot)
    parts = [net_log(prior, onehot, i) for i in range(4)]
    assert torch.allclose(sum(parts), total) and torch.allclose(parts[2], chosen)


def net_log(prior, onehot, i):
    each = onehot.reshape(1, 4, 16)
    seen = each.clone()
    seen[:, i:] = 0
    return (prior.nets[i](seen.flatten(1)).log_softmax(dim=1) * each[:, i]).sum()


def test_a_row_holds_the_bound_above_the_likelihood(digits, monkeypatch):
    monkeypatch.setattr(study, "images_of", lambda name: digits)
    monkeypatch.setattr(study, "trained", lambda run, data: study.network(run, data.train.x.mean(dim=0)).eval())
    for kind in ("vae", "sphere", "planar"):
        row, history, weights = study.row_of(Run(kind, data="digits"))
        assert row["bound"] > row["nll own"] - 0.05 and history == {} and weights is None, kind
        assert row["kind"] == kind and not [name for name in row if "," in name]


def test_the_codes_of_the_sphere_lie_on_it_and_move(digits):
    _, model, z = untrained("sphere", digits.train.x[:50])
    assert torch.allclose(z.norm(dim=1), torch.ones(50), atol=1e-5)
    assert not torch.allclose(z, relatives.vmf_parameters(model.encoder(digits.train.x[:50]))[0], atol=0.1)
