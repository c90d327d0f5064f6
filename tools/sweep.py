"""Compute what is missing of the runs behind the chapters' tables: python tools/sweep.py [--table runs] [--scheduler …]

Each finished run is written whole into notebooks/results/runs, and the end collects them into one table of each kind
beside it. What is there is skipped, so the sweep can be stopped, repeated, and run twice at once.
"""

import argparse
import contextlib
import csv
import io
import itertools
import json
import random
import sys
import time
from functools import cache, partial
from pathlib import Path

import torch
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from vae_helpers import checkpoints, experiments
from vae_helpers.data import load_digit_images
from vae_helpers.experiments import Run
from vae_helpers.models import PIXELS, VAE, mlp
from vae_helpers.studies import bridge, domains, factors, goals, relatives, widths
from vae_helpers.whole_files import write_whole

RESULTS = Path(__file__).resolve().parents[1] / "notebooks" / "results"
PAIR = [("VAE", 0.0), ("VAE", 1.0)]
OTHERS = [("autoencoder", 0.0), ("fixed noise", 0.0)]
PARTS = [("place only", 1.0), ("noise only", 1.0), ("no entropy", 1.0)]
BETAS = {  # predicted thresholds: 7.5 and 10.2 for squared error, 22.9 and 32.2 for cross-entropy
    "gaussian": (0.0, 0.01, 0.1, 0.3, 1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 8.0, 9.5, 11.0),
    "bernoulli": (0.0, 0.1, 1.0, 5.0, 15.0, 25.0, 31.0, 36.0, 50.0),
}
RESCUES = [("warm-up", 5.0), ("cyclical", 5.0), ("free bits", 5.0), ("warm-up", 8.0)]  # where units of plain runs die
DIVERGES = {  # nothing holds the σ² of some image in epoch 11 and 10
    Run("no entropy", "gaussian", beta=1.0, seed=4),
    Run("no entropy", "bernoulli", beta=1.0, seed=5),
}
WIDTHS = 2, 4, 8, 16, 32, 64
TRIES = 3
PATIENCE = 30  # seconds for a Dask scheduler to answer, and for its first worker to come
LOST = (
    "No Dask scheduler with a worker answers at {}; finished runs are kept: run the same command again when it is back."
)


def planned():
    """Every run of the tables, each once."""
    runs = [Run(arm, "gaussian", beta, seed) for seed in range(10) for arm, beta in PAIR + OTHERS + PARTS]
    runs += [Run(arm, "gaussian", beta, seed, "digits") for seed in range(10) for arm, beta in PAIR]
    runs += [Run(arm, "bernoulli", beta, seed) for seed in range(10) for arm, beta in PAIR + OTHERS + PARTS]
    runs += [Run("VAE", likelihood, beta, s) for s in range(5) for likelihood in BETAS for beta in BETAS[likelihood]]
    runs += [Run(arm, "gaussian", beta, seed) for seed in range(5) for arm, beta in RESCUES]
    return [run for run in dict.fromkeys(runs) if run not in DIVERGES]


def planned_widths():
    """Every run of chapter 10's table."""
    runs = [widths.Run(d, seed=seed) for seed in range(5) for d in WIDTHS]
    runs += [widths.Run(d, arm="warm-up", seed=seed) for seed in range(5) for d in (16, 64)]
    runs += [widths.Run(16, without=digit, passes=5, seed=seed) for seed in range(3) for digit in range(10)]
    runs += [widths.Run(16, passes=50, seed=seed, data="digits") for seed in range(6)]  # a test trains one again
    return runs + [widths.Run(16, net, passes=5, seed=seed) for seed in range(5) for net in ("mlp", "conv")]


def planned_relatives():
    """Every run of chapter 11's table."""
    runs = [relatives.Run(kind, seed) for seed in range(5) for kind in relatives.KINDS]
    return runs + [relatives.Run("sphere", seed, "digits") for seed in range(6)]  # a test trains one again


def planned_factors():
    """Every run of chapter 12's table of drawn shapes."""
    runs = [factors.Run(beta, seed=seed) for seed in range(10) for beta in (1.0, 2.0, 4.0, 8.0, 16.0)]
    runs += [factors.Run(beta, "band", seed) for seed in range(10) for beta in (1.0, 2.0, 4.0)]
    worlds = ("gaps", "few", "corner")
    return runs + [factors.Run(beta, world, seed) for seed in range(5) for world in worlds for beta in (1.0, 4.0)]


def planned_domains():
    """Every run of chapter 12's table of a changed world."""
    return [domains.Run(arm, seed) for seed in range(5) for arm in domains.ARMS]


def planned_goals():
    """Every run of chapter 12's table of ways to make images."""
    return [goals.Run(kind, seed) for seed in range(5) for kind in goals.NAMES]


def planned_bridge():
    """Every run of chapter 12's table of small KL weights."""
    return [bridge.Run(beta, seed=seed) for seed in range(5) for beta in (1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 0.0)]


PLANS = {
    "runs": planned,
    "widths": planned_widths,
    "relatives": planned_relatives,
    "factors": planned_factors,
    "domains": planned_domains,
    "goals": planned_goals,
    "bridge": planned_bridge,
}


def work(run, classifiers):
    """One run, on one thread, in whatever process joblib chose."""
    torch.set_num_threads(1)
    return sys.modules[type(run).__module__].row_of(run, classifiers)


def sweep(runs, folder, classifiers, *, jobs=2, scheduler=None, work=work):
    """Compute the runs that have no file in `folder`; returns {run: why} of those that failed.

    A worker that dies costs its runs one of three tries, and the third takes them one by one, so that a run which kills
    its worker ends alone. Two sweeps over one folder share the runs between them, since each takes them in an order of
    its own and looks again before it starts one. OSError where a file cannot be written.
    """
    failed = {}
    compute = partial(on_cluster, address=scheduler) if scheduler else partial(in_processes, jobs=jobs)
    for left in reversed(range(TRIES)):
        missing = [run for run in runs if not done(run, folder)]
        random.shuffle(missing)
        if not missing:
            break
        calls = ((work, run, classifiers) for run in missing if not done(run, folder))
        groups = [calls] if left else ([call] for call in calls)
        for run, result in itertools.chain.from_iterable(map(compute, groups)):
            failed.pop(run, None)
            if isinstance(result, str):
                failed[run] = result
            else:
                store(run, result, folder)
    return failed | {run: "its worker died" for run in runs if run not in failed and not done(run, folder)}


def guarded(work, run, classifiers):
    """The run and its result, or, where the run itself failed, the sentence that says why."""
    try:
        return run, work(run, classifiers)
    except (ArithmeticError, ValueError, RuntimeError) as error:  # a run may fail, and the others go on
        return run, f"{type(error).__name__}: {error}"


def in_processes(calls, jobs):
    """What `guarded` returns for each of these arguments, from processes of this machine, until one of them dies."""
    with parallel_config("loky", n_jobs=jobs), contextlib.suppress(TerminatedWorkerError):
        yield from Parallel(return_as="generator_unordered", pre_dispatch="n_jobs")(delayed(guarded)(*c) for c in calls)


def on_cluster(calls, address):
    """The same from the workers of a Dask cluster; they may come and go. ConnectionError where nobody answers.

    A run whose worker is lost is begun again by another, three times, and then left out.
    """
    from distributed import Client, TimeoutError as NoAnswer, wait

    calls, running = iter(calls), set()
    try:
        with Client(address, timeout=PATIENCE) as client:
            while True:
                client.wait_for_workers(1, timeout=PATIENCE)
                room = 2 * sum(client.ncores().values()) - len(running)  # for each core one at work and one waiting
                running |= {client.submit(guarded, *call, pure=False) for call in itertools.islice(calls, max(room, 0))}
                if not running:
                    return
                with contextlib.suppress(NoAnswer):
                    for future in wait(running, timeout=PATIENCE, return_when="FIRST_COMPLETED").done:
                        if future.status == "finished":
                            yield future.result(timeout=PATIENCE)  # which a worker may have taken with it
                        running.remove(future)
    except (OSError, NoAnswer) as error:
        raise ConnectionError(LOST.format(address)) from error


def done(run, folder):
    """Whether the run has a file, or, in a fresh clone, a line in the table beside the folder."""
    return (folder / f"{run.key}.json").exists() or run.key in recorded(folder.parent / f"{run.TABLE}.csv")


@cache
def recorded(path):
    """Lines of a table by key: {key: [line, …]}."""
    lines = {}
    if path.exists():
        for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
            lines.setdefault(line["key"], []).append(line)
    return lines


def store(run, result, folder):
    """Write a run's files; the row comes last, since it says that all is there."""
    row, history, weights = result
    if weights is not None:
        model = VAE()
        model.load_state_dict(weights)
        checkpoints.save(model, folder / f"{run.key}.safetensors", {"key": run.key}, half=True)
    write_whole(folder / f"{run.key}.json", json.dumps({"row": row, "history": history}, indent=1).encode())
    print(f"{run}: {row['seconds']:.0f} s", flush=True)


def collect(runs, folder):
    """Write the table of these runs, one line per run, and history.csv, one line per run and epoch, beside `folder`.

    All runs belong to one table; the history is kept for the first kind alone. Lines that the tables had stay, unless a
    file in `folder` renews them. Returns the number of runs.
    """
    kind = runs[0].TABLE
    tables = {kind: []} | ({"history": []} if kind == "runs" else {})
    for run in runs:
        path = folder / f"{run.key}.json"
        entry = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        for name, lines in tables.items():
            new = [] if entry is None else lines_of(entry)["history" if name == "history" else "row"]
            lines += new or recorded(folder.parent / f"{name}.csv").get(run.key, [])
    for name, lines in tables.items():
        write_whole(folder.parent / f"{name}.csv", table(lines))
    recorded.cache_clear()
    return len(tables[kind])


def lines_of(entry):
    """What a run's file adds to the tables; of the many short epochs of the digits, every twentieth."""
    row, history = entry["row"], entry["history"]
    row |= {name: history[name][-1] for name in ("unit 1 kl", "unit 2 kl") if name in history}
    epochs = len(history.get("loss", []))
    every = range(1, epochs + 1) if epochs < 100 else range(20, epochs + 1, 20)
    return {
        "row": [row],
        "history": [
            {"key": row["key"], "epoch": i} | {name: values[i - 1] for name, values in history.items()} for i in every
        ],
    }


def table(lines):
    """CSV with every column that any line has; floats to six digits."""
    columns = list(dict.fromkeys(name for line in lines for name in line))
    writer = csv.DictWriter(text := io.StringIO(), columns, lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in line.items()})
    return text.getvalue().encode()


def classifier_of(name, folder):
    """The classifier of a data set, trained once and kept in `folder`."""
    model, path = mlp(PIXELS, 256, 128, 10), folder / f"classifier-{name}.safetensors"
    if not path.exists():
        data = load_digit_images(name)
        model = experiments.train_classifier(data)
        right = (model(data.test.x).argmax(dim=1) == data.test.y).float().mean().item()
        print(f"classifier of {name}: {right:.2%} of the test images", flush=True)
        checkpoints.save(model, path, {"right": right}, half=True)
    checkpoints.load_into(model, path)
    return model.eval()


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scheduler", help="address of a Dask scheduler; without it, two processes of this machine")
    parser.add_argument("--table", choices=PLANS, help="one of the tables; without it, all of them")
    parser.add_argument("--jobs", type=int, default=2, help="processes of this machine")
    args = parser.parse_args(argv)
    start, folder, failed = time.perf_counter(), RESULTS / "runs", {}
    folder.mkdir(parents=True, exist_ok=True)
    classifiers = {name: classifier_of(name, folder) for name in ("mnist", "digits")}
    for name in [args.table] if args.table else PLANS:
        runs = PLANS[name]()
        try:
            failed |= sweep(runs, folder, classifiers, jobs=args.jobs, scheduler=args.scheduler)
        except ConnectionError as error:
            sys.exit(str(error))
        n, minutes = collect(runs, folder), (time.perf_counter() - start) / 60
        print(f"{name}: {n} of {len(runs)} runs after {minutes:.0f} minutes")
    if failed:
        sys.exit("\n".join(f"{run} failed: {why}" for run, why in failed.items()))


if __name__ == "__main__":
    main()
