import csv
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import sweep

from vae_helpers import whole_files
from vae_helpers.experiments import Run
from vae_helpers.models import VAE

RUNS = [Run(beta=beta, seed=seed) for beta in (0.0, 1.0) for seed in range(3)]
NONE = {"mnist": None}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "results" / "runs"
    folder.mkdir(parents=True)
    return folder


def result(run):
    row = {"key": run.key, "beta": run.beta, "seconds": 1.0, "kl": run.seed / 3}
    return row, {"loss": [3.0, 2.0]}, VAE(hidden=(128, 128, 128)).half().state_dict()


def worker(log=None, dies=None):
    """A stand-in for a run: notes that it was called, and kills its process once if it is the run `dies`."""

    def work(run, classifier):
        if log:
            with open(log, "a") as file:
                file.write(run.key + "\n")
        if dies and run.key == dies.key and not os.path.exists(f"{log}.died"):
            open(f"{log}.died", "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
        return result(run)

    result = globals()["result"]
    return work


def rows(folder, name="runs"):
    with open(folder.parent / f"{name}.csv", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def check_complete(folder):
    assert sweep.collect(RUNS, folder) == 6
    assert [line["key"] for line in rows(folder)] == [run.key for run in RUNS]
    assert [line["epoch"] for line in rows(folder, "history")] == ["1", "2"] * 6
    assert not [path for path in folder.iterdir() if path.suffix not in (".json", ".safetensors")]


def test_every_run_once_and_a_repeated_call_computes_nothing(folder, tmp_path):
    log = tmp_path / "log"
    for _ in range(2):
        assert sweep.sweep(RUNS, folder, NONE, work=worker(log)) == {}
        assert sorted(log.read_text().split()) == sorted(run.key for run in RUNS)
    check_complete(folder)


def test_a_fresh_clone_with_the_tables_computes_nothing_and_loses_nothing(folder, tmp_path):
    sweep.sweep(RUNS[:5], folder, NONE, work=worker())
    sweep.collect(RUNS, folder)
    before = rows(folder)
    for path in folder.iterdir():
        path.unlink()
    log = tmp_path / "log"
    assert sweep.sweep(RUNS, folder, NONE, work=worker(log)) == {}
    assert log.read_text().split() == [RUNS[5].key]
    check_complete(folder)
    assert rows(folder)[:5] == before


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_killed_worker_costs_one_try(folder, tmp_path):
    log = tmp_path / "log"
    assert sweep.sweep(RUNS, folder, NONE, work=worker(log, dies=RUNS[2])) == {}
    assert os.path.exists(f"{log}.died")
    check_complete(folder)


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_a_run_that_always_kills_its_worker_is_named_and_the_others_are_there(folder):
    def work(run, classifier):
        if run.key == bad:
            os.kill(os.getpid(), signal.SIGKILL)
        return result(run)

    bad, result = RUNS[1].key, globals()["result"]
    failed = sweep.sweep(RUNS[:2], folder, NONE, work=work)
    assert failed in ({RUNS[1]: "its worker died"}, dict.fromkeys(RUNS[:2], "its worker died"))
    assert not sweep.done(RUNS[1], folder)


def test_a_run_that_diverges_is_named_and_the_others_are_there(folder):
    def work(run, classifier):
        if run.key == bad:
            raise FloatingPointError("the loss is not finite")
        return result(run)

    bad, result = RUNS[1].key, globals()["result"]
    assert sweep.sweep(RUNS, folder, NONE, work=work) == {RUNS[1]: "FloatingPointError: the loss is not finite"}
    assert sweep.collect(RUNS, folder) == 5


@pytest.mark.filterwarnings("ignore:.*but not used:UserWarning")
def test_a_full_disk_stops_the_sweep_and_leaves_no_half_file(folder, monkeypatch):
    written = []

    def full(path, content):
        written.append(path)
        if len(written) > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return whole_files.write_whole(path, content)

    monkeypatch.setattr(sweep, "write_whole", full)
    monkeypatch.setattr(sweep.checkpoints, "write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        sweep.sweep(RUNS, folder, NONE, work=worker())
    for path in folder.glob("*.json"):
        assert json.loads(path.read_text())["row"]["key"] == path.stem
    assert sum(sweep.done(run, folder) for run in RUNS) == 2
    monkeypatch.undo()
    assert sweep.sweep(RUNS, folder, NONE, work=worker()) == {}
    check_complete(folder)


def test_two_sweeps_at_once_leave_each_row_once(folder, tmp_path):
    code = (
        "import sys; sys.path[:0] = sys.argv[1:3]\n"
        "import pathlib, sweep, test_sweep as t\n"
        "assert t.sweep.sweep(t.RUNS, pathlib.Path(sys.argv[3]), t.NONE, work=t.worker(), jobs=1) == {}\n"
    )
    here = Path(__file__).parent
    command = [sys.executable, "-c", code, str(here), str(here.parents[1] / "tools"), str(folder)]
    both = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(300) for process in both] == [0, 0]
    check_complete(folder)


def test_a_dask_cluster_that_loses_a_worker_ends_with_the_same_rows(folder, tmp_path):
    distributed = pytest.importorskip("distributed")
    settings = dict(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1")
    with distributed.LocalCluster(**settings) as cluster:
        log = tmp_path / "log"
        work = worker(log, dies=RUNS[3])
        assert sweep.sweep(RUNS, folder, NONE, scheduler=cluster.scheduler_address, work=work) == {}
    assert os.path.exists(f"{log}.died")
    check_complete(folder)


def test_the_plan_holds_each_run_once_and_pairs_the_arms_by_seed():
    runs = sweep.planned()
    assert len(set(runs)) == len(runs) == len({run.key for run in runs})
    for likelihood in ("gaussian", "bernoulli"):
        arms = sweep.PAIR + sweep.OTHERS + sweep.PARTS
        ten = {Run(arm, likelihood, beta, seed) for arm, beta in arms for seed in range(10)}
        assert ten - set(runs) == {run for run in sweep.DIVERGES if run.likelihood == likelihood}
        betas = sweep.BETAS[likelihood]
        assert len(betas) >= 9 and all(
            Run("VAE", likelihood, beta, seed) in runs for beta in betas for seed in range(5)
        )
    assert all(Run(arm, "gaussian", beta, seed, "digits") in runs for arm, beta in sweep.PAIR for seed in range(10))


@pytest.mark.parametrize("name", sweep.PLANS)
def test_a_plan_fills_one_table_and_names_each_run_once(name):
    runs = sweep.PLANS[name]()
    assert {run.TABLE for run in runs} == {name} and len({run.key for run in runs}) == len(set(runs)) == len(runs)
    assert callable(sys.modules[type(runs[0]).__module__].row_of)


def test_a_later_table_has_no_history_and_no_weights(folder):
    runs = sweep.PLANS["factors"]()[:2]

    def work(run, classifier):
        return {"key": run.key, "mig": 0.5, "seconds": 1.0}, {}, None

    assert sweep.sweep(runs, folder, NONE, work=work) == {}
    assert sweep.collect(runs, folder) == 2 and len(rows(folder, "factors")) == 2
    assert not (folder.parent / "history.csv").exists() and not list(folder.glob("*.safetensors"))
