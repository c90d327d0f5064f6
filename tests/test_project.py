"""The project agrees with itself: dependencies, who imports whom, imports without effects, taught equals shipped."""

import ast
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import set_up
import setuptools
import yaml
import zmq
from jupyter_server.services.kernels.websocket import KernelWebsocketHandler
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from traitlets.config import PyFileConfigLoader

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "vae_helpers"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path != PACKAGE / "__init__.py"
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
LOCK = (ROOT / "requirements.lock").read_text(encoding="utf-8")
CONDA_NAMES = {"pytorch-cpu": "torch", "matplotlib-base": "matplotlib"}

# room: (third-party imports at the top, further ones inside functions); a room imports from itself and the rooms above
ROOMS = {
    "whole_files": ("", ""),
    "progress": ("", ""),
    "questions": ("", ""),
    "losses": ("torch", ""),
    "models": ("torch", ""),
    "relatives": ("torch", ""),
    "diffusion": ("torch", ""),
    "latent": ("torch", "sklearn"),
    "training": ("torch tqdm", ""),
    "metrics": ("torch numpy", "sklearn scipy"),
    "checkpoints": ("torch safetensors", ""),
    "weights": ("torch", ""),
    "data": ("torch numpy", "pooch sklearn requests"),
    "experiments": ("torch", "numpy"),
    "studies": ("torch", "sklearn"),
    "exercises": ("torch numpy", "scipy"),
    "view": ("matplotlib numpy torch PIL ipywidgets IPython tqdm", "torchvision"),
}


def requirements():
    """Everything that pyproject.toml asks for, as {name: ranges}, with what development needs."""
    lines = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]
    return {Requirement(line).name: Requirement(line).specifier for line in lines}


def locked():
    """The pins of the lock file as {name: [(version, number of hashes)]}; one pin per Python version."""
    pins = {}
    for block in re.split(r"\n(?=\S)", LOCK):
        if match := re.match(r"([a-z0-9._-]+)==(\S+)", block):
            hashes = re.findall(r"--hash=sha256:[0-9a-f]{64}\b", block)
            pins.setdefault(match[1], []).append((match[2], len(hashes)))
    return pins


def test_environment_yml_lists_the_packages_of_pyproject():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    assert listed["channels"] == ["conda-forge", "nodefaults"]
    plain = [line for line in listed["dependencies"] if isinstance(line, str)]
    [from_pip] = [line["pip"] for line in listed["dependencies"] if isinstance(line, dict)]
    assert "-e ." in from_pip
    found = [Requirement(line) for line in plain + from_pip if line not in ("pip", "-e .")]
    expected = requirements() | {"python": SpecifierSet(PROJECT["requires-python"])}
    assert {CONDA_NAMES.get(r.name, r.name): r.specifier for r in found} == expected


def test_an_installation_holds_every_part_of_the_package():
    found = set(setuptools.find_packages(ROOT, include=["vae_helpers*"]))  # as pyproject.toml asks for
    assert 'include = ["vae_helpers*"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    parts = {path.parent.relative_to(ROOT) for path in (ROOT / "vae_helpers").rglob("*.py")}
    assert found == {".".join(part.parts) for part in parts}


def test_lock_names_no_index_and_hashes_every_package():
    assert not re.search(r"^\s*(-i|-f|--(extra-)?index-url|--find-links|--trusted-host)|://| @ ", LOCK, flags=re.M)
    lines = [line for line in LOCK.splitlines() if line and not line.lstrip().startswith(("#", "--hash="))]
    assert len(lines) == sum(len(pins) for pins in locked().values()), "a line of the lock is not name==version"
    assert not [name for name, pins in locked().items() if not all(hashes for _, hashes in pins)]


@pytest.mark.parametrize("name", requirements())
def test_lock_holds_every_dependency_within_its_range(name):
    assert name in locked(), f"{name} is missing: make lock"
    assert not [version for version, _ in locked()[name] if version not in requirements()[name]]


def test_torch_and_torchvision_come_from_the_same_build():
    code = "import torch, torchvision; torch.ops.torchvision.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)"
    assert run_python(code) == ""


def imports_of(tree):
    """(inside a function?, dotted name) of every import; names of the package come as vae_helpers.module."""
    inner = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.Lambda) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((id(node) in inner, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "vae_helpers" + f".{node.module}" * bool(node.module) if node.level else node.module
            whole = module == "vae_helpers"
            yield from ((id(node) in inner, f"{module}.{a.name}" if whole else module) for a in node.names)


def room_problems(module, source):
    """Imports of one module that the row of its room does not allow."""
    order, room = list(ROOMS), module.split(".")[0]
    if room not in ROOMS:
        return [f"{module} is in no room: add it to the table"]
    top, inside = ROOMS[room]
    problems = []
    for in_function, name in imports_of(ast.parse(source)):
        first, _, rest = name.partition(".")
        if first == "vae_helpers":
            other = rest.split(".")[0]
            above = other in order and order.index(other) <= order.index(room)
            problems += [f"{module} imports {name}, which is not above it"] * (not above)
        elif first not in sys.stdlib_module_names:
            allowed = (top + " " + inside if in_function else top).split()
            problems += [f"{module} imports {name}" + " at the top" * (not in_function)] * (first not in allowed)
    return problems


@pytest.mark.parametrize("module", MODULES)
def test_a_room_imports_only_from_the_rooms_above(module):
    assert room_problems(module, MODULES[module].read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("losses", "from vae_helpers.training import fit"),
        ("losses", "from .models import VAE"),
        ("losses", "from vae_helpers.view import plots"),
        ("losses", "import vae_helpers.data as data"),
        ("training", "def f():\n    from vae_helpers.view.plots import show_images"),
        ("data.images", "import pooch"),
        ("data.images", "def f():\n    import torchvision"),
        ("models", "import matplotlib.pyplot as plt"),
        ("weights", "import ipywidgets"),
        ("attic", "import torch"),
    ],
)
def test_a_breach_of_the_rooms_is_found(module, source):
    assert room_problems(module, source)


def test_a_permitted_import_passes():
    assert room_problems("data.images", "import os\nimport torch\ndef f():\n    import sklearn.datasets") == []
    assert (
        room_problems("view.plots", "from vae_helpers.view.style import COLORS\nfrom vae_helpers import latent") == []
    )


def run_python(code, **kwargs):
    """What a fresh interpreter prints for `code`; a failure shows its message."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, timeout=600, **kwargs)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_costs_nothing():
    heavy = "{'torch', 'numpy', 'matplotlib', 'ipywidgets', 'sklearn'}"
    assert run_python(f"import sys, vae_helpers; print(*({heavy} & set(sys.modules)))") == ""


EFFECTS = """
import importlib, os, random, signal, sys, warnings
import matplotlib, numpy, torch
for name in sys.argv[2].split():
    importlib.import_module(name)
import IPython.display, matplotlib.pyplot, torch.nn.functional, tqdm.auto
def state():
    return {
        "rcParams": dict(matplotlib.rcParams), "warnings.filters": list(warnings.filters),
        "torch's random numbers": torch.get_rng_state().tolist(),
        "numpy's random numbers": str(numpy.random.get_state()),
        "Python's random numbers": random.getstate(), "environment": dict(os.environ), "sys.path": list(sys.path),
        "torch's defaults": (torch.get_default_dtype(), torch.get_num_threads(), torch.is_grad_enabled()),
        "signal handler": signal.getsignal(signal.SIGINT), "open figures": matplotlib.pyplot.get_fignums(),
    }
for module in sys.argv[1].split():
    before = state()
    importlib.import_module(module)
    after = state()
    for name in before:
        if str(before[name]) != str(after[name]):
            print(f"importing {module} changed {name}")
"""


def effects_of(modules, path=ROOT):
    """Sentences on the global state that importing the modules changes, one after the other, in a fresh interpreter."""
    third = sorted({name for name in " ".join(top for top, _ in ROOMS.values()).split()})
    command = [sys.executable, "-c", EFFECTS, " ".join(modules), " ".join(third)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=path, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_importing_a_module_has_no_side_effects():
    assert effects_of([f"vae_helpers.{name}" for name in MODULES]) == []


def test_side_effects_at_import_are_found(tmp_path):
    (tmp_path / "seeds.py").write_text("import torch\ntorch.manual_seed(3)\n")
    (tmp_path / "look.py").write_text("import matplotlib\nmatplotlib.rcParams['lines.linewidth'] = 7\n")
    (tmp_path / "hush.py").write_text("import warnings\nwarnings.filterwarnings('ignore')\n")
    found = effects_of(["seeds", "look", "hush"], tmp_path)
    assert [line.split()[1] for line in found] == ["seeds", "look", "hush"]


class Plain(ast.NodeTransformer):
    """Drop docstrings and type annotations: what is left is what runs."""

    def visit(self, node):
        node = self.generic_visit(node)
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            has_docstring = ast.get_docstring(node) is not None
            node.body = (node.body[1:] if has_docstring else node.body) or [ast.Pass()]
        for annotation in {"annotation", "returns"} & set(node._fields):
            if not isinstance(node, ast.AnnAssign):
                setattr(node, annotation, None)
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            return ast.Assign(targets=[node.target], value=node.value)
        return node


@cache
def definitions(source):
    """{name: syntax tree as text} of the functions and classes at the top level of `source`."""
    tree = ast.parse(source)
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {n.name: ast.dump(Plain().visit(n)) for n in tree.body if isinstance(n, kinds)}


def drift(taught, shipped):
    """Names that are defined both in a chapter and in the package, and differ."""
    taught, shipped = definitions(taught), definitions(shipped)
    return sorted(name for name in taught.keys() & shipped.keys() if taught[name] != shipped[name])


@pytest.mark.parametrize("path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem)
def test_what_is_taught_is_what_is_shipped(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    taught = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    shipped = {name: file.read_text(encoding="utf-8") for name, file in MODULES.items()}
    found = {f"{n} ({module}.py)" for source in taught for module, s in shipped.items() for n in drift(source, s)}
    assert not found, f"{path.name} teaches another version of {', '.join(sorted(found))} than vae_helpers ships"


def test_drift_is_found_and_dress_is_not():
    shipped = 'def kl(mu: float, logvar) -> float:\n    """KL."""\n    total: float = mu**2\n    return total + 1\n'
    assert drift("def kl(mu, logvar):\n    total = mu**2  # why\n    return total + 1", shipped) == []
    assert drift("def kl(mu, logvar):\n    total = mu**2\n    return total - 1", shipped) == ["kl"]
    assert drift("@torch.no_grad()\ndef kl(mu, logvar):\n    total = mu**2\n    return total + 1", shipped) == ["kl"]
    assert drift("def other():\n    pass", shipped) == []


def test_the_server_sends_kernel_messages_at_once(monkeypatch):
    loaded = PyFileConfigLoader("jupyter_server_config.py", path=str(ROOT / ".jupyter")).load_config()
    connection_class = loaded.ServerApp.kernel_websocket_connection_class

    async def connect(self):
        return "connected"

    monkeypatch.setattr(connection_class.__bases__[0], "connect", connect)
    handler, asked = KernelWebsocketHandler.__new__(KernelWebsocketHandler), []
    handler.set_nodelay = asked.append
    connection = connection_class(websocket_handler=handler)
    assert asyncio.run(connection.connect()) == "connected" and asked == [True]


PYTHON = """#!/bin/sh
echo "$*$PYTHONDONTWRITEBYTECODE" >>log
case "$*" in *set_up.py) mkdir -p .venv/bin; cp "$0" .venv/bin/python;; esac
"""


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def faults():
    """The rows of tests/FAULTS.md: [(fault, the rest of the row)]."""
    text = (ROOT / "tests" / "FAULTS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (.*?) \| (.*) \|$", text, re.MULTILINE)
    return [(fault, rest) for fault, rest in rows if fault not in ("fault", "---")]


@pytest.mark.parametrize(("fault", "rest"), faults())
def test_every_fault_has_tests_that_exist_or_a_reason(fault, rest):
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", rest)
    assert named or "Reason" in rest
    for file, name in named:
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, f"{file}::{name}"


def test_every_attempt_on_the_project_has_an_outcome():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    outcomes = re.findall(r"^\| \d+ \|.*\| ([^|]*) \|$", text, re.MULTILINE)
    assert len(outcomes) == len(re.findall(r"^\| \d+ \|", text, re.MULTILINE)) >= 60
    assert f"\n{len(outcomes)} attempts" in text
    assert not [outcome for outcome in outcomes if not re.match(r"held$|mended$|by design \(.+\)$", outcome)]


def test_lab_asks_for_a_private_line_to_its_kernels():
    config = PyFileConfigLoader("jupyter_server_config.py", str(ROOT / ".jupyter")).load_config()
    assert not zmq.has("curve") or config.KernelManager.transport_encryption == "auto"


class TestMakefile:
    def make(self, folder, *arguments, **env):
        (folder / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}  # not of `make test`
        command = ["make", *arguments]
        return subprocess.run(command, cwd=folder, env=kept | env, capture_output=True, text=True, timeout=300)

    def program(self, path, script):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script)
        path.chmod(0o755)

    def test_help_is_the_default_and_lists_every_target(self, tmp_path):
        shown = self.make(tmp_path).stdout
        names = ["help", "lab", "test", "matrix", "notebooks", "exercises", "site", "playground", "kaggle", "images"]
        names += ["load", "bench", "weights", "sweep", "lint", "lock"]
        assert [line.split()[0] for line in shown.splitlines()] == names

    def test_lab_sets_up_and_hands_its_options_over(self, tmp_path):
        folder = tmp_path / "a folder"
        self.program(folder / "my python", PYTHON)
        done = self.make(
            folder, "lab", "PYTHON=./my python", "LAB_ARGS=--no-browser --port=9", PYTHONDONTWRITEBYTECODE="1"
        )
        assert done.returncode == 0, done.stderr
        log = (folder / "log").read_text().splitlines()
        assert log == ["tools/set_up.py", "tools/open_lab.py --no-browser --port=9"]

    def test_the_first_python_that_runs_is_taken(self, tmp_path):
        self.program(tmp_path / "bin" / "python3", "#!/bin/sh\nexit 127\n")  # as the shims of version managers do
        self.program(tmp_path / "bin" / "python3.12", PYTHON)
        path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
        assert self.make(tmp_path, "venv", "NAMES=python3 python3.12", PATH=path).returncode == 0
        assert (tmp_path / "log").read_text().splitlines()[-1] == "tools/set_up.py"

    def test_without_any_python_one_sentence_says_so(self, tmp_path):
        done = self.make(tmp_path, "test", "NAMES=no-such-python")
        assert done.returncode != 0 and "needs Python 3.10 to 3.15" in done.stderr


def test_every_text_names_the_same_pythons():
    minors = [minor for _, minor in (set_up.OLDEST, set_up.NEWEST)]
    assert PROJECT["requires-python"] == f">=3.{minors[0]}"
    for name in ("README.md", "CONTRIBUTING.md", "Makefile", "environment.yml", "tools/set_up.py"):
        assert "3.{} to 3.{}".format(*minors) in (ROOT / name).read_text(encoding="utf-8"), name
