import hashlib
import math
import os

import numpy as np
import pytest
import torch
from scipy import stats

from vae_helpers import experiments
from vae_helpers.data import images, load_digit_images
from vae_helpers.experiments import ARMS, SCHEDULES, Run, charge, draw, loss_of
from vae_helpers.losses import bernoulli_nll, kl_to_standard_normal, squared_error
from vae_helpers.models import VAE, seeded


def codes(n=50, d=2):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=generator), torch.randn(n, d, generator=generator)


def test_the_three_parts_are_the_kl_term():
    mu, logvar = codes()
    whole = charge(("place", "width", "entropy"), mu, logvar)
    torch.testing.assert_close(whole, kl_to_standard_normal(mu, logvar))
    torch.testing.assert_close(charge(("place",), mu, logvar), 0.5 * mu.square().sum(dim=1))
    torch.testing.assert_close(charge(("width",), mu, logvar), 0.5 * (logvar.exp() - 1).sum(dim=1))
    assert (charge((), mu, logvar) == 0).all()


def test_a_code_is_the_mean_the_mean_with_noise_1_or_a_draw():
    mu, logvar = codes(200_000, 1)
    assert draw("mean", mu, logvar) is mu
    with seeded(0):
        fixed, learned = draw("fixed", mu, logvar), draw("learned", mu, logvar)
    assert (fixed - mu).std() == pytest.approx(1, abs=0.01)
    assert ((learned - mu) / (0.5 * logvar).exp()).std() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli"])
@pytest.mark.parametrize("arm", [arm for arm in ARMS if arm not in (*SCHEDULES, "free bits")])
def test_the_loss_of_an_arm(arm, likelihood):
    model, x = VAE(seed=1), load_digit_images("digits").test.x[:20]
    mu, logvar = model.encode(x)
    with seeded(3):
        terms = loss_of(Run(arm, likelihood, beta=2.5))(model, x)
    with seeded(3):
        z = draw(ARMS[arm][0], mu, logvar)
    nll = bernoulli_nll(x, model.decode_logits(z)) if likelihood == "bernoulli" else squared_error(x, model.decode(z))
    torch.testing.assert_close(terms["recon"], nll.mean())
    torch.testing.assert_close(terms["loss"], terms["recon"] + 2.5 * charge(ARMS[arm][1], mu, logvar).mean())


@pytest.mark.parametrize(("arm", "weights"), [("warm-up", (0, 0.25, 0.5, 1)), ("cyclical", (0, 1, 0, 1))])
def test_a_schedule_raises_the_weight_in_training_and_not_in_evaluation(arm, weights):
    model, x = VAE(seed=1), load_digit_images("digits").test.x[:20]
    loss_fn, at = loss_of(Run(arm, beta=4.0), steps=15), (0, 2, 4, 14)
    terms = [loss_fn(model, x) for _ in range(16)]
    found = [((t["loss"] - t["recon"]) / t["charge"] / 4).item() for t in (terms[i] for i in at)]
    assert found == pytest.approx(weights, abs=1e-3)
    model.eval()
    late = loss_fn(model, x)
    assert (late["loss"] - late["recon"]).item() == pytest.approx(4 * late["charge"].item(), abs=1e-3)


def test_free_bits_are_free_unit_by_unit():
    model, x = VAE(seed=1), load_digit_images("digits").test.x[:20]
    with torch.no_grad():
        model.encoder[-1].weight.zero_()
        model.encoder[-1].bias.copy_(torch.tensor([2.0, 0.1, 0.0, 0.0]))  # 2 nats and 0.005 nats
    terms = loss_of(Run("free bits", beta=3.0))(model, x)
    assert (terms["loss"] - terms["recon"]).item() == pytest.approx(3 * (2 + experiments.FREE_NATS), rel=1e-4)


def test_a_key_belongs_to_one_configuration():
    runs = [Run(), Run(beta=0.0), Run(seed=1), Run("autoencoder"), Run(likelihood="bernoulli"), Run(data="digits")]
    assert len({run.key for run in runs}) == len(runs)
    assert Run(beta=1.0).key == Run().key == "mnist-gaussian-00-" + Run().key[-12:]


@pytest.mark.parametrize("wrong", [{"arm": "vae"}, {"likelihood": "normal"}])
def test_a_run_that_does_not_exist(wrong):
    with pytest.raises(ValueError, match="arm must be one of autoencoder"):
        Run(**wrong)


@pytest.mark.parametrize("beta", [-1.0, float("nan")])
def test_a_weight_below_zero_is_named(beta):
    with pytest.raises(ValueError, match=f"beta must be 0 or more, got {beta}"):
        Run(beta=beta)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_in_place_of_a_table_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "runs.csv")
    with pytest.raises(FileNotFoundError, match=r"runs\.csv not found"):
        experiments.read_table(tmp_path / "runs.csv")


def test_a_table_is_read_with_its_names_and_asked_for_rows(tmp_path):
    path = tmp_path / "runs.csv"
    path.write_text("key,arm,beta,seed,grid nll s1,pixels sha256\na#1,VAE,1.0,0,2.5,ff\nb,fixed noise,0.0,1,,ff\n")
    table = experiments.read_table(path)
    assert table["key"][0] == "a#1" and table["seed"].tolist() == [0, 1]
    assert table["grid nll s1"][0] == 2.5 and math.isnan(table["grid nll s1"][1])
    assert experiments.where(table, arm="fixed noise", beta=0)["key"].tolist() == ["b"]
    with pytest.raises(ValueError, match="the table has no row with"):
        experiments.where(table, arm="VAE", beta=3)


@pytest.fixture(scope="module")
def small():
    data = load_digit_images("digits")
    classifier = experiments.train_classifier(data, epochs=40)
    return data, classifier


def test_the_classifier_names_digits(small):
    data, classifier = small
    assert (classifier(data.test.x).argmax(dim=1) == data.test.y).float().mean() > 0.9


@pytest.mark.parametrize(
    ("arm", "likelihood"), [("VAE", "bernoulli"), ("autoencoder", "gaussian"), ("fixed noise", "gaussian")]
)
def test_a_row_holds_finite_numbers_that_agree_with_each_other(small, monkeypatch, arm, likelihood):
    data, classifier = small
    monkeypatch.setitem(images.EPOCHS, "digits", 3)
    monkeypatch.setattr(experiments, "images_of", load_digit_images)  # which keeps nothing of the three epochs
    row, history, weights = experiments.row_of(Run(arm, likelihood, 1.0, 4, "digits"), {"digits": classifier})
    numbers = {name: value for name, value in row.items() if isinstance(value, float)}
    assert all(math.isfinite(value) for value in numbers.values()) and len(numbers) > 30
    assert len(history["loss"]) == 3 and history["unit 1 kl"][-1] >= history["unit 2 kl"][-1]
    assert row["coverage s4"] <= 1 and row["flips s2 0.03"] < row["flips s2 0.3"]
    assert abs(row["grid nll s2"] - row["coarse grid nll s2"]) < 0.01 * abs(row["grid nll s2"])
    if arm == "VAE":  # what must hold for any model, trained or not
        assert row["recon"] + row["kl"] > row["grid nll s1"] - 1
        assert row["information"] + row["aggregate kl"] == pytest.approx(row["kl"], rel=0.2)
    assert row["pixels sha256"] == hashlib.sha256((data.train.x * 255).round().byte().numpy().tobytes()).hexdigest()
    assert history["test loss"][-1] < history["test loss"][0]
    model = VAE()
    model.load_state_dict(weights)  # rounded to half precision
    again = experiments.likelihoods(Run(arm, likelihood, 1.0, 4, "digits"), model, experiments.chosen(data.test.x))
    assert again["squared error"] == pytest.approx(row["squared error"], rel=0.01)


def test_a_summary_holds_means_and_intervals_of_each_group():
    rows = np.array([(1.0, np.nan), (3.0, np.nan)], dtype=[("kl", float), ("recon", float)])
    text = experiments.summary({"VAE": rows, "a GAN": rows[:1].repeat(3)}, {"nats": "kl", "error": "recon"}, digits=1)
    head, first, second = ([c.strip() for c in line.split("  ") if c.strip()] for line in text.splitlines())
    half = stats.t.ppf(0.975, 1) * np.std([1, 3], ddof=1) / 2**0.5
    assert head == ["nats", "error"] and first == ["VAE", f"2.0 ± {half:.1f}", "–"]
    assert second == ["a GAN", "1.0 ± 0.0", "–"] and text.splitlines()[1].startswith("VAE ")
