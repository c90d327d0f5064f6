"""The stored tables: complete, each row once, and a row trained again lies where the others of its kind say."""

import sys
from pathlib import Path

import numpy as np
import pytest
import sweep

from vae_helpers import experiments, metrics
from vae_helpers.data import load_digit_images
from vae_helpers.experiments import Run, where
from vae_helpers.studies import relatives, widths
from vae_helpers.weights import shipped_classifier, shipped_sweep, thresholds

FOLDER = Path(__file__).parents[1] / "notebooks" / "results"


@pytest.fixture(scope="module")
def runs():
    return experiments.read_table(FOLDER / "runs.csv")


def test_each_planned_run_has_one_row_and_a_history(runs):
    keys = [run.key for run in sweep.planned()]
    assert runs["key"].tolist() == keys
    history = experiments.read_table(FOLDER / "history.csv")
    assert list(dict.fromkeys(history["key"].tolist())) == keys
    for run in sweep.planned():
        epochs = where(history, key=run.key)["epoch"].tolist()
        assert epochs == (list(range(1, 16)) if run.data == "mnist" else list(range(20, 401, 20)))


@pytest.mark.parametrize("name", ["widths", "relatives", "factors", "domains", "bridge"])
def test_each_planned_run_of_a_later_chapter_has_one_row(name):
    table = experiments.read_table(FOLDER / f"{name}.csv")
    assert table["key"].tolist() == [run.key for run in sweep.PLANS[name]()]


@pytest.mark.parametrize(
    ("run", "columns"),
    [
        (widths.Run(16, passes=50, data="digits"), ("squared error", "−elbo", "−iwae 50")),
        (relatives.Run("sphere", 0, "digits"), ("squared error", "charge", "nll own", "energy own")),
    ],
)
def test_a_row_of_a_later_chapter_trained_again_lies_where_the_others_say(run, columns):
    table = experiments.read_table(FOLDER / f"{run.TABLE}.csv")
    others = where(table, data="digits")
    others = others[others["seed"] != run.seed]
    row, _, _ = sys.modules[type(run).__module__].row_of(run)
    for name in columns:
        mean, half = metrics.prediction(others[name])
        assert abs(row[name] - mean) < half, name


def test_only_what_an_arm_lacks_is_missing(runs):
    for row in runs:
        missing = {name for name in runs.dtype.names if runs.dtype[name].kind == "f" and np.isnan(row[name])}
        kind, parts = experiments.ARMS[row["arm"]]
        rates = {f"{which}{name}" for which in ("", "train ") for name in ("kl", "information", "aggregate kl")}
        if kind != "learned":
            assert missing == rates, row["key"]
        elif "entropy" in parts:
            assert not missing, row["key"]
        else:  # σ² may then be 0, and the density of the aggregate a sum of spikes
            assert missing <= rates, row["key"]


def test_a_row_trained_again_lies_within_the_interval_of_the_others(runs):
    run, data = Run("VAE", "gaussian", 1.0, 0, "digits"), load_digit_images("digits")
    row = experiments.measure(run, experiments.trained(run, data)[0], data, shipped_classifier("digits"))
    stored = where(runs, data="digits", likelihood="gaussian", arm="VAE", beta=1)[1:]  # without the row itself
    for name in ("recon", "kl", "information", "coverage s1", "roughness s2", "grid nll s1"):
        mean, half = metrics.prediction(stored[name])
        assert abs(row[name] - mean) < half, name


def test_the_shipped_decoders_are_those_of_the_table(runs):
    for beta, panel in shipped_sweep().items():
        row = where(runs, data="mnist", likelihood="gaussian", arm="VAE", beta=beta)[0]
        assert row["seed"] == 0
        spread = panel.codes.std(dim=0).mean().item()  # of other test images, and without the noise
        assert spread == pytest.approx(row["spread"], rel=0.15, abs=0.01)
        own = metrics.gauge(panel.gaussian)
        assert own == pytest.approx(row["gauge"], rel=0.01, abs=1e-3)
    assert list(shipped_sweep()) == [0, 0.01, 0.1, 0.3, 1, 2, 3, 4, 5, 8]


def test_the_thresholds_are_those_of_mnist():
    eigenvalues = [5.117, 3.741, 3.253, 2.842, 2.567]
    assert (thresholds("gaussian")[:5] / 2).tolist() == pytest.approx(eigenvalues, abs=1e-3)
    assert thresholds("bernoulli")[0] == pytest.approx(32.23, abs=0.01)  # chapter 03 tries a step 5 % to either side
