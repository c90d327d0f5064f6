"""Run the tests on the oldest and on the newest dependencies of each Python here: python tools/matrix.py [CORNER ...]

A corner is a Python and an end of the ranges in pyproject.toml, as in 3.10-oldest. The two outermost, the oldest of the
oldest Python and the newest of the newest, run every test and every chapter, the newest by nbmake as well; the others
run the tests that need no browser, and chapter 06. A Python counts where the PATH has it. Each corner gets an
environment of its own in .matrix, which can be deleted at any time.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time

import set_up

FOLDER = os.path.join(set_up.ROOT, ".matrix")
ENDS = {"oldest": "lowest-direct", "newest": "highest"}
NBMAKE = "nbmake>=1.5"  # beside nbval, since schools and hosts use either
ALONE = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}  # as in the Makefile
FINE, BROKEN = "passed", "FAILED"


def pythons():
    """{"3.10": command} of each supported Python on the PATH, the oldest first."""
    (low_major, low), (_, high) = set_up.OLDEST, set_up.NEWEST
    names = {f"{low_major}.{minor}": shutil.which(f"python{low_major}.{minor}") for minor in range(low, high + 1)}
    return {name: path for name, path in names.items() if path and set_up.fits(path)}


def corners(names):
    """The corners of these Pythons, the two outermost first: [("3.10", "oldest"), …]."""
    outer = [(names[0], "oldest"), (names[-1], "newest")]
    return outer + [corner for name in names for end in ENDS if (corner := (name, end)) not in outer]


def install(python, end, folder):
    """Make the environment of a corner; returns whether uv could."""
    uv, into = [sys.executable, "-m", "uv"], os.path.join(folder, "bin", "python")
    pip = [*uv, "pip", "install", "--quiet", "--python", into]
    ranges = ["--resolution", ENDS[end], "--only-binary", ":all:", "-r", "pyproject.toml", "--extra", "dev"]
    return all(
        set_up.call(*command)
        for command in (
            [*uv, "venv", "--quiet", "--clear", "--python", python, folder],
            [*pip, *ranges],
            [*pip, NBMAKE],  # not with the oldest of everything: it is no dependency of ours
            [*pip, "--no-deps", "--no-build-isolation", "-e", "."],
        )
    )


def versions(python):
    """{name: version} of the dependencies that pyproject.toml names, as installed."""
    code = (
        "import json, re; from importlib.metadata import requires, version; "
        "names = [re.match(r'[\\w-]+', line)[0] for line in requires('vae-helpers')]; "
        "print(json.dumps({name: version(name) for name in names}))"
    )
    return json.loads(subprocess.check_output([python, "-I", "-c", code]))


def steps(python, end, whole):
    """{name: command} of a corner."""
    spread, nbval = ["-n", "3", "--dist", "loadfile", "-q"], ["sh", "tests/run_nbval.sh", python]
    tests = [python, "-m", "pytest", "tests", *spread]
    if not whole:
        chapter = "notebooks/06_without_and_with_kl.ipynb"
        return {"tests without a browser": [*tests, "--ignore-glob=*_browser.py"], "chapter 06": [*nbval, chapter]}
    nbmake = [python, "-m", "pytest", *spread, "--nbmake", "--nbmake-timeout=600", "notebooks"]
    return {"tests": tests, "nbval": [*nbval, "notebooks"]} | ({"nbmake": nbmake} if end == "newest" else {})


def run(corner, python, whole):
    """Run one corner: its outcome by step, with minutes, and the versions that it had."""
    name = "-".join(corner)
    folder = os.path.join(FOLDER, name)
    print(f"\n== {name} ==", flush=True)
    if not install(python, corner[1], folder):
        return {"installation": BROKEN}, {}
    own = os.path.join(folder, "bin", "python")
    told, outcome = versions(own), {}
    print(", ".join(f"{package} {version}" for package, version in told.items()), flush=True)
    settings = {"MPLBACKEND": "agg", "VAE_DATA": "", "VAE_DATASET": "digits"}
    settings |= {**ALONE, "PATH": f"{folder}/bin:{os.environ['PATH']}"}
    for step, command in steps(own, corner[1], whole).items():
        start = time.perf_counter()
        fine = set_up.call(*command, env={**os.environ, **settings})
        outcome[step] = f"{FINE if fine else BROKEN} in {(time.perf_counter() - start) / 60:.0f} min"
    return outcome, told


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corner", nargs="*", help="one of them, as in 3.10-oldest; without it, all")
    wanted, found = parser.parse_args(argv).corner, pythons()
    if not found:
        sys.exit(f"{set_up.WANTED}.")
    all_of_them = corners(list(found))
    known = ["-".join(corner) for corner in all_of_them]
    if unknown := sorted(set(wanted) - set(known)):
        sys.exit(f"{unknown[0]} is no corner here; there are: {', '.join(known)}.")
    results = {
        name: run(corner, found[corner[0]], whole=known.index(name) < 2)
        for name, corner in zip(known, all_of_them, strict=True)
        if not wanted or name in wanted
    }
    print("\n| corner | " + " | ".join(("outcome", "torch", "numpy", "matplotlib", "ipywidgets", "jupyterlab")) + " |")
    print("|---" * 7 + "|")
    for name, (outcome, told) in results.items():
        parts = [told.get(package, "–") for package in ("torch", "numpy", "matplotlib", "ipywidgets", "jupyterlab")]
        print(f"| {name} | {'; '.join(f'{step} {how}' for step, how in outcome.items())} | {' | '.join(parts)} |")
    sys.exit(any(how.startswith(BROKEN) for outcome, _ in results.values() for how in outcome.values()))


if __name__ == "__main__":
    main()
