import csv
import errno
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import distributed
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
def test_a_run_that_always_kills_its_worker_is_named_and_the_others_are_there(folder, monkeypatch):
    def work(run, classifier):
        if run.key == bad:
            os.kill(os.getpid(), signal.SIGKILL)
        return result(run)

    bad, result = RUNS[1].key, globals()["result"]
    monkeypatch.setattr(sweep, "TRIES", 1)  # one by one; together, the runs behind it would not begin
    assert sweep.sweep(RUNS, folder, NONE, work=work) == {RUNS[1]: "its worker died"}
    assert sweep.collect(RUNS, folder) == 5


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


class Cluster:
    """A Dask scheduler and its workers, each a process of its own, on loopback; a new scheduler keeps the address."""

    def __init__(self):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address, self.processes = f"tcp://127.0.0.1:{self.port}", []
        self.scheduler = self.start("scheduler", "--port", str(self.port))

    def start(self, kind, *options):
        here = Path(__file__).parent
        env = os.environ | {"PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1] / "tools")])}
        env |= {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1"}  # a run is given up at its second worker
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *options, "--host", "127.0.0.1"]
        process = subprocess.Popen(
            [*command, "--no-dashboard"], env=env, stderr=subprocess.DEVNULL, start_new_session=True
        )
        self.processes.append(process)
        return process

    def add_worker(self):
        return self.start("worker", self.address, "--nthreads", "1")

    def ready(self):
        """Wait for a worker, however long it takes to start on a busy machine."""
        with distributed.Client(self.address, timeout=120) as client:
            client.wait_for_workers(1, timeout=120)

    def close(self):
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
        while self.processes:
            self.processes.pop().wait(60)


@pytest.fixture
def cluster(monkeypatch):
    monkeypatch.setattr(sweep, "PATIENCE", 120)  # a busy machine is no lack of a cluster
    if os.name == "nt":
        pytest.skip("no groups of processes")
    cluster = Cluster()
    yield cluster
    cluster.close()


def notes_its_process(log):
    """A stand-in for a run that notes which process it is in."""

    def work(run, classifier):
        with open(log, "a") as file:
            file.write(f"{os.getpid()}\n")
        return result(run)

    result = globals()["result"]
    return work


def test_a_cluster_of_one_does_the_work_and_not_this_process(cluster, folder, tmp_path):
    cluster.add_worker()
    log = tmp_path / "log"
    assert sweep.sweep(RUNS, folder, NONE, scheduler=cluster.address, work=notes_its_process(log)) == {}
    assert len(log.read_text().split()) == 6 and str(os.getpid()) not in log.read_text().split()
    check_complete(folder)


def test_a_cluster_without_a_worker_ends_in_one_sentence(cluster, folder, monkeypatch):
    monkeypatch.setattr(sweep, "PATIENCE", 2)
    with pytest.raises(ConnectionError, match=r"No Dask scheduler with a worker answers at tcp://127.* kept"):
        sweep.sweep(RUNS, folder, NONE, scheduler=cluster.address, work=worker())


def test_a_cluster_that_loses_a_worker_ends_with_the_same_rows(cluster, folder, tmp_path):
    for _ in range(2):
        cluster.add_worker()
    log = tmp_path / "log"
    work = worker(log, dies=RUNS[3])
    assert sweep.sweep(RUNS, folder, NONE, scheduler=cluster.address, work=work) == {}
    assert os.path.exists(f"{log}.died")
    check_complete(folder)


def test_a_cluster_whose_last_worker_leaves_ends_in_one_sentence(cluster, folder, monkeypatch):
    def store(run, result, folder):
        kept(run, result, folder)
        os.killpg(only.pid, signal.SIGKILL)

    kept, only = sweep.store, cluster.add_worker()
    cluster.processes.remove(only)
    cluster.ready()
    monkeypatch.setattr(sweep, "PATIENCE", 5)
    monkeypatch.setattr(sweep, "store", store)
    with pytest.raises(ConnectionError, match="finished runs are kept"):
        sweep.sweep(RUNS, folder, NONE, scheduler=cluster.address, work=worker())
    only.wait(60)
    assert 1 <= sum(sweep.done(run, folder) for run in RUNS) < 6


def test_a_run_that_kills_every_worker_is_named_and_the_others_are_there(cluster, folder, monkeypatch):
    def work(run, classifier):
        if run.key == bad:
            os.kill(os.getpid(), signal.SIGKILL)
        return result(run)

    bad, result = RUNS[1].key, globals()["result"]
    monkeypatch.setattr(sweep, "TRIES", 2)  # together, where it may take others along, and one by one
    for _ in range(2):
        cluster.add_worker()
    assert sweep.sweep(RUNS, folder, NONE, scheduler=cluster.address, work=work) == {RUNS[1]: "its worker died"}
    assert sweep.collect(RUNS, folder) == 5


def test_a_scheduler_that_is_lost_costs_no_row_and_the_next_one_goes_on(cluster, folder, tmp_path, monkeypatch):
    def store(run, result, folder):
        kept(run, result, folder)
        cluster.scheduler.kill()

    kept, log = sweep.store, tmp_path / "log"
    cluster.add_worker()
    cluster.ready()
    with monkeypatch.context() as lost, pytest.raises(ConnectionError, match="kept: run the same command again"):
        lost.setattr(sweep, "PATIENCE", 5)
        lost.setattr(sweep, "store", store)
        sweep.sweep(RUNS, folder, NONE, scheduler=cluster.address, work=worker(log))
    before = sum(sweep.done(run, folder) for run in RUNS)
    assert 1 <= before < 6
    cluster.close()
    cluster.scheduler = cluster.start("scheduler", "--port", str(cluster.port))
    cluster.add_worker()
    log.unlink()
    assert sweep.sweep(RUNS, folder, NONE, scheduler=cluster.address, work=worker(log)) == {}
    assert len(log.read_text().split()) == 6 - before
    check_complete(folder)


NETWORK = """
set -e
ip link set lo up
unshare --net sleep 600 & there=$!
until [ "$(readlink /proc/$there/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
ip link add here type veth peer name far netns $there
ip address add 10.9.0.1/24 dev here
ip link set here up
over="nsenter --target $there --net"
$over ip link set lo up
$over ip address add 10.9.0.2/24 dev far
$over ip link set far up
$over "$1" -m distributed.cli.dask_scheduler --host 10.9.0.2 --port 8786 --no-dashboard & scheduler=$!
$over "$1" -m distributed.cli.dask_worker tcp://10.9.0.2:8786 --host 10.9.0.2 --nthreads 1 --no-dashboard & worker=$!
"$1" -c "$2" "$3" || result=$?
kill $worker $scheduler $there
wait $worker || true
exit ${result:-0}
"""
CUT = """
import pathlib, subprocess, sys
import sweep, test_sweep as t
folder, kept = pathlib.Path(sys.argv[1]), sweep.store

def store(run, result, folder):
    kept(run, result, folder)
    subprocess.run(["ip", "link", "set", "here", "down"], check=True)

def again():
    return sweep.sweep(t.RUNS, folder, t.NONE, scheduler="tcp://10.9.0.2:8786", work=t.worker())

sweep.store = store
try:
    again()
    sys.exit("the cut was not noticed")
except ConnectionError as error:
    print(error)
sweep.store = kept
assert sum(sweep.done(run, folder) for run in t.RUNS) < 6
subprocess.run(["ip", "link", "set", "here", "up"], check=True)
assert again() == {}
t.check_complete(folder)
"""


@pytest.mark.skipif(
    os.name == "nt" or not shutil.which("ip") or subprocess.call(["unshare", "-rn", "true"], stderr=subprocess.DEVNULL),
    reason="a network that can be cut needs Linux, iproute2 and user namespaces",
)
def test_a_network_that_is_cut_costs_no_row_and_the_sweep_goes_on_when_it_is_back(folder):
    here = Path(__file__).parent
    env = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1] / "tools"), str(here.parent)]),
        "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s",
    }
    command = ["unshare", "-rn", "sh", "-c", NETWORK, "sh", sys.executable, CUT, str(folder)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "No Dask scheduler with a worker answers at tcp://10.9.0.2:8786" in done.stdout


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
