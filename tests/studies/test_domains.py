import pytest
import torch

from vae_helpers.data.shapes import all_factors, draw_shapes
from vae_helpers.studies import domains
from vae_helpers.studies.domains import Run


@pytest.mark.parametrize(("domain", "low", "high"), [("source", 0.0, 0.2), ("target", 0.3, 0.5)])
def test_a_domain_is_told_by_its_ground(domain, low, high):
    x, factors, ground = domains.world(domain, seed=0)
    assert torch.equal(factors, all_factors()) and x.shape == (1728, 784)
    assert low <= ground.min() < low + 0.01 and high - 0.01 < ground.max() <= high
    assert torch.allclose(x[:, 0], ground[:, 0]) and x.max(dim=1).values.min() >= 0.8
    again, _, _ = domains.world(domain, seed=0)
    other, _, _ = domains.world(domain, seed=1)
    assert torch.equal(x, again) and not torch.equal(x, other)


def test_a_hole_is_a_square_in_the_mean_grey():
    x = draw_shapes(all_factors()[::300], ground=0.1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        y = domains.holed(x)
    for before, after in zip(x, y, strict=True):
        inside = (after == before.mean()).reshape(28, 28)
        rows, columns = inside.any(dim=1).nonzero(), inside.any(dim=0).nonzero()
        assert inside.sum() == 100 and rows[-1] - rows[0] == columns[-1] - columns[0] == 9
        assert torch.equal(before[~inside.flatten()], after[~inside.flatten()])


def test_features_have_the_total_variance_of_the_pixels():
    x, _, _ = domains.world("source", 0)
    net = domains.Autoencoder(64, seed=0).requires_grad_(False)
    features = domains.features_of(net, x)
    assert features(x).shape == (1728, 128)
    assert features(x).var(dim=0).sum().item() == pytest.approx(x.var(dim=0).sum().item(), rel=1e-4)


@pytest.mark.parametrize("arm", ["VAE 1", "perceptual 1"])
def test_a_vae_compares_what_its_arm_says(monkeypatch, arm):
    seen = []

    def features(x):
        seen.append(len(x))
        return 0 * x

    monkeypatch.setattr(domains, "fit", lambda model, x, loss, **kwargs: seen.append(loss(model, x[:7])))
    x, _, _ = domains.world("source", 0)
    domains.trained(Run(arm), x, features)
    assert seen[:-1] == ([7, 7] if arm == "perceptual 1" else [])
    assert (seen[-1]["recon"] == 0) == (arm == "perceptual 1")
    beta = (seen[-1]["loss"] - seen[-1]["recon"]) / seen[-1]["kl"]
    assert beta.item() == pytest.approx(domains.ARMS[arm][1], rel=1e-4)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_code_that_holds_place_and_shape_is_read_well_in_both_worlds():
    place = torch.arange(28.0).repeat(28) / 28

    def centres(x):
        ink = (x - x[:, :1]).clamp(min=0)
        ink = ink / ink.sum(dim=1, keepdim=True)
        return torch.stack([ink @ place, ink @ place.reshape(28, 28).T.flatten()], dim=1)

    row = domains.measure(centres, seed=0)
    assert row["place error source"] < 0.3 and row["place error target"] < 0.3
    assert row["shapes source"] < 0.5 and row["ground told"] < 0.1
    row = domains.measure(lambda x: x[:, :1].repeat(1, 2), seed=0)
    assert row["ground told"] > 0.99 and row["place error source"] > 2.5


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize(("arm", "has_kl"), [("pixels", False), ("VAE 1", True)])
def test_a_row_of_a_short_run(monkeypatch, arm, has_kl):
    monkeypatch.setattr(domains, "EPOCHS", 1)
    monkeypatch.setattr(domains, "measure", lambda encode, seed: {"size": encode(torch.zeros(1, 784)).shape[1]})
    row, history, weights = domains.row_of(Run(arm))
    assert history == {} and weights is None and row["size"] == (6 if has_kl else 784)
    assert ("kl" in row) == has_kl and (not has_kl or row["kl"] > 0)
