"""Exercises that answer: check(name, answer), hint(name), solution(name), and progress() over all of them.

A teacher finds task, solution, known mistakes and what is tested of an exercise in one place, in the file of its
chapter. Nothing leaves the machine; what was solved is kept in one small file beside the notebooks.
"""

import json
from pathlib import Path

from vae_helpers.exercises import c01, c02, c03, c04, c05, c05a, c06, c07, c08, c09, c10, c11, c12
from vae_helpers.exercises.core import judged
from vae_helpers.whole_files import write_whole

_FILES = c01, c02, c03, c04, c05, c05a, c06, c07, c08, c09, c10, c11, c12
CHAPTERS = {file.__name__.rpartition(".c")[2]: file.EXERCISES for file in _FILES}
ALL = {exercise.name: exercise for exercises in CHAPTERS.values() for exercise in exercises}
PROGRESS = Path("exercises-done.json")
_asked = {}


def check(name, answer):
    """Say whether an answer is right, and if not, what fails and for which input. Never raises for an answer."""
    exercise = _named(name)
    right, words = judged(exercise, answer)
    if right:
        _remember(name)
        words = f"right. {exercise.because}"
    elif words.startswith("not answered"):
        words += f' exercises.hint("{name}") helps.'
    print(f"{name}: {words}")


def hint(name):
    """The next hint; after the last one the first again."""
    hints = _named(name).hints
    turn = _asked.get(name, 0)
    _asked[name] = turn + 1
    last = (
        " (That is the last one; the solution is folded under the task.)" if turn % len(hints) + 1 == len(hints) else ""
    )
    print(f"{turn % len(hints) + 1} of {len(hints)}: {hints[turn % len(hints)]}{last}")


def solution(name):
    """The solution, once all hints have been seen; before that, the next hint."""
    exercise = _named(name)
    if _asked.get(name, 0) < len(exercise.hints):
        hint(name)
        return
    print(f"{exercise.solution}\n\n{exercise.because}")


def progress():
    """What has been solved, chapter by chapter."""
    done = _done()
    for chapter, exercises in CHAPTERS.items():
        marks = ", ".join(f"{'✓' if e.name in done else '·'} {e.name}" for e in exercises)
        print(f"{chapter}: {sum(e.name in done for e in exercises)} of {len(exercises)}: {marks}")


def _named(name):
    if name not in ALL:
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(ALL)}.")
    return ALL[name]


def _done():
    """Names of solved exercises; none where the file is missing or not ours."""
    try:
        kept = json.loads(PROGRESS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [name for name in kept if name in ALL] if isinstance(kept, list) else []


def _remember(name):
    done = _done()
    if name in done:
        return
    try:
        write_whole(PROGRESS, json.dumps([*done, name], indent=1).encode())
    except OSError as error:
        print(f"(What you solved cannot be kept here: {error.strerror}.)")
