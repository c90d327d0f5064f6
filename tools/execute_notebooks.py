"""Execute the chapters from fresh kernels and store their outputs: python tools/execute_notebooks.py [--only 01 06]

The committed outputs come from real MNIST. `--digits --to FOLDER` runs on the offline digits and writes copies there.
Nothing is written for a chapter whose outputs hold what no reader should see: see `output_problems`. EXERCISES=solved
fills every exercise with its solution first, and needs --to as well.
"""

import argparse
import hashlib
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import fill_exercises
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

from vae_helpers.whole_files import write_whole

HERE = Path(__file__).resolve().parents[1] / "notebooks"
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
WIDGET = "application/vnd.jupyter.widget-view+json"
TEXT_TYPES = {"text/plain", "text/html", "text/markdown", "text/latex", "image/svg+xml"}
TYPES = TEXT_TYPES | {"image/png"}
RENDERED = {"text/html", "text/markdown", "image/svg+xml"}

# A repeat in these patterns begins at a sign that it cannot pass again: so every search takes linear time.
QUOTE = r"(\\?[\"'`]|&(quot|#x?\d+);)"
IS = rf"{QUOTE}?\s*[=:]\s*{QUOTE}?"
ADDRESS = r"((https?|wss?):[\\/]|//[\w-]+[.:]\w)"
HARMLESS = (  # the target of a link, and the names of XML
    r"(?i)(<a(?=\s)[^<>]*?[\s:]href\s*=\s*[\"']?|\b(?:xmlns(?::\w+)?|rdf:resource)\s*=\s*[\"'])(?:https?:)?//"
    r"|http://www\.w3\.org/(?:2000/svg|1999/x(?:html|link)|1998/Math/MathML|Graphics/SVG/1\.1/DTD/svg11\.dtd)(?=[\"'`])"
)
ELSEWHERE = "something loaded from elsewhere"
FORBIDDEN = {
    "a progress bar": r"\d(it|s|batch|img)/(s|it|batch)\b|\d%\||\r(?!\n)",
    "an absolute or home path": r"(?<![\w./<)])/(home|root|Users|tmp|work|usr|var|opt)\b|~/|file://|[A-Za-z]:\\{1,2}Users",
    "a token or key": r"(?i:(token|secret|passw(or)?d|authorization|(api|access|secret)[_-]?key)"
    rf"{IS}((bearer|basic)\s+)?[\w/+@!$-]{{8}}|\bkey{IS}[0-9a-f]{{32}})|-----BEGIN [A-Z ]*PRIVATE KEY"
    r"|\b(gh[pousr]_|github_pat_|hf_|npm_|glpat-|pypi-|sk-|xox[a-z]-|AKIA|ASIA|AIza)[\w-]{16}"
    r"|(?<![\w-])eyJ[\w-]{15,}\.",
    "a traceback": r"Traceback \(most recent call last\)",
    ELSEWHERE: rf"(?i)(=|{QUOTE}|\burl\(|!\[[^\]\[]*\]\()\s*{ADDRESS}|=\s*{QUOTE}?//\w"
    rf"|srcset{QUOTE}?\s*[=,:]\s*{QUOTE}[^\"'`<>]*[\s,]{ADDRESS}|<(iframe|meta)\b|@import",
}


def text_of(output):
    """All text of one output: streams, errors and text mime types, without colours and long runs of base64."""
    parts = [output.get("text", ""), output.get("ename", ""), output.get("evalue", ""), *output.get("traceback", [])]
    parts += [value for kind, value in output.get("data", {}).items() if kind in TEXT_TYPES]
    text = re.sub(r"\x1b\[[0-?]*[ -/]*[@-~]", "", "\n".join("".join(part) for part in parts))
    return re.sub(r"[A-Za-z0-9+/=]{500,}", "", text)


def page_of(output):
    """What of the text becomes part of a page, without the addresses from which a page loads nothing."""
    data = {kind: value for kind, value in output.get("data", {}).items() if kind in RENDERED}
    return re.sub(HARMLESS, r"\1", text_of({"data": data}))


def output_problems(cell):
    """Sentences on what the outputs of one code cell must not hold; cell: a dict as in the file."""
    tags, found = cell.get("metadata", {}).get("tags", []), []
    for output in cell.get("outputs", []):
        if output.get("name") == "stderr":
            found.append(f"stderr: {text_of(output).strip()[:200]!r}")
        if output["output_type"] == "error" and "raises-exception" not in tags:
            found.append(f"an error: {output.get('ename')}: {output.get('evalue')}")
        found += [f"the output type {kind}" for kind in output.get("data", {}) if kind not in TYPES]
        text, page = text_of(output), page_of(output)
        for name, pattern in FORBIDDEN.items():
            if match := re.search(pattern, page if name == ELSEWHERE else text):
                found.append(f"{name}: {match.group()[:60]!r}")
    return [f"cell {cell.get('id')}: the output holds {problem}" for problem in found]


def clean_output(output):
    """The output without widget views, with no metadata but alt text, and with a one-line traceback; in place."""
    if output["output_type"] == "error":
        output["traceback"] = [f"{output['ename']}: {output['evalue']}"]
    if "data" in output:
        output["data"].pop(WIDGET, None)
        kept = {kind: {"alt": meta["alt"]} for kind, meta in output["metadata"].items() if "alt" in dict_or_empty(meta)}
        output["metadata"] = nbformat.from_dict({kind: meta for kind, meta in kept.items() if kind in output["data"]})
    return output


def dict_or_empty(value):
    return value if isinstance(value, dict) else {}


def joined(outputs):
    """Outputs with neighbouring pieces of one stream in one piece, and without empty ones."""
    result = []
    for output in outputs:
        if output["output_type"] == "stream" and result and result[-1].get("name") == output["name"]:
            result[-1]["text"] += output["text"]
        elif output.get("data") or output["output_type"] in ("stream", "error"):
            result.append(output)
    return result


def normalise(notebook):
    """Metadata as the project keeps it, and execution counts from 1; ids and sources stay as they are. In place."""
    notebook.metadata = nbformat.from_dict(METADATA)
    count = 0
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        hidden = {"jupyter": {"source_hidden": True}} if "hide-input" in (tags or []) else {}  # JupyterLab folds those
        cell.metadata = nbformat.from_dict(({"tags": tags} if tags else {}) | hidden)
        if cell.cell_type != "code":
            continue
        count += 1
        cell.outputs = joined(clean_output(output) for output in cell.outputs)
        cell.execution_count = count
        for output in cell.outputs:
            if output["output_type"] == "execute_result":
                output["execution_count"] = count
    return notebook


def clean_environment(scratch, dataset):
    """The kernel's environment: this one, with its own IPython and matplotlib settings, no bars and the data named."""
    env = {k: v for k, v in os.environ.items() if k not in ("MPLBACKEND", "PYTHONSTARTUP", "MATPLOTLIBRC")}
    for name in ("IPYTHONDIR", "MPLCONFIGDIR"):
        env[name] = str(Path(scratch, name.lower()))
        Path(env[name]).mkdir()
    if "VAE_DATA" in env:
        env["VAE_DATA"] = str(Path(env["VAE_DATA"]).resolve())  # the kernel starts in another folder
    apart = str(Path(scratch, "progress.json"))  # what somebody has solved here stays out of the stored outputs
    return env | {"TQDM_DISABLE": "1", "VAE_DATASET": dataset, "VAE_PROGRESS": apart, "VAE_FRAMES": "1"}


def solved():
    """Whether the exercises are to be filled with their solutions."""
    return os.environ.get("EXERCISES") == "solved"


def execute(notebook, dataset, timeout):
    """The notebook, executed in a fresh kernel and normalised, in place; raises what nbclient raises."""
    fill_exercises.fill(notebook.cells, solved=solved())
    client = NotebookClient(
        notebook,
        timeout=timeout,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
        store_widget_state=False,
        record_timing=False,
    )
    with tempfile.TemporaryDirectory() as scratch:
        client.execute(env=clean_environment(scratch, dataset))
    return normalise(notebook)


def record(folder):
    """Write the SHA-256 of every chapter to tools/chapters.sha256: `make lab` trusts those and no others.

    The format is that of `sha256sum notebooks/*.ipynb`.
    """
    chapters = sorted(folder.glob("*.ipynb"))
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {folder.name}/{path.name}\n" for path in chapters]
    (folder.parent / "tools" / "chapters.sha256").write_bytes("".join(lines).encode())


def run_one(path, folder, dataset, timeout):
    """Execute one chapter and store it; returns the problems that kept it from being stored."""
    start = time.perf_counter()
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, AttributeError, nbformat.ValidationError):  # AttributeError: JSON, but no object
        return [f"{path.name} was not executed: it holds no whole notebook in UTF-8 without a byte order mark."]
    try:
        notebook = execute(notebook, dataset, timeout)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        return [f"{path.name} was not stored: {error}"]
    problems = [problem for cell in notebook.cells for problem in output_problems(cell)]
    problems += fill_exercises.refused(notebook.cells) if solved() else []
    if not problems:
        write_whole(folder / path.name, (nbformat.writes(notebook).rstrip("\n") + "\n").encode())
    print(f"{path.name}: {time.perf_counter() - start:.0f} s", flush=True)
    return [f"{path.name} was not stored: {problem}" for problem in problems]


def arguments(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--only", nargs="+", default=[""], metavar="01", help="chapters whose file name starts like this"
    )
    parser.add_argument("--digits", action="store_true", help="run on the offline digits instead of MNIST; needs --to")
    parser.add_argument("--to", type=Path, default=HERE, metavar="FOLDER", help="write there instead of in place")
    parser.add_argument("--timeout", type=int, default=300, help="seconds for one cell")
    args = parser.parse_args(argv)
    args.to = args.to.resolve()
    if args.digits and args.to == HERE:
        parser.error("--digits needs --to with another folder: the committed outputs come from MNIST.")
    if solved() and args.to == HERE:
        parser.error("EXERCISES=solved needs --to with another folder: the committed chapters leave them open.")
    return args


def main(argv=None):
    args = arguments(argv)
    chapters = [path for path in sorted(HERE.glob("*.ipynb")) if path.name.startswith(tuple(args.only))]
    if not chapters:
        sys.exit(f"No chapter in {HERE.name} starts with {' or '.join(args.only)}.")
    args.to.mkdir(parents=True, exist_ok=True)
    problems = []
    for path in chapters:
        problems += run_one(path, args.to, "digits" if args.digits else "mnist", args.timeout)
    if args.to == HERE:
        record(HERE)
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
