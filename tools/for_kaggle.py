"""Build the folder to upload to Kaggle, where a notebook comes alone and without the internet.

python tools/for_kaggle.py [--to kaggle] [--owner NAME] [--mnist OWNER/DATASET] [--check PYTHON]

One data set holds vae_helpers with its weights and the stored results; each chapter is a kernel that has this data set
attached and begins with a cell that finds it. --check runs every chapter as Kaggle would: in an empty folder, with
the packages of PYTHON but not with ours, and with no way to the network.
"""

import argparse
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from vae_helpers.whole_files import new_folder, write_whole

ROOT = Path(__file__).resolve().parents[1]
SLUG = "vae-kl-chapters"  # of the data set
FIND = f"""\
import glob, sys
at = glob.glob("../input/**/vae_chapters", recursive=True) or sys.exit("Attach the data set {SLUG}: Add input.")
sys.path[:0] = at
import on_kaggle"""
ON_KAGGLE = '''"""What the chapters expect beside them: the stored results, and the questions of chapter 15."""

import shutil
from pathlib import Path

chapters = Path(__file__).with_name("notebooks")
shutil.copytree(chapters / "results", "results", dirs_exist_ok=True)
shutil.copyfile(chapters / "15_questions.ipynb", "15_questions.ipynb")
'''
README = """# To Kaggle

Make an API token there, `pip install kaggle`, and in this folder:

```
kaggle datasets create -p dataset --dir-mode zip
for folder in kernels/*; do kaggle kernels push -p "$folder"; done
```

Both are private until you publish them. `kaggle datasets version -p dataset --dir-mode zip -m "new"` renews the first.
"""


def title_of(path):
    """The title of a kernel, of which Kaggle makes its slug by lower case and hyphens."""
    return "VAE and KL " + path.stem.replace("_", " ")


def slug_of(path):
    return title_of(path).lower().replace(" ", "-")


def kernel(path, owner):
    """The notebook as Kaggle runs it: with the cell that finds the data set, pictures inside, links to kernels."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\]\(\.\./images/([^)]+)\)", picture, cell.source)
            cell.source = re.sub(r"\]\((\d\d\w*)\.ipynb(#[^)]*)?\)", lambda link: elsewhere(link, owner), cell.source)
            cell.source = re.sub(r"\[([^\]]*)\]\(\.\./[^)]*\)", r"\1", cell.source)  # files that are not there
    first = nbformat.v4.new_code_cell(FIND, id="find-the-package", metadata={"tags": ["hide-input"]})
    notebook.cells.insert(0, first)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def picture(match):
    """A picture of images/ inside the text."""
    path = ROOT / "images" / match[1]
    kind = {".svg": "svg+xml", ".png": "png", ".gif": "gif"}[path.suffix]
    return f"](data:image/{kind};base64,{base64.b64encode(path.read_bytes()).decode()})"


def elsewhere(link, owner):
    return f"](https://www.kaggle.com/code/{owner}/{slug_of(Path(link[1]))}{link[2] or ''})"


def build(folder, owner, mnist=None):
    """Write the data set and one folder per chapter."""
    data = folder / "dataset" / "vae_chapters"
    shutil.copytree(ROOT / "vae_helpers", data / "vae_helpers", ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copytree(ROOT / "notebooks", data / "notebooks", ignore=left_at_home)  # chapter 14 counts their words
    write_whole(data / "on_kaggle.py", ON_KAGGLE.encode())
    about = {"id": f"{owner}/{SLUG}", "title": "VAE and KL chapters", "licenses": [{"name": "other"}]}
    write_whole(folder / "dataset" / "dataset-metadata.json", to_bytes(about))
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        place = folder / "kernels" / path.stem
        place.mkdir(parents=True)
        write_whole(place / path.name, kernel(path, owner).encode())
        write_whole(place / "kernel-metadata.json", to_bytes({
            "id": f"{owner}/{slug_of(path)}", "title": title_of(path), "code_file": path.name,
            "language": "python", "kernel_type": "notebook", "is_private": True, "enable_gpu": False,
            "enable_internet": False, "dataset_sources": [f"{owner}/{SLUG}"] + [mnist] * bool(mnist),
        }))  # fmt: skip
    write_whole(folder / "README.md", README.encode())


def left_at_home(folder, names):
    """What of the folder of chapters is not uploaded: all but chapters and tables, and every link."""
    paths = [Path(folder, name) for name in names]
    return {p.name for p in paths if p.is_symlink() or not (p.suffix in (".ipynb", ".csv") or p.name == "results")}


def to_bytes(data):
    return (json.dumps(data, indent=2) + "\n").encode()


def check(folder, python, only=""):
    """Run every kernel in an empty folder beside its input; returns sentences on what failed.

    The packages are those of `python`, without its .pth files: a package that is installed for development is not seen.
    """
    problems = []
    for place in sorted((folder / "kernels").glob(f"{only}*")):
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            done = run_kernel(next(place.glob("*.ipynb")), folder / "dataset", Path(scratch), python)
        print(f"{place.name}: {time.monotonic() - start:.0f} s", flush=True)
        if done.returncode:
            problems.append(f"{place.name}: {done.stderr.strip()[-2000:]}")
    return problems


RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
client = NotebookClient(notebook, timeout=900, kernel_name="kaggle", resources={"metadata": {"path": sys.argv[2]}})
client.execute()
"""


def run_kernel(notebook, dataset, scratch, python):
    """One kernel as Kaggle has it: ../input/<data set>, an empty working folder, no way to the network."""
    where = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    packages = subprocess.run(where, capture_output=True, text=True, check=True).stdout.strip()
    shutil.copytree(dataset, scratch / "input" / SLUG)
    (scratch / "working").mkdir()
    spec = scratch / "jupyter" / "kernels" / "kaggle"
    spec.mkdir(parents=True)
    nowhere = {name: "http://127.0.0.1:9" for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")}
    argv = [python, "-S", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_bytes(to_bytes({"argv": argv, "display_name": "Kaggle", "language": "python"}))
    env = {name: value for name, value in os.environ.items() if not name.startswith("VAE_")}
    env |= nowhere | {"PYTHONPATH": packages, "JUPYTER_PATH": str(scratch / "jupyter"), "TQDM_DISABLE": "1"}
    env |= {"HOME": str(scratch), "XDG_CACHE_HOME": str(scratch / "cache"), "MPLCONFIGDIR": str(scratch / "mpl")}
    command = [python, "-S", "-c", RUN, str(notebook), str(scratch / "working")]
    return subprocess.run(command, env=env, cwd=scratch, capture_output=True, text=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "kaggle", metavar="FOLDER", help="an empty or older folder")
    parser.add_argument("--owner", default="OWNER", help="your name on Kaggle")
    parser.add_argument("--mnist", metavar="OWNER/DATASET", help="a data set with MNIST, to be attached as well")
    parser.add_argument("--check", metavar="PYTHON", help="then run every chapter with the packages of this Python")
    parser.add_argument("--only", default="", metavar="01", help="check only chapters whose name starts like this")
    args = parser.parse_args(argv)
    folder = args.to.resolve()
    try:
        with new_folder(folder, ".vae-kaggle") as new:
            build(new, args.owner, args.mnist)
    except FileExistsError as error:
        sys.exit(str(error))
    print(
        f"{folder.name}/ holds a data set and {len(list((folder / 'kernels').iterdir()))} kernels; see its README.md."
    )
    if args.check and (problems := check(folder, args.check, args.only)):
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
