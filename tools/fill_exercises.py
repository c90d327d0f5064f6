"""Bring the exercises in the notebooks in line with vae_helpers.exercises: python tools/fill_exercises.py

A chapter holds for each exercise a Markdown cell with the id "exercise-NAME-text" and a code cell "exercise-NAME".
"""

import json
from pathlib import Path

from vae_helpers.exercises import ALL
from vae_helpers.whole_files import write_whole

HERE = Path(__file__).resolve().parents[1] / "notebooks"


def source_of(cell, solved=False):
    """What should stand in a cell of an exercise, solved or not; None for any other cell."""
    if not cell.get("id", "").startswith("exercise-"):
        return None
    name = cell["id"].removeprefix("exercise-")
    exercise = ALL.get(name.removesuffix("-text") if cell["cell_type"] == "markdown" else name)
    if exercise is None:
        raise ValueError(f"the cell {cell['id']!r} belongs to no exercise; there are {', '.join(ALL)}.")
    if cell["cell_type"] == "markdown":
        return exercise.text
    return exercise.cell.replace(exercise.blank, exercise.solution) if solved else exercise.cell


def fill(cells, solved=False):
    """Put every exercise of these cells in line; returns the names of those that were not. In place."""
    changed = []
    for cell in cells:
        source = source_of(cell, solved)
        if source is not None and "".join(cell["source"]) != source:
            cell["source"] = source.splitlines(keepends=True) if isinstance(cell["source"], list) else source
            changed.append(cell["id"])
    return changed


def refused(cells):
    """Sentences on solved exercises whose check did not say "right"."""
    found = []
    for cell in cells:
        if cell.get("id", "").startswith("exercise-") and cell["cell_type"] == "code":
            said = "".join("".join(output.get("text", "")) for output in cell["outputs"])
            right = said.startswith(f"{cell['id'].removeprefix('exercise-')}: right.")
            found += [f"cell {cell['id']}: the solution is refused: {said.strip()[:200]}"] * (not right)
    return found


def main():
    for path in sorted(HERE.glob("*.ipynb")):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        if changed := fill(notebook["cells"]):
            write_whole(path, (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode())
            print(f"{path.name}: {', '.join(changed)}")


if __name__ == "__main__":
    main()
