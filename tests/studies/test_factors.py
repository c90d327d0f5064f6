import pytest
import torch
from torch.distributions import MultivariateNormal, kl_divergence

from vae_helpers.data.shapes import FACTORS, PLACES, all_factors, draw_shapes, load_shapes
from vae_helpers.metrics import mutual_information_gap
from vae_helpers.studies import factors
from vae_helpers.studies.factors import Run


def centre_of(x):
    pixels = x.reshape(28, 28)
    total = pixels.sum()
    return (pixels.sum(dim=0) @ torch.arange(28.0) / total).item(), (
        pixels.sum(dim=1) @ torch.arange(28.0) / total
    ).item()


def test_a_picture_shows_its_factors():
    every = all_factors()
    assert len(every) == 3 * 4 * 12 * 12 and len(every.unique(dim=0)) == len(every)
    x = draw_shapes(every)
    assert x.shape == (1728, 784) and x.dtype == torch.float32 and x.min() == 0 and x.max() == 1
    for row in (0, 500, 1727):
        _, _, column, line = every[row].tolist()
        assert centre_of(x[row]) == pytest.approx((PLACES[column], PLACES[line]), abs=1e-4)
    ink = x.sum(dim=1)
    sizes = [ink[every[:, 1] == size].mean() for size in range(FACTORS["size"])]
    assert sizes == sorted(sizes)
    disc = x[(every == torch.tensor([0, 3, 4, 4])).all(dim=1)]
    assert disc.sum().item() == pytest.approx(torch.pi * 6**2, rel=0.02)


def test_ground_and_ink_are_the_greys_asked_for():
    some = all_factors()[:5]
    x = draw_shapes(some, ground=0.3, ink=0.7)
    assert x.min() == pytest.approx(0.3) and x.max() == pytest.approx(0.7)


def test_bad_factors_are_refused():
    with pytest.raises(ValueError, match=r"shape \(n, 4\), got \(3, 2\)"):
        draw_shapes(torch.zeros(3, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="world must be one of all"):
        factors.shown("half", all_factors())


def test_the_worlds():
    every = load_shapes().factors
    shown = {world: factors.shown(world, every) for world in factors.WORLDS}
    assert shown["all"].all() and shown["gaps"].sum() == shown["few"].sum() == 3 * 4 * 4 * 4
    assert (every[shown["band"]][:, 3] < 6).all() and shown["band"].sum() == 3 * 4 * 12 * 6
    assert len(factors.pictures_of("band").x) == 864 and len(factors.pictures_of("gaps").x) == 1728
    hidden = every[~shown["corner"]]
    assert len(hidden) == 3 * 2 * 6 * 12 and (hidden[:, 1] >= 2).all()
    assert (hidden[:, 2] >= 6).all() and not torch.equal(shown["few"], factors.shown("few", every, seed=1))


class TestGap:
    def test_one_code_for_each_factor_is_perfect_and_their_order_does_not_matter(self):
        every = all_factors()
        codes = every[:, [2, 0, 3, 1]].double()
        codes += 1e-3 * torch.rand(codes.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        gaps = mutual_information_gap(codes, every, bins=12)
        assert (gaps > 0.95).all(), gaps

    def test_a_rotation_spoils_it_and_noise_has_none(self):
        every = all_factors()
        assert mutual_information_gap(factors.turned(every.float(), 0), every).max() < 0.6
        noise = torch.randn(1728, 5, generator=torch.Generator().manual_seed(0))
        assert mutual_information_gap(noise, every).abs().max() < 0.02

    def test_a_rotation_keeps_distances_of_codes_of_variance_one(self):
        codes = torch.randn(300, 4, generator=torch.Generator().manual_seed(0)).double()
        white = (codes - codes.mean(dim=0)) / codes.std(dim=0)
        assert torch.allclose(
            torch.cdist(factors.turned(codes, 3), factors.turned(codes, 3)), torch.cdist(white, white), atol=1e-4
        )


def test_a_row_of_a_short_run(monkeypatch):
    monkeypatch.setattr(factors, "STEPS", 30)
    row, history, weights = factors.row_of(Run(4.0, "corner"))
    assert history == {} and weights is None and row["key"] == Run(4.0, "corner").key
    assert (
        row["recon"] > 0
        and row["recon unseen"] > 0
        and row["recon mirrored"] > 0
        and 0 <= row["live units"] <= 6
        and -0.01 <= row["mig"] <= 1
    )


def test_turning_equally_wide_units_is_free_and_others_cost_what_the_library_says():
    every = all_factors()
    mu = every[:, [2, 3, 1]].float()
    logvar = torch.tensor([-4.0, -4.0, -2.0]).repeat(len(mu), 1)
    row = factors.turns(mu, logvar, every)
    assert row["turn"] == pytest.approx(0, abs=1e-6)
    assert row["turn column"] == pytest.approx(1) and row["turn row"] == pytest.approx(1)
    assert row["turn size"] == pytest.approx(0, abs=1e-6)
    turn = torch.tensor([[1.0, -1.0], [1.0, 1.0]]) / 2**0.5
    tilted = MultivariateNormal(torch.zeros(2), turn @ torch.diag(logvar[0, 1:].exp()) @ turn.T)
    upright = MultivariateNormal(torch.zeros(2), torch.diag(1 / tilted.precision_matrix.diag()))
    assert row["next turn"] == pytest.approx(kl_divergence(upright, tilted).item(), abs=1e-5)
    assert factors.turns(mu[:, :1], logvar[:, :1], every) == {}


def test_half_of_a_factor_that_a_pair_follows_counts_half():
    every = all_factors()
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(len(every), generator=generator) * every[:, 1].float().std()
    mu = torch.stack([every[:, 1] + noise, torch.randn(len(every), generator=generator)], dim=1)
    row = factors.turns(mu, torch.zeros_like(mu), every)
    assert row["turn size"] == pytest.approx(0.5, abs=0.05) and row["turn row"] < 0.02
