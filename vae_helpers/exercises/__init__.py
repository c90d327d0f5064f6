"""Exercises that answer: check(name, answer), hint(name), solution(name), and progress() over all of them.

A teacher finds task, solution, known mistakes and what is tested of an exercise in one place, in the file of its
chapter. Nothing leaves the machine; what was solved is kept in one small file beside the notebooks (progress.py).
"""

from vae_helpers import progress as kept
from vae_helpers.exercises import c01, c02, c03, c04, c05, c05a, c06, c07, c08, c09, c10, c11, c12
from vae_helpers.exercises.core import judged

_FILES = c01, c02, c03, c04, c05, c05a, c06, c07, c08, c09, c10, c11, c12
CHAPTERS = {file.__name__.rpartition(".c")[2]: file.EXERCISES for file in _FILES}
ALL = {exercise.name: exercise for exercises in CHAPTERS.values() for exercise in exercises}
_asked = {}


def check(name, answer):
    """Say whether an answer is right, and if not, what fails and for which input. Never raises for an answer."""
    exercise = _named(name)
    right, words = judged(exercise, answer)
    if right:
        if name not in kept.read("exercises"):
            kept.remember("exercises", name, True)
        words = f"right. {exercise.because}"
    elif words.startswith("not answered"):
        words += f' exercises.hint("{name}") helps.'
    print(f"{name}: {words}")


def hint(name):
    """The next hint; after the last one the first again."""
    hints = _named(name).hints
    _asked[name] = _asked.get(name, 0) + 1
    turn = (_asked[name] - 1) % len(hints) + 1
    last = " (That is the last one; the solution is folded under the task.)" * (turn == len(hints))
    print(f"{turn} of {len(hints)}: {hints[turn - 1]}{last}")


def solution(name):
    """The solution, once all hints have been seen; before that, the next hint."""
    exercise = _named(name)
    if _asked.get(name, 0) < len(exercise.hints):
        hint(name)
        return
    print(f"{exercise.solution}\n\n{exercise.because}")


def progress(only=None):
    """What has been solved, chapter by chapter, or in one chapter, "05"."""
    if only is not None and only not in CHAPTERS:
        raise ValueError(f"only must be one of {', '.join(CHAPTERS)}, got {only!r}.")
    done = kept.read("exercises")
    for chapter in CHAPTERS if only is None else [only]:
        names = [exercise.name for exercise in CHAPTERS[chapter]]
        marks = ", ".join(f"{'✓' if name in done else '·'} {name}" for name in names)
        print(f"{chapter}: {sum(name in done for name in names)} of {len(names)}: {marks}")


def _named(name):
    if name not in ALL:
        raise ValueError(f"there is no exercise {name!r}; there are {', '.join(ALL)}.")
    return ALL[name]
