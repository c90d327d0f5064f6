"""A class on one machine: many learners run one chapter at once. python tools/load.py [--learners 1 4 16]

Each learner has a kernel, a working folder and an empty home of its own, as on a shared server; the environment, and
the folder that VAE_DATA names, are shared. All press Run All in the same moment, the worst that a class can do.
The table goes to teaching/learners.csv. Linux alone counts memory that kernels share (PSS), so it needs Linux.
"""

import argparse
import asyncio
import csv
import io
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from vae_helpers.whole_files import write_whole

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "teaching" / "learners.csv"
SPARE = 1.5e9  # bytes that are left to the machine: below, the kernel of the system would choose whom to kill
EVERY = 2.0  # seconds between two looks at the memory


class Learner:
    """One kernel that runs the chapter in a folder of its own.

    times: seconds when each cell had ended; sizes: PSS of the kernel in MB at every look; problem: None in the end.
    """

    def __init__(self, chapter, folder, threads):
        self.times, self.sizes, self.problem = {}, [0.0], "stopped: the memory of the machine was used up"
        shutil.copytree(chapter.parent, folder / "notebooks", ignore=shutil.ignore_patterns("runs", "my-progress.json"))
        notebook = nbformat.read(chapter, as_version=4)
        self.client = NotebookClient(
            notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": str(folder / "notebooks")}},
            startup_timeout=600, store_widget_state=False, record_timing=False, on_cell_executed=self.note,
        )  # fmt: skip
        own = {name: str(folder / name.lower()) for name in ("HOME", "IPYTHONDIR", "MPLCONFIGDIR")}
        for path in own.values():
            os.mkdir(path)
        self.env = os.environ | own | {"TQDM_DISABLE": "1"} | ({"OMP_NUM_THREADS": str(threads)} if threads else {})

    def note(self, cell, cell_index, **_):
        self.times[cell.id] = time.perf_counter() - self.start

    async def run(self):
        self.start = time.perf_counter()
        try:
            await self.client.async_execute(env=self.env)
            self.problem = None
        except (CellExecutionError, DeadKernelError, RuntimeError) as error:
            self.problem = str(error).strip().splitlines()[-1]
        except asyncio.CancelledError:  # the problem is told already
            pass
        self.seconds = time.perf_counter() - self.start

    def size(self):
        """PSS of the kernel in MB: its own memory, and its share of what it has in common with others."""
        process = getattr(getattr(self.client.km, "provisioner", None), "process", None)
        try:
            return psutil.Process(process.pid).memory_full_info().pss / 1e6 if process else 0.0
        except psutil.Error:
            return 0.0


async def watch(learners, tasks):
    """Note the memory of all kernels; stop everybody before the machine has none left. Returns the peak in GB."""
    peak, before = 0.0, psutil.virtual_memory().available
    while not all(task.done() for task in tasks):
        for learner in learners:
            learner.sizes.append(learner.size())
        left = psutil.virtual_memory().available
        peak = max(peak, (before - left) / 1e9)
        if left < SPARE:
            for task in tasks:
                task.cancel()
        await asyncio.wait(tasks, timeout=EVERY)
    return peak


async def lesson(chapter, count, threads):
    """One row of the table: `count` learners run the chapter at once."""
    with tempfile.TemporaryDirectory() as scratch:
        learners = []
        for i in range(count):
            folder = Path(scratch, f"learner {i}")
            folder.mkdir()
            learners.append(Learner(chapter, folder, threads))
        tasks = [asyncio.create_task(learner.run()) for learner in learners]
        peak = await watch(learners, tasks)
    fine = [learner for learner in learners if learner.problem is None]
    for problem in sorted({learner.problem for learner in learners} - {None}):
        print(f"  {problem}", flush=True)
    first = [min(learner.times.values(), default=float("nan")) for learner in fine]
    ends = [learner.seconds for learner in fine]
    sizes = [max(learner.sizes) for learner in learners]
    return {
        "chapter": chapter.stem[:2], "learners": count, "threads each": threads or "default",
        "cores": psutil.cpu_count(), "memory GB": round(psutil.virtual_memory().total / 1e9, 1),
        "failed": count - len(fine),
        "imports s": middle(first), "chapter s": middle(ends), "slowest s": round(max(ends, default=0)),
        "peak MB each": middle(sizes), "peak GB together": round(peak, 1),
    }  # fmt: skip


def middle(values):
    return round(statistics.median(values)) if values else ""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--learners", type=int, nargs="+", default=[1, 4, 16], help="how many, one row each")
    parser.add_argument("--threads", type=int, default=1, help="of torch in a kernel; 0: torch's choice")
    parser.add_argument("--chapter", default="06", help="its number")
    args = parser.parse_args(argv)
    if sys.platform != "linux":
        sys.exit("Only Linux tells how much memory kernels share: run this on the server, or on Linux.")
    chapter = next((ROOT / "notebooks").glob(f"{args.chapter}_*.ipynb"), None)
    if chapter is None or min(*args.learners, 1) < 1:
        sys.exit(
            f"--chapter must be the number of one and --learners 1 or more, got {args.chapter} and {args.learners}."
        )
    if "VAE_DATA" in os.environ:
        os.environ["VAE_DATA"] = str(Path(os.environ["VAE_DATA"]).resolve())
    rows = []
    for count in args.learners:
        rows.append(asyncio.run(lesson(chapter, count, args.threads)))
        print(", ".join(f"{name} {value}" for name, value in rows[-1].items()), flush=True)
        writer = csv.DictWriter(text := io.StringIO(), rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(TABLE, text.getvalue().encode())


if __name__ == "__main__":
    main()
