import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from vae_helpers.data import load_digit_images
from vae_helpers.losses import gaussian_nll, kl_to_standard_normal
from vae_helpers.models import VAE, ConvVAE, reparameterize, seeded
from vae_helpers.studies import widths
from vae_helpers.studies.widths import Run


@pytest.fixture(scope="module")
def digits():
    return load_digit_images("digits")


def test_one_draw_bounds_like_the_elbo_and_fifty_better(digits):
    model, x = VAE(3, mean=digits.train.x.mean(dim=0)), digits.test.x
    with torch.no_grad(), seeded(0):
        mu, logvar = model.encode(x)
        elbo = gaussian_nll(x, model.decode(reparameterize(mu, logvar))) + kl_to_standard_normal(mu, logvar)
    assert abs(widths.bound(model, x, 1).mean() - elbo.mean()) < 0.5
    assert widths.bound(model, x, 50).mean() < widths.bound(model, x, 1).mean()


def test_the_components_are_those_of_scikit_learn(digits):
    x = digits.train.x
    theirs = PCA(5).fit(x.numpy())
    expected = theirs.inverse_transform(theirs.transform(digits.test.x.numpy()))
    assert torch.allclose(widths.pca_of(x, 5)(digits.test.x), torch.from_numpy(expected), atol=1e-3)


def test_strange_pictures_are_what_their_names_say():
    x = torch.rand(6, 784, generator=torch.Generator().manual_seed(2))
    made = widths.strange(x)
    assert torch.equal(made["inverted"] + x, torch.ones(6, 784)) and not made["blank"].any()
    assert torch.equal(made["upside down"].reshape(6, 28, 28)[:, 0], x.reshape(6, 28, 28)[:, 27])
    half = made["half"].reshape(6, 28, 28)
    assert torch.equal(half[..., :14], x.reshape(6, 28, 28)[..., :14]) and not half[..., 14:].any()
    assert torch.equal(made["scrambled"].sort().values, x.sort().values) and not torch.equal(made["scrambled"], x)


def test_a_shift_moves_every_picture_by_three_pixels():
    x = torch.zeros(1, 28, 28)
    x[0, 10, 12] = 1
    assert widths.shifted(x.flatten(1)).reshape(28, 28).nonzero().tolist() == [[13, 15]]


def test_a_row_holds_the_area_under_the_curve_of_the_digit_left_out(digits, monkeypatch):
    monkeypatch.setattr(widths, "images_of", lambda name: digits)
    run = Run(4, without=0, passes=3, data="digits")
    row, history, weights = widths.row_of(run)
    assert history == {} and weights is None and row["key"] == run.key
    model = widths.trained(run, digits)
    rows = widths.chosen(torch.arange(len(digits.test.x)))[: widths.IMAGES]
    usual, out = digits.test.x[rows][digits.test.y[rows] != 0], digits.test.x[digits.test.y == 0]
    with torch.no_grad():
        kl = [kl_to_standard_normal(*model.encode(x)) for x in (usual, out)]
    truth = [0] * len(usual) + [1] * len(out)
    assert row["auc left out by kl"] == pytest.approx(roc_auc_score(truth, torch.cat(kl)), abs=1e-6)
    assert not [name for name in row if "," in name], "a comma would split the column"


def test_the_digit_left_out_is_not_trained_on_and_each_net_is_of_its_kind(digits):
    seen = []
    original = widths.fit

    def spy(model, x, *args, **kwargs):
        seen.append((type(model), len(x)))
        return original(model, x[:32], *args, **kwargs | {"epochs": 1})

    widths.fit = spy
    try:
        widths.trained(Run(4, without=7), digits)
        widths.trained(Run(4, "conv"), digits)
    finally:
        widths.fit = original
    assert seen == [(VAE, int((digits.train.y != 7).sum())), (ConvVAE, len(digits.train.x))]


def test_quarters_are_counted_within_each_group():
    x = torch.arange(40.0)[:, None].expand(40, 784) / 40
    thin, thick = widths.quarters(x, torch.arange(40) // 20)
    assert thin.nonzero().flatten().tolist() == [*range(5), *range(20, 25)]
    assert thick.nonzero().flatten().tolist() == [*range(15, 20), *range(35, 40)]
